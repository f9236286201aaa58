//! x
use crate::daemon::view::View;
pub(super) fn view() -> View {
    View::default()
}
