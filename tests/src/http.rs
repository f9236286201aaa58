//! One HTTP request, byte for byte as a test wants it. Knows nothing of what is asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// One request on a connection of its own; the status of its answer and the whole of it. `head` ends with a line break.
///
/// # Panics
/// When there is no answer within a minute.
pub fn ask(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a minute is no wrong time");
    let length = body.len();
    // The other side may have heard enough before the end.
    let _ = write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {read:?} {answer:?}")), answer)
}
