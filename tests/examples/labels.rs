//! What to make of labels: prediction sets, thresholds for a precision, suspect labels, samples worth a label, bursts of near-duplicates, on draws of
//! TrashNet: `cargo xtask report labels [BACKBONE [DRAWS [PART]]]`, a part being `sets`, `precision`, `suspects`, `useful` or `bursts`.

use acclimate_tests::draws::Draw;
use acclimate_tests::features::{Features, Labelled};
use acclimate_tests::skip::assets;
use acclimate_tests::trashnet::mean;
use acclimate_trainer::{
    Candidate, Decision, FEW_LABELS, FitOptions, Kind, Samples, Use, Useful, fit, most_useful, suspects,
};
use anyhow::Context as _;
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let backbone = arguments.next().unwrap_or_else(|| "mobilenetv2-1.0-224".into());
    let draws: u64 = arguments.next().map_or(Ok(10), |n| n.parse()).context("DRAWS is no number")?;
    let part = arguments.next();
    let Some(trash) = Features::trashnet(&backbone) else { return Ok(()) };
    println!("{}, {draws} draws, mean ± 95 % interval over draws", trash.name);
    for (name, table) in [
        ("sets", sets as fn(&Features, u64) -> anyhow::Result<()>),
        ("precision", precision),
        ("suspects", doubts),
        ("useful", useful),
        ("bursts", bursts),
    ] {
        if part.as_ref().is_none_or(|part| part == name) {
            println!();
            table(&trash, draws)?;
        }
    }
    Ok(())
}

/// Ridge on some rows, whose labels may be others than the features say.
fn ridge(trash: &Features, rows: &[usize], labels: &[usize]) -> anyhow::Result<(Candidate, Vec<usize>)> {
    let x = trash.x.select(Axis(0), rows);
    let groups: Vec<usize> = rows.iter().map(|&row| trash.groups[row]).collect();
    // Classes nobody labelled are not there.
    let mut present = labels.to_vec();
    present.sort_unstable();
    present.dedup();
    let labels: Vec<usize> = labels.iter().filter_map(|label| present.binary_search(label).ok()).collect();
    let samples = Samples::new(x.view(), &labels, &groups, present.len())?;
    let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
    let candidate = fit(&samples, &options)?.into_iter().next().context("a head of one kind")?;
    Ok((candidate, present))
}

fn labels_of(trash: &Features, rows: &[usize]) -> Vec<usize> {
    rows.iter().map(|&row| trash.labels[row]).collect()
}

fn cell((mean, half): (f64, f64)) -> String {
    format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * half)
}

/// How often the true class is in the set, and how large sets are.
fn sets(trash: &Features, draws: u64) -> anyhow::Result<()> {
    println!("prediction sets of ridge on test samples\n");
    println!("per class  asked   covered %       classes in a set");
    for per_class in [10, 20, 90] {
        let mut found = vec![(Vec::new(), Vec::new()); 3];
        for seed in 0..draws {
            let draw = Draw::all(trash, seed).few(trash, per_class);
            let (candidate, present) = ridge(trash, &draw.train, &labels_of(trash, &draw.train))?;
            let conformal = candidate.head.conformal.as_ref().context("a fitted head has thresholds")?;
            let p = candidate.head.batch(trash.x.select(Axis(0), &draw.test).view(), None);
            for (coverage, (covered, size)) in [0.8, 0.9, 0.95].into_iter().zip(&mut found) {
                let (mut inside, mut classes) = (0, 0);
                for (row, &test) in p.rows().into_iter().zip(&draw.test) {
                    let set = conformal.set(&row.to_vec(), coverage)?;
                    inside += usize::from(set.iter().any(|&class| present[class] == trash.labels[test]));
                    classes += set.len();
                }
                covered.push(inside as f64 / draw.test.len() as f64);
                size.push(classes as f64 / draw.test.len() as f64);
            }
        }
        for (coverage, (covered, size)) in [0.8, 0.9, 0.95].into_iter().zip(found) {
            let (classes, half) = mean(size);
            println!("{per_class:>9}  {coverage:.2}    {:14}  {classes:.2} ± {half:.2}", cell(mean(covered)));
        }
    }
    Ok(())
}

/// How often sure answers are right on test samples where `adapt --precision` was asked for it, class by class.
fn precision(trash: &Features, draws: u64) -> anyhow::Result<()> {
    println!("thresholds for a precision, of ridge, on test samples\n");
    println!("per class  asked   right of sure %   sure %          worst class over all draws %");
    for per_class in [10, 20, 50, 90] {
        for asked in [0.8, 0.9, 0.95] {
            let (mut right, mut sure) = (Vec::new(), Vec::new());
            let mut by_class = vec![[0_usize; 2]; trash.classes.len()];
            for seed in 0..draws {
                let draw = Draw::all(trash, seed).few(trash, per_class);
                let labels = labels_of(trash, &draw.train);
                let (candidate, present) = ridge(trash, &draw.train, &labels)?;
                let columns: Vec<usize> = labels.iter().filter_map(|label| present.binary_search(label).ok()).collect();
                let decision = Decision::new(present.len(), None, None)?;
                let decision = decision.with_precision(asked, candidate.leave_out.view(), &columns)?;
                let p = candidate.head.batch(trash.x.select(Axis(0), &draw.test).view(), None);
                let mut counts = [0_usize; 2];
                for (row, &test) in p.rows().into_iter().zip(&draw.test) {
                    let answer = decision.answer(&row.to_vec());
                    if answer.sure {
                        let class = present[answer.class];
                        counts[usize::from(class == trash.labels[test])] += 1;
                        by_class[class][usize::from(class == trash.labels[test])] += 1;
                    }
                }
                let all = counts[0] + counts[1];
                sure.push(all as f64 / draw.test.len() as f64);
                // Who answers nothing makes no mistake.
                right.push(if all > 0 { counts[1] as f64 / all as f64 } else { 1.0 });
            }
            let share = |[wrong, right]: &[usize; 2]| *right as f64 / (wrong + right).max(1) as f64;
            let worst = by_class.iter().zip(&trash.classes).min_by(|a, b| share(a.0).total_cmp(&share(b.0)));
            let worst = worst.map_or_else(String::new, |(counts, class)| {
                format!("{:.1} ({class}, {} answers)", 100.0 * share(counts), counts[0] + counts[1])
            });
            println!("{per_class:>9}  {asked:.2}    {:14}    {:14}  {worst}", cell(mean(right)), cell(mean(sure)));
        }
    }
    Ok(())
}

/// Labels flipped at random, and which of them are found.
fn doubts(trash: &Features, draws: u64) -> anyhow::Result<()> {
    println!("suspect labels of ridge, some flipped to another class at random\n");
    println!("labels  flipped  suspects     precision %     recall %");
    for n in [120, 300, trash.labels.len()] {
        for rate in [0.0, 0.05, 0.1, 0.2] {
            let (mut listed, mut precision, mut recall) = (Vec::new(), Vec::new(), Vec::new());
            for seed in 0..draws {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let mut rows: Vec<usize> = (0..trash.labels.len()).collect();
                rows.shuffle(&mut random);
                rows.truncate(n);
                let mut labels = labels_of(trash, &rows);
                let flipped = (rate * n as f64).round() as usize;
                for label in labels.iter_mut().take(flipped) {
                    *label = (*label + random.random_range(1..trash.classes.len())) % trash.classes.len();
                }
                let (candidate, present) = ridge(trash, &rows, &labels)?;
                let columns: Vec<usize> = labels.iter().filter_map(|label| present.binary_search(label).ok()).collect();
                let found = suspects(candidate.leave_out.view(), &columns);
                let right = found.iter().filter(|suspect| suspect.row < flipped).count() as f64;
                listed.push(found.len() as f64);
                precision.push(right / found.len().max(1) as f64);
                recall.push(right / flipped.max(1) as f64);
            }
            let count = format!("{:.0}", mean(listed).0);
            let (precision, recall) = (cell(mean(precision)), cell(mean(recall)));
            let (precision, recall) = if rate > 0.0 { (precision, recall) } else { ("-".into(), "-".into()) };
            println!("{n:>6}  {:>5} %  {count:>8}     {precision:14}  {recall}", (100.0 * rate).round());
        }
    }
    Ok(())
}

/// Test accuracy of ridge on labels asked for as `sample list --most-useful` does, and at random.
fn useful(trash: &Features, draws: u64) -> anyhow::Result<()> {
    const BUDGETS: [usize; 4] = [10, 30, 60, 120];
    println!("test accuracy, %, on labels that were asked for\n");
    let mut found = vec![[Vec::new(), Vec::new()]; BUDGETS.len()];
    for seed in 0..draws {
        let draw = Draw::all(trash, seed);
        for (way, chosen) in [false, true].into_iter().enumerate() {
            let mut labelled: Vec<usize> = Vec::new();
            for (budget, found) in BUDGETS.into_iter().zip(&mut found) {
                labelled =
                    if chosen { ask(trash, &draw.train, labelled, budget)? } else { draw.train[..budget].to_vec() };
                found[way].push(accuracy(trash, &labelled, &draw.test)?);
            }
        }
    }
    println!("labels  at random       most useful     difference");
    for (budget, [random, chosen]) in BUDGETS.into_iter().zip(found) {
        let difference = chosen.iter().zip(&random).map(|(a, b)| a - b).collect::<Vec<_>>();
        println!("{budget:>6}  {:14}  {:14}  {}", cell(mean(random)), cell(mean(chosen)), cell(mean(difference)));
    }
    Ok(())
}

/// Labels the most useful, ten at a time, until there are as many as wanted.
fn ask(trash: &Features, pool: &[usize], mut labelled: Vec<usize>, wanted: usize) -> anyhow::Result<Vec<usize>> {
    let x = trash.x.select(Axis(0), pool);
    let groups: Vec<usize> = pool.iter().map(|&row| trash.groups[row]).collect();
    while labelled.len() < wanted {
        let known: Vec<bool> = pool.iter().map(|row| labelled.contains(row)).collect();
        let enough = labelled.len() >= FEW_LABELS * trash.classes.len();
        let probabilities: Option<Array2<f64>> = if enough {
            Some(ridge(trash, &labelled, &labels_of(trash, &labelled))?.0.head.batch(x.view(), None))
        } else {
            None
        };
        let count = (wanted - labelled.len()).min(10);
        let next = most_useful(x.view(), &groups, &known, probabilities.as_ref().map(|p| p.view()), count);
        anyhow::ensure!(!next.is_empty(), "the pool is too small");
        anyhow::ensure!(
            next.iter().all(|useful| enough == matches!(useful, Useful { because: Use::Doubtful { .. }, .. }))
        );
        labelled.extend(next.iter().map(|useful| pool[useful.row]));
    }
    Ok(labelled)
}

fn accuracy(trash: &Features, labelled: &[usize], test: &[usize]) -> anyhow::Result<f64> {
    let (candidate, present) = ridge(trash, labelled, &labels_of(trash, labelled))?;
    let p = candidate.head.batch(trash.x.select(Axis(0), test).view(), None);
    let best = |row: ndarray::ArrayView1<'_, f64>| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
    let right = p
        .rows()
        .into_iter()
        .zip(test)
        .filter(|(row, test)| best(*row).is_some_and(|class| present[class] == trash.labels[**test]));
    Ok(right.count() as f64 / test.len() as f64)
}

/// Copies of each picture.
const COPIES: usize = 5;

/// What leaving out says of a head, with bursts of near-duplicates as they are grouped and without groups.
fn bursts(trash: &Features, draws: u64) -> anyhow::Result<()> {
    println!(
        "each of 20 pictures a class with {COPIES} copies, cropped by up to 4 % and up to 8 % brighter or darker\n"
    );
    println!("draw  pictures in one group %  left out, grouped  left out, single  test");
    let (mut grouped, mut single) = (Vec::new(), Vec::new());
    for seed in 0..draws {
        let draw = Draw::all(trash, seed).few(trash, 20);
        let burst = burst(trash, &draw.train, seed)?;
        let mut estimates = [0.0; 2];
        let mut test = 0.0;
        let alone: Vec<usize> = (0..burst.labels.len()).collect();
        for (groups, estimate) in [&burst.groups, &alone].into_iter().zip(&mut estimates) {
            let samples = Samples::new(burst.x.view(), &burst.labels, groups, burst.classes.len())?;
            let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
            let candidate = fit(&samples, &options)?.into_iter().next().context("a head of one kind")?;
            *estimate = candidate.accuracy;
            let p = candidate.head.batch(trash.x.select(Axis(0), &draw.test).view(), None);
            let right = p.rows().into_iter().zip(&draw.test).filter(|(row, test)| {
                let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                best.is_some_and(|class| burst.classes[class] == trash.classes[trash.labels[**test]])
            });
            // That of the head fitted on groups, which is asked first.
            if groups == &burst.groups {
                test = right.count() as f64 / draw.test.len() as f64;
            }
        }
        let whole = burst.groups.chunks(COPIES + 1).filter(|of| of.iter().all(|group| group == &of[0])).count();
        let whole = whole as f64 / (burst.groups.len() / (COPIES + 1)) as f64;
        let [first, second] = estimates;
        println!(
            "{seed:>4}  {:>23.1}  {:>17.1}  {:>16.1}  {:.1}",
            100.0 * whole,
            100.0 * first,
            100.0 * second,
            100.0 * test
        );
        grouped.push(first - test);
        single.push(second - test);
    }
    println!("\nleft out less test, points: grouped {}, single {}", cell(mean(grouped)), cell(mean(single)));
    Ok(())
}

/// Features of some pictures, each followed by its copies, through the binary.
fn burst(trash: &Features, rows: &[usize], seed: u64) -> anyhow::Result<Features> {
    let assets = assets().context("the pictures are needed")?;
    let folder = tempfile::tempdir()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut files = Vec::new();
    for (at, &row) in rows.iter().enumerate() {
        let picture = image::open(assets.join("data/trashnet").join(&trash.sources[row]))?.to_rgb8();
        for copy in 0..=COPIES {
            let path = folder.path().join(format!("{at:03}-{copy}.png"));
            let (width, height) = picture.dimensions();
            let mut cut = |length: u32| random.random_range(0..=length / 50);
            let (left, top) = (cut(width), cut(height));
            let (right, bottom) = (cut(width), cut(height));
            let gain = random.random_range(0.92..1.08_f32);
            if copy == 0 {
                picture.save(&path)?;
            } else {
                let mut part =
                    image::imageops::crop_imm(&picture, left, top, width - left - right, height - top - bottom)
                        .to_image();
                for channel in part.iter_mut() {
                    *channel = (f32::from(*channel) * gain).round().clamp(0.0, 255.0) as u8;
                }
                part.save(&path)?;
            }
            files.push(Labelled { path, class: trash.classes[trash.labels[row]].clone(), domain: String::new() });
        }
    }
    let models = assets.join("models").display().to_string();
    let backbone = trash.name.rsplit(", ").next().unwrap_or_default();
    Features::of("trashnet-bursts", &["--backbone", backbone, "--models", &models], folder.path(), &files)
}
