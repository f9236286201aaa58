//! Whether what comes in is still like what was learnt. Knows no clock and no store: features, predictions and outcomes
//! in, a test out; what is kept between two of them are a few numbers.
//!
//! Without labels [`Reference`], [`Window`] and [`Monitor`] (Hotelling's T²), with labels [`Adwin`] (error of predictions made before the
//! label came), and [`Forgetting`] for what to do about it where the world moves on steadily.

mod adwin;
mod forgetting;
mod monitor;
mod reference;

pub use adwin::{Adwin, DELTA};
pub use forgetting::{Forgetting, ForgettingError, Moments};
pub use monitor::{BURSTS, FALSE_ALARM_EVERY, Monitor, Test, Window};
pub use reference::{Reference, ReferenceError};
