//! A camera that speaks HTTP: a picture at each request, or one answer that never ends, with a picture in each part. Which of
//! the two it is shows in what comes. Knows `ureq`; user and password go into a header and never into a log.

use std::io::{self, Read as _};
use std::time::Duration;

use base64::Engine as _;
use ureq::http::{Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::address::{self, Address};
use super::command::{LARGEST_FRAME, PATIENCE, stalled};
use super::mjpeg::Splitter;
use super::pace::{Ask, Pace};
use super::session::{Session, keep_open, words};
use super::{Content, Feed, Source, Stop};
use crate::config;

/// Time between two pictures that are asked for, unless the configuration says otherwise.
const USUAL: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);

/// A camera that speaks HTTP.
pub(super) struct Http {
    address: Address,
    patience: Duration,
    on_request: bool,
    /// For pictures that we ask for.
    asking: Pace,
    /// For pictures that come.
    coming: Pace,
}

impl Http {
    pub(super) fn new(config: &config::Source, url: &str) -> Self {
        let asking = Pace::new(config, Some(USUAL));
        let coming = Pace::new(config, None).with(asking.ask());
        Self {
            address: address::split(url),
            patience: config.patience.map_or(PATIENCE, |patience| patience.0),
            on_request: config.trigger == config::Trigger::Request,
            asking,
            coming,
        }
    }

    fn read(&mut self, session: &mut Session<'_>) -> String {
        let agent = agent(self.patience);
        let _waker = session.stop.on_set({
            let agent = agent.clone();
            move || agent.clone().shutdown()
        });
        let mut tag = None;
        loop {
            if !self.asking.wait(session.now(), session.stop) {
                return String::new();
            }
            let response = match self.request(&agent, tag.as_deref()) {
                Ok(response) => response,
                Err(error) => return self.unreachable(&error),
            };
            match response.status().as_u16() {
                200 => {}
                304 => {
                    session.works();
                    continue;
                }
                401 | 403 => {
                    let status = response.status();
                    return format!(
                        "{} asks for another user or password ({status}): http://user:password@…",
                        self.address.url
                    );
                }
                _ => return format!("{} answered {}", address::redacted(&self.address.url), response.status()),
            }
            let kind = text(&response, header::CONTENT_TYPE).to_lowercase();
            if kind.starts_with("multipart/") {
                return self.stream(response, session);
            }
            tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            let mut bytes = Vec::new();
            // `Content-Length` is held to by the reader; a file that ends early is an error.
            let read = response.into_body().into_reader().take(LARGEST_FRAME as u64 + 1).read_to_end(&mut bytes);
            if let Err(error) = read {
                return format!("the picture broke off: {}", self.io(&error));
            }
            if bytes.len() > LARGEST_FRAME {
                return format!("a picture is larger than {} MiB", LARGEST_FRAME >> 20);
            }
            if let Err(reason) = session.picture(Content::File(bytes), true) {
                let kind = if kind.is_empty() || kind.starts_with("image/") {
                    String::new()
                } else {
                    format!(" (it says {kind})")
                };
                return format!("{reason}{kind}");
            }
        }
    }

    fn request(&self, agent: &Agent, tag: Option<&str>) -> Result<Response<Body>, ureq::Error> {
        let mut request = agent.get(&self.address.url).header(header::ACCEPT, "image/*, multipart/x-mixed-replace");
        if let Some((user, password)) = &self.address.credentials {
            let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        request.call()
    }

    /// An answer that goes on; why it ended.
    fn stream(&mut self, response: Response<Body>, session: &mut Session<'_>) -> String {
        if self.on_request {
            // The ask that opened it is for its first picture.
            self.coming.ask().now();
        }
        let mut body = response.into_body().into_reader();
        let mut splitter = Splitter::new(LARGEST_FRAME);
        let mut bytes = vec![0; 1 << 16];
        let mut last = session.now();
        let mut any = false;
        loop {
            let read = body.read(&mut bytes);
            let now = session.now();
            match read {
                Ok(0) if splitter.is_within_frame() => {
                    return "the camera ended its stream in the middle of a picture".to_owned();
                }
                Ok(0) => return "the camera ended its stream".to_owned(),
                Ok(count) => {
                    any = true;
                    let mut wrong = Ok(());
                    splitter.push(&bytes[..count], now, |file| {
                        last = now;
                        if wrong.is_ok() {
                            wrong = session.picture(Content::File(file), self.coming.admits(now));
                        }
                    });
                    if let Err(reason) = wrong {
                        return reason;
                    }
                }
                Err(error) if is_timeout(&error) => {
                    return stalled(self.patience, splitter.is_within_frame(), any, splitter.broken());
                }
                Err(error) if splitter.is_within_frame() => {
                    return format!("the stream broke off in the middle of a picture: {}", self.io(&error));
                }
                Err(error) => return format!("the stream broke off: {}", self.io(&error)),
            }
            // Who sends a little at a time stalls as well.
            if now.saturating_sub(last) >= self.patience {
                return stalled(self.patience, splitter.is_within_frame(), any, splitter.broken());
            }
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> String {
        let url = address::redacted(&self.address.url);
        match error {
            ureq::Error::HostNotFound => format!("there is no host of this name: {url}"),
            ureq::Error::Timeout(_) => format!("{url} gave no answer within {}", words(self.patience)),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                format!("{url} refused the connection: is the camera's web server on, and is this its port?")
            }
            ureq::Error::Io(error) => format!("could not reach {url}: {}", self.io(error)),
            error => format!("could not read {url}: {}", address::redacted(&error.to_string())),
        }
    }

    fn io(&self, error: &io::Error) -> String {
        if is_timeout(error) {
            format!("nothing more came for {}", words(self.patience))
        } else {
            match error.kind() {
                io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
                io::ErrorKind::ConnectionReset => "the connection was reset".to_owned(),
                _ => error.to_string(),
            }
        }
    }
}

impl Source for Http {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        keep_open(feed, stop, |session| self.read(session));
    }

    fn ask(&self) -> Option<Ask> {
        Some(self.asking.ask())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

fn text(response: &Response<Body>, name: header::HeaderName) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// A client that waits so long for the next bytes, and for the beginning of an answer.
pub(crate) fn agent(patience: Duration) -> Agent {
    // Does nothing where a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("acclimate/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .timeout_connect(Some(CONNECT.min(patience)))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .new_agent()
}
