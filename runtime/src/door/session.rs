//! `POST /api/v1/session`: trades the token for a cookie that scripts cannot read and other sites cannot use. The guard has
//! seen the token. Knows nothing of what the cookie opens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::guard::{COOKIE, Denied};
use super::inside::{Inside, bearer};
use super::refusal::Refusal;

/// Seconds that a browser keeps it: a year.
const KEPT: u32 = 365 * 24 * 3600;

/// Trades the token (`Authorization: Bearer`) for a cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "door",
    responses((status = 204, description = "The cookie, or none where no token is needed",
        headers(("set-cookie" = Option<String>, description = "HttpOnly; SameSite=Strict; Secure behind https")))))]
pub(super) async fn session(State(inside): State<Arc<Inside>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let Some(token) = &inside.guard.token else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    if bearer(&headers).is_none() {
        return Err(Denied::NoToken.into());
    }
    // Without a path it is good for the folder it comes from, below whatever prefix a proxy puts before it.
    let https = headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Max-Age={KEPT}{secure}", token.session());
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
