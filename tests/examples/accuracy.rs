//! Accuracy on re-splits of TrashNet, beside scikit-learn's on the same features: `cargo xtask report accuracy [SPLITS]`
//! (30 if not said). With `--write-reference` scikit-learn's results become the committed ones.

use acclimate_tests::reference::Reference;
use acclimate_tests::skip::assets;
use acclimate_tests::trashnet::{Learnt, Split, TrashNet, mean, onnx_runtime};
use anyhow::{Context as _, bail, ensure};

fn main() -> anyhow::Result<()> {
    let (mut splits, mut write) = (30, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--write-reference" => write = true,
            number => splits = number.parse().with_context(|| format!("`{number}` is no number of splits"))?,
        }
    }
    ensure!(splits >= 2, "at least two splits are needed for an interval");
    let Some(assets) = assets() else { return Ok(()) };
    let trashnet = TrashNet::read(&assets);
    let splits: Vec<Split> = (0..splits).map(|seed| trashnet.split(seed)).collect();
    let reference = match Reference::live(&trashnet, &splits) {
        Ok((reference, text)) => {
            if write {
                Reference::commit(&text)?;
            }
            reference
        }
        Err(error) if write => bail!(error),
        Err(error) => {
            eprintln!("committed figures of scikit-learn instead of a live run: {error:#}");
            Reference::committed()?
        }
    };
    ensure!(
        splits.iter().map(|split| &split.seed).eq(reference.seeds.iter().take(splits.len())),
        "the committed figures are of {} splits",
        reference.seeds.len()
    );

    println!(
        "TrashNet, {} photographs to learn from and {} to be tested on",
        splits[0].train.len(),
        splits[0].test.len()
    );
    println!("scikit-learn's columns: {}, tuned by 5-fold cross-validation\n", reference.versions);
    println!("split  head       left out  (95 %)          test   inside  ece    RidgeClassifier  LogisticRegression");
    let (mut all, mut same, mut asked) = (Vec::new(), 0, 0);
    let engines = onnx_runtime();
    for (row, split) in splits.iter().enumerate() {
        let (device, learnt) = trashnet.learn(split);
        println!(
            "{:>5}  {:9}  {:.1}      ({:.1} to {:.1})  {:.1}   {:6}  {:.3}  {:.1}             {:.1}",
            learnt.seed,
            learnt.head,
            100.0 * learnt.leave_out,
            100.0 * learnt.interval.0,
            100.0 * learnt.interval.1,
            100.0 * learnt.test,
            if learnt.inside() { "yes" } else { "no" },
            learnt.ece,
            100.0 * reference.ridge[row],
            100.0 * reference.logistic[row],
        );
        // The test part of the first four splits: 720 answers of each engine.
        if engines.is_ok() && row < 4 {
            same += trashnet.agreement(&device, &split.test);
            asked += split.test.len();
        }
        all.push(learnt);
    }
    summary(&all, &reference);
    match engines {
        Ok(()) => println!("both engines name the same class on {same} of {asked}"),
        Err(why) => println!("engines not compared: {why}"),
    }
    Ok(())
}

fn summary(all: &[Learnt], reference: &Reference) {
    let n = all.len();
    let percent = |(mean, half): (f64, f64)| format!("{:.2} ± {:.2}", 100.0 * mean, 100.0 * half);
    let share = |inside: fn(&Learnt) -> bool| all.iter().filter(|&learnt| inside(learnt)).count();
    let best = reference.best(n);
    println!("\nmeans over {n} splits (95 % interval over splits of the same photographs)");
    println!("test accuracy           {}", percent(mean(all.iter().map(|learnt| learnt.test))));
    println!("RidgeClassifier         {}", percent(mean(reference.ridge[..n].iter().copied())));
    println!("LogisticRegression      {}", percent(mean(reference.logistic[..n].iter().copied())));
    println!(
        "ours - the better one   {}",
        percent(mean(all.iter().zip(best).map(|(learnt, best)| learnt.test - best)))
    );
    println!("left out - test         {}", percent(mean(all.iter().map(Learnt::bias))));
    println!("|left out - test|       {}", percent(mean(all.iter().map(|learnt| learnt.bias().abs()))));
    println!(
        "test inside the interval {} of {n}; with the test's own noise {}",
        share(Learnt::inside),
        share(Learnt::inside_with_test_noise)
    );
    println!(
        "calibration error       {:.4} ± {:.4}",
        mean(all.iter().map(|l| l.ece)).0,
        mean(all.iter().map(|l| l.ece)).1
    );
}
