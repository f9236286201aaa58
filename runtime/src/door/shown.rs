//! What the door shows of daemon and store: status, health, metrics, samples, heads, verdicts. Each handler asks and answers;
//! what is said is decided in `health`, `metrics`, `samples` and `honesty`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::drawn::{SVG, drawn};
use super::frames::{media, path};
use super::health::{Readiness, readiness};
use super::honesty::{self, Dated, Honesty, Newest};
use super::inside::Inside;
use super::refusal::{Code, Refusal};
use super::samples::{self, Listed, Wanted};
use super::{document, metrics};
use crate::daemon::view::View;
use crate::record::HeadRecord;

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether every task can answer, and why not.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "Ready", body = Readiness), (status = 503, description = "Not ready", body = Readiness)))]
pub(super) async fn readyz(State(inside): State<Arc<Inside>>) -> (StatusCode, Json<Readiness>) {
    let found = readiness(&inside.handle.view.borrow(), &(inside.handle.pulse)());
    let status = if found.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(found))
}

/// The daemon in numbers (`OpenMetrics`).
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "For Prometheus", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn numbers(State(inside): State<Arc<Inside>>) -> Result<Response, Refusal> {
    let view = Arc::clone(&inside.handle.view.borrow());
    let text = metrics::text(&view, &(inside.handle.pulse)())
        .map_err(|_| Refusal::new(Code::Failed, "could not write the metrics"))?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA)], text).into_response())
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "door",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")))]
pub(super) async fn openapi() -> Json<serde_json::Value> {
    Json(document::document())
}

/// The daemon at this moment.
#[utoipa::path(get, path = "/api/v1/status", tag = "daemon", responses((status = 200, description = "Now", body = View)))]
pub(super) async fn status(State(inside): State<Arc<Inside>>) -> Response {
    let view = Arc::clone(&inside.handle.view.borrow());
    Json(&*view).into_response()
}

/// Samples of a task: to label, to review, to look at.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/samples", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate"), Wanted),
    responses((status = 200, description = "Samples", body = Vec<Listed>)))]
pub(super) async fn list(
    State(inside): State<Arc<Inside>>,
    task: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<Listed>>, Refusal> {
    let (task, wanted) = (path(task)?, query(wanted)?);
    Ok(Json(inside.read_all(move |tasks| samples::list(tasks, &task, &wanted)).await?))
}

/// What a sample holds; of readings, a picture that is drawn of them.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/samples/{id}/picture", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate"), ("id" = String, Path, description = "The sample, or the beginning of its id")),
    responses((status = 200, description = "Its bytes", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"),
        (Vec<u8> = "image/webp"), (Vec<u8> = "image/bmp"), (String = "image/svg+xml"), (Vec<u8> = "application/octet-stream")))))]
pub(super) async fn picture(
    State(inside): State<Arc<Inside>>,
    names: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Refusal> {
    let (task, id) = path(names)?;
    let payload = inside.read(move |tasks| tasks.payload(&task, &tasks.sample(&task, &id)?.id)).await?;
    if let Some(picture) = drawn(&payload) {
        return Ok(([(header::CONTENT_TYPE, SVG), (header::CACHE_CONTROL, "no-store")], picture).into_response());
    }
    // By what it is, not by what it was once said to be: a browser runs what it takes for a page.
    let kind = media(&payload).unwrap_or("application/octet-stream");
    // The id is of the content, which never changes; but what is forgotten is to be gone everywhere.
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], payload).into_response())
}

/// Every head, oldest first.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/heads", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate")),
    responses((status = 200, description = "Heads", body = Vec<HeadRecord>)))]
pub(super) async fn heads(
    State(inside): State<Arc<Inside>>,
    task: Result<Path<String>, PathRejection>,
) -> Result<Json<Vec<HeadRecord>>, Refusal> {
    let task = path(task)?;
    Ok(Json(inside.read(move |tasks| honesty::heads(tasks, &task)).await?))
}

/// Every verdict, newest first.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/adaptations", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate"), Newest),
    responses((status = 200, description = "Verdicts", body = Vec<Dated>)))]
pub(super) async fn adaptations(
    State(inside): State<Arc<Inside>>,
    task: Result<Path<String>, PathRejection>,
    newest: Result<Query<Newest>, QueryRejection>,
) -> Result<Json<Vec<Dated>>, Refusal> {
    let (task, newest) = (path(task)?, query(newest)?);
    Ok(Json(inside.read(move |tasks| honesty::verdicts(tasks, &task, &newest)).await?))
}

/// How good the head in service is, on samples it was not fitted on.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/evaluation", tag = "tasks",
    params(("task" = String, Path, description = "The task", example = "gate")),
    responses((status = 200, description = "Of the head in service", body = Honesty)))]
pub(super) async fn evaluation(
    State(inside): State<Arc<Inside>>,
    task: Result<Path<String>, PathRejection>,
) -> Result<Json<Honesty>, Refusal> {
    let task = path(task)?;
    let asked = task.clone();
    let found = inside.read(move |tasks| honesty::honesty(tasks, &asked)).await?;
    found.map(Json).ok_or_else(|| {
        Refusal::not_found(format!(
            "task `{task}` has no head in service yet: label samples of two classes, then adapt"
        ))
    })
}

/// What stands behind the path, read.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    query.map(|Query(query)| query).map_err(|error| Refusal::invalid(error.body_text()))
}
