//! `/api/v1/tasks/{task}/attention` and that of a sample: where the head in service looks. Knows nothing of how that is found.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::IntoParams;

use super::frames::path;
use super::inside::Inside;
use super::refusal::{Code, Refusal};
use super::shown::query;
use crate::daemon::command::Look;
use crate::daemon::mapping::Of;
use crate::daemon::view::View;
use crate::record::ClassMapRecord;

/// For which class.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// The class; what the head takes the picture for where absent.
    class: Option<String>,
}

/// For which class, in which of the regions that a task looks at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AskedNow {
    /// The class; what the head takes the picture for where absent.
    class: Option<String>,
    /// The source; the task's first where absent.
    source: Option<String>,
    /// Which of the task's looks, from 0; the first of the source where absent.
    look: Option<usize>,
}

/// Where the head looks in the newest frame of a source.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/attention", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate"), AskedNow),
    responses((status = 200, description = "What each place adds to the score of a class", body = ClassMapRecord)))]
pub(super) async fn now(
    State(inside): State<Arc<Inside>>,
    task: Result<Path<String>, PathRejection>,
    asked: Result<Query<AskedNow>, QueryRejection>,
) -> Result<Json<ClassMapRecord>, Refusal> {
    let (task, AskedNow { class, source, look }) = (path(task)?, query(asked)?);
    let look = chosen(&inside.handle.view.borrow(), &task, source.as_deref(), look)?;
    let frame = inside.handle.newest.of(&look.source);
    let frame = frame.ok_or_else(|| Refusal::not_found(format!("source `{}` has given no frame yet", look.source)))?;
    answer(&inside, task, Of::Frame(frame, look.crop), class).await
}

/// Where the head looks in a sample.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/samples/{id}/attention", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate"),
        ("id" = String, Path, description = "The sample, or the beginning of its id"), Asked),
    responses((status = 200, description = "What each place adds to the score of a class", body = ClassMapRecord)))]
pub(super) async fn of_sample(
    State(inside): State<Arc<Inside>>,
    names: Result<Path<(String, String)>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<ClassMapRecord>, Refusal> {
    let ((task, id), Asked { class }) = (path(names)?, query(asked)?);
    answer(&inside, task, Of::Sample(id), class).await
}

async fn answer(inside: &Inside, task: String, of: Of, class: Option<String>) -> Result<Json<ClassMapRecord>, Refusal> {
    let (to, answered) = oneshot::channel();
    // Where who asked has gone, nobody is told.
    inside.handle.mapping.ask(task, of, class, move |answer| drop(to.send(answer)))?;
    let lost = |_| Refusal::new(Code::Failed, "looking failed: this is a bug in acclimate");
    Ok(Json(answered.await.map_err(lost)??))
}

/// The region that is meant.
fn chosen(view: &View, task: &str, source: Option<&str>, number: Option<usize>) -> Result<Look, Refusal> {
    let known = view.tasks.iter().find(|known| known.name == task);
    let known = known.ok_or_else(|| Refusal::not_found(format!("there is no task `{task}`")))?;
    let fits = |look: &Look| source.is_none_or(|source| look.source == source);
    let found = match number {
        Some(number) => known.looks.get(number).filter(|look| fits(&look.look)),
        None => known.looks.iter().find(|look| fits(&look.look)),
    };
    found.map(|found| found.look.clone()).ok_or_else(|| {
        let at =
            source.map_or_else(|| "nothing yet".to_owned(), |source| format!("no such region of source `{source}`"));
        Refusal::not_found(format!("task `{task}` looks at {at}: its looks stand in /api/v1/status"))
    })
}
