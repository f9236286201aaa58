//! The built-in backbones after adaptation, beside others: the tables of `models/README.md`. `cargo xtask report builtins`.

use std::time::Duration;

use acclimate_tests::program::Running;
use acclimate_tests::signals::{Learnt, Signals, Split, reference};
use acclimate_tests::skip::assets;
use acclimate_tests::table::Mean;
use acclimate_tests::trashnet::TrashNet;

fn main() {
    let Some(assets) = assets() else { return };
    pictures(&TrashNet::read(&assets));
    for (name, signals) in [("wharf-imu", Signals::wharf(&assets)), ("magic-wand", Signals::wand(&assets))] {
        println!("\n{name}: half the persons teach, the others test\n");
        println!("| features | classifier | splits | accuracy |\n|---|---|---|---|");
        let splits = signals.splits();
        let ours = splits.iter().map(|split| signals.learn(&signals.device(), split)).collect::<Vec<_>>();
        row("`builtin-signal-1`", "acclimate", ours.iter().map(|learnt| learnt.test));
        for kind in ["builtin-signal-1", "mean, std, min, max, step", "mean, std"] {
            row(kind, "scikit-learn", reference(name, kind));
        }
        if name == "wharf-imu" {
            let knows = |split: &Split<'_>| split.train.iter().any(|recording| recording.person == "f1");
            let fair = || splits.iter().zip(&ours).filter(|(split, _)| knows(split));
            let cnn = |split: &Split<'_>| signals.learn(&signals.device_on_cnn(&assets), split);
            println!("\nwhere f1 teaches, on whom wharf-cnn1d was trained:\n");
            println!("| features | classifier | splits | accuracy |\n|---|---|---|---|");
            row("`builtin-signal-1`", "acclimate", fair().map(|(_, learnt)| learnt.test));
            let cnns: Vec<Learnt> = fair().map(|(split, _)| cnn(split)).collect();
            row("wharf-cnn1d", "acclimate", cnns.iter().map(|learnt| learnt.test));
        }
    }
}

fn row(features: &str, classifier: &str, accuracies: impl IntoIterator<Item = f64>) {
    let accuracies: Vec<f64> = accuracies.into_iter().collect();
    let accuracy = Mean::of(accuracies.iter().copied()).percent();
    println!("| {features} | {classifier} | {} | {accuracy} % |", accuracies.len());
}

/// Accuracy on the manifest's own split, and how long a photograph takes from JPEG to class on one thread.
fn pictures(trashnet: &TrashNet) {
    let split = trashnet.own_split();
    println!("TrashNet's own split, {} to learn from, {} to be tested on\n", split.train.len(), split.test.len());
    println!("| backbone | head | accuracy | a photograph, one thread |\n|---|---|---|---|");
    for backbone in ["builtin-picture-1", "mobilenetv2-1.0-224"] {
        let device = trashnet.device_on(backbone);
        let learnt = trashnet.learn_on(&device, &split);
        let time = |count: usize| -> Duration {
            let mut command = device.command(["classify", "waste", "--threads", "1", "--json"]);
            let command = command.args(split.test[..count].iter().map(|photograph| &photograph.path));
            Running::start(command).wait().expect(0).elapsed
        };
        // What one more photograph costs: the start of the program is not counted.
        let each = (time(180).saturating_sub(time(20))) / 160;
        println!(
            "| `{backbone}` | {} | {:.1} % | {:.1} ms |",
            learnt.head,
            100.0 * learnt.test,
            1000.0 * each.as_secs_f64()
        );
    }
}
