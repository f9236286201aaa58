//! `GET /api/v1/events`: server-sent events. Views as they change, at most five a second; notices, each with its id; a line now
//! and then so that a dead connection is noticed. Who takes nothing for half a minute is left. Knows nothing of what happens.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::inside::Inside;
use super::places::Busy;
use super::refusal::{Code, Refusal};
use crate::daemon::view::View;

/// The least time between two views.
const BETWEEN_VIEWS: Duration = Duration::from_millis(200);

/// The longest silence.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a client may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Views and notices as they come (`text/event-stream`).
///
/// `event: view` has a `View`, `event: notice` a `Notice` whose id is the event's. With `Last-Event-ID`, the kept notices
/// after it come first.
#[utoipa::path(get, path = "/api/v1/events", tag = "daemon",
    params(("Last-Event-ID" = Option<u64>, Header, description = "Id of the last notice that was received")),
    responses((status = 200, description = "Events, until either side ends it", body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(inside): State<Arc<Inside>>,
    Extension(busy): Extension<Arc<Busy>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let permit = Arc::clone(&inside.streams).try_acquire_owned().map_err(|_| {
        Refusal::new(Code::Unavailable, format!("all {} event streams are taken: close a page", inside.limits.streams))
    })?;
    let mut newest = inside.board.newest();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let last = last.unwrap_or_else(|| *newest.borrow_and_update());
    let (events, taken) = mpsc::channel(4);
    tokio::spawn(tell(inside, events, newest, last));
    let body = Body::new(Taken { events: taken, _held: (permit, busy) });
    Ok(([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// Sends events until somebody has enough.
async fn tell(inside: Arc<Inside>, events: mpsc::Sender<Bytes>, newest: watch::Receiver<u64>, last: u64) {
    // Going away, the daemon ending, and nobody taking anything all end a stream, in the middle of anything.
    let mut closing = inside.closing.clone();
    tokio::select! {
        () = events.closed() => {}
        _ = closing.changed() => {}
        _ = tell_on(&inside, &events, newest, last) => {}
    }
}

async fn tell_on(
    inside: &Inside,
    events: &mpsc::Sender<Bytes>,
    mut newest: watch::Receiver<u64>,
    mut last: u64,
) -> Option<()> {
    let send = async |event: String| timeout(PATIENCE, events.send(event.into())).await.ok()?.ok();
    send("retry: 1000\n\n".to_owned()).await?;
    let mut views = inside.handle.view.clone();
    views.mark_changed();
    newest.mark_changed();
    let mut shown: Option<Arc<View>> = None;
    let mut next_view = Instant::now();
    loop {
        let view = async {
            sleep_until(next_view).await;
            views.changed().await
        };
        tokio::select! {
            changed = newest.changed() => {
                changed.ok()?;
                newest.borrow_and_update();
                for notice in inside.board.after(last) {
                    last = notice.id;
                    send(event("notice", Some(last), &*notice)).await?;
                }
            }
            changed = view => {
                changed.ok()?;
                let view = Arc::clone(&views.borrow_and_update());
                if shown.as_ref().is_none_or(|shown| differ(shown, &view)) {
                    send(event("view", None, &*view)).await?;
                    next_view = Instant::now() + BETWEEN_VIEWS;
                    shown = Some(view);
                }
            }
            () = tokio::time::sleep(SILENCE) => send(":\n\n".to_owned()).await?,
        }
    }
}

/// Whether more than the time is another.
fn differ(a: &View, b: &View) -> bool {
    View { time: b.time.clone(), ..a.clone() } != *b
}

/// One event; JSON has no line breaks of its own.
fn event(name: &str, id: Option<u64>, data: &impl serde::Serialize) -> String {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    match serde_json::to_string(data) {
        Ok(data) => format!("event: {name}\n{id}data: {data}\n\n"),
        Err(error) => {
            tracing::error!("could not write a {name} as JSON: {error}");
            ":\n\n".to_owned()
        }
    }
}

/// The body of the answer: what is sent, as it is sent.
struct Taken {
    events: mpsc::Receiver<Bytes>,
    /// A place among the streams, and the connection's word that it is in use.
    _held: (OwnedSemaphorePermit, Arc<Busy>),
}

impl hyper::body::Body for Taken {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
