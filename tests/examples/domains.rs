//! A head at another site, without labels there and with a few: `cargo xtask report domains [DRAWS]` (8 if not said).
//!
//! Sites are made from TrashNet (worse cameras, on two backbones, with even classes and with another mix of them) or are persons
//! who move. In the first tables the head is ridge regression, learnt on the source alone; what adjusts it sees one half of the target, what
//! is counted is the other half. The last table is the command line's: `adapt` without options at home, `adjust` there, `adapt`
//! again with five labels a class. `fsdd` and `sentiment3` have no backbone in this product yet and are not here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use acclimate_tests::draws::Draw;
use acclimate_tests::features::{Features, Picked};
use acclimate_tests::shifted::{Shift, Shifted};
use acclimate_tests::site::{Rows, Visit, visit};
use acclimate_tests::skip::assets;
use acclimate_tests::trashnet::{TrashNet, mean};
use acclimate_trainer::domain::{self, Source};
use acclimate_trainer::drift::Reference;
use acclimate_trainer::{Candidate, FitOptions, Head, Kind, fit};
use anyhow::Context as _;
use ndarray::{Array2, ArrayView1, Axis};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Unlabelled samples at most.
const UNLABELLED: usize = 120;

fn main() -> anyhow::Result<()> {
    let draws = match std::env::args().nth(1) {
        Some(word) => word.parse().with_context(|| format!("`{word}` is no number of draws"))?,
        None => 8_u64,
    };
    let mut tables = Tables::default();
    let Some(assets) = assets() else { return Ok(()) };
    let trashnet = TrashNet::read(&assets);
    for backbone in ["mobilenetv2-1.0-224", "mcunet-5fps"] {
        let Some(data) = Shifted::trashnet(backbone) else { return Ok(()) };
        for mixed in [false, true] {
            let untouched = std::iter::once(("untouched", &data.plain.x, None));
            let shifted = Shift::ALL.iter().zip(&data.shifts).zip(&data.folders);
            for (word, x, folder) in untouched.chain(shifted.map(|((shift, x), at)| (shift.word(), x, Some(at)))) {
                let site = format!("{backbone}, {word}{}", if mixed { ", other mix" } else { "" });
                for per_class in [10, 40] {
                    for seed in 0..draws {
                        let case = Case::camera(&data.plain, x, per_class, seed, mixed);
                        tables.take(&site, &case, !mixed && per_class == 40 && seed < 4)?;
                        if !mixed && per_class == 40 && seed < 4 {
                            let folder = folder.map_or(trashnet.folder(), PathBuf::as_path);
                            tables.visits.entry(site.clone()).or_default().push(case.visit(
                                &trashnet,
                                backbone,
                                &data.plain,
                                folder,
                            )?);
                        }
                    }
                }
            }
        }
    }
    for (name, features) in [("wharf-imu", Features::wharf_imu()), ("magic-wand", Features::magic_wand())] {
        let Some(features) = features else { return Ok(()) };
        for seed in 0..draws.div_ceil(2) {
            for case in Case::persons(&features, seed) {
                tables.take(name, &case, true)?;
            }
        }
    }
    tables.print();
    Ok(())
}

/// Whether a site is of a part.
type Part = fn(&str) -> bool;

/// One draw.
struct Case {
    classes: usize,
    source: Picked,
    unlabelled: Picked,
    test: Picked,
    /// Rows of the three where they are of one set of features.
    rows: [Vec<usize>; 3],
}

impl Case {
    fn camera(plain: &Features, shifted: &Array2<f32>, per_class: usize, seed: u64, mixed: bool) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let draw = Draw::all(plain, seed);
        let source = draw.few(plain, per_class).train;
        let used: BTreeSet<usize> = source.iter().map(|&row| plain.groups[row]).collect();
        let classes = plain.classes.len();
        let chances: Vec<f64> = (0..classes).map(|_| -random.random_range(1e-9..1.0_f64).ln()).collect();
        let mut order = |rows: Vec<usize>| -> Vec<usize> {
            if !mixed {
                return rows;
            }
            // The exponential race: the half that a draw by the classes' chances takes first.
            let key = |row: &usize, random: &mut ChaCha8Rng| {
                -random.random_range(1e-9..1.0_f64).ln() / chances[plain.labels[*row]]
            };
            let mut keyed: Vec<(f64, usize)> = rows.iter().map(|row| (key(row, &mut random), *row)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            keyed.into_iter().take(rows.len() / 2).map(|(_, row)| row).collect()
        };
        let rest: Vec<usize> = draw.train.iter().copied().filter(|&row| !used.contains(&plain.groups[row])).collect();
        let mut unlabelled = order(rest);
        unlabelled.truncate(UNLABELLED);
        let test = order(draw.test.clone());
        let at = |rows: &[usize]| Picked { x: shifted.select(Axis(0), rows), ..plain.pick(rows) };
        let (there, tested) = (at(&unlabelled), at(&test));
        Self { classes, source: plain.pick(&source), unlabelled: there, test: tested, rows: [source, unlabelled, test] }
    }

    fn visit(&self, trashnet: &TrashNet, backbone: &str, plain: &Features, at: &Path) -> anyhow::Result<Visit> {
        let [home, unlabelled, test] = &self.rows;
        let labelled: Vec<usize> = self.first(5).into_iter().map(|row| unlabelled[row]).collect();
        visit(trashnet, backbone, plain, at, Rows { home, unlabelled, labelled: &labelled, test })
    }

    /// One case a person with at least 30 windows: the others teach, 40 windows a class.
    fn persons(features: &Features, seed: u64) -> Vec<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut persons = BTreeMap::<&str, Vec<usize>>::new();
        for (row, person) in features.domains.iter().enumerate() {
            persons.entry(person).or_default().push(row);
        }
        let classes = features.classes.len();
        let case = |(&person, rows): (&&str, &Vec<usize>)| {
            let mut others: Vec<usize> =
                (0..features.labels.len()).filter(|&row| features.domains[row] != person).collect();
            others.shuffle(&mut random);
            let mut taken = vec![0; classes];
            others.retain(|&row| {
                taken[features.labels[row]] += 1;
                taken[features.labels[row]] <= 40
            });
            let mut recordings: Vec<usize> = rows.iter().map(|&row| features.groups[row]).collect();
            recordings.sort_unstable();
            recordings.dedup();
            recordings.shuffle(&mut random);
            let half: BTreeSet<usize> = recordings[..recordings.len() / 2].iter().copied().collect();
            let (mut unlabelled, test): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|&&row| half.contains(&features.groups[row]));
            unlabelled.truncate(UNLABELLED);
            let enough = taken.iter().all(|&count| count > 1) && unlabelled.len() >= 10 && test.len() >= 10;
            enough.then(|| Self {
                classes,
                source: features.pick(&others),
                unlabelled: features.pick(&unlabelled),
                test: features.pick(&test),
                rows: Default::default(),
            })
        };
        persons.iter().filter(|(_, rows)| rows.len() >= 30).filter_map(case).collect()
    }

    fn first(&self, per_class: usize) -> Vec<usize> {
        let mut taken = vec![0; self.classes];
        let first = |&row: &usize| {
            taken[self.unlabelled.labels[row]] += 1;
            taken[self.unlabelled.labels[row]] <= per_class
        };
        (0..self.unlabelled.labels.len()).filter(first).collect()
    }

    /// The first `per_class` of each class of the target's half that is not counted, now with their labels.
    fn labelled(&self, per_class: usize) -> Picked {
        self.unlabelled.rows(&self.first(per_class))
    }
}

fn options() -> FitOptions {
    FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() }
}

fn learn(picked: &Picked, classes: usize) -> anyhow::Result<Candidate> {
    Ok(fit(&picked.samples(classes)?, &options())?.swap_remove(0))
}

fn top(row: &ArrayView1<'_, f64>) -> usize {
    (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

fn accuracy(head: &Head, on: &Picked) -> f64 {
    let p = head.batch(on.x.view(), None);
    p.outer_iter().zip(&on.labels).filter(|(p, label)| top(p) == **label).count() as f64 / on.labels.len() as f64
}

const WITHOUT: [&str; 5] = ["normalised", "T3A", "self-training", "offered", "offered, judged by 5 labels a class"];
const SIZES: [usize; 3] = [1, 5, 10];
const FEW: [&str; 3] = ["pooled alike", "pooled, weight by leave-out", "towards the head"];

/// Accuracies by site: first without adaptation, then the columns.
#[derive(Default)]
struct Tables {
    without: BTreeMap<String, Vec<[f64; 7]>>,
    few: BTreeMap<(usize, String), Vec<[f64; 4]>>,
    visits: BTreeMap<String, Vec<Visit>>,
}

impl Tables {
    fn take(&mut self, site: &str, case: &Case, few: bool) -> anyhow::Result<()> {
        let learnt = learn(&case.source, case.classes)?;
        let head = &learnt.head;
        let before = accuracy(head, &case.test);
        let target = case.unlabelled.x.view();
        let source = Source::new(case.source.x.view(), learnt.leave_out.view());
        let predicted: Vec<usize> = learnt.leave_out.outer_iter().map(|row| top(&row)).collect();
        let reference = Reference::new(case.source.x.view(), &predicted, &case.source.groups, case.classes)?;
        let normalised = domain::normalise(head, &source, target).context("ridge is linear")?;
        let prototypes = domain::prototypes(head, target).context("ridge is linear")?;
        let samples = case.source.samples(case.classes)?;
        let trained = domain::self_train(head, &samples, target, &options())?.context("ridge is linear")?;
        let (_, offered) = domain::adjust(head, &source, &reference, target, &case.unlabelled.groups);
        let adjusted = offered.is_some();
        let offered = offered.map_or_else(|| head.clone(), |adjusted| adjusted.head);
        let labelled = case.labelled(5);
        let [old, new] = [head, &offered].map(|head| head.batch(labelled.x.view(), None));
        let back = domain::contradicted(old.view(), new.view(), &labelled.labels, &labelled.groups);
        let after = accuracy(&offered, &case.test);
        let row = [
            before,
            accuracy(&normalised, &case.test),
            accuracy(&prototypes, &case.test),
            accuracy(&trained, &case.test),
            after,
            if back { before } else { after },
            f64::from(u8::from(adjusted)),
        ];
        self.without.entry(site.to_owned()).or_default().push(row);
        for size in SIZES.into_iter().filter(|_| few) {
            let labelled = case.labelled(size);
            let Ok(target) = labelled.samples(case.classes) else { continue };
            let both = case.source.and(&labelled);
            let row = [
                before,
                accuracy(&learn(&both, case.classes)?.head, &case.test),
                accuracy(&domain::pool(&samples, &target, &options())?.candidate.head, &case.test),
                accuracy(&domain::towards(head, &target, &options())?.head, &case.test),
            ];
            self.few.entry((size, site.to_owned())).or_default().push(row);
        }
        Ok(())
    }

    /// What the command line does, with the head that `adapt` selects.
    fn print_visits(&self) {
        println!("\n## The same through the command line: `adapt`, `adjust`, five labels a class, `adapt`\n");
        println!(
            "| site | draws | as it is | adjust | adjusted | unknown before | and after | five labels a class | taken back |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        let line = |name: &str, visits: &[&Visit]| {
            let of = |value: fn(&Visit) -> f64| {
                let (mean, half) = mean(visits.iter().map(|visit| value(visit)));
                (100.0 * mean, 100.0 * half)
            };
            let [before, after, labelled] = [
                of(|visit| visit.before),
                of(|visit| visit.after - visit.before),
                of(|visit| visit.labelled - visit.before),
            ];
            let share =
                |value: fn(&Visit) -> f64| 100.0 * visits.iter().map(|v| value(v)).sum::<f64>() / visits.len() as f64;
            println!(
                "| {name} | {} | {:.1} ± {:.1} | {:+.1} ± {:.1} | {:.0} % | {:.0} % | {:.0} % | {:+.1} ± {:.1} | {:.0} % |",
                visits.len(),
                before.0,
                before.1,
                after.0,
                after.1,
                share(|visit| f64::from(u8::from(visit.adjusted))),
                share(|visit| visit.unknown[0]),
                share(|visit| visit.unknown[1]),
                labelled.0,
                labelled.1,
                share(|visit| f64::from(u8::from(visit.taken_back))),
            );
        };
        for (site, visits) in &self.visits {
            line(site, &visits.iter().collect::<Vec<_>>());
        }
        let all: Vec<&Visit> = self.visits.values().flatten().collect();
        if all.len() > 1 {
            line("**all**", &all);
        }
    }

    fn print(&self) {
        let cell = |rows: &[&[f64]], column: usize| {
            let (mean, half) = mean(rows.iter().map(|row| row[column] - row[0]));
            format!("{:+.1} ± {:.1}", 100.0 * mean, 100.0 * half)
        };
        let line = |name: &str, rows: &[&[f64]], columns: usize| {
            let (mean, half) = mean(rows.iter().map(|row| row[0]));
            let cells = (1..=columns).map(|column| cell(rows, column)).collect::<Vec<_>>().join(" | ");
            format!("| {name} | {} | {:.1} ± {:.1} | {cells} |", rows.len(), 100.0 * mean, 100.0 * half)
        };
        println!("\n## Without labels: accuracy in per cent, and points gained, with 95 % intervals over draws\n");
        println!("| site | draws | as it is | {} | adjusted |", WITHOUT.join(" | "));
        println!("|---|---|---|{}---|", "---|".repeat(WITHOUT.len()));
        let share = |rows: &[&[f64]]| 100.0 * rows.iter().map(|row| row[6]).sum::<f64>() / rows.len() as f64;
        for (site, rows) in &self.without {
            let rows: Vec<&[f64]> = rows.iter().map(<[f64; 7]>::as_slice).collect();
            println!("{} {:.0} % |", line(site, &rows, WITHOUT.len()), share(&rows));
        }
        let parts: [(&str, Part); 5] = [
            ("**all sites**", |_| true),
            ("**untouched**", |site| site.contains("untouched")),
            ("**shifted, even classes**", |site| {
                site.contains(", ") && !site.contains("untouched") && !site.contains("mix")
            }),
            ("**shifted, other mix**", |site| site.contains("mix") && !site.contains("untouched")),
            ("**persons**", |site| site == "wharf-imu" || site == "magic-wand"),
        ];
        for (name, of) in parts {
            let rows: Vec<&[f64]> = self
                .without
                .iter()
                .filter(|(site, _)| of(site))
                .flat_map(|(_, rows)| rows.iter().map(<[f64; 7]>::as_slice))
                .collect();
            if rows.len() > 1 {
                println!("{} {:.0} % |", line(name, &rows, WITHOUT.len()), share(&rows));
            }
        }
        println!(
            "\nCORAL and subspace alignment are no features. Measured once with NumPy (MCUNet, the same sites, 60 draws), points: \
             CORAL -3.9 ± 1.4 at shrinkage 0.1, -0.8 ± 1.2 at 0.5, +0.1 ± 1.1 at 0.9; subspace alignment -22.8 ± 3.0 on 20 \
             directions, -4.3 ± 2.3 on 60."
        );
        self.print_visits();
        println!("\n## With a few labels of the target\n");
        println!("| labels a class | site | draws | as it is | {} |", FEW.join(" | "));
        println!("|---|---|---|---|{}", "---|".repeat(FEW.len()));
        for size in SIZES {
            let mut all = Vec::new();
            for ((_, site), rows) in self.few.iter().filter(|((of, _), rows)| *of == size && rows.len() > 1) {
                let rows: Vec<&[f64]> = rows.iter().map(<[f64; 4]>::as_slice).collect();
                println!("| {size} {}", line(site, &rows, FEW.len()));
                all.extend(rows);
            }
            if all.len() > 1 {
                println!("| {size} {}", line("**all**", &all, FEW.len()));
            }
        }
    }
}
