//! Unknowns: one class of TrashNet left out, and photographs of other things, told from known ones by a head's novelty and by
//! scikit-learn's ways on the same features and draws: `cargo xtask report unknown [BACKBONE [DRAWS]]`.

use acclimate_tests::draws::Draw;
use acclimate_tests::features::Features;
use acclimate_tests::python::{peer, with};
use acclimate_tests::trashnet::mean;
use acclimate_trainer::{FALSE_UNKNOWN_RATE, Novelty, Samples};
use anyhow::Context as _;
use ndarray::Axis;
use serde_json::{Value, json};

/// One class left out of one draw.
struct Round {
    class: usize,
    train: Vec<usize>,
    known: Vec<usize>,
    unknown: Vec<usize>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let backbone = arguments.next().unwrap_or_else(|| "mobilenetv2-1.0-224".into());
    let draws: u64 = arguments.next().map_or(Ok(10), |n| n.parse()).context("DRAWS is no number")?;
    let (Some(trash), Some(far)) = (Features::trashnet(&backbone), Features::imagenet_verify(&backbone)) else {
        return Ok(());
    };
    let mut rounds = Vec::new();
    for seed in 0..draws {
        let draw = Draw::all(&trash, seed);
        for class in 0..trash.classes.len() {
            let but = |rows: &[usize]| rows.iter().copied().filter(|&row| trash.labels[row] != class).collect();
            let unknown = (0..trash.labels.len()).filter(|&row| trash.labels[row] == class).collect();
            rounds.push(Round { class, train: but(&draw.train), known: but(&draw.test), unknown });
        }
    }
    let input = json!({
        "file": trash.file, "far": far.file,
        "draws": rounds.iter().map(|r| json!({ "train": r.train, "known": r.known, "unknown": r.unknown })).collect::<Vec<_>>(),
    });
    let theirs = with("sklearn").and_then(|python| peer(&python, "tests/reference/unknown.py", &input));
    let theirs = theirs.map_err(|error| eprintln!("scikit-learn's columns left out: {error:#}")).ok();

    let (mut names, mut near, mut other, mut taken) = (vec!["ours".to_owned()], Vec::new(), Vec::new(), Vec::new());
    let empty = serde_json::Map::new();
    for (at, round) in rounds.iter().enumerate() {
        let (auroc, apart, rate) = ours(&trash, &far, round)?;
        let peers = theirs.as_ref().and_then(|value: &Value| value["draws"][at].as_object()).unwrap_or(&empty);
        names.truncate(1);
        names.extend(peers.keys().cloned());
        let column = |of: usize| peers.values().map(move |pair| pair[of].as_f64().unwrap_or(f64::NAN));
        near.push([auroc].into_iter().chain(column(0)).collect::<Vec<f64>>());
        other.push([apart].into_iter().chain(column(1)).collect::<Vec<f64>>());
        taken.push(rate);
    }
    println!("{}: AUROC over {draws} draws, mean ± 95 % interval", trash.name);
    println!(
        "scikit-learn's columns: {}\n",
        theirs.as_ref().map_or("none", |v| v["versions"].as_str().unwrap_or_default())
    );
    print!("{:26}", "unknown");
    for class in &trash.classes {
        print!("{class:>16}");
    }
    println!("{:>16}{:>16}", "mean", "imagenet-verify");
    for (column, name) in names.iter().enumerate() {
        print!("{name:26}");
        let cell = |values: Vec<f64>| {
            let (mean, half) = mean(values);
            print!("{:>16}", format!("{mean:.3} ± {half:.3}"));
        };
        for class in 0..trash.classes.len() {
            cell(rounds.iter().zip(&near).filter(|(r, _)| r.class == class).map(|(_, row)| row[column]).collect());
        }
        let by_draw = |rows: &[Vec<f64>]| {
            rows.chunks(trash.classes.len())
                .map(|c| c.iter().map(|row| row[column]).sum::<f64>() / c.len() as f64)
                .collect()
        };
        cell(by_draw(&near));
        cell(by_draw(&other));
        println!();
    }
    let (rate, half) = mean(taken);
    println!(
        "\nknown test samples called unknown: {:.1} ± {:.1} % (stated {:.1} %)",
        100.0 * rate,
        100.0 * half,
        100.0 * FALSE_UNKNOWN_RATE
    );
    Ok(())
}

/// AUROC against the class left out and against other photographs, and the share of known samples called unknown.
fn ours(trash: &Features, far: &Features, round: &Round) -> anyhow::Result<(f64, f64, f64)> {
    let x = trash.x.select(Axis(0), &round.train);
    let label = |&row: &usize| trash.labels[row] - usize::from(trash.labels[row] > round.class);
    let labels: Vec<usize> = round.train.iter().map(label).collect();
    let groups: Vec<usize> = round.train.iter().map(|&row| trash.groups[row]).collect();
    let samples = Samples::new(x.view(), &labels, &groups, trash.classes.len() - 1)?;
    let novelty = Novelty::fit(&samples, FALSE_UNKNOWN_RATE);
    let score = |features: &Features, row: usize| f64::from(novelty.score(&features.x.row(row).to_vec()));
    let known: Vec<f64> = round.known.iter().map(|&row| score(trash, row)).collect();
    let unknown: Vec<f64> = round.unknown.iter().map(|&row| score(trash, row)).collect();
    let apart: Vec<f64> = (0..far.labels.len()).map(|row| score(far, row)).collect();
    let taken = known.iter().filter(|&&score| score > f64::from(novelty.threshold)).count();
    Ok((auroc(&known, &unknown), auroc(&known, &apart), taken as f64 / known.len() as f64))
}

/// The probability that an unknown one scores higher than a known one.
fn auroc(known: &[f64], unknown: &[f64]) -> f64 {
    let above = |&u: &f64| {
        known
            .iter()
            .map(|&k| {
                if u > k {
                    1.0
                } else if u < k {
                    0.0
                } else {
                    0.5
                }
            })
            .sum::<f64>()
    };
    unknown.iter().map(above).sum::<f64>() / (known.len() * unknown.len()) as f64
}
