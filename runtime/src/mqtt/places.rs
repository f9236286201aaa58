//! What the places that a task looks at are called in topics. Pure; knows no topic.

use crate::daemon::view::TaskView;

/// The place of each of a task's looks: none where there is only one; a source's name where there are several, numbered
/// from the second region of a source on.
pub(super) fn places(task: &TaskView) -> Vec<Option<String>> {
    let several = task.sources().len() > 1;
    let place = |(number, look): (usize, &crate::daemon::view::LookView)| {
        let source = &look.look.source;
        let before = task.looks[..number].iter().filter(|look| look.look.source == *source).count();
        match before {
            0 => several.then(|| source.clone()),
            before => Some(format!("{source}-{}", before + 1)),
        }
    };
    let places: Vec<_> = task.looks.iter().enumerate().map(place).collect();
    // A task that looks at nothing yet will look at something.
    if places.is_empty() { vec![None] } else { places }
}
