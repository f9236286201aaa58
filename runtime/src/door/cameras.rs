//! `/api/v1/cameras`: which cameras this machine has, and what one sees, so that a person can choose. Knows nothing of sources.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::frames::picture;
use super::inside::{Inside, blocking};
use super::refusal::Refusal;
use super::shown::query;
use crate::source::{self, Seen};

/// How long a camera may take for its first picture.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which camera is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// As the command `add_source` takes it.
    #[param(example = "/dev/video0")]
    device: String,
}

/// The cameras of this machine, and why one cannot be used. Those of the network are reached by their address.
#[utoipa::path(get, path = "/api/v1/cameras", tag = "sources",
    responses((status = 200, description = "Cameras", body = Vec<Seen>)))]
pub(super) async fn list(State(inside): State<Arc<Inside>>) -> Result<Json<Vec<Seen>>, Refusal> {
    let _place = inside.cameras.acquire().await;
    Ok(Json(blocking(source::list).await?))
}

/// What a camera sees now. It is opened for that, so that one which is in use may be refused.
#[utoipa::path(get, path = "/api/v1/cameras/picture", tag = "sources", params(Which),
    responses((status = 200, description = "A picture",
            content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/bmp")))))]
pub(super) async fn look(
    State(inside): State<Arc<Inside>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Which { device } = query(which)?;
    let _place = inside.cameras.acquire().await;
    let seen = blocking(move || source::look(&device, PATIENCE)).await?;
    let content = seen.map_err(Refusal::not_found)?;
    let (kind, bytes) = blocking(move || picture(&content)).await??;
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}
