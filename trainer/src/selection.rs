//! Which candidate is proposed. Knows only their losses out of sample, and which are linear.

use crate::{
    Candidate, Kind, LOG_LOSS_FLOOR, SIGNIFICANCE, candidate::clustered_mean, comparison::tested, interval::GroupedMean,
};

/// The index of the candidate to propose; they come cheapest first. 0 where there are none.
///
/// Of the linear ones, the first whose log-loss, with whole folds left out, is within one standard error of the smallest;
/// the standard error is that of the paired differences, clustered by group (the one-standard-error rule: Breiman,
/// Friedman, Olshen and Stone 1984, "Classification and Regression Trees", 3.4.3). Where no sample says anything, as with
/// one of each class, `ridge`: its centred means do better than means.
///
/// One that is not linear keeps samples, cannot be merged and costs more to answer with. It is proposed only where the
/// same paired losses show it better than the best linear one: one-sided, at [`SIGNIFICANCE`] over the number of such
/// candidates (Bonferroni), with groups enough for a test.
pub fn select(candidates: &[Candidate]) -> usize {
    let (linear, others): (Vec<usize>, Vec<usize>) =
        (0..candidates.len()).partition(|&index| candidates[index].head.linear().is_some());
    let by_loss = |a: &&usize, b: &&usize| candidates[**a].fold_loss().total_cmp(&candidates[**b].fold_loss());
    let Some(&best) = linear.iter().min_by(by_loss) else {
        return others.iter().min_by(by_loss).copied().unwrap_or(0);
    };
    let level = SIGNIFICANCE / others.len().max(1) as f64;
    let shown = |other: &&usize| {
        let gains = differences(&candidates[best], &candidates[**other]);
        tested(&GroupedMean::new(&gains, &candidates[best].groups)).is_some_and(|p| p < level)
    };
    if let Some(&other) = others.iter().filter(shown).min_by(by_loss) {
        return other;
    }
    if candidates[best].fold_losses.iter().all(|&loss| loss >= -LOG_LOSS_FLOOR.ln()) {
        let ridge = |index: &&usize| candidates[**index].head.kind == Kind::Ridge;
        return linear.iter().find(ridge).copied().unwrap_or(best);
    }
    let close = |index: &&usize| {
        let (mean, se) =
            clustered_mean(&differences(&candidates[**index], &candidates[best]), &candidates[best].groups);
        mean <= se
    };
    linear.iter().find(close).copied().unwrap_or(best)
}

/// How much more each sample loses by `a` than by `b`, each as much as it counts, `[n]`.
fn differences(a: &Candidate, b: &Candidate) -> Vec<f64> {
    let pairs = a.fold_losses.iter().zip(&b.fold_losses).zip(&b.importance);
    pairs.map(|((a, b), weight)| weight * (a - b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, Head, Kind};
    use ndarray::{Array1, Array2};

    fn candidate(losses: &[f64], groups: &[usize]) -> Candidate {
        let head = Head {
            kind: Kind::Ridge,
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
    fn the_cheaper_one_wins_unless_it_is_clearly_worse() {
        let groups = [0, 1, 2, 3];
        let dear = candidate(&[0.1, 0.2, 0.3, 0.4], &groups);
        let noisy = candidate(&[0.9, 0.0, 0.5, 0.0], &groups);
        let worse = candidate(&[0.2, 0.3, 0.4, 0.6], &groups);
        assert_eq!(select(&[noisy.clone(), dear.clone()]), 0);
        assert_eq!(select(&[worse.clone(), dear.clone()]), 1);
        assert_eq!(select(&[worse, noisy, dear.clone()]), 1);
        assert_eq!(select(&[dear.clone(), dear]), 0);
        assert_eq!(select(&[]), 0);
    }

    #[test]
    fn differences_within_a_group_count_as_one() {
        // Worse on three of four: clear for single samples; as groups it is one against one.
        let (a, b) = ([0.5, 0.5, 0.5, 0.1], [0.2, 0.2, 0.2, 0.3]);
        assert_eq!(select(&[candidate(&a, &[0, 1, 2, 3]), candidate(&b, &[0, 1, 2, 3])]), 1);
        assert_eq!(select(&[candidate(&a, &[0, 0, 0, 1]), candidate(&b, &[0, 0, 0, 1])]), 0);
    }
}
