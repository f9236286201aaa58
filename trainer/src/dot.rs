//! Sums of products in f64. Knows nothing of what they mean.
//!
//! Invariant: the order of summation depends on the length only, so equal vectors give equal bits.

/// Partial sums: strict order would keep the compiler from using vectors.
const LANES: usize = 8;

/// `Σ aᵢ bᵢ` over the shorter length.
pub(crate) fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_blocks.remainder(), b_blocks.remainder());
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane].into() * b[lane].into();
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| a.into() * b.into()).sum();
    lanes.iter().sum::<f64>() + rest
}

/// `Σ (aᵢ - bᵢ)²` over the shorter length.
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_blocks.remainder(), b_blocks.remainder());
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..LANES {
            let difference = f64::from(a[lane]) - f64::from(b[lane]);
            lanes[lane] += difference * difference;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    lanes.iter().sum::<f64>() + rest
}

/// Euclidean length.
pub(crate) fn norm<A: Copy + Into<f64>>(a: &[A]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_to_its_end() {
        for n in 0..20_u8 {
            let a: Vec<f32> = (0..n).map(f32::from).collect();
            let b: Vec<f64> = (0..n).map(f64::from).collect();
            let expected: f64 = b.iter().map(|x| x * x).sum();
            assert_eq!(dot(&a, &b), expected);
            assert_eq!(norm(&b), expected.sqrt());
            assert_eq!(squared_distance(&a, &vec![0.0; a.len()]), expected);
        }
    }
}
