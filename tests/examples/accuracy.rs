//! Test accuracy by number of samples: every head of ours, the one that is selected (`auto`), and scikit-learn's on the
//! same features and draws. `cargo xtask report accuracy [SET…] [--draws N] [--live | --write-reference]`.
//!
//! scikit-learn's figures are the committed ones unless `--live` asks for a run, or `--write-reference` for one that
//! replaces them.

use std::collections::BTreeMap;

use acclimate_tests::draws::Draw;
use acclimate_tests::features::Features;
use acclimate_tests::heads::{Fitted, Tested};
use acclimate_tests::reference::{COLUMNS, Reference};
use acclimate_tests::table::{self, Mean};
use acclimate_trainer::Kind;
use anyhow::{Context as _, bail};

/// Samples a class to learn from; all of them where none.
const SIZES: [Option<usize>; 5] = [Some(1), Some(5), Some(10), Some(50), None];

type Load = fn() -> Option<Features>;

const SETS: [(&str, Load); 5] = [
    ("trashnet", || Features::trashnet("mobilenetv2-1.0-224")),
    ("trashnet-mcunet", || Features::trashnet("mcunet-5fps")),
    ("trashnet-builtin", || Features::trashnet("builtin-picture-1")),
    ("wharf-imu", Features::wharf_imu),
    ("magic-wand", Features::magic_wand),
];

/// What one classifier reached, by draw and size.
struct Column {
    name: String,
    /// `[draws][sizes]`.
    accuracy: Vec<Vec<f64>>,
}

fn main() -> anyhow::Result<()> {
    let (mut wanted, mut draws, mut live, mut write) = (Vec::new(), 10, false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--draws" => draws = arguments.next().context("--draws takes a number")?.parse().context("--draws")?,
            "--live" => live = true,
            "--write-reference" => (live, write) = (true, true),
            set if SETS.iter().any(|(name, _)| *name == set) => wanted.push(argument),
            other => bail!("`{other}` is none of {}", SETS.map(|(name, _)| name).join(", ")),
        }
    }
    table::heading("accuracy", "means over draws with 95 % intervals, in percent");
    let mut summary = Vec::new();
    for (name, load) in SETS {
        if (wanted.is_empty() || wanted.iter().any(|set| set == name))
            && let Some(features) = load()
        {
            if live || Reference::committed(&features).is_ok() {
                summary.push(set(&features, draws, live, write)?);
            } else {
                eprintln!("skipped: {name}: scikit-learn's results are not committed: --live runs it");
            }
        }
    }
    println!("## Means over sizes\n");
    let head = ["features", "auto", "best of scikit-learn", "auto − that", "auto − the best at each size", "behind"];
    table::print(&head, &summary);
    Ok(())
}

/// Prints what there is to say of one data set; returns its row of the summary.
fn set(features: &Features, draws: u64, live: bool, write: bool) -> anyhow::Result<Vec<String>> {
    let all: Vec<Draw> = (0..draws).map(|seed| Draw::all(features, seed)).collect();
    let by_size = |draw: &Draw| SIZES.map(|size| size.map_or_else(|| draw.clone(), |k| draw.few(features, k)));
    let cases: Vec<[Draw; SIZES.len()]> = all.iter().map(by_size).collect();
    let reference = if live {
        let reference = Reference::live(features, &cases.iter().flatten().collect::<Vec<_>>())?;
        if write {
            reference.commit(features)?;
        }
        reference
    } else {
        Reference::committed(features)?
    };
    let fitted: Vec<Vec<Fitted>> = cases
        .iter()
        .map(|sizes| sizes.iter().map(|draw| Fitted::on(features, draw)).collect())
        .collect::<anyhow::Result<_>>()?;

    println!("## {}\n", features.name);
    let classes = features.classes.len();
    println!(
        "{} samples of {classes} classes; {draws} draws, {} to learn from and {} to be tested on in the first; scikit-learn's \
         columns: {}\n",
        features.labels.len(),
        all[0].train.len(),
        all[0].test.len(),
        reference.versions
    );
    if features.domains.iter().any(|domain| !domain.is_empty()) {
        println!(
            "Who is tested on taught nothing; left out are recordings, so what `auto` says of itself is of known persons.\n"
        );
    }
    let columns = columns(features, &cases, &fitted, &reference)?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    accuracies(&names, &columns);
    differences(&names, &columns);
    honesty(features, &cases, &fitted, &reference)?;
    Ok(against(features, &columns))
}

/// `auto` first, then ours, then scikit-learn's.
fn columns(
    features: &Features,
    cases: &[[Draw; SIZES.len()]],
    fitted: &[Vec<Fitted>],
    reference: &Reference,
) -> anyhow::Result<Vec<Column>> {
    let ours = |of: &dyn Fn(&Fitted) -> Option<f64>| -> Option<Vec<Vec<f64>>> {
        fitted.iter().map(|sizes| sizes.iter().map(of).collect()).collect()
    };
    let auto = ours(&|fitted| Some(fitted.auto().test.accuracy)).context("a head is selected on every draw")?;
    let mut columns = vec![Column { name: "auto".to_owned(), accuracy: auto }];
    for kind in Kind::ALL {
        if let Some(accuracy) = ours(&|fitted| Some(fitted.of(kind)?.test.accuracy)) {
            columns.push(Column { name: kind.to_string(), accuracy });
        }
    }
    for name in COLUMNS {
        let of = |draw: &Draw| reference.accuracy(features, draw, name);
        let accuracy = cases.iter().map(|sizes| sizes.iter().map(of).collect()).collect::<anyhow::Result<_>>()?;
        columns.push(Column { name: format!("sk {name}"), accuracy });
    }
    Ok(columns)
}

fn size(index: usize) -> String {
    SIZES[index].map_or_else(|| "all".to_owned(), |k| k.to_string())
}

/// One row a size and one of the means over sizes; `cell` sees a draw's accuracies at that size, or their means.
fn rows(columns: &[Column], cell: impl Fn(&Column, &dyn Fn(&[f64]) -> f64) -> String) -> Vec<Vec<String>> {
    let row = |name: String, of: &dyn Fn(&[f64]) -> f64| {
        std::iter::once(name).chain(columns.iter().map(|column| cell(column, of))).collect()
    };
    let mut rows: Vec<Vec<String>> = (0..SIZES.len()).map(|at| row(size(at), &|sizes| sizes[at])).collect();
    rows.push(row("mean".to_owned(), &over_sizes));
    rows
}

fn over_sizes(sizes: &[f64]) -> f64 {
    sizes.iter().sum::<f64>() / sizes.len() as f64
}

fn accuracies(names: &[&str], columns: &[Column]) {
    let cell = |column: &Column, of: &dyn Fn(&[f64]) -> f64| Mean::of(column.accuracy.iter().map(|s| of(s))).percent();
    table::print(&[&["a class"], names].concat(), &rows(columns, cell));
}

fn differences(names: &[&str], columns: &[Column]) {
    println!("`auto` less each, paired by draw, in points:\n");
    let (auto, others) = (&columns[0], &columns[1..]);
    let cell = |column: &Column, of: &dyn Fn(&[f64]) -> f64| less(auto, column, of).points();
    table::print(&[&["a class"], &names[1..]].concat(), &rows(others, cell));
}

fn less(one: &Column, other: &Column, of: &dyn Fn(&[f64]) -> f64) -> Mean {
    Mean::of(one.accuracy.iter().zip(&other.accuracy).map(|(one, other)| of(one) - of(other)))
}

/// What `auto` says of itself beside what is so, and which heads it chose.
fn honesty(
    features: &Features,
    cases: &[[Draw; SIZES.len()]],
    fitted: &[Vec<Fitted>],
    reference: &Reference,
) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for at in 0..SIZES.len() {
        let auto: Vec<&Tested> = fitted.iter().map(|sizes| sizes[at].auto()).collect();
        let theirs = |name: &str| -> anyhow::Result<Mean> {
            let of = |sizes: &[Draw; SIZES.len()]| {
                reference.of(features, &sizes[at], "logistic")?[name].as_f64().context("a number")
            };
            Ok(Mean::of(cases.iter().map(of).collect::<anyhow::Result<Vec<f64>>>()?))
        };
        let inside = auto.iter().filter(|head| {
            let (low, high) = head.said.accuracy_interval;
            (low..=high).contains(&head.test.accuracy)
        });
        let mut chosen = BTreeMap::<String, usize>::new();
        for head in &auto {
            *chosen.entry(head.kind.to_string()).or_default() += 1;
        }
        let chosen: Vec<String> = chosen.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        rows.push(vec![
            size(at),
            Mean::of(auto.iter().map(|head| head.said.accuracy - head.test.accuracy)).points(),
            format!("{} of {}", inside.count(), auto.len()),
            Mean::of(auto.iter().map(|head| head.test.log_loss)).to_string(),
            theirs("log_loss")?.to_string(),
            Mean::of(auto.iter().map(|head| head.test.ece)).to_string(),
            theirs("ece")?.to_string(),
            format!(
                "{:.2}",
                fitted.iter().map(|sizes| sizes[at].elapsed.as_secs_f64()).sum::<f64>() / fitted.len() as f64
            ),
            chosen.join(", "),
        ]);
    }
    println!(
        "What `auto` says of itself, and how good its probabilities are; `LR` is scikit-learn's logistic regression:\n"
    );
    let head = ["a class", "left out − test", "test in its interval", "log-loss", "LR", "ECE", "LR", "fit s", "chosen"];
    table::print(&head, &rows);
    Ok(())
}

/// The row of the summary: `auto` beside scikit-learn's.
fn against(features: &Features, columns: &[Column]) -> Vec<String> {
    let auto = &columns[0];
    let theirs: Vec<&Column> = columns.iter().filter(|column| column.name.starts_with("sk ")).collect();
    let mean = |column: &Column, of: &dyn Fn(&[f64]) -> f64| Mean::of(column.accuracy.iter().map(|s| of(s))).mean;
    let best = |of: &dyn Fn(&[f64]) -> f64| {
        let best = theirs.iter().max_by(|a, b| mean(a, of).total_cmp(&mean(b, of)));
        *best.expect("scikit-learn has classifiers")
    };
    let overall = best(&over_sizes);
    let at_each: Vec<&Column> = (0..SIZES.len()).map(|at| best(&|sizes| sizes[at])).collect();
    let at_each = Mean::of(auto.accuracy.iter().enumerate().map(|(draw, sizes)| {
        (0..SIZES.len()).map(|at| sizes[at] - at_each[at].accuracy[draw][at]).sum::<f64>() / SIZES.len() as f64
    }));
    let behind: Vec<&str> =
        theirs.iter().filter(|one| less(auto, one, &over_sizes).mean < 0.0).map(|one| one.name.as_str()).collect();
    vec![
        features.name.clone(),
        Mean::of(auto.accuracy.iter().map(|sizes| over_sizes(sizes))).percent(),
        format!("{} {:.1}", overall.name, 100.0 * mean(overall, &over_sizes)),
        less(auto, overall, &over_sizes).points(),
        at_each.points(),
        if behind.is_empty() { "none".to_owned() } else { behind.join(", ") },
    ]
}
