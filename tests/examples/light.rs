//! Five labels after the light has changed: `cargo xtask report light [DRAWS]` (12 if not said).
//!
//! Two classes of TrashNet are learnt as a person teaches them on the page (a hold of 15 photographs and ten of 4, each), then a
//! camera sees other photographs of them in another light. Five of those are labelled, and both learnt together: with every
//! direction, and without the one in which everything moved, as the daemon does. What is counted are photographs of the new light that were neither
//! labelled nor seen; the verdict decides whether a head counts or the one before. The direction comes of twelve
//! photographs seen in the new light, in three mixes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use acclimate_tests::camera::seen;
use acclimate_tests::features::{Features, Labelled, Picked};
use acclimate_tests::skip::assets;
use acclimate_tests::table::{Mean, heading, print};
use acclimate_tests::trashnet::TrashNet;
use acclimate_trainer::domain::{self, Nuisance, costs, fit_without};
use acclimate_trainer::{Candidate, FitOptions, InService, JudgeInput, Outcome, fit, judge, select};
use anyhow::Context as _;
use ndarray::{Array2, Axis, concatenate, s};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

const CLASSES: [&str; 2] = ["cardboard", "glass"];
/// What is left of red, green and blue.
const LIGHTS: [(&str, [f32; 3]); 7] = [
    ("as it was", [1.0; 3]),
    ("a quarter", [0.25; 3]),
    ("an eighth", [0.12; 3]),
    ("sodium lamp", [0.9, 0.45, 0.1]),
    ("red lamp", [0.5, 0.12, 0.08]),
    ("blue sky", [0.15, 0.3, 0.6]),
    ("night", [0.08, 0.1, 0.2]),
];
/// Photographs of a class that are learnt, and those seen afterwards.
const LEARNT: usize = 55;
const SEEN: usize = 20;
/// Labels.
const FIVE: usize = 5;
/// How many of each class the direction comes of.
const MIXES: [[usize; 2]; 3] = [[6, 6], [9, 3], [12, 0]];

fn main() -> anyhow::Result<()> {
    let draws = match std::env::args().nth(1) {
        Some(word) => word.parse().with_context(|| format!("`{word}` is no number of draws"))?,
        None => 12_u64,
    };
    let Some(assets) = assets() else { return Ok(()) };
    let trashnet = TrashNet::read(&assets);
    heading("light", &format!("{draws} draws, means with 95 % intervals over draws, in points"));
    for backbone in ["builtin-picture-1", "mobilenetv2-1.0-224"] {
        println!("## {backbone}\n");
        let folder = tempfile::tempdir().context("making a folder for photographs")?;
        let mut lights = Vec::new();
        for (number, (_, light)) in LIGHTS.iter().enumerate() {
            let mut files = Vec::new();
            for photograph in trashnet.photographs().iter().filter(|one| CLASSES.contains(&one.class.as_str())) {
                let name = photograph.path.file_name().context("a photograph is a file")?;
                let path = folder.path().join(number.to_string()).join(&photograph.class).join(name);
                std::fs::create_dir_all(path.parent().context("a file in a folder")?)?;
                let picture: Arc<Vec<u8>> = seen(&photograph.path, *light);
                std::fs::write(&path, picture.as_slice()).with_context(|| format!("writing {}", path.display()))?;
                files.push(Labelled { path, class: photograph.class.clone(), domain: String::new() });
            }
            let models = assets.join("models").display().to_string();
            let init = ["--backbone", backbone, "--models", &models];
            let at: PathBuf = folder.path().join(number.to_string());
            lights.push(Features::of(&format!("light-{number}"), &init, &at, &files)?);
        }
        let mut rows = Vec::new();
        for ((name, _), there) in LIGHTS.iter().zip(&lights) {
            for one_class in [false, true] {
                let mut gains = BTreeMap::<usize, Vec<f64>>::new();
                for seed in 0..draws {
                    let draw = Draw::new(&lights[0], there, seed, one_class)?;
                    for (column, accuracy) in draw.accuracies()?.into_iter().enumerate() {
                        gains.entry(column).or_default().push(accuracy);
                    }
                }
                let before = &gains[&0];
                let gain = |column: usize| gains[&column].iter().zip(before).map(|(a, b)| a - b).collect::<Vec<f64>>();
                let worst = |column: usize| 100.0 * gain(column).into_iter().fold(f64::INFINITY, f64::min);
                let five = if one_class { "of one class" } else { "of any" };
                let mut row = vec![format!("{name}, {five}"), Mean::of(before.iter().copied()).percent()];
                row.extend(
                    (1..=1 + MIXES.len())
                        .map(|column| format!("{} ({:+.0})", Mean::of(gain(column)).points(), worst(column))),
                );
                let at_home = |column: usize| Mean::of(gains[&column].iter().copied()).percent();
                row.extend([at_home(5), at_home(6), at_home(7)]);
                rows.push(row);
            }
        }
        let head = [
            "light, five labels",
            "head before",
            "every direction (worst)",
            "without, seen 6 : 6",
            "9 : 3",
            "12 : 0",
            "old light: head before",
            "every direction",
            "without, 6 : 6",
        ];
        print(&head, &rows);
    }
    Ok(())
}

/// One draw of what is learnt, seen, labelled and counted.
struct Draw {
    /// What is learnt in the old light, then the five.
    samples: Picked,
    /// How many are of the old light.
    old: usize,
    seen: [Picked; 2],
    test: Picked,
    /// The same photographs in the old light.
    test_at_home: Picked,
}

impl Draw {
    fn new(home: &Features, there: &Features, seed: u64, one_class: bool) -> anyhow::Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let in_both = |source: &&String| there.sources.contains(source);
        let mut of_class = CLASSES.map(|class| -> Vec<&String> {
            let labelled = home.sources.iter().zip(&home.labels).filter(|&(_, &label)| home.classes[label] == class);
            labelled.map(|(source, _)| source).filter(in_both).collect()
        });
        for sources in &mut of_class {
            sources.shuffle(&mut random);
        }
        let pick = |features: &Features, from: usize, to: Option<usize>, class: usize| -> anyhow::Result<Picked> {
            let sources = &of_class[class][from..to.unwrap_or(of_class[class].len())];
            let row = |source: &&String| features.sources.iter().position(|one| one == *source);
            let rows: Option<Vec<usize>> = sources.iter().map(row).collect();
            let mut picked = features.pick(&rows.context("a photograph is missing")?);
            picked.labels = vec![class; picked.labels.len()];
            Ok(picked)
        };
        let both = |features: &Features, from: usize, to: Option<usize>| -> anyhow::Result<Picked> {
            Ok(pick(features, from, to, 0)?.and(&pick(features, from, to, 1)?))
        };
        let mut samples = both(home, 0, Some(LEARNT))?;
        samples.groups = (0..2 * LEARNT)
            .map(|row| (row / LEARNT) * LEARNT + if row % LEARNT < 15 { 0 } else { 1 + (row % LEARNT - 15) / 4 })
            .collect();
        let (from, to) = (LEARNT, Some(LEARNT + SEEN));
        let mut labelled: Vec<usize> = (0..if one_class { SEEN } else { 2 * SEEN }).collect();
        labelled.shuffle(&mut random);
        let mut five = both(there, from, to)?.rows(&labelled[..FIVE]);
        five.groups = (0..FIVE).map(|row| 1000 + row).collect();
        Ok(Self {
            old: 2 * LEARNT,
            samples: samples.and(&five),
            seen: [pick(there, from, to, 0)?, pick(there, from, to, 1)?],
            test: both(there, LEARNT + SEEN, None)?,
            test_at_home: both(home, LEARNT + SEEN, None)?,
        })
    }

    /// Of the head before, of one with every direction, and of one without for each mix; then in the old light of the first three.
    fn accuracies(&self) -> anyhow::Result<Vec<f64>> {
        let options = FitOptions { threads: 2, ..FitOptions::default() };
        let chosen = |candidates: Vec<Candidate>| {
            let at = select(&candidates);
            candidates.into_iter().nth(at).context("a head was fitted")
        };
        let old = self.samples.rows(&(0..self.old).collect::<Vec<_>>());
        let before = chosen(fit(&old.samples(2)?, &options)?)?;
        let samples = self.samples.samples(2)?;
        let plain = chosen(fit(&samples, &options)?)?;
        let served = |one: &Candidate| {
            Ok::<_, anyhow::Error>(if self.activated(&before, one)? { one.clone() } else { before.clone() })
        };
        let mut heads = vec![before.clone(), served(&plain)?];
        let learnt: Vec<bool> = (0..samples.rows()).map(|row| row < self.old).collect();
        let five = self.samples.x.slice(s![self.old.., ..]);
        let said = before.head.batch(five, Some(&self.samples.norms[self.old..]));
        let right = said.rows().into_iter().zip(&self.samples.labels[self.old..]).filter(|(p, label)| p[**label] > 0.5);
        let trust = domain::trust(right.count(), FIVE, 2);
        for mix in MIXES {
            let [a, b] = [0, 1].map(|class| self.seen[class].x.slice(s![..mix[class], ..]));
            let seen = concatenate![Axis(0), a, b];
            let glass = before.head.batch(seen.view(), None).rows().into_iter().filter(|p| p[1] > p[0]).count() as f64;
            let glass = glass / seen.nrows() as f64;
            let home = domain::unmoved(old.x.view(), &old.labels, &[1.0 - glass, glass], trust);
            let home = home.context("something was learnt")?.mapv(|x| x as f32);
            let there = seen.mean_axis(Axis(0)).context("something was seen")?;
            let nuisance = Nuisance::new([(&there - &home).view()]).context("something moved")?;
            let without = chosen(fit_without(&samples, &nuisance, &options, &mut |_, _| true)?.candidates)?;
            heads.push(served(if costs(&plain, &without, &learnt) { &plain } else { &without })?);
        }
        let right = |head: &Candidate, on: &Picked| {
            let p = head.head.batch(on.x.view(), Some(&on.norms));
            let right = p.rows().into_iter().zip(&on.labels).filter(|(p, label)| p[**label] > p[1 - **label]);
            right.count() as f64 / on.labels.len() as f64
        };
        let there = heads.iter().map(|head| right(head, &self.test));
        Ok(there.chain(heads.iter().take(3).map(|head| right(head, &self.test_at_home))).collect())
    }

    /// Whether the verdict puts a candidate in service.
    fn activated(&self, before: &Candidate, candidate: &Candidate) -> anyhow::Result<bool> {
        let Self { samples, old, .. } = self;
        let fitted_on: Vec<bool> = (0..samples.labels.len()).map(|row| row < *old).collect();
        let new: Vec<bool> = fitted_on.iter().map(|fitted| !fitted).collect();
        let later = samples.x.slice(s![*old.., ..]);
        let later = before.head.batch(later, Some(&samples.norms[*old..]));
        let probabilities: Array2<f64> = concatenate![Axis(0), before.leave_out, later];
        let verdict = judge(&JudgeInput {
            candidate: candidate.leave_out.view(),
            labels: &samples.labels,
            groups: &samples.groups,
            classes: 2,
            ungrouped: false,
            new: &new,
            prototype: candidate.leave_out.view(),
            in_service: Some(InService {
                probabilities: probabilities.view(),
                fitted_on: &fitted_on,
                classes: &[0, 1],
            }),
            trust_labels: false,
        })?;
        Ok(verdict.outcome == Outcome::Activated)
    }
}
