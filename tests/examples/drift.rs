//! How often drift is seen where there is some, and where there is none: `cargo xtask report drift [DRAWS]` (20 if not said).

use acclimate_tests::shifted::{Shift, Shifted};
use acclimate_tests::trashnet::mean;
use acclimate_trainer::drift::{Adwin, Forgetting, Moments, Monitor, Reference, Window};
use acclimate_trainer::{FitOptions, Head, Kind, fit};
use anyhow::Context as _;
use ndarray::{Array2, ArrayView1, s};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const BACKBONES: [&str; 2] = ["mobilenetv2-1.0-224", "mcunet-5fps"];
/// Windows of each stream and draw.
const WINDOWS: usize = 6;

fn main() -> anyhow::Result<()> {
    let draws = match std::env::args().nth(1) {
        Some(word) => word.parse().with_context(|| format!("`{word}` is no number of draws"))?,
        None => 20_u64,
    };
    for backbone in BACKBONES {
        let Some(data) = Shifted::trashnet(backbone) else { return Ok(()) };
        hotelling(&data, draws)?;
        monitor(&data, draws)?;
        adwin(&data, draws)?;
        if backbone == BACKBONES[1] {
            forgetting(&data, draws)?;
        }
    }
    Ok(())
}

/// A head learnt on some photographs, what it was learnt on, and the photographs it has not seen.
struct Learnt {
    head: Head,
    reference: Reference,
    rest: Vec<usize>,
    random: ChaCha8Rng,
}

fn learn(data: &Shifted, per_class: usize, seed: u64) -> anyhow::Result<Learnt> {
    let plain = &data.plain;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let draw = acclimate_tests::draws::Draw::all(plain, seed).few(plain, per_class);
    let used: Vec<usize> = draw.train.iter().map(|&row| plain.groups[row]).collect();
    // One of each group: what arrives is a stream of moments.
    let mut rest: Vec<usize> = (0..plain.labels.len()).filter(|&row| !used.contains(&plain.groups[row])).collect();
    rest.dedup_by_key(|row| plain.groups[*row]);
    rest.shuffle(&mut random);
    let train = plain.pick(&draw.train);
    let samples = train.samples(plain.classes.len())?;
    let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
    let candidate = fit(&samples, &options)?.swap_remove(0);
    let predicted: Vec<usize> = candidate.leave_out.outer_iter().map(|row| top(&row)).collect();
    let reference = Reference::new(train.x.view(), &predicted, &train.groups, plain.classes.len())?;
    Ok(Learnt { head: candidate.head, reference, rest, random })
}

fn top(row: &ArrayView1<'_, f64>) -> usize {
    (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

fn predictions(head: &Head, x: &Array2<f32>) -> Vec<usize> {
    head.batch(x.view(), None).outer_iter().map(|row| top(&row)).collect()
}

/// Rows for a window of `n`: even, or of classes with chances drawn anew (flat Dirichlet).
fn window(learnt: &mut Learnt, data: &Shifted, n: usize, mixed: bool) -> Vec<usize> {
    let mut rows = learnt.rest.clone();
    rows.shuffle(&mut learnt.random);
    if mixed {
        let classes = data.plain.classes.len();
        let chances: Vec<f64> = (0..classes).map(|_| -learnt.random.random_range(1e-9..1.0_f64).ln()).collect();
        // The exponential race: rows in the order in which a draw without replacement has them.
        let key = |random: &mut ChaCha8Rng, row: usize| {
            -random.random_range(1e-9..1.0_f64).ln() / chances[data.plain.labels[row]]
        };
        let mut keyed: Vec<(f64, usize)> = rows.iter().map(|&row| (key(&mut learnt.random, row), row)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows = keyed.into_iter().map(|(_, row)| row).collect();
    }
    rows.truncate(n);
    rows
}

fn percent((mean, half): (f64, f64)) -> String {
    format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * half)
}

fn hotelling(data: &Shifted, draws: u64) -> anyhow::Result<()> {
    println!("\n## {}: Hotelling's T² of one window, {draws} draws of {WINDOWS} windows\n", data.plain.name);
    println!("Share of windows with p below 5 % / 1 %, in per cent, with 95 % intervals over draws.\n");
    println!(
        "| learnt per class | window | unchanged | unchanged, other mix | {} |",
        Shift::ALL.map(Shift::word).join(" | ")
    );
    println!("|---|---|{}", "---|".repeat(2 + Shift::ALL.len()));
    for per_class in [10, 40] {
        for size in [10, 30] {
            // By stream, then by draw: the shares of the draw's windows.
            let mut shares = vec![Vec::new(); 2 + Shift::ALL.len()];
            for seed in 0..draws {
                let mut learnt = learn(data, per_class, seed)?;
                let seen: Vec<Vec<usize>> =
                    std::iter::once(&data.plain.x).chain(&data.shifts).map(|x| predictions(&learnt.head, x)).collect();
                for (stream, shares) in shares.iter_mut().enumerate() {
                    let at = stream.saturating_sub(1);
                    let x = if at == 0 { &data.plain.x } else { &data.shifts[at - 1] };
                    let (mut five, mut one) = (0.0, 0.0);
                    for _ in 0..WINDOWS {
                        let mut test = Window::default();
                        for row in window(&mut learnt, data, size, stream == 1) {
                            test.observe(&learnt.reference, &x.row(row).to_vec(), seen[at][row], row);
                        }
                        test.close();
                        let p = test.test(&learnt.reference).context("a window without a test")?.p;
                        five += f64::from(p < 0.05) / WINDOWS as f64;
                        one += f64::from(p < 0.01) / WINDOWS as f64;
                    }
                    shares.push((five, one));
                }
            }
            let cell = |shares: &Vec<(f64, f64)>| {
                let [five, one] = [mean(shares.iter().map(|s| s.0)), mean(shares.iter().map(|s| s.1))];
                format!("{} / {}", percent(five), percent(one))
            };
            println!("| {per_class} | {size} | {} |", shares.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
    }
    Ok(())
}

/// False alarms of the monitor as it comes, on long streams of photographs it was not learnt on.
fn monitor(data: &Shifted, draws: u64) -> anyhow::Result<()> {
    const LENGTH: usize = 6_000;
    let mut cells = Vec::new();
    for mixed in [false, true] {
        let mut alarms = Vec::new();
        for seed in 0..draws {
            let mut learnt = learn(data, 40, seed)?;
            let seen = predictions(&learnt.head, &data.plain.x);
            let mut monitor = Monitor::default();
            let (mut count, mut burst) = (0.0, 0);
            while burst < LENGTH {
                for row in window(&mut learnt, data, monitor.window, mixed) {
                    let x = data.plain.x.row(row).to_vec();
                    let test = monitor.observe(&learnt.reference, &x, seen[row], burst);
                    count += f64::from(u8::from(test.is_some_and(|test| test.p < monitor.level())));
                    burst += 1;
                }
            }
            alarms.push(count * 10_000.0 / burst as f64);
        }
        let worst = alarms.iter().copied().fold(0.0, f64::max);
        let (mean, half) = mean(alarms);
        cells.push(format!("{mean:.2} ± {half:.2} (worst draw {worst:.1})"));
    }
    println!(
        "\nA monitor of windows of 30 at one false alarm in 10,000: {} in 10,000 samples of an unchanged stream, {} where every \
         window has another mix of classes.",
        cells[0], cells[1]
    );
    Ok(())
}

/// ADWIN on the errors of a head learnt on 40 a class: 2,000 labels unchanged, 2,000 after the change.
fn adwin(data: &Shifted, draws: u64) -> anyhow::Result<()> {
    const HALF: usize = 2_000;
    println!("\nADWIN (δ = 0.002) on the errors of predictions, {HALF} labels before the change and {HALF} after:\n");
    println!(
        "| change | error before, after | false alarms in {HALF} | seen | labels until then |\n|---|---|---|---|---|"
    );
    for (at, shift) in Shift::ALL.iter().enumerate() {
        let (mut before, mut after, mut false_alarms, mut delays) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for seed in 0..draws {
            let mut learnt = learn(data, 40, seed)?;
            let wrong = |head: &Head, x: &Array2<f32>| -> Vec<f64> {
                let pairs = predictions(head, x).into_iter().zip(&data.plain.labels);
                pairs.map(|(p, &label)| f64::from(u8::from(p != label))).collect()
            };
            let errors = [wrong(&learnt.head, &data.plain.x), wrong(&learnt.head, &data.shifts[at])];
            let rate =
                |errors: &[f64]| learnt.rest.iter().map(|&row| errors[row]).sum::<f64>() / learnt.rest.len() as f64;
            before.push(rate(&errors[0]));
            after.push(rate(&errors[1]));
            let mut detector = Adwin::default();
            let (mut early, mut seen) = (0.0, None);
            for step in 0..2 * HALF {
                let row = learnt.rest[learnt.random.random_range(0..learnt.rest.len())];
                let alarm = detector.observe(errors[step / HALF][row]);
                if alarm && step < HALF {
                    early += 1.0;
                } else if alarm && seen.is_none() {
                    seen = Some((step - HALF) as f64);
                }
            }
            false_alarms.push(early);
            delays.extend(seen);
        }
        let found = delays.len();
        delays.sort_by(f64::total_cmp);
        println!(
            "| {} | {}, {} % | {:.2} ± {:.2} | {found} of {draws} | {} |",
            shift.word(),
            percent(mean(before)),
            percent(mean(after)),
            mean(false_alarms.iter().copied()).0,
            mean(false_alarms).1,
            delays.get(found / 2).map_or("-".into(), |delay| format!("{delay:.0} (median)")),
        );
    }
    Ok(())
}

/// Ridge on moments that are forgotten, each photograph seen once, predicted before it is learnt, while the stream goes over from
/// untouched to blurred ones.
fn forgetting(data: &Shifted, draws: u64) -> anyhow::Result<()> {
    println!("\nForgetting while photographs go over from untouched to blurred, accuracy on the last third:\n");
    println!(
        "| half-life in labels | γ | samples it is worth at the end | accuracy | against none |\n|---|---|---|---|---|"
    );
    let (n, dim) = data.plain.x.dim();
    let blurred = &data.shifts[1];
    let mut none = Vec::new();
    for half_life in [None, Some(800.0), Some(400.0), Some(200.0), Some(100.0), Some(50.0)] {
        let forgetting = half_life.map_or_else(|| Forgetting::new(1.0), Forgetting::half_life)?;
        let mut accuracies = Vec::new();
        for seed in 0..draws.min(10) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut order: Vec<usize> = (0..n).collect();
            order.shuffle(&mut random);
            let mut moments = Moments::new(dim, data.plain.classes.len(), forgetting);
            let (mut right, mut asked, mut head) = (0.0, 0.0, None);
            for (step, &row) in order.iter().enumerate() {
                let moved = random.random_bool(step as f64 / n as f64);
                let x = if moved { blurred } else { &data.plain.x }.slice(s![row..=row, ..]);
                if step % 10 == 0 {
                    head = moments.ridge(0.1);
                }
                if let Some(head) = head.as_ref().filter(|_| 3 * step >= 2 * n) {
                    let scores = head.weights.dot(&x.row(0).mapv(f64::from)) + &head.bias;
                    right += f64::from(u8::from(top(&scores.view()) == data.plain.labels[row]));
                    asked += 1.0;
                }
                moments.observe(x, &data.plain.labels[row..=row]);
            }
            accuracies.push(right / asked);
        }
        if half_life.is_none() {
            none.clone_from(&accuracies);
        }
        println!(
            "| {} | {:.4} | {:.0} | {} | {} |",
            half_life.map_or("none".into(), |steps| format!("{steps}")),
            forgetting.gamma(),
            forgetting.effective_samples(n),
            percent(mean(accuracies.iter().copied())),
            percent(mean(accuracies.iter().zip(&none).map(|(a, b)| a - b))),
        );
    }
    Ok(())
}
