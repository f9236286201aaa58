//! For tests: an HTTP server in this process that answers each request as a test says, down to the bytes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// A request as it came.
pub(crate) struct Request {
    /// Counted from 0 since the server started.
    pub(crate) number: usize,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The way back to who asked.
pub(crate) struct Answer<'a> {
    stream: &'a mut TcpStream,
    ending: &'a Ending,
}

#[derive(Default)]
struct Ending {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Answer<'_> {
    /// Bytes as they are; that nobody reads them any more is no mistake.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// A whole answer, after which the connection is closed.
    pub(crate) fn whole(&mut self, status: &str, headers: &str, body: &[u8]) {
        let length = body.len();
        self.raw(
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        self.raw(body);
    }

    /// Says nothing more, and keeps the connection until the server ends.
    pub(crate) fn stall(&self) {
        let ended = self.ending.set.lock().unwrap();
        drop(self.ending.changed.wait_while(ended, |ended| !*ended).unwrap());
    }
}

type Script = dyn Fn(&Request, &mut Answer<'_>) + Send + Sync;

/// A server that ends when dropped.
pub(crate) struct Fake {
    address: SocketAddr,
    ending: Arc<Ending>,
    over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Fake {
    /// Answers each request with `script`, on a thread of its own.
    pub(crate) fn start(script: impl Fn(&Request, &mut Answer<'_>) + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    /// The same at an address that was in use before.
    pub(crate) fn start_at(
        address: SocketAddr,
        script: impl Fn(&Request, &mut Answer<'_>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (ending, over) = (Arc::new(Ending::default()), Arc::new(AtomicBool::new(false)));
        let script: Arc<Script> = Arc::new(script);
        let numbers = Arc::new(AtomicUsize::new(0));
        let accepting = std::thread::spawn({
            let (ending, over) = (Arc::clone(&ending), Arc::clone(&over));
            move || {
                let mut threads = Vec::new();
                for stream in listener.incoming() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let (script, ending, numbers) = (Arc::clone(&script), Arc::clone(&ending), Arc::clone(&numbers));
                    threads.push(std::thread::spawn(move || serve(stream.unwrap(), &*script, &ending, &numbers)));
                }
                for thread in threads {
                    thread.join().unwrap();
                }
            }
        });
        Self { address, ending, over, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        *self.ending.set.lock().unwrap() = true;
        self.ending.changed.notify_all();
        // Wakes who accepts.
        let _ = TcpStream::connect(self.address);
        let ended = self.accepting.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the script panicked");
    }
}

fn serve(mut stream: TcpStream, script: &Script, ending: &Ending, numbers: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let request = Request { number: numbers.fetch_add(1, Ordering::SeqCst), headers, body };
    script(&request, &mut Answer { stream: &mut stream, ending });
}
