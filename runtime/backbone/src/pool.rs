//! Pooling: from the feature tensor `[n, …]` to one row per sample `[n, dim]`.
//!
//! Knows shapes and orders of axes, nothing about where they come from. Invariant: rows are contiguous.

use ndarray::{Array2, ArrayD, Axis};

use crate::manifest::{Input, Layout, Pool};

/// Why a tensor cannot be pooled as the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The tensor has another rank, or axes that are not 1 where they must be.
    #[error("pool \"{pool}\" takes a tensor {expected}, found {found:?}: choose another pool or tensor")]
    Shape {
        /// The pooling asked for.
        pool: Pool,
        /// The shape it takes.
        expected: &'static str,
        /// The tensor's shape.
        found: Vec<usize>,
    },
    /// Another number of components.
    #[error("pool \"{pool}\" gives {found} components, the manifest says dim = {expected}")]
    Dim {
        /// The pooling asked for.
        pool: Pool,
        /// The manifest's.
        expected: usize,
        /// The tensor's.
        found: usize,
    },
}

/// The shape that text models and vision transformers give.
const TOKENS: &str = "[n, tokens, dim] with at least one token";

/// Where a map has its axes of space: an image two, a signal one of time and perhaps one of length 1 beside it.
#[derive(Clone, Copy)]
pub(crate) enum Map {
    /// `[n, channels, height, width]`.
    ImageChannelsFirst,
    /// `[n, height, width, channels]`.
    ImageChannelsLast,
    /// `[n, channels, time]` or `[n, channels, …, …]`.
    SignalChannelsFirst,
    /// `[n, time, channels]` or `[n, …, …, channels]`.
    SignalChannelsLast,
}

impl Map {
    /// What the graph makes of such an input.
    pub(crate) fn of(input: &Input) -> Self {
        match input {
            Input::Image(image) if image.layout == Layout::Nchw => Self::ImageChannelsFirst,
            Input::Image(_) => Self::ImageChannelsLast,
            Input::Signal(signal) if signal.layout.channels_last() => Self::SignalChannelsLast,
            Input::Signal(_) => Self::SignalChannelsFirst,
        }
    }

    /// Whether the numbers of one place lie together in memory.
    pub(crate) fn channels_last(self) -> bool {
        matches!(self, Self::ImageChannelsLast | Self::SignalChannelsLast)
    }

    /// Axes of space of a tensor of this rank, last first.
    pub(crate) fn space(self, rank: usize) -> Result<&'static [usize], &'static str> {
        match (self, rank) {
            (Self::ImageChannelsFirst | Self::SignalChannelsFirst, 4) => Ok(&[3, 2]),
            (Self::ImageChannelsLast | Self::SignalChannelsLast, 4) => Ok(&[2, 1]),
            (Self::SignalChannelsFirst, 3) => Ok(&[2]),
            (Self::SignalChannelsLast, 3) => Ok(&[1]),
            (Self::ImageChannelsFirst | Self::ImageChannelsLast, _) => Err("of four axes"),
            (Self::SignalChannelsFirst | Self::SignalChannelsLast, _) => Err("of three or four axes"),
        }
    }
}

/// Pools the output of a batch of `n`.
pub(crate) fn pool(output: ArrayD<f32>, pool: Pool, map: Map, n: usize, dim: usize) -> Result<Array2<f32>, PoolError> {
    let shape = output.shape().to_vec();
    let refuse = |expected: &'static str| PoolError::Shape { pool, expected, found: shape.clone() };
    let has_rank = |rank: usize, expected| if shape.len() == rank { Ok(()) } else { Err(refuse(expected)) };
    if shape.first() != Some(&n) {
        return Err(refuse("[n, …] with n the batch"));
    }
    let tokens = shape.get(1).copied().unwrap_or(0);
    let pooled = match pool {
        Pool::Flatten => output,
        Pool::None if shape.iter().skip(1).filter(|&&axis| axis != 1).count() <= 1 => output,
        Pool::None => return Err(refuse("[n, dim], further axes 1")),
        Pool::SpatialMean => {
            let space = map.space(shape.len()).map_err(refuse)?;
            let mean = space.iter().try_fold(output, |output, &axis| output.mean_axis(Axis(axis)));
            mean.ok_or_else(|| refuse("of no empty axis"))?
        }
        Pool::Cls | Pool::LastToken | Pool::TokenMean => {
            has_rank(3, TOKENS)?;
            let taken = match pool {
                Pool::TokenMean => output.mean_axis(Axis(1)),
                _ if tokens == 0 => None,
                Pool::Cls => Some(output.index_axis_move(Axis(1), 0)),
                _ => Some(output.index_axis_move(Axis(1), tokens - 1)),
            };
            taken.ok_or_else(|| refuse(TOKENS))?
        }
    };
    let found = pooled.len() / n;
    if found != dim {
        return Err(PoolError::Dim { pool, expected: dim, found });
    }
    let numbers = pooled.iter().copied().collect();
    Ok(Array2::from_shape_vec((n, dim), numbers).expect("a bug: n rows of dim numbers"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use ndarray::{Array, array};

    use super::*;

    /// 0, 1, 2, … in a shape.
    fn counting(shape: &[usize]) -> ArrayD<f32> {
        let length = shape.iter().product::<usize>();
        Array::from_iter((0..length).map(|number| number as f32)).into_shape_with_order(shape).unwrap()
    }

    #[test]
    fn spatial_mean_follows_the_layout() {
        let channels_first = pool(counting(&[1, 2, 1, 3]), Pool::SpatialMean, Map::ImageChannelsFirst, 1, 2).unwrap();
        assert_eq!(channels_first, array![[1.0, 4.0]]);
        let channels_last = pool(counting(&[1, 1, 3, 2]), Pool::SpatialMean, Map::ImageChannelsLast, 1, 2).unwrap();
        assert_eq!(channels_last, array![[2.0, 3.0]]);
    }

    #[test]
    fn spatial_mean_of_a_signal_is_over_time() {
        let rows = |shape: &[usize], map| pool(counting(shape), Pool::SpatialMean, map, 1, 2).unwrap();
        assert_eq!(rows(&[1, 2, 3], Map::SignalChannelsFirst), array![[1.0, 4.0]]);
        assert_eq!(rows(&[1, 2, 3, 1], Map::SignalChannelsFirst), array![[1.0, 4.0]]);
        assert_eq!(rows(&[1, 3, 2], Map::SignalChannelsLast), array![[2.0, 3.0]]);
        let error = pool(counting(&[1, 2]), Pool::SpatialMean, Map::SignalChannelsLast, 1, 2).unwrap_err();
        assert!(error.to_string().contains("three or four axes"), "{error}");
    }

    #[test]
    fn tokens_are_taken_from_the_middle_axis() {
        let rows = |how| pool(counting(&[2, 3, 2]), how, Map::ImageChannelsFirst, 2, 2).unwrap();
        assert_eq!(rows(Pool::Cls), array![[0.0, 1.0], [6.0, 7.0]]);
        assert_eq!(rows(Pool::LastToken), array![[4.0, 5.0], [10.0, 11.0]]);
        assert_eq!(rows(Pool::TokenMean), array![[2.0, 3.0], [8.0, 9.0]]);
    }

    #[test]
    fn none_takes_axes_of_one_and_refuses_a_map() {
        assert_eq!(pool(counting(&[2, 3, 1, 1]), Pool::None, Map::ImageChannelsFirst, 2, 3).unwrap().dim(), (2, 3));
        assert!(matches!(
            pool(counting(&[2, 3, 2, 1]), Pool::None, Map::ImageChannelsFirst, 2, 6),
            Err(PoolError::Shape { .. })
        ));
        assert_eq!(pool(counting(&[2, 3, 2, 1]), Pool::Flatten, Map::ImageChannelsFirst, 2, 6).unwrap().dim(), (2, 6));
    }

    #[test]
    fn another_dimension_is_refused() {
        let error = pool(counting(&[1, 3]), Pool::None, Map::ImageChannelsFirst, 1, 4).unwrap_err();
        assert_eq!(error, PoolError::Dim { pool: Pool::None, expected: 4, found: 3 });
    }
}
