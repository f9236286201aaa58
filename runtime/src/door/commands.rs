//! `POST /api/v1/command`: what is asked of the daemon. Knows nothing of what comes of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};

use super::inside::{Inside, body};
use super::refusal::Refusal;
use super::server::Addresses;
use crate::daemon::command::{Command, Reply};

/// Bytes of a command at most: thousands of samples can be named.
const MOST: usize = 1 << 20;

/// Does something, and answers when it is done.
#[utoipa::path(post, path = "/api/v1/command", tag = "daemon", request_body = Command,
    responses((status = 200, description = "What came of it", body = Reply)))]
pub(super) async fn command(State(inside): State<Arc<Inside>>, request: Request) -> Result<Json<Reply>, Refusal> {
    // A form of another site can post text, but no JSON.
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::invalid("expected a body of Content-Type application/json"));
    }
    let who = who(request.headers(), request.extensions().get());
    let body = body(request, MOST).await?;
    let command: Command = serde_json::from_slice(&body)
        .map_err(|error| Refusal::invalid(format!("this is no command: {error}; api/openapi.json describes them")))?;
    Ok(Json(inside.handle.ask(command, &who).await?))
}

/// Who asks, for the history: the page or a program, and from where.
fn who(headers: &HeaderMap, addresses: Option<&Addresses>) -> String {
    let by = if headers.contains_key("sec-fetch-site") || headers.contains_key("origin") { "page" } else { "api" };
    match addresses.map(|addresses| addresses.peer.to_canonical()) {
        Some(peer) if !peer.is_loopback() => format!("{by} from {peer}"),
        _ => by.to_owned(),
    }
}
