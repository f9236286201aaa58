//! What a learning curve foretells, beside what came: from 10, 20, 30 samples a class to 90, on draws of TrashNet.
//! `cargo xtask report curves [BACKBONE [DRAWS [all]]]`; with `all`, also what the selected head gained.

use acclimate_tests::curves::Foretold;
use acclimate_tests::features::Features;
use acclimate_tests::table::Mean;
use acclimate_trainer::Forecast;
use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let backbone = arguments.next().unwrap_or_else(|| "mobilenetv2-1.0-224".into());
    let draws: u64 = arguments.next().map_or(Ok(10), |n| n.parse()).context("DRAWS is no number")?;
    let auto = arguments.next().is_some();
    let Some(trash) = Features::trashnet(&backbone) else { return Ok(()) };
    println!("{}, {draws} draws, mean ± 95 % interval over draws, points\n", trash.name);
    println!(
        "a class  gained by ridge  selected    foretold    less gained  width  holds the mean gain  accuracy less test  holds it  said"
    );
    for per_class in [10, 20, 30, 45] {
        let told =
            (0..draws).map(|seed| Foretold::with(&trash, per_class, seed, auto)).collect::<anyhow::Result<Vec<_>>>()?;
        let gained = Mean::of(told.iter().map(|one| one.later - one.now)).mean;
        let later = Mean::of(told.iter().map(|one| one.later)).mean;
        let cell = |of: &dyn Fn(&Foretold) -> f64| {
            let Mean { mean, half } = Mean::of(told.iter().map(of));
            format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * half)
        };
        let share =
            |of: &dyn Fn(&Foretold) -> bool| 100 * told.iter().filter(|one| of(one)).count() / told.len().max(1);
        let said = |of: fn(&Forecast) -> bool| told.iter().filter(|one| of(&one.forecast)).count();
        println!(
            "{per_class:>7}  {:15}  {:10}  {:10}  {:11}  {:5.1}  {:>17} %  {:18}  {:>6} %  {} worth, {} flat, {} untold",
            cell(&|one| one.later - one.now),
            if auto { cell(&|one| one.auto) } else { "-".into() },
            cell(&|one| one.gain.median),
            cell(&|one| one.gain.median - (one.later - one.now)),
            100.0 * Mean::of(told.iter().map(|one| one.gain.interval.1 - one.gain.interval.0)).mean,
            share(&|one| one.gain.interval.0 <= gained && gained <= one.gain.interval.1),
            cell(&|one| one.accuracy.median - one.later),
            share(&|one| one.accuracy.interval.0 <= later && later <= one.accuracy.interval.1),
            said(|forecast| matches!(forecast, Forecast::Worth { .. })),
            said(|forecast| matches!(forecast, Forecast::Flat { .. })),
            said(|forecast| matches!(forecast, Forecast::Untold { .. })),
        );
    }
    Ok(())
}
