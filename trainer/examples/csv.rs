//! Features, labels and groups from a CSV file; out come the selected head, what it was selected from, an honest
//! evaluation and the verdict: `cargo run -p acclimate-trainer --example csv -- FILE`.
//!
//! The file has a header. The column `label` names the class, an optional column `group` what may not be split between
//! fitting and judging (near-duplicates, a day, a person); every other column is a component of the feature.

use std::{collections::BTreeMap, error::Error, fmt::Write as _};

use acclimate_trainer::{Evaluation, Feature, FitOptions, JudgeInput, Kind, Quantisation, Samples, fit, judge, select};
use ndarray::{Array2, aview1};

/// What the file holds.
struct Table {
    /// Features of norm 1 as 8-bit codes stand for them, `[n, dim]`: what statistics and stores keep.
    features: Array2<f32>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    classes: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("which file? cargo run --example csv -- FILE")?;
    println!("{}", report(&read(csv::Reader::from_path(&file)?)?)?);
    Ok(())
}

/// Fits, selects, evaluates and judges, in words.
fn report(Table { features, labels, groups, classes }: &Table) -> Result<String, Box<dyn Error>> {
    let samples = Samples::new(features.view(), labels, groups, classes.len())?;

    let candidates = fit(&samples, &FitOptions::default())?;
    let selected = select(&candidates);
    let mut words = "candidates, by log-loss on samples left out:".to_owned();
    for (index, one) in candidates.iter().enumerate() {
        let mark = if index == selected { "  <- selected" } else { "" };
        let kind = one.head.kind.to_string();
        write!(words, "\n  {kind:12} {:.4} ± {:.4}{mark}", one.log_loss, one.log_loss_se)?;
    }

    let best = &candidates[selected];
    if classes.len() > 1 {
        let evaluation = Evaluation::new(best.leave_out.view(), labels, &best.groups, best.ungrouped)?;
        let (low, high) = evaluation.accuracy_interval;
        write!(
            words,
            "\naccuracy on samples it was not fitted on: {:.1} % ({:.1} to {:.1}, 95 %), calibration error {:.3}",
            100.0 * evaluation.accuracy,
            100.0 * low,
            100.0 * high,
            evaluation.ece
        )?;
    }

    let prototype = candidates.iter().find(|one| one.head.kind == Kind::Prototype).ok_or("no yardstick")?;
    let input = JudgeInput {
        candidate: best.leave_out.view(),
        labels,
        groups,
        classes: classes.len(),
        ungrouped: best.ungrouped,
        new: &vec![true; labels.len()],
        prototype: prototype.leave_out.view(),
        in_service: None,
        trust_labels: false,
    };
    let verdict = judge(&input)?;
    write!(words, "\nverdict: {}{}", verdict.outcome.token(), if verdict.unproved { " (unproved)" } else { "" })?;
    for reason in &verdict.reasons {
        write!(words, "\n  because: {}", reason.to_words(classes))?;
    }
    for advice in &verdict.next {
        write!(words, "\n  next: {}", advice.to_words(classes))?;
    }
    Ok(words)
}

fn read<R: std::io::Read>(mut reader: csv::Reader<R>) -> Result<Table, Box<dyn Error>> {
    let header = reader.headers()?.clone();
    let column = |name: &str| header.iter().position(|word| word == name);
    let label = column("label").ok_or("the header has no column `label`")?;
    let group = column("group");
    let (mut rows, mut names, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for (line, record) in reader.records().enumerate() {
        let record = record?;
        names.push(record[label].to_owned());
        marks.push(group.map_or_else(|| line.to_string(), |group| record[group].to_owned()));
        let numbers = record.iter().enumerate().filter(|&(at, _)| at != label && Some(at) != group);
        let numbers: Result<Vec<f32>, _> = numbers.map(|(_, word)| word.trim().parse()).collect();
        rows.push(Feature::from_raw(&numbers.map_err(|error| format!("line {}: {error}", line + 2))?)?);
    }
    let dim = rows.first().ok_or("the file has no samples")?.as_slice().len();
    let quantisation = Quantisation::new(1.0, true)?;
    let mut features = Array2::zeros((rows.len(), dim));
    for (row, mut to) in rows.iter().zip(features.rows_mut()) {
        to.assign(&aview1(&quantisation.decode(&quantisation.encode(row).codes)));
    }
    let (labels, classes) = numbered(&names);
    Ok(Table { features, labels, groups: numbered(&marks).0, classes })
}

/// A number per word, and the words in order.
fn numbered(words: &[String]) -> (Vec<usize>, Vec<String>) {
    let mut numbers: BTreeMap<&String, usize> = words.iter().map(|word| (word, 0)).collect();
    for (number, place) in numbers.values_mut().enumerate() {
        *place = number;
    }
    (words.iter().map(|word| numbers[word]).collect(), numbers.into_keys().cloned().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_words_are_numbered() {
        let text = "a,label,b,group\n3,ok,4,monday\n0,dent,1,monday\n1,ok,0,tuesday\n";
        let table = read(csv::Reader::from_reader(text.as_bytes())).unwrap();
        assert_eq!((table.labels, table.groups), (vec![1, 0, 1], vec![0, 0, 1]));
        assert_eq!(table.classes, ["dent", "ok"]);
        assert_eq!(table.features.dim(), (3, 2));
        assert!((table.features[(0, 0)] - 0.6).abs() < 0.005 && (table.features[(0, 1)] - 0.8).abs() < 0.005);
        let wrong = read(csv::Reader::from_reader("a,label\nx,ok\n".as_bytes())).err().unwrap();
        assert!(wrong.to_string().starts_with("line 2"), "{wrong}");
    }

    #[test]
    fn a_table_becomes_a_head_with_its_evaluation_and_a_verdict() {
        let mut text = "x,y,z,label,group\n".to_owned();
        for i in 0..40 {
            let (ok, wobble) = (i % 2, f64::from((i * 7) % 11) / 11.0);
            let row = if ok == 0 { [3.0, wobble, 0.5] } else { [wobble, 3.0, 1.0 - wobble] };
            writeln!(text, "{},{},{},{},{}", row[0], row[1], row[2], ["ok", "dent"][ok as usize], i / 2).unwrap();
        }
        let words = report(&read(csv::Reader::from_reader(text.as_bytes())).unwrap()).unwrap();
        assert!(words.contains("<- selected") && words.contains("verdict: activated"), "{words}");
        assert!(words.contains("accuracy on samples it was not fitted on: 100.0 %"), "{words}");
    }
}
