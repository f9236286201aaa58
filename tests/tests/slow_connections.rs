//! A thousand connections that say little, nothing, or never listen: the page still opens, memory stays bounded, and nobody
//! changes what is not theirs to change.
//!
//! 300 connections here, more than the door has places for; 1,000 in `cargo xtask soak slow-connections`, which prints times.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::http::ask;
use acclimate_tests::program::resident;
use acclimate_tests::skip::soak;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// What so many connections may cost, bytes.
const MEMORY: u64 = 64 << 20;
/// After so long everybody says a little more: here, and in the soak.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// What a slow client does.
#[derive(Clone, Copy, Debug)]
enum Slow {
    /// One byte after the other of a body that is long.
    Body,
    /// Asks, many times, and never takes an answer.
    Deaf,
    /// One byte after the other of a head that is long.
    Head,
    /// Nothing.
    Mute,
}

impl Slow {
    const ALL: [Self; 4] = [Self::Body, Self::Deaf, Self::Head, Self::Mute];

    /// What it says first.
    fn first(self, address: SocketAddr) -> Vec<u8> {
        let text = match self {
            Self::Body => format!(
                "POST /api/v1/command HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
                 Content-Length: 100000\r\n\r\n{{"
            ),
            Self::Deaf => format!("GET /page.js HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(20),
            Self::Head => format!("GET / HTTP/1.1\r\nHost: {address}\r\nX-Long: "),
            Self::Mute => String::new(),
        };
        text.into_bytes()
    }

    /// What it says every so often.
    fn then(self) -> &'static [u8] {
        if matches!(self, Self::Mute) { b"" } else { b" " }
    }
}

/// Slow clients that come back whenever they are sent away.
struct Crowd {
    address: SocketAddr,
    clients: Vec<(Slow, TcpStream)>,
    came_back: usize,
}

impl Crowd {
    fn come(address: SocketAddr, count: usize) -> Self {
        let kinds = Slow::ALL.into_iter().cycle();
        let clients = kinds.take(count).map(|kind| (kind, connect(address, kind))).collect();
        Self { address, clients, came_back: 0 }
    }

    /// Everybody says a little more.
    fn go_on(&mut self) {
        for (kind, stream) in &mut self.clients {
            let gone = match stream.write(kind.then()) {
                // Who says nothing learns by listening that it was sent away.
                Ok(_) if matches!(kind, Slow::Mute) => !matches!(stream.read(&mut [0]), Err(error) if waits(&error)),
                Ok(_) => false,
                Err(error) => !waits(&error),
            };
            if gone {
                *stream = connect(self.address, *kind);
                self.came_back += 1;
            }
        }
    }
}

fn waits(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

fn connect(address: SocketAddr, kind: Slow) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the door accepts (as many descriptors as `ulimit -n` gives)");
    stream.set_nonblocking(true).unwrap();
    // What does not fit at once is not said.
    let _ = stream.write(&kind.first(address));
    stream
}

fn open_the_page(address: SocketAddr) -> Duration {
    let start = Instant::now();
    let (status, answer) = ask(address, &format!("GET / HTTP/1.1\r\nHost: {address}\r\n"), "");
    assert!(status == 200 && answer.contains("</html>"), "{answer}");
    start.elapsed()
}

/// Commands that come from where they should not; each with the statuses that refuse it.
fn knock(address: SocketAddr) {
    let command = r#"{"do":"create_task","task":"planted"}"#;
    let own = format!("Host: {address}\r\n");
    // Through a proxy, so that being on this machine says nothing.
    let elsewhere = format!("{own}X-Forwarded-For: 192.0.2.7\r\n");
    let cases = [
        ("another host", "Host: evil.example\r\n".to_owned(), &[403][..]),
        ("another site", format!("{own}Origin: http://evil.example\r\n"), &[403]),
        ("another site's page", format!("{own}Sec-Fetch-Site: cross-site\r\n"), &[403]),
        ("no token", elsewhere.clone(), &[401]),
        ("a wrong token", format!("{elsewhere}Authorization: Bearer {}\r\n", TOKEN.replace('0', "1")), &[401, 429]), // guessing is slowed
        ("a wrong cookie", format!("{elsewhere}Cookie: acclimate-session={TOKEN}\r\n"), &[401]),
    ];
    for (what, headers, refused) in cases {
        let head = format!("POST /api/v1/command HTTP/1.1\r\n{headers}Content-Type: application/json\r\n");
        let (status, answer) = ask(address, &head, command);
        assert!(refused.contains(&status), "{what}: {answer}");
    }
}

#[test]
fn a_thousand_slow_connections_keep_nobody_out_and_change_nothing() {
    let (count, visits, pause) = if soak() { (1_000, 60, PAUSES[1]) } else { (300, 10, PAUSES[0]) };
    let device = Device::with_task();
    let token = device.file("token", TOKEN.as_bytes());
    let text = format!("[http]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n", token.display());
    let config = device.file("acclimate.toml", text.as_bytes());
    let mut daemon = Daemon::start(&device, &config);
    daemon.wait_until(|view| view["tasks"][0]["extractor"].is_string());
    let address = daemon.address();
    let alone = open_the_page(address);
    let (digest, before) = (device.digest(), resident(daemon.id()));

    let mut crowd = Crowd::come(address, count);
    let (speaks, spoke) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let crowding = thread::spawn(move || {
        // Gone when the visitor is, however it ends.
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            crowd.go_on();
            let _ = speaks.send(());
        }
        crowd
    });
    let mut times = Vec::new();
    for _ in 0..visits {
        times.push(open_the_page(address));
        knock(address);
        spoke.recv().unwrap();
    }
    let slowest = times.into_iter().max().unwrap_or_default();
    let after = resident(daemon.id());
    drop(stop);
    let crowd = crowding.join().unwrap();
    eprintln!(
        "{count} slow connections, which came back {} times; the page opened in {slowest:?} at most, {alone:?} \
         when alone; resident {} MiB before, {} MiB after",
        crowd.came_back,
        before >> 20,
        after >> 20
    );
    assert!(after < before + MEMORY, "{} MiB more", after.saturating_sub(before) >> 20);
    if soak() {
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    }
    assert_eq!(device.digest(), digest);
    assert_eq!(device.json(["task", "list"]).as_array().unwrap().len(), 1, "nobody planted a task");
    drop(crowd);
    // And who may, may.
    let head = format!("POST /api/v1/command HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
    let (status, answer) = ask(address, &head, r#"{"do":"create_task","task":"mine"}"#);
    assert_eq!(status, 200, "{answer}");
    let _ended = daemon.end().expect(0);
}
