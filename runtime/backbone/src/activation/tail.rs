//! What stands between spatial means and the feature: element-wise arithmetic on vectors, run forwards and backwards. Knows
//! nothing of graphs or places.
//!
//! Backwards is reverse-mode differentiation at the values of a forward run. Invariant: a step takes earlier steps only.

/// How a vector comes about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Add(usize, usize),
    Concat(Vec<usize>),
    Constant(Vec<f64>),
    Divide(usize, usize),
    /// The mean of a map over its places; the map's number.
    Mean(usize),
    Multiply(usize, usize),
    Relu(usize),
    Root(usize),
    Subtract(usize, usize),
}

/// Steps in order; the last is the feature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tail(pub(super) Vec<Step>);

/// The values of all steps at one point.
pub(super) struct Values(Vec<Vec<f64>>);

impl Values {
    /// The feature.
    pub(super) fn feature(&self) -> &[f64] {
        self.0.last().map_or(&[], Vec::as_slice)
    }
}

impl Tail {
    /// Runs it on the means of each map. None where two vectors have lengths that do not go together, or a map is missing.
    pub(super) fn forward(&self, means: &[Vec<f64>]) -> Option<Values> {
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(self.0.len());
        for step in &self.0 {
            let value = match step {
                Step::Add(a, b) => both(&values, *a, *b, |a, b| a + b)?,
                Step::Concat(parts) => {
                    let parts = parts.iter().map(|&part| values.get(part)).collect::<Option<Vec<_>>>()?;
                    parts.into_iter().flatten().copied().collect()
                }
                Step::Constant(numbers) => numbers.clone(),
                Step::Divide(a, b) => both(&values, *a, *b, |a, b| a / b)?,
                Step::Mean(map) => means.get(*map)?.clone(),
                Step::Multiply(a, b) => both(&values, *a, *b, |a, b| a * b)?,
                Step::Relu(a) => values.get(*a)?.iter().map(|x| x.max(0.0)).collect(),
                Step::Root(a) => values.get(*a)?.iter().map(|x| x.sqrt()).collect(),
                Step::Subtract(a, b) => both(&values, *a, *b, |a, b| a - b)?,
            };
            values.push(value);
        }
        Some(Values(values))
    }

    /// The gradient by the means of each of `maps` maps, from that by the feature.
    pub(super) fn backward(&self, Values(values): &Values, gradient: &[f64], maps: usize) -> Vec<Vec<f64>> {
        let mut by_step: Vec<Vec<f64>> = values.iter().map(|value| vec![0.0; value.len()]).collect();
        if let Some(last) = by_step.last_mut() {
            last.copy_from_slice(gradient);
        }
        let mut by_map: Vec<Vec<f64>> = vec![Vec::new(); maps];
        for (at, step) in self.0.iter().enumerate().rev() {
            let own = std::mem::take(&mut by_step[at]);
            let value = |step: usize, j: usize| values[step].get(j).or(values[step].first()).copied().unwrap_or(0.0);
            let mut add = |to: usize, of: &dyn Fn(usize) -> f64| {
                let to = &mut by_step[to];
                // One number that stood for all collects from all.
                let single = to.len() == 1;
                for (j, g) in own.iter().enumerate() {
                    to[if single { 0 } else { j }] += g * of(j);
                }
            };
            match step {
                Step::Add(a, b) => {
                    add(*a, &|_| 1.0);
                    add(*b, &|_| 1.0);
                }
                Step::Concat(parts) => {
                    let mut from = 0;
                    for &part in parts {
                        let length = values[part].len();
                        for (to, g) in by_step[part].iter_mut().zip(&own[from..from + length]) {
                            *to += g;
                        }
                        from += length;
                    }
                }
                Step::Constant(_) => {}
                Step::Divide(a, b) => {
                    add(*a, &|j| 1.0 / value(*b, j));
                    add(*b, &|j| -value(*a, j) / value(*b, j).powi(2));
                }
                Step::Mean(map) => {
                    let to = &mut by_map[*map];
                    to.resize(own.len(), 0.0);
                    for (to, g) in to.iter_mut().zip(&own) {
                        *to += g;
                    }
                }
                Step::Multiply(a, b) => {
                    add(*a, &|j| value(*b, j));
                    add(*b, &|j| value(*a, j));
                }
                Step::Relu(a) => add(*a, &|j| f64::from(value(*a, j) > 0.0)),
                // At 0 it has no slope: what is there is taken to stay.
                Step::Root(a) => add(*a, &|j| if value(at, j) > 0.0 { 0.5 / value(at, j) } else { 0.0 }),
                Step::Subtract(a, b) => {
                    add(*a, &|_| 1.0);
                    add(*b, &|_| -1.0);
                }
            }
        }
        by_map
    }
}

/// Element by element; one number goes with all.
fn both(values: &[Vec<f64>], a: usize, b: usize, of: impl Fn(f64, f64) -> f64) -> Option<Vec<f64>> {
    let (a, b) = (values.get(a)?, values.get(b)?);
    let length = a.len().max(b.len());
    let fits = |x: &[f64]| x.len() == length || x.len() == 1;
    let at = |x: &[f64], j: usize| if x.len() == 1 { x[0] } else { x[j] };
    (length > 0 && fits(a) && fits(b)).then(|| (0..length).map(|j| of(at(a, j), at(b, j))).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    /// Every kind of step: `concat(√(relu(q - m·m) + 0.1), (m - 2) · [3, 5], m / [4, -2])` of maps `m` and `q`.
    fn everything() -> Tail {
        Tail(vec![
            Step::Mean(0),
            Step::Mean(1),
            Step::Multiply(0, 0),
            Step::Subtract(1, 2),
            Step::Relu(3),
            Step::Constant(vec![0.1]),
            Step::Add(4, 5),
            Step::Root(6),
            Step::Constant(vec![2.0]),
            Step::Subtract(0, 8),
            Step::Constant(vec![3.0, 5.0]),
            Step::Multiply(9, 10),
            Step::Constant(vec![4.0, -2.0]),
            Step::Divide(0, 12),
            Step::Concat(vec![7, 11, 13]),
        ])
    }

    #[test]
    fn forwards_it_is_the_arithmetic() {
        let values = everything().forward(&[vec![0.5, -1.0], vec![0.5, 0.3]]).unwrap();
        let expected = [0.35_f64.sqrt(), 0.1_f64.sqrt(), -4.5, -15.0, 0.125, 0.5];
        for (found, expected) in values.feature().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{:?}", values.feature());
        }
        assert_eq!(values.feature().len(), expected.len());
    }

    #[test]
    fn backwards_it_is_what_finite_differences_say() {
        let (tail, gradient) = (everything(), [1.0, -2.0, 0.5, 0.25, 3.0, -1.0]);
        let means = [vec![0.5, -1.0], vec![0.5, 0.3]];
        let found = tail.backward(&tail.forward(&means).unwrap(), &gradient, 2);
        let of = |means: &[Vec<f64>]| -> f64 {
            tail.forward(means).unwrap().feature().iter().zip(gradient).map(|(x, g)| x * g).sum()
        };
        for (map, channel) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let moved = |by: f64| {
                let mut means = means.clone();
                means[map][channel] += by;
                of(&means)
            };
            let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((found[map][channel] - expected).abs() < 1e-6, "{map} {channel}: {found:?} {expected}");
        }
    }

    #[test]
    fn lengths_that_do_not_go_together_are_none() {
        assert!(everything().forward(&[vec![1.0; 3], vec![1.0; 3]]).is_none());
        assert!(everything().forward(&[vec![1.0; 2]]).is_none());
    }
}
