//! The memory of a limited-memory quasi-Newton method (Nocedal and Wright 2006, algorithm 7.4) with a diagonal start.
//! Knows nothing of what is minimised.

use std::collections::VecDeque;

use crate::dot::dot;

/// Pairs of steps and gradient changes kept.
const MEMORY: usize = 12;

/// What the last steps taught of the curvature.
#[derive(Default)]
pub(crate) struct Memory {
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Memory {
    /// Learns from a step and the change of the gradient along it; a pair without curvature teaches nothing.
    pub(crate) fn learn(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let curvature = dot(&step, &change);
        if curvature > 0.0 && (1.0 / curvature).is_finite() {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back((step, change, 1.0 / curvature));
        }
    }

    /// The descent direction for a gradient, with `diagonal` as the first guess of the inverse Hessian.
    pub(crate) fn direction(&self, gradient: &[f64], diagonal: &[f64]) -> Vec<f64> {
        let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for (step, change, rho) in self.pairs.iter().rev() {
            let alpha = rho * dot(step, &q);
            axpy(&mut q, -alpha, change);
            alphas.push(alpha);
        }
        // The guess is scaled to the latest curvature seen (equation 7.20, in the metric of the guess).
        let scale = self.pairs.back().map_or(1.0, |(_, change, rho)| {
            let weighted: f64 = change.iter().zip(diagonal).map(|(y, d)| y * y * d).sum();
            1.0 / (rho * weighted)
        });
        for (q, d) in q.iter_mut().zip(diagonal) {
            *q *= d * scale;
        }
        for ((step, change, rho), alpha) in self.pairs.iter().zip(alphas.iter().rev()) {
            let beta = rho * dot(change, &q);
            axpy(&mut q, alpha - beta, step);
        }
        q
    }
}

/// `y += alpha x`.
pub(crate) fn axpy(y: &mut [f64], alpha: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += alpha * x;
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
            let direction = memory.direction(&gradient, &[1.0; 4]);
            let bent: Vec<f64> = direction.iter().zip(curvatures).map(|(d, k)| k * d).collect();
            let t = -dot(&gradient, &direction) / dot(&direction, &bent);
            axpy(&mut x, t, &direction);
            memory.learn(direction.iter().map(|d| t * d).collect(), bent.iter().map(|b| t * b).collect());
        }
        assert!(x.iter().all(|x| x.abs() < 1e-9), "{x:?}");
    }
}
