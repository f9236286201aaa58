//! How close products train a classifier, beside this one on the same photographs and the same frozen MobileNetV2-0.35:
//! seconds to a live head, accuracy, whether it knows its own, and what 45 new samples do of which 40 % are mislabelled.
//! `cargo xtask report rivals [--draws N] [--passes N]`; the recipes are in `tests/reference/rivals.py` and need torch.

use std::time::Instant;

use acclimate_tests::python;
use acclimate_tests::skip::assets;
use acclimate_tests::table::{self, Mean};
use acclimate_tests::trashnet::{Learnt, Photograph, Split, TrashNet, csv};
use anyhow::{Context as _, bail};
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const BACKBONE: &str = "mobilenetv2-0.35-224";
/// Epochs of the recipe with a hidden layer, in each of which the backbone runs; `--passes` of its passes are timed.
const EPOCHS: usize = 50;
/// Photographs of the new batch, all of one class, and how many of them are called something else.
const NEW: usize = 45;
const BAD: usize = 18;

/// What is learnt first, what comes then, with true labels and as it is said, and what is tested on.
struct Case {
    seed: u64,
    before: Vec<Photograph>,
    batch: Vec<Photograph>,
    said: Vec<Photograph>,
    test: Vec<Photograph>,
}

/// One recipe on one case, or ours.
struct Row {
    seconds: f64,
    accuracy: f64,
    after_true: f64,
    after_said: f64,
    /// What only ours has.
    ours: Option<Ours>,
}

struct Ours {
    learnt: Learnt,
    /// Of `seconds`, those of `adapt`.
    adapt: f64,
    /// Whether the batch was rejected, with true labels and as it was said.
    rejected: [bool; 2],
}

fn main() -> anyhow::Result<()> {
    let (mut draws, mut passes) = (3, 3);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse::<u64>().ok()).context("a number is missing");
        match argument.as_str() {
            "--draws" => draws = number()?,
            "--passes" => passes = number()?,
            other => bail!("`{other}` is neither --draws nor --passes"),
        }
    }
    let Some(assets) = assets() else { return Ok(()) };
    let python = python::with("torch")?;
    let trashnet = TrashNet::read(&assets);
    let model = assets.join("models").join(BACKBONE).join("mobilenetv2_0.35_224_features_fp32.onnx");
    let (classes, mut versions) = (trashnet.classes(), String::new());
    let mut tables = Vec::new();
    for per_class in [Some(10), None] {
        let cases: Vec<Case> = (0..draws).map(|seed| case(&trashnet.split(seed), &classes, per_class)).collect();
        let ours = cases.iter().map(|case| ours(&trashnet, case)).collect();
        let asked: Vec<Value> = cases.iter().map(|case| case.to_json(&classes)).collect();
        let input = json!({ "model": model, "classes": 6, "epochs": EPOCHS, "passes": passes, "draws": asked });
        let said = python::peer(&python, "tests/reference/rivals.py", &input)?;
        versions = said["versions"].to_string().replace(['{', '}', '"'], "");
        let mut rows = vec![("acclimate".to_owned(), ours)];
        for recipe in ["dense", "imprinting", "sgd"] {
            let draws = said["draws"].as_array().context("results of each draw")?;
            let row = |draw: &Value| -> anyhow::Result<Row> {
                let number = |key: &str| draw[recipe][key].as_f64().with_context(|| format!("`{key}` of {recipe}"));
                Ok(Row {
                    seconds: number("seconds")?,
                    accuracy: number("accuracy")?,
                    after_true: number("after_true")?,
                    after_said: number("after_said")?,
                    ours: None,
                })
            };
            rows.push((recipe.to_owned(), draws.iter().map(row).collect::<anyhow::Result<_>>()?));
        }
        tables.push((per_class, cases, rows));
    }

    table::heading(
        "rivals",
        &format!("{draws} draws, means with 95 % intervals, {EPOCHS} epochs by {passes} timed passes; {versions}"),
    );
    for (per_class, cases, rows) in &tables {
        let what = per_class.map_or_else(|| "all there are".to_owned(), |k| format!("{k} of each class"));
        println!(
            "## {what}: {} photographs, then {NEW} of one class; {} to be tested on\n",
            cases[0].before.len(),
            cases[0].test.len()
        );
        print(rows);
    }
    Ok(())
}

fn print(rows: &[(String, Vec<Row>)]) {
    let head = [
        "recipe",
        "seconds from files to a head",
        "accuracy",
        "after the batch, rightly labelled",
        "after it, 40 % wrong",
        "knows its own accuracy",
    ];
    let line = |(name, draws): &(String, Vec<Row>)| {
        let mean = |of: fn(&Row) -> f64| Mean::of(draws.iter().map(of)).percent();
        let seconds = Mean::of(draws.iter().map(|row| row.seconds)).to_string();
        let [accuracy, after, said] =
            [mean(|row| row.accuracy), mean(|row| row.after_true), mean(|row| row.after_said)];
        let ours: Vec<&Ours> = draws.iter().filter_map(|row| row.ours.as_ref()).collect();
        let n = ours.len();
        if n == 0 {
            return vec![name.clone(), seconds, accuracy, after, said, "no".to_owned()];
        }
        let adapt = ours.iter().map(|ours| ours.adapt).sum::<f64>() / n as f64;
        let rejected = |at: usize| ours.iter().filter(|ours| ours.rejected[at]).count();
        let off = Mean::of(ours.iter().map(|ours| ours.learnt.bias())).points();
        let inside = ours.iter().filter(|ours| ours.learnt.inside()).count();
        vec![
            name.clone(),
            format!("{seconds}, adapt alone {adapt:.3}"),
            accuracy,
            format!("{after}, rejected {} of {n}", rejected(0)),
            format!("{said}, rejected {} of {n}", rejected(1)),
            format!("off by {off}, test in its interval {inside} of {n}"),
        ]
    };
    table::print(&head, &rows.iter().map(line).collect::<Vec<_>>());
}

/// Draws what comes first and what comes then.
fn case(split: &Split, classes: &[String], per_class: Option<usize>) -> Case {
    let mut random = ChaCha8Rng::seed_from_u64(split.seed);
    let mut train = split.train.clone();
    train.shuffle(&mut random);
    let of_batch = &classes[split.seed as usize % classes.len()];
    let (mut batch, mut before) = (Vec::new(), Vec::new());
    for photograph in train {
        let of_class = |photographs: &[Photograph]| photographs.iter().filter(|p| p.class == photograph.class).count();
        if photograph.class == *of_batch && batch.len() < NEW {
            batch.push(photograph);
        } else if per_class.is_none_or(|k| of_class(&before) < k) {
            before.push(photograph);
        }
    }
    let mut said = batch.clone();
    let wrong: Vec<&String> = classes.iter().filter(|class| *class != of_batch).collect();
    for photograph in &mut said[..BAD] {
        photograph.class.clone_from(wrong.choose(&mut random).expect("there are several classes"));
    }
    Case { seed: split.seed, before, batch, said, test: split.test.clone() }
}

impl Case {
    fn to_json(&self, classes: &[String]) -> Value {
        let place = |photograph: &Photograph| classes.iter().position(|class| *class == photograph.class);
        let labels = |part: &[Photograph]| part.iter().map(place).collect::<Vec<_>>();
        let part = |part: &[Photograph]| json!({ "paths": part.iter().map(|photograph| &photograph.path).collect::<Vec<_>>(), "labels": labels(part) });
        let mut batch = part(&self.batch);
        batch["said"] = json!(labels(&self.said));
        json!({ "seed": self.seed, "before": part(&self.before), "batch": batch, "test": part(&self.test) })
    }
}

/// Through the command line: import, adaptation, test; then the batch, once as it is and once as it is said.
fn ours(trashnet: &TrashNet, case: &Case) -> Row {
    let device = trashnet.device_on(BACKBONE);
    let start = Instant::now();
    trashnet.add(&device, "before.csv", &case.before);
    let imported = start.elapsed().as_secs_f64();
    let adapted = device.run(["adapt", "waste", "--json"]).expect(0);
    let seconds = start.elapsed().as_secs_f64();
    let test = device.file("test.csv", csv(&case.test).as_bytes());
    let words = ["evaluate".as_ref(), "waste".as_ref(), trashnet.folder().as_os_str(), "--labels-from-csv".as_ref()];
    let evaluate = |device: &acclimate_tests::device::Device| {
        device.json(words.into_iter().chain([test.as_os_str()]))["evaluation"].take()
    };
    let learnt = Learnt::read(case.seed, &adapted.json(), &evaluate(&device));
    let mut after = [(0.0, false); 2];
    for (after, batch) in after.iter_mut().zip([&case.batch, &case.said]) {
        let device = device.copy();
        trashnet.add(&device, "batch.csv", batch);
        let rejected = device.run(["adapt", "waste", "--json"]).code == Some(3);
        *after = (evaluate(&device)["accuracy"].as_f64().expect("an accuracy"), rejected);
    }
    let [(after_true, clean), (after_said, bad)] = after;
    let accuracy = learnt.test;
    let ours = Some(Ours { learnt, adapt: seconds - imported, rejected: [clean, bad] });
    Row { seconds, accuracy, after_true, after_said, ours }
}
