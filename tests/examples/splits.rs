//! Accuracy on re-splits of TrashNet through the command line, beside scikit-learn's on the same features, and whether the
//! head is as good as it says: `cargo xtask report splits [SPLITS] [--live | --write-reference]` (30 if not said).
//!
//! scikit-learn's figures are the committed ones unless `--live` asks for a run, or `--write-reference` for one that
//! replaces them.

use acclimate_tests::draws::Draw;
use acclimate_tests::features::Features;
use acclimate_tests::reference::{COLUMNS, Reference};
use acclimate_tests::skip::assets;
use acclimate_tests::table::{self, Mean};
use acclimate_tests::trashnet::{BACKBONE, Learnt, Split, TrashNet, onnx_runtime};
use anyhow::{Context as _, ensure};

fn main() -> anyhow::Result<()> {
    let (mut splits, mut live, mut write) = (30, false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--live" => live = true,
            "--write-reference" => (live, write) = (true, true),
            number => splits = number.parse().with_context(|| format!("`{number}` is no number of splits"))?,
        }
    }
    ensure!(splits >= 2, "at least two splits are needed for an interval");
    let Some((assets, features)) = assets().zip(Features::trashnet(BACKBONE)) else { return Ok(()) };
    let trashnet = TrashNet::read(&assets);
    let splits: Vec<Split> = (0..splits).map(|seed| trashnet.split(seed)).collect();
    let draws: Vec<Draw> = splits.iter().map(|split| split.rows(&features)).collect();
    let reference = if live {
        Reference::live(&features, &draws.iter().collect::<Vec<_>>())?
    } else {
        Reference::committed(&features)?
    };
    if write {
        reference.commit(&features)?;
    }
    let columns = COLUMNS.map(|name| -> anyhow::Result<Vec<f64>> {
        draws.iter().map(|draw| reference.accuracy(&features, draw, name)).collect()
    });
    let columns = columns.into_iter().collect::<anyhow::Result<Vec<_>>>()?;

    let with = format!("scikit-learn's columns: {}, tuned by cross-validation", reference.versions);
    table::heading("splits", &with);
    println!(
        "TrashNet, {} photographs to learn from and {} to be tested on\n",
        splits[0].train.len(),
        splits[0].test.len()
    );
    println!("split  head       left out  (95 %)          test   inside  ece    {}", COLUMNS.join("  "));
    let (mut all, mut same, mut asked) = (Vec::new(), 0, 0);
    let engines = onnx_runtime();
    for (row, split) in splits.iter().enumerate() {
        let (device, learnt) = trashnet.learn(split);
        print!(
            "{:>5}  {:9}  {:.1}      ({:.1} to {:.1})  {:.1}   {:6}  {:.3}",
            learnt.seed,
            learnt.head,
            100.0 * learnt.leave_out,
            100.0 * learnt.interval.0,
            100.0 * learnt.interval.1,
            100.0 * learnt.test,
            if learnt.inside() { "yes" } else { "no" },
            learnt.ece,
        );
        for (name, column) in COLUMNS.iter().zip(&columns) {
            print!("  {:<1$.1}", 100.0 * column[row], name.len());
        }
        println!();
        // The test part of the first four splits: 720 answers of each engine.
        if engines.is_ok() && row < 4 {
            same += trashnet.agreement(&device, &split.test);
            asked += split.test.len();
        }
        all.push(learnt);
    }
    summary(&all, &columns, &reference.best(&features, &draws)?.1);
    match engines {
        Ok(()) => println!("both engines name the same class on {same} of {asked}"),
        Err(why) => println!("engines not compared: {why}"),
    }
    Ok(())
}

fn summary(all: &[Learnt], columns: &[Vec<f64>], best: &[f64]) {
    let n = all.len();
    let share = |inside: fn(&Learnt) -> bool| all.iter().filter(|&learnt| inside(learnt)).count();
    let row = |what: &str, mean: String| println!("{what:<24} {mean}");
    println!("\nmeans over {n} splits (95 % interval over splits of the same photographs)");
    row("test accuracy", Mean::of(all.iter().map(|learnt| learnt.test)).percent());
    for (name, column) in COLUMNS.iter().zip(columns) {
        row(&format!("scikit-learn {name}"), Mean::of(column.iter().copied()).percent());
    }
    row("ours - the best of them", Mean::of(all.iter().zip(best).map(|(learnt, best)| learnt.test - best)).points());
    row("left out - test", Mean::of(all.iter().map(Learnt::bias)).points());
    row("|left out - test|", Mean::of(all.iter().map(|learnt| learnt.bias().abs())).percent());
    println!(
        "test inside the interval {} of {n}; with the test's own noise {}",
        share(Learnt::inside),
        share(Learnt::inside_with_test_noise)
    );
    row("calibration error", Mean::of(all.iter().map(|learnt| learnt.ece)).to_string());
}
