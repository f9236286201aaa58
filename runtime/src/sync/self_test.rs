//! A self-test: what a head answers to a few features that everybody can make. Whoever takes it in asks the same, so that a
//! head which means something else there (another version, another arithmetic) is found out before it answers anybody.

use acclimate_trainer::Head;
use ndarray::Array2;

/// Features that are asked about.
const PROBES: usize = 4;
/// Classes of each answer that are written down.
const CLASSES: usize = 64;
/// Norm that the features had before normalisation, for heads that act on raw ones.
const NORM: f32 = 10.0;
/// How much a probability may differ: rounding of f32, and the exponential functions of two systems.
pub(super) const TOLERANCE: f64 = 1e-5;

/// What a head answers to the probes: the probabilities of its first classes, probe by probe.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest(pub Vec<f32>);

impl SelfTest {
    /// Asks a head.
    pub fn of(head: &Head) -> Self {
        let answers = head.batch(probes(head.dim()).view(), Some(&[NORM; PROBES]));
        Self(
            answers
                .outer_iter()
                .flat_map(|row| row.into_iter().take(CLASSES).map(|&p| p as f32).collect::<Vec<_>>())
                .collect(),
        )
    }

    /// The largest difference to what a head answers; infinite where it has another number of answers.
    pub fn difference(&self, head: &Head) -> f64 {
        let Self(here) = Self::of(head);
        if here.len() != self.0.len() {
            return f64::INFINITY;
        }
        let differences = here.iter().zip(&self.0).map(|(a, b)| f64::from((a - b).abs()));
        differences.fold(0.0, |most, difference| if difference.is_nan() { f64::INFINITY } else { most.max(difference) })
    }
}

/// Features of norm 1 `[PROBES, dim]`, the same everywhere: integers from -128 to 127, mixed from their places, over their norm.
fn probes(dim: usize) -> Array2<f32> {
    let mut probes = Array2::from_shape_fn((PROBES, dim), |(probe, j)| {
        let key = ((probe as u64) << 32 | j as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (key ^ key >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 56) as f32) - 128.0
    });
    for mut row in probes.rows_mut() {
        let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        row.mapv_inplace(|x| (f64::from(x) / norm.max(1.0)) as f32);
    }
    probes
}

#[cfg(test)]
mod tests {
    use acclimate_trainer::{Form, Kind, Linear};
    use ndarray::{Array1, Array2};

    use super::*;

    fn head(classes: usize, by: f32) -> Head {
        let weights = Array2::from_shape_fn((classes, 6), |(i, j)| by * (1 + i * 5 + j * 3) as f32 % 7.0);
        Head {
            kind: Kind::Ridge,
            form: Form::Linear(Linear { weights, bias: Array1::zeros(classes) }),
            temperature: 0.7,
            lambda: None,
            novelty: None,
            conformal: None,
        }
    }

    #[test]
    fn a_head_answers_itself_and_no_other() {
        let test = SelfTest::of(&head(3, 1.0));
        assert_eq!(test.0.len(), 4 * 3);
        assert!(test.difference(&head(3, 1.0)) == 0.0);
        assert!(test.difference(&head(3, 1.1)) > TOLERANCE);
        assert!(test.difference(&head(4, 1.0)).is_infinite());
        let nan = SelfTest(vec![f32::NAN; 12]);
        assert!(nan.difference(&head(3, 1.0)).is_infinite());
    }

    #[test]
    fn it_is_short_whatever_the_number_of_classes_and_asks_the_same_everywhere() {
        assert_eq!(SelfTest::of(&head(500, 0.1)).0.len(), 4 * 64);
        let probes = probes(6);
        let norms = probes.outer_iter().all(|row| (row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(norms && probes.row(0) != probes.row(1));
        // Golden: another number here is another self-test on every device.
        assert_eq!(format!("{:.6}", probes[[1, 2]]), GOLDEN);
    }

    const GOLDEN: &str = "-0.349329";
}
