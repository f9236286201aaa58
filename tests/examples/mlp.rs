//! Whether a head with one hidden layer, trained by gradients, would ever be selected, and what it would gain:
//! `cargo xtask report mlp [SET…] [--draws N]`. It is no kind of head here; `tests/reference/mlp.py` is the recipe.
//!
//! It stands beside `auto` and the best linear head on the same draws. `as kernel`: it is taken where a paired test of
//! out-of-fold log-loss says so, as for every head that is not linear (`trainer/src/selection.rs`). `least loss`: where it
//! loses less than `auto` out of fold.

use acclimate_tests::draws::Draw;
use acclimate_tests::features::Features;
use acclimate_tests::python;
use acclimate_tests::table::{self, Mean};
use acclimate_trainer::{Candidate, Evaluation, FitOptions, Form, Kernel, calibration, fit, log_loss, select, softmax};
use anyhow::{Context as _, bail, ensure};
use ndarray::{Array1, Array2};
use serde_json::{Value, json};

/// Samples a class to learn from; all of them where none.
const SIZES: [Option<usize>; 5] = [Some(1), Some(5), Some(10), Some(50), None];

type Load = fn() -> Option<Features>;

const SETS: [(&str, Load); 4] = [
    ("trashnet", || Features::trashnet("mobilenetv2-1.0-224")),
    ("trashnet-mcunet", || Features::trashnet("mcunet-5fps")),
    ("wharf-imu", Features::wharf_imu),
    ("magic-wand", Features::magic_wand),
];

/// What a head reached on the test part.
#[derive(Clone, Copy)]
struct Reached {
    accuracy: f64,
    log_loss: f64,
}

/// One draw.
struct Row {
    auto: Reached,
    linear: Reached,
    mlp: Reached,
    /// Out-of-fold log-loss of the network less that of `auto`, if anything can be left out.
    ahead: Option<f64>,
    /// Whether it is taken by the rule for heads that are not linear, and by least loss.
    taken: [bool; 2],
    seconds: f64,
}

fn main() -> anyhow::Result<()> {
    let (mut wanted, mut draws) = (Vec::new(), 10);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--draws" => draws = arguments.next().context("--draws takes a number")?.parse().context("--draws")?,
            set if SETS.iter().any(|(name, _)| *name == set) => wanted.push(argument),
            other => bail!("`{other}` is none of {}", SETS.map(|(name, _)| name).join(", ")),
        }
    }
    table::heading("mlp", "means over draws with 95 % intervals, in percent and in nats");
    let python = python::with("numpy")?;
    for (name, load) in SETS {
        if (wanted.is_empty() || wanted.iter().any(|set| set == name))
            && let Some(features) = load()
        {
            let all: Vec<Draw> = (0..draws).map(|seed| Draw::all(&features, seed)).collect();
            let sized: Vec<Vec<Draw>> = SIZES
                .iter()
                .map(|size| {
                    all.iter().map(|draw| size.map_or_else(|| draw.clone(), |k| draw.few(&features, k))).collect()
                })
                .collect();
            let asked = sized.iter().flatten().map(|draw| json!({ "train": draw.train, "test": draw.test }));
            let input = json!({ "features": features.file, "draws": asked.collect::<Vec<_>>() });
            let said = python::peer(&python, "tests/reference/mlp.py", &input)?;
            let networks = said["rows"].as_array().context("no `rows`")?;
            ensure!(networks.len() == draws as usize * SIZES.len(), "{} results", networks.len());
            println!("## {}\n", features.name);
            let mut networks = networks.iter();
            let mut rows = Vec::new();
            for draws in &sized {
                let of = draws.iter().zip(networks.by_ref()).map(|(draw, network)| Row::of(&features, draw, network));
                rows.push(of.collect::<anyhow::Result<Vec<Row>>>()?);
            }
            print(&rows);
        }
    }
    Ok(())
}

impl Row {
    fn of(features: &Features, draw: &Draw, network: &Value) -> anyhow::Result<Self> {
        let classes = features.classes.len();
        let [train, test] = [&draw.train, &draw.test].map(|rows| features.pick(rows));
        let mut candidates = fit(&train.samples(classes)?, &FitOptions::default())?;
        let reached = |p: &Array2<f64>| -> anyhow::Result<Reached> {
            let Evaluation { accuracy, log_loss, .. } = Evaluation::new(p.view(), &test.labels, &test.groups, false)?;
            Ok(Reached { accuracy, log_loss })
        };
        let of = |candidate: &Candidate| reached(&candidate.head.batch(test.x.view(), Some(&test.norms)));
        let auto = select(&candidates);
        let linear: Vec<Candidate> =
            candidates.iter().filter(|candidate| candidate.head.linear().is_some()).cloned().collect();
        let (chosen, best) = (of(&candidates[auto])?, of(&linear[select(&linear)])?);
        let mut p = scores(&network["test"], classes)?;
        let (mut ahead, mut taken) = (None, [false; 2]);
        if network["left_out"].is_null() {
            probabilities(&mut p, 1.0);
        } else {
            let mut left_out = scores(&network["left_out"], classes)?;
            let temperature = calibration::temperature(left_out.view(), &train.labels);
            probabilities(&mut left_out, temperature);
            probabilities(&mut p, temperature);
            let losses = left_out.outer_iter().zip(&train.labels).map(|(p, &label)| log_loss(p, label));
            let mut candidate = Candidate { fold_losses: losses.collect(), ..candidates[auto].clone() };
            // All that selection asks of it is that it is not linear.
            candidate.head.form = Form::Kernel(Kernel {
                support: Array2::zeros((1, train.x.ncols())),
                quantisation: None,
                coefficients: Array2::zeros((classes, 1)),
                bias: Array1::zeros(classes),
                gamma: 1.0,
            });
            let difference = candidate.fold_loss() - candidates[auto].fold_loss();
            ahead = Some(difference);
            candidates.push(candidate);
            taken = [select(&candidates) == candidates.len() - 1, difference < 0.0];
        }
        let seconds = network["seconds"].as_f64().context("no `seconds`")?;
        Ok(Self { auto: chosen, linear: best, mlp: reached(&p)?, ahead, taken, seconds })
    }
}

/// A list of lists as a matrix.
fn scores(value: &Value, classes: usize) -> anyhow::Result<Array2<f64>> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).context("reading scores")?;
    Ok(Array2::from_shape_vec((rows.len(), classes), rows.concat())?)
}

fn probabilities(scores: &mut Array2<f64>, temperature: f64) {
    for mut row in scores.outer_iter_mut() {
        let mut p = row.to_vec();
        softmax(&mut p, temperature);
        row.assign(&Array1::from(p));
    }
}

fn print(sizes: &[Vec<Row>]) {
    let mut all = Vec::new();
    let cells = |name: String, rows: &[&Row]| {
        let mean = |of: &dyn Fn(&Row) -> f64| Mean::of(rows.iter().map(|row| of(row)));
        let nats = |of: &dyn Fn(&Row) -> f64| {
            let Mean { mean, half } = mean(of);
            format!("{mean:+.3} ± {half:.3}")
        };
        let ahead: Vec<f64> = rows.iter().filter_map(|row| row.ahead).collect();
        let taken = |rule: usize| {
            let count = rows.iter().filter(|row| row.taken[rule]).count();
            // What is not taken gains nothing.
            let gain = |of: fn(&Reached) -> f64| {
                move |row: &Row| if row.taken[rule] { of(&row.mlp) - of(&row.auto) } else { 0.0 }
            };
            format!(
                "{count} of {}: {}, {}",
                rows.len(),
                mean(&gain(|reached| reached.accuracy)).points(),
                nats(&gain(|reached| reached.log_loss))
            )
        };
        vec![
            name,
            mean(&|row| row.auto.accuracy).percent(),
            mean(&|row| row.mlp.accuracy).percent(),
            mean(&|row| row.mlp.accuracy - row.auto.accuracy).points(),
            mean(&|row| row.mlp.accuracy - row.linear.accuracy).points(),
            mean(&|row| row.auto.log_loss).to_string(),
            nats(&|row| row.mlp.log_loss - row.auto.log_loss),
            nats(&|row| row.mlp.log_loss - row.linear.log_loss),
            if ahead.is_empty() { "none".to_owned() } else { format!("{:+.3}", Mean::of(ahead).mean) },
            taken(0),
            taken(1),
            format!("{:.1}", mean(&|row| row.seconds).mean),
        ]
    };
    let mut table = Vec::new();
    for (size, rows) in SIZES.iter().zip(sizes) {
        let rows: Vec<&Row> = rows.iter().collect();
        table.push(cells(size.map_or_else(|| "all".to_owned(), |k| k.to_string()), &rows));
        all.extend(rows);
    }
    table.push(cells("mean".to_owned(), &all));
    let head = [
        "a class",
        "auto",
        "mlp",
        "mlp − auto",
        "mlp − linear",
        "log-loss of auto",
        "mlp − auto",
        "mlp − linear",
        "out of fold: mlp − auto",
        "taken as kernel: gain",
        "taken by least loss: gain",
        "mlp s",
    ];
    table::print(&head, &table);
}
