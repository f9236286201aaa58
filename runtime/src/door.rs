//! The door: the page, its API, metrics and health over HTTP. Binds first, serves on threads of its own, ends when told.
//! Reaches the daemon by its [`Handle`] only, and the store by reading.
//!
//! | file | what |
//! |---|---|
//! | `guard`, `names`, `token`, `strikes` | who may come in: pure, decided from the facts of a request |
//! | `server`, `places` | connections: how many, for how long, whose place is given up |
//! | `routes`, `inside` | every route, what each request passes, what handlers share |
//! | `attention`, `cameras`, `commands`, `frames`, `session`, `shown` | the handlers |
//! | `drawn` | readings as a picture |
//! | `events`, `board` | the stream of views and notices |
//! | `samples`, `honesty` | what is read from the store for the page |
//! | `metrics`, `health` | what monitoring asks |
//! | `document`, `refusal`, `assets` | the API's description, the shape of errors, the page's files |
//!
//! Invariants: nothing is reached but through `guard`; every address that is handed out is relative, so that all of it works
//! below a path prefix; nothing that a client sends or withholds is unbounded.

mod assets;
mod attention;
mod board;
mod cameras;
mod commands;
mod document;
mod drawn;
mod events;
mod frames;
mod guard;
pub(crate) mod health;
mod honesty;
mod inside;
mod metrics;
mod names;
mod places;
mod refusal;
mod routes;
mod samples;
mod server;
mod session;
mod shown;
mod strikes;
mod token;

#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use self::names::{Name, NameError};
pub use self::token::{Token, TokenError};
use crate::config::Http;
use crate::daemon::handle::Handle;
use crate::source::Stop;

/// Where the door opens unless the configuration says otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);

/// How the door opens.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address and port; port 0 is any.
    pub listen: SocketAddr,
    /// What who comes from elsewhere must know; needed beyond loopback.
    pub token: Option<Token>,
    /// Names it is reached by, besides the host's own: those of a reverse proxy.
    pub names: Vec<Name>,
    /// Bounds.
    pub limits: Limits,
}

/// What the door bears at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; who waits longest without a request in progress makes place for a new one.
    pub connections: usize,
    /// Event streams at a time.
    pub streams: usize,
    /// Time for the head of a request.
    pub head: Duration,
    /// Time for a request and its answer; a command has [`Limits::command`].
    pub request: Duration,
    /// Time for a command, which may wait for an adaptation.
    pub command: Duration,
    /// Bytes of a picture that is handed in.
    pub picture: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            streams: 32,
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
            command: Duration::from_mins(10),
            picture: 32 << 20,
        }
    }
}

/// Why the door does not open.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address cannot be had.
    #[error("could not listen on {listen}: another program may be there; [http] listen names another address")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A configured name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The threads could not be started.
    #[error("could not start the threads of the page and its API")]
    Threads(#[source] io::Error),
    /// A token is needed and cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It would be open to everybody.
    #[error(
        "listening on {listen} would let everybody in: `acclimate page --lan` makes a token, or [http] token_file names one"
    )]
    TokenNeeded {
        /// The address.
        listen: SocketAddr,
    },
}

impl Options {
    /// As the configuration says. Without `token_file`, the token that `acclimate page --lan` made, if it did.
    ///
    /// # Errors
    /// When the file of the token cannot be used, or a name is none.
    pub fn new(http: &Http, data_dir: &Path) -> Result<Self, DoorError> {
        let token = match &http.token_file {
            Some(file) => Some(Token::read(file)?),
            None => Token::read_if_there(&token_file(data_dir))?,
        };
        let names = http.names.iter().map(|name| name.parse()).collect::<Result<_, NameError>>()?;
        Ok(Self { listen: http.listen.unwrap_or(LISTEN), token, names, limits: Limits::default() })
    }
}

/// Where `acclimate page --lan` keeps its token.
pub fn token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("token")
}

/// A door whose address is taken, and that does not answer yet.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
}

/// An open door.
#[must_use = "a door that is not joined may still be answering when the program ends"]
pub struct Door {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

/// Takes the address, so that one that cannot be had is known before anything else begins.
///
/// # Errors
/// When the address cannot be had, or is beyond loopback without a token.
pub fn bind(options: Options) -> Result<Bound, DoorError> {
    let listen = options.listen;
    if !listen.ip().is_loopback() && options.token.is_none() {
        return Err(DoorError::TokenNeeded { listen });
    }
    let failed = |source| DoorError::Bind { listen, source };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address, options })
}

/// Opens the door. Afterwards the address is taken and requests are answered, until `stop` is set.
///
/// # Errors
/// As [`bind`] and [`Bound::serve`].
pub fn serve(handle: Handle, options: Options, stop: Stop) -> Result<Door, DoorError> {
    bind(options)?.serve(handle, stop)
}

impl Bound {
    /// Answers requests from now on, until `stop` is set.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn serve(self, handle: Handle, stop: Stop) -> Result<Door, DoorError> {
        let Self { listener, address, options } = self;
        let server = server::Server::new(listener, handle, options).map_err(DoorError::Threads)?;
        let thread = thread::Builder::new().name("door".to_owned()).spawn(move || server.run(&stop));
        Ok(Door { address, thread: thread.map_err(DoorError::Threads)? })
    }
}

impl Door {
    /// Where it is: with the real port where any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended; its `stop` must be set.
    pub fn join(self) {
        // A panic of its thread was reported when it happened.
        let _ = self.thread.join();
    }
}
