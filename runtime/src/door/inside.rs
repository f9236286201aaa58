//! What handlers share: the daemon's handle, the guard, what is bounded; and how a request is judged and bodies are read.
//! Knows nothing of what any route answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;

use super::board::Board;
use super::guard::{Denied, Facts, Guard, Need};
use super::names::Names;
use super::refusal::{Code, Refusal};
use super::server::Addresses;
use super::strikes::Strikes;
use super::{Limits, Options};
use crate::daemon::handle::Handle;
use crate::store::{StoreError, Tasks};

/// Headers by which proxies tell of themselves.
const FORWARDED: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// What handlers share.
pub(super) struct Inside {
    pub(super) handle: Handle,
    pub(super) guard: Guard,
    pub(super) limits: Limits,
    pub(super) board: Board,
    /// Places for event streams.
    pub(super) streams: Arc<Semaphore>,
    /// Places for pictures that are handed in, for each may be large.
    pub(super) pictures: Semaphore,
    /// One at a time opens cameras to look at them.
    pub(super) cameras: Semaphore,
    /// One at a time reads all features of a task, for those are many.
    all_features: Arc<Semaphore>,
    pub(super) closing: watch::Receiver<bool>,
    strikes: Mutex<Strikes>,
    began: Instant,
}

impl Inside {
    pub(super) fn new(handle: Handle, options: Options, closing: watch::Receiver<bool>) -> Self {
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let Options { listen: _, token, names, limits } = options;
        Self {
            handle,
            guard: Guard { names: Names::new(&hostname, names), token },
            limits,
            board: Board::default(),
            streams: Arc::new(Semaphore::new(limits.streams)),
            pictures: Semaphore::new(2),
            cameras: Semaphore::new(1),
            all_features: Arc::new(Semaphore::new(1)),
            closing,
            strikes: Mutex::default(),
            began: Instant::now(),
        }
    }

    /// Lets a request in or says why not.
    pub(super) fn judge(&self, need: Need, request: &Request) -> Result<(), Refusal> {
        let Some(&Addresses { peer, local }) = request.extensions().get::<Addresses>() else {
            return Err(Refusal::new(Code::Failed, "a request without a connection: this is a bug in acclimate"));
        };
        let headers = request.headers();
        let facts = Facts {
            need,
            safe: matches!(*request.method(), Method::GET | Method::HEAD),
            peer,
            local,
            host: only(headers, "host"),
            origin: first(headers, "origin"),
            site: first(headers, "sec-fetch-site"),
            forwarded: FORWARDED.iter().any(|name| headers.contains_key(*name)),
            bearer: bearer(headers),
            cookie: headers.get(header::COOKIE).and_then(|value| value.to_str().ok()),
        };
        let now = self.began.elapsed();
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.bearer.is_some()
            && let Some(wait) = strikes.wait(peer, now)
        {
            return Err(Refusal::too_many_tokens(wait.as_secs() + 1));
        }
        let judged = self.guard.judge(&facts);
        if judged == Err(Denied::WrongToken) {
            tracing::warn!("a wrong token came from {peer}");
            strikes.strike(peer, now);
        }
        Ok(judged?)
    }

    /// Reads the store beside its writer.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tasks) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let handle = self.handle.clone();
        Ok(blocking(move || handle.read(read)).await??)
    }

    /// The same, for what reads all features of a task.
    pub(super) async fn read_all<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tasks) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.all_features).acquire_owned().await;
        // The permit goes along: who asked may go away, what is read is read on.
        self.read(move |tasks| {
            let _permit = permit;
            read(tasks)
        })
        .await
    }
}

/// Does on a thread of its own what blocks.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    spawn_blocking(work).await.map_err(|_| Refusal::new(Code::Failed, "answering failed: this is a bug in acclimate"))
}

/// The body of a request, of so many bytes at most.
pub(super) async fn body(mut request: Request, most: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::new(Code::TooLarge, format!("the body is larger than {most} bytes"));
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > most as u64) {
        return Err(too_large());
    }
    DefaultBodyLimit::max(most).apply(&mut request);
    Bytes::from_request(request, &()).await.map_err(|rejected| {
        if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            Refusal::invalid("the body ended early")
        }
    })
}

/// The token that a request brings along.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = first(headers, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A header as text; empty where it is none, or there are several, which nothing equals.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.contains_key(name).then(|| only(headers, name).unwrap_or_default())
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none()).and_then(|value| value.to_str().ok())
}
