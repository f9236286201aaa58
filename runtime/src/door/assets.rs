//! The files of the page, as they are embedded. Knows nothing of what is in them.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::frames::path;
use super::refusal::Refusal;
use crate::page;

/// The page.
#[utoipa::path(get, path = "/", tag = "page",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub(super) async fn index() -> Result<Response, Refusal> {
    serve("/")
}

/// A file of the page.
#[utoipa::path(get, path = "/{file}", tag = "page", params(("file" = String, Path, description = "Its name", example = "index.html")),
    responses((status = 200, description = "The file",
        content((String = "text/html"), (String = "text/css"), (String = "text/javascript"), (String = "image/svg+xml")))))]
pub(super) async fn file(name: Result<Path<String>, PathRejection>) -> Result<Response, Refusal> {
    serve(&path(name)?)
}

fn serve(path: &str) -> Result<Response, Refusal> {
    let (kind, content) = page::asset(path).ok_or_else(|| Refusal::not_found(nothing(path)))?;
    // A browser asks again each time, so that page and daemon are of one version.
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response())
}

/// That there is nothing at a path.
pub(super) fn nothing(path: &str) -> String {
    format!("there is nothing at /{}: api/openapi.json lists what there is", path.trim_start_matches('/'))
}
