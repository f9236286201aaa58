//! Which candidate is proposed. Knows only their losses out of sample, and which are linear.

use crate::{
    Candidate, Kind, LOG_LOSS_FLOOR, SIGNIFICANCE, candidate::clustered_mean, comparison::tested, interval::GroupedMean,
};

/// The index of the candidate to propose; they come cheapest first, and of equal ones the first wins. 0 where there are
/// none.
///
/// Of the linear ones, that of the least log-loss with whole folds left out. `prototype` is the yardstick: it is proposed
/// only if it is ahead of the others by more than one standard error of the paired differences, clustered by group. (One
/// standard error for every cheaper kind, as in Breiman et al. 1984, 3.4.3, was measured to cost accuracy with few
/// samples.) Where no sample says anything, as with one of each class, `ridge`: centred means do better than means.
///
/// One that is not linear keeps samples, cannot be merged and costs more to answer with. It is proposed only where the
/// same paired losses show it better than the best linear one: one-sided, at [`SIGNIFICANCE`] over the number of such
/// candidates (Bonferroni), with groups enough for a test.
pub fn select(candidates: &[Candidate]) -> usize {
    let (linear, others): (Vec<usize>, Vec<usize>) =
        (0..candidates.len()).partition(|&index| candidates[index].head.linear().is_some());
    let kind = |index: usize| candidates[index].head.kind;
    let least = |of: &mut dyn Iterator<Item = usize>| {
        of.min_by(|&a, &b| candidates[a].fold_loss().total_cmp(&candidates[b].fold_loss()))
    };
    let Some(mut best) = least(&mut linear.iter().copied()) else {
        return least(&mut others.iter().copied()).unwrap_or(0);
    };
    if candidates[best].fold_losses.iter().all(|&loss| loss >= -LOG_LOSS_FLOOR.ln()) {
        return linear.iter().copied().find(|&index| kind(index) == Kind::Ridge).unwrap_or(best);
    }
    if kind(best) == Kind::Prototype
        && let Some(next) = least(&mut linear.iter().copied().filter(|&index| kind(index) != Kind::Prototype))
    {
        let (mean, se) = clustered_mean(&differences(&candidates[next], &candidates[best]), &candidates[best].groups);
        best = if mean <= se { next } else { best };
    }
    let level = SIGNIFICANCE / others.len().max(1) as f64;
    let shown = |&other: &usize| {
        let gains = differences(&candidates[best], &candidates[other]);
        tested(&GroupedMean::new(&gains, &candidates[best].groups)).is_some_and(|p| p < level)
    };
    least(&mut others.iter().copied().filter(shown)).unwrap_or(best)
}

/// How much more each sample loses by `a` than by `b`, each as much as it counts, `[n]`.
pub(crate) fn differences(a: &Candidate, b: &Candidate) -> Vec<f64> {
    let pairs = a.fold_losses.iter().zip(&b.fold_losses).zip(&b.importance);
    pairs.map(|((a, b), weight)| weight * (a - b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, Head, Kind};
    use ndarray::{Array1, Array2};

    fn candidate(losses: &[f64], groups: &[usize], kind: Kind) -> Candidate {
        let head = Head {
            kind,
            form: Form::linear(Array2::zeros((2, 1)), Array1::zeros(2)),
            temperature: 1.0,
            lambda: None,
            novelty: None,
            conformal: None,
        };
        let (log_loss, log_loss_se) = clustered_mean(losses, groups);
        let (fold_losses, groups) = (losses.to_vec(), groups.to_vec());
        let leave_out = Array2::zeros((losses.len(), 2));
        Candidate {
            head,
            leave_out,
            fold_losses,
            importance: vec![1.0; losses.len()],
            balanced: false,
            groups,
            log_loss,
            log_loss_se,
            ungrouped: false,
            accuracy: 0.0,
        }
    }

    #[test]
    fn the_least_loss_wins_and_of_equal_ones_the_cheaper() {
        let groups = [0, 1, 2, 3];
        let ridge = |losses: &[f64]| candidate(losses, &groups, Kind::Ridge);
        let (good, worse) = (ridge(&[0.1, 0.2, 0.3, 0.4]), ridge(&[0.9, 0.0, 0.5, 0.0]));
        assert_eq!(select(&[worse.clone(), good.clone()]), 1);
        assert_eq!(select(&[good.clone(), worse.clone()]), 0);
        assert_eq!(select(&[worse, good.clone(), good]), 1);
        assert_eq!(select(&[]), 0);
    }

    #[test]
    fn what_counts_more_weighs_more() {
        let groups = [0, 1, 2, 3];
        let mut pair = [[0.5, 0.5, 0.5, 0.1], [0.2, 0.2, 0.2, 0.8]].map(|l| candidate(&l, &groups, Kind::Ridge));
        assert_eq!(select(&pair), 1);
        for candidate in &mut pair {
            candidate.importance = vec![0.4, 0.4, 0.4, 2.8];
        }
        assert_eq!(select(&pair), 0);
    }

    #[test]
    fn the_yardstick_must_be_clearly_ahead_by_group() {
        // Ahead on three of four: clear for single samples; as groups it is one against one.
        let of = |groups: &[usize]| {
            let (a, b) = ([0.2, 0.2, 0.2, 0.3], [0.5, 0.5, 0.5, 0.1]);
            select(&[candidate(&a, groups, Kind::Prototype), candidate(&b, groups, Kind::Ridge)])
        };
        assert_eq!(of(&[0, 1, 2, 3]), 0);
        assert_eq!(of(&[0, 0, 0, 1]), 1);
    }

    #[test]
    fn where_nothing_is_known_ridge_is_proposed() {
        let floor = [-LOG_LOSS_FLOOR.ln(); 3];
        let all = [Kind::Prototype, Kind::Logistic, Kind::Ridge].map(|kind| candidate(&floor, &[0, 1, 2], kind));
        assert_eq!(select(&all), 2);
    }
}
