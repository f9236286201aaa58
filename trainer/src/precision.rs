//! The two precisions that matrices are worked on in. Knows nothing of what they hold.

use faer::traits::RealField;

/// Single or double precision.
pub(crate) trait Precision: RealField + Copy + Send + Sync + Into<f64> {
    /// The gap between 1 and the next number.
    const EPSILON: f64;
    /// The nearest number of this precision.
    fn of(x: f64) -> Self;
}

impl Precision for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;

    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Precision for f64 {
    const EPSILON: f64 = f64::EPSILON;

    fn of(x: f64) -> Self {
        x
    }
}
