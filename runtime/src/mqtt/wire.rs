//! The bytes between us and a broker, plain or over TLS, on a socket that never blocks. Knows no packet.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::connection::Lost;
use crate::config::Broker;

/// For each address of the broker.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that are read before what they say is looked at.
const AT_A_TIME: usize = 64 << 10;

/// An open connection.
pub(super) struct Wire {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

/// Finds the broker and connects. Blocks: for a thread that may.
pub(super) fn connect(broker: &Broker, tls: Option<&Arc<ClientConfig>>) -> Result<Wire, Lost> {
    let Broker { host, port, tls: _ } = broker;
    let failed = |what: String| Lost::Failed(what);
    let addresses = (host.as_str(), *port)
        .to_socket_addrs()
        .map_err(|error| failed(format!("the broker's name `{host}` leads nowhere: {error}")))?;
    let mut last = failed(format!("the broker's name `{host}` leads nowhere"));
    for address in addresses {
        match open(address, host, tls) {
            Ok(wire) => return Ok(wire),
            Err(error) => last = failed(format!("nobody answers at {address} (`{host}`): {error}")),
        }
    }
    Err(last)
}

fn open(address: std::net::SocketAddr, host: &str, tls: Option<&Arc<ClientConfig>>) -> io::Result<Wire> {
    let socket = TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    let session = |config: &Arc<ClientConfig>| {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        ClientConnection::new(Arc::clone(config), name).map(Box::new).map_err(io::Error::other)
    };
    Ok(Wire { socket, tls: tls.map(session).transpose()? })
}

impl Wire {
    /// Sends what can be sent of `outgoing`, and gives what has come.
    pub(super) fn exchange(&mut self, outgoing: &mut BytesMut, incoming: &mut Vec<u8>) -> Result<(), Lost> {
        let Self { socket, tls } = self;
        match tls {
            None => {
                // What has come says why nothing can be sent any more.
                let sent = send(socket, outgoing);
                receive(socket, incoming)?;
                sent
            }
            Some(tls) => exchange_tls(socket, tls, outgoing, incoming),
        }
    }

    /// Whether there is more to send than could be sent.
    pub(super) fn wants_to_send(&self, outgoing: &BytesMut) -> bool {
        self.tls.as_ref().map_or(!outgoing.is_empty(), |tls| tls.wants_write())
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn failed(error: &io::Error) -> Lost {
    match error.kind() {
        ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::UnexpectedEof => Lost::Closed,
        _ => Lost::Failed(error.to_string()),
    }
}

/// Whether it is for later.
fn later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn send(socket: &mut TcpStream, outgoing: &mut BytesMut) -> Result<(), Lost> {
    while !outgoing.is_empty() {
        match socket.write(outgoing) {
            Ok(sent) => outgoing.advance(sent),
            Err(error) if later(&error) => return Ok(()),
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(())
}

fn receive(socket: &mut TcpStream, incoming: &mut Vec<u8>) -> Result<(), Lost> {
    let mut bytes = [0; 1 << 13];
    while incoming.len() < AT_A_TIME {
        match socket.read(&mut bytes) {
            // What came before is read first.
            Ok(0) if incoming.is_empty() => return Err(Lost::Closed),
            Ok(0) => return Ok(()),
            Ok(read) => incoming.extend_from_slice(&bytes[..read]),
            Err(error) if later(&error) => return Ok(()),
            Err(_) if !incoming.is_empty() => return Ok(()),
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(())
}

fn exchange_tls(
    socket: &mut TcpStream,
    tls: &mut ClientConnection,
    outgoing: &mut BytesMut,
    incoming: &mut Vec<u8>,
) -> Result<(), Lost> {
    let wrong = |error: &rustls::Error| Lost::Failed(format!("TLS: {error}{}", advice(error)));
    let mut closed = false;
    while incoming.len() < AT_A_TIME {
        match tls.read_tls(socket) {
            Ok(0) => {
                closed = true;
                break;
            }
            Ok(_) => {}
            Err(error) if later(&error) => break,
            Err(error) => {
                tls.process_new_packets().map_err(|error| wrong(&error))?;
                return Err(failed(&error));
            }
        }
        if let Err(error) = tls.process_new_packets() {
            // Why is also said to the other side.
            let _gone = tls.write_tls(socket);
            return Err(wrong(&error));
        }
        let mut bytes = [0; 1 << 13];
        loop {
            match tls.reader().read(&mut bytes) {
                Ok(0) => {
                    closed = true;
                    break;
                }
                Ok(read) => incoming.extend_from_slice(&bytes[..read]),
                Err(error) if later(&error) => break,
                Err(error) => return Err(failed(&error)),
            }
        }
    }
    if closed && incoming.is_empty() {
        return Err(Lost::Closed);
    }
    loop {
        while !outgoing.is_empty() {
            match tls.writer().write(outgoing) {
                Ok(0) => break,
                Ok(taken) => outgoing.advance(taken),
                Err(error) => return Err(failed(&error)),
            }
        }
        if !tls.wants_write() {
            return Ok(());
        }
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if later(&error) => return Ok(()),
            Err(_) if closed || !incoming.is_empty() => return Ok(()),
            Err(error) => return Err(failed(&error)),
        }
    }
}

/// What is to be done about it.
fn advice(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            ": the broker's certificate must be signed by one of `ca` in [mqtt], and be for the name in `url`"
        }
        rustls::Error::AlertReceived(_) => ": the broker does not take our certificate: see `cert` and `key` in [mqtt]",
        rustls::Error::InvalidMessage(_) => ": is this a port of the broker that speaks TLS?",
        _ => "",
    }
}
