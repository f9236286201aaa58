//! Which candidate is proposed. Knows only their losses out of sample.

use crate::{Candidate, candidate::clustered_mean};

/// The index of the first candidate (they come cheapest first) whose log-loss, with whole folds left out, is within one
/// standard error of the smallest; the standard error is that of the paired differences, clustered by group. 0 where
/// there are none.
///
/// The one-standard-error rule: Breiman, Friedman, Olshen and Stone 1984, "Classification and Regression Trees", 3.4.3.
pub fn select(candidates: &[Candidate]) -> usize {
    let Some(best) = candidates.iter().min_by(|a, b| a.fold_loss().total_cmp(&b.fold_loss())) else {
        return 0;
    };
    let close = |candidate: &Candidate| {
        let pairs = candidate.fold_losses.iter().zip(&best.fold_losses).zip(&best.importance);
        let differences: Vec<f64> = pairs.map(|((a, b), weight)| weight * (a - b)).collect();
        let (mean, se) = clustered_mean(&differences, &best.groups);
        mean <= se
    };
    candidates.iter().position(close).unwrap_or(0)
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
