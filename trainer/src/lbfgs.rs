//! The memory of a limited-memory quasi-Newton method (Nocedal and Wright 2006, algorithm 7.4) with a diagonal start.
//! Knows nothing of what is minimised.

use std::collections::VecDeque;

use crate::dot::{axpy, dot};

/// Pairs of steps and gradient changes kept.
const MEMORY: usize = 12;

/// What the last steps taught of the curvature.
#[derive(Default)]
pub(crate) struct Memory {
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    /// What the guess is to be multiplied by; 0 before anything was learnt.
    scale: f64,
}

impl Memory {
    /// Learns from a step, the change of the gradient along it, and its square in the guessed Hessian; a pair without
    /// curvature teaches nothing.
    pub(crate) fn learn(&mut self, step: Vec<f64>, change: Vec<f64>, square: f64) {
        let curvature = dot(&step, &change);
        if curvature > 0.0 && (1.0 / curvature).is_finite() {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back((step, change, 1.0 / curvature));
            self.scale = square / curvature;
        }
    }

    /// The descent direction for a gradient; `guess` multiplies with the first guess of the inverse Hessian, which is
    /// scaled to the latest curvature seen.
    pub(crate) fn direction(&self, gradient: &[f64], guess: impl Fn(&mut [f64])) -> Vec<f64> {
        let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for (step, change, rho) in self.pairs.iter().rev() {
            let alpha = rho * dot(step, &q);
            axpy(&mut q, -alpha, change);
            alphas.push(alpha);
        }
        guess(&mut q);
        if self.scale > 0.0 && self.scale.is_finite() {
            for q in &mut q {
                *q *= self.scale;
            }
        }
        for ((step, change, rho), alpha) in self.pairs.iter().zip(alphas.iter().rev()) {
            let beta = rho * dot(change, &q);
            axpy(&mut q, alpha - beta, step);
        }
        q
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_is_solved_in_as_many_steps_as_it_has_dimensions() {
        // f = ½ Σ k x², exact line search: with full memory this is the conjugate gradient method.
        let curvatures = [1.0, 10.0, 100.0, 0.1];
        let mut x = vec![1.0; 4];
        let mut memory = Memory::default();
        for _ in 0..4 {
            let gradient: Vec<f64> = x.iter().zip(curvatures).map(|(x, k)| k * x).collect();
            let direction = memory.direction(&gradient, |_| ());
            let bent: Vec<f64> = direction.iter().zip(curvatures).map(|(d, k)| k * d).collect();
            let t = -dot(&gradient, &direction) / dot(&direction, &bent);
            axpy(&mut x, t, &direction);
            memory.learn(
                direction.iter().map(|d| t * d).collect(),
                bent.iter().map(|b| t * b).collect(),
                t * t * dot(&direction, &direction),
            );
        }
        assert!(x.iter().all(|x| x.abs() < 1e-9), "{x:?}");
    }
}
