//! Connections: accepted, given a place, spoken HTTP/1.1 with, ended. Knows nothing of routes.
//!
//! A client has [`Limits::head`] for the head of a request. Told to stop, the door takes no more connections, lets requests
//! in progress end for 600 ms, and is gone within a second.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Shutdown, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower::Service as _;

use super::inside::Inside;
use super::places::{Busy, Place, Places, Room};
use super::{Limits, Options, board, routes};
use crate::daemon::handle::Handle;
use crate::source::Stop;

/// Bytes that the head of a request may have.
const HEAD: usize = 64 << 10;

/// Connections that wait to be accepted at most, if the kernel allows as many.
const WAITING: u32 = 4096;

/// What who finds every place busy is told.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Retry-After: 1\r\nContent-Length: 77\r\n\r\n\
    {\"error\":{\"code\":\"unavailable\",\"message\":\"too many requests at once: again\"}}";

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    /// Who connected.
    pub(super) peer: IpAddr,
    /// To which of our addresses.
    pub(super) local: IpAddr,
}

/// A bound door that does not answer yet.
pub(super) struct Server {
    listener: StdListener,
    runtime: Runtime,
    inside: Arc<Inside>,
    limits: Limits,
    closing: watch::Sender<bool>,
}

impl Server {
    pub(super) fn new(listener: StdListener, handle: Handle, options: Options) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut runtime = Builder::new_multi_thread();
        // What blocks are reads of the store and pictures: few at a time, for the device has other things to do.
        runtime.worker_threads(2).max_blocking_threads(4).thread_name("door").enable_io().enable_time();
        let (closing, ends) = watch::channel(false);
        let limits = options.limits;
        let inside = Arc::new(Inside::new(handle, options, ends));
        Ok(Self { listener, runtime: runtime.build()?, inside, limits, closing })
    }

    /// Answers until told to stop.
    pub(super) fn run(self, stop: &Stop) {
        let Self { listener, runtime, inside, limits, closing } = self;
        runtime.spawn(board::keep(Arc::clone(&inside)));
        let accepting = runtime.spawn(accept(listener, routes::router(inside), limits, closing.subscribe()));
        while !stop.wait(Duration::from_hours(1)) {}
        let _ = closing.send(true);
        if let Err(_elapsed) = runtime.block_on(async { timeout(Duration::from_millis(600), accepting).await }) {
            tracing::info!("requests to the page or its API were cut short");
        }
        runtime.shutdown_timeout(Duration::from_millis(200));
    }
}

/// Has a crowd wait to be accepted: where there is no room, the kernel drops who connects, and a good client tries again only
/// after a second. The standard library listens for 128.
fn listen(listener: StdListener) -> io::Result<TcpListener> {
    // The same socket under another type, for that one may listen again.
    TcpSocket::from_std_stream(OwnedFd::from(listener).into()).listen(WAITING)
}

async fn accept(listener: StdListener, router: Router, limits: Limits, mut closing: watch::Receiver<bool>) {
    let listener = match listen(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the page and its API cannot be served: {error}"),
    };
    let (places, mut connections, began) = (Places::new(limits.connections), JoinSet::new(), Instant::now());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = closing.changed() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // One that went before it was taken costs nothing; out of descriptors, others must end first.
                tracing::debug!("could not accept a connection: {error}");
                sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        while let Room::Later(wait) = places.room(began.elapsed()) {
            sleep(wait).await;
        }
        let (leave, left) = oneshot::channel();
        let place = places.enter(began.elapsed(), move || {
            let _ = leave.send(());
        });
        match place {
            Some(place) => {
                connections.spawn(converse(stream, router.clone(), place, left, limits.head, closing.clone()));
            }
            None => turn_away(stream),
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The body of a request, which tells when it has come to its end.
struct Heard {
    body: Incoming,
    busy: Arc<Busy>,
}

impl HttpBody for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.busy.heard();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn turn_away(stream: TcpStream) {
    // The buffer of a new connection holds it.
    let _ = stream.try_write(BUSY);
    let _ = stream.into_std().and_then(|stream| stream.shutdown(Shutdown::Write));
}

async fn converse(
    stream: TcpStream,
    router: Router,
    place: Place,
    left: oneshot::Receiver<()>,
    head: Duration,
    mut closing: watch::Receiver<bool>,
) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let _ = stream.set_nodelay(true);
    let addresses = Addresses { peer: peer.ip(), local: local.ip() };
    let service = service_fn(|request: Request<Incoming>| {
        let busy = Arc::new(place.request());
        if request.body().is_end_stream() {
            busy.heard();
        }
        let mut request = request.map(|body| Body::new(Heard { body, busy: Arc::clone(&busy) }));
        request.extensions_mut().insert(addresses);
        // An event stream keeps it for as long as it lives.
        request.extensions_mut().insert(Arc::clone(&busy));
        let mut router = router.clone();
        async move {
            let response: Result<Response, Infallible> = router.call(request).await;
            drop(busy);
            response
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head).max_header_size(HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut left = pin!(left);
    let mut ending = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection from {} ended early: {error}", addresses.peer);
                }
                return;
            }
            Ok(()) = left.as_mut() => return,
            _ = closing.changed(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
