//! Every route, in one table; and what each request passes on its way in and out: the guard, a time limit, headers. Knows
//! nothing of what the routes answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use tokio::time::timeout;

use super::guard::Need;
use super::inside::Inside;
use super::refusal::{Code, Refusal};
use super::{assets, cameras, commands, events, frames, session, shown};
use crate::page;

const COMMAND: &str = "/api/v1/command";
const HEALTHZ: &str = "/healthz";

/// Sent with every answer.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

type Route = (&'static str, &'static str, MethodRouter<Arc<Inside>>);

/// Method and path of every route, with what answers.
pub(super) fn routes() -> Vec<Route> {
    vec![
        ("get", "/", get(assets::index)),
        ("get", "/{file}", get(assets::file)),
        ("get", HEALTHZ, get(shown::healthz)),
        ("get", "/readyz", get(shown::readyz)),
        ("get", "/metrics", get(shown::numbers)),
        ("get", "/api/openapi.json", get(shown::openapi)),
        ("get", "/api/v1/status", get(shown::status)),
        ("get", "/api/v1/events", get(events::events)),
        ("post", COMMAND, post(commands::command)),
        ("post", "/api/v1/session", post(session::session)),
        ("get", "/api/v1/cameras", get(cameras::list)),
        ("get", "/api/v1/cameras/picture", get(cameras::look)),
        ("get", "/api/v1/sources/{name}/frame", get(frames::newest)),
        ("post", "/api/v1/sources/{name}/frame", post(frames::hand)),
        ("get", "/api/v1/tasks/{task}/samples", get(shown::list)),
        ("get", "/api/v1/tasks/{task}/samples/{id}/picture", get(shown::picture)),
        ("get", "/api/v1/tasks/{task}/heads", get(shown::heads)),
        ("get", "/api/v1/tasks/{task}/adaptations", get(shown::adaptations)),
        ("get", "/api/v1/tasks/{task}/evaluation", get(shown::evaluation)),
    ]
}

/// What a path asks of who comes. What is not named here asks for the token.
pub(super) fn need(path: &str) -> Need {
    if path == HEALTHZ || page::asset(path).is_some() { Need::Nothing } else { Need::Token }
}

/// All routes behind the guard; so is what leads nowhere.
pub(super) fn router(inside: Arc<Inside>) -> Router {
    let all = routes().into_iter().fold(Router::new(), |router, (_, path, answers)| router.route(path, answers));
    all.fallback(async |uri: Uri| Refusal::not_found(assets::nothing(uri.path())))
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(from_fn_with_state(Arc::clone(&inside), pass))
        .with_state(inside)
}

async fn pass(State(inside): State<Arc<Inside>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let limit = if path == COMMAND { inside.limits.command } else { inside.limits.request };
    let mut response = match inside.judge(need(path), &request) {
        Ok(()) => match timeout(limit, next.run(request)).await {
            Ok(response) => response,
            Err(_elapsed) => too_slow(limit).into_response(),
        },
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn too_slow(limit: Duration) -> Refusal {
    Refusal::new(Code::Unavailable, format!("this took longer than {} s: it may be done all the same", limit.as_secs()))
}
