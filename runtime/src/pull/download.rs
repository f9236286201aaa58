//! Downloading a file of known length into a `.part`, going on where an earlier try stopped.
//!
//! Knows HTTP (through `ureq`) and nothing of models. A line that breaks is tried again from where it broke as long as
//! each try brings something. Whether the file on the server is still the same is asked with `If-Range`; whether it is
//! the right one is for the caller to see. Proxies are taken from the environment, certificates from the system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Tries in a row that bring nothing, after one that did, before we say so. A server that never answered gets one.
const TRIES: u32 = 3;

const CONNECT: Duration = Duration::from_secs(20);
/// Longest silence of a server.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a download did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Another process downloads the same file.
    #[error("another process is downloading to {}", .0.display())]
    Busy(PathBuf),
    /// The line broke, or there is none.
    #[error("the connection failed; {done} of {bytes} bytes are kept, and the next try goes on from there")]
    Connection {
        /// Bytes that are there.
        done: u64,
        /// Bytes there should be.
        bytes: u64,
        /// What broke.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server's file is shorter or longer.
    #[error("the server's file has {found} bytes, the manifest says {expected}: it is another file")]
    Length {
        /// The manifest's length.
        expected: u64,
        /// The server's.
        found: u64,
    },
    /// The server said no.
    #[error("the server answered {0}")]
    Status(ureq::http::StatusCode),
    /// The file cannot be written.
    #[error("could not write the file")]
    Write(#[from] io::Error),
}

/// Downloads `url`, which has `bytes` bytes, to `part`.
pub(super) fn download(url: &str, part: &Path, bytes: u64, progress: &mut dyn FnMut(u64)) -> Result<(), DownloadError> {
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(part)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(DownloadError::Busy(part.to_owned())),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let agent = agent();
    let mut idle = TRIES - 1;
    loop {
        let before = file.seek(io::SeekFrom::End(0))?;
        progress(before);
        if before == bytes {
            return Ok(());
        }
        let source = match one_try(&agent, url, part, &mut file, bytes, progress) {
            Ok(()) => continue,
            Err(Stopped::Here(error)) => return Err(error),
            Err(Stopped::Line(source)) => source,
        };
        let done = file.metadata()?.len();
        idle = if done > before { 0 } else { idle + 1 };
        tracing::info!("the connection to {url} broke after {done} of {bytes} bytes: {source}");
        if idle == TRIES {
            return Err(DownloadError::Connection { done, bytes, source: source.into() });
        }
    }
}

/// Removes a `.part` and what goes with it.
pub(super) fn remove(part: &Path) {
    for path in [part.to_owned(), validator_path(part)] {
        let _ = fs::remove_file(path);
    }
}

/// Why a try ended: the line may be tried again, the rest may not.
enum Stopped {
    Line(ureq::Error),
    Here(DownloadError),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Here(DownloadError::Write(error))
    }
}

fn agent() -> Agent {
    // Does nothing where a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("acclimate/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .new_agent()
}

/// One request, from the end of what is there.
fn one_try(
    agent: &Agent,
    url: &str,
    part: &Path,
    file: &mut File,
    bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Stopped> {
    let mut have = file.seek(io::SeekFrom::End(0))?;
    // Without the server's word for which file this was, or with more than there can be, from the start.
    let validator = fs::read_to_string(validator_path(part)).ok().filter(|_| have > 0 && have < bytes);
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    if let Some(validator) = &validator {
        request = request.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, validator);
    }
    let response = request.call().map_err(Stopped::Line)?;
    let whole = match response.status().as_u16() {
        206 if validator.is_some() && starts_at(response.headers(), have) => whole_length(response.headers()),
        200 => {
            have = 0;
            file.set_len(0)?;
            file.rewind()?;
            remember(part, response.headers())?;
            content_length(&response)
        }
        // What we have is not what the server can go on from.
        206 | 416 => {
            remove_validator(part);
            return Err(Stopped::Line(ureq::Error::Io(io::Error::other("the server sent another range"))));
        }
        _ => return Err(Stopped::Here(DownloadError::Status(response.status()))),
    };
    if let Some(found) = whole.filter(|&found| found != bytes) {
        return Err(Stopped::Here(DownloadError::Length { expected: bytes, found }));
    }
    let mut body = response.into_body().into_reader();
    let mut piece = vec![0; 1 << 16];
    loop {
        let length = match body.read(&mut piece) {
            Ok(0) if have == bytes => return Ok(()),
            Ok(0) => return Err(Stopped::Line(ureq::Error::Io(io::ErrorKind::UnexpectedEof.into()))),
            Ok(length) => length,
            Err(error) => return Err(Stopped::Line(ureq::Error::Io(error))),
        };
        have += length as u64;
        if have > bytes {
            return Err(Stopped::Here(DownloadError::Length { expected: bytes, found: have }));
        }
        file.write_all(&piece[..length])?;
        progress(have);
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn content_length(response: &Response<Body>) -> Option<u64> {
    text(response.headers(), header::CONTENT_LENGTH)?.parse().ok()
}

/// `bytes 100-199/200`: from where.
fn starts_at(headers: &HeaderMap, have: u64) -> bool {
    let range = text(headers, header::CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
    range.and_then(|range| range.split('-').next()?.parse().ok()) == Some(have)
}

/// `bytes 100-199/200`: of how many.
fn whole_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_RANGE)?.rsplit('/').next()?.parse().ok()
}

fn validator_path(part: &Path) -> PathBuf {
    let mut path = part.to_owned().into_os_string();
    path.push("-of");
    path.into()
}

/// Keeps what tells this version of the file from another: a strong entity tag, or when it was last modified.
fn remember(part: &Path, headers: &HeaderMap) -> io::Result<()> {
    let tag = text(headers, header::ETAG).filter(|tag| !tag.starts_with("W/"));
    if let Some(validator) = tag.or_else(|| text(headers, header::LAST_MODIFIED)) {
        return fs::write(validator_path(part), validator);
    }
    remove_validator(part);
    Ok(())
}

fn remove_validator(part: &Path) {
    let _ = fs::remove_file(validator_path(part));
}
