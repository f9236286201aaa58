//! An HTTP server of one's own on 127.0.0.1, which answers as a script says: one answer for each connection, in order.
//! Knows as much HTTP as a download needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

/// One answer: is given the request and the connection to write to, which is closed after it.
pub type Answer = Box<dyn FnMut(&Request, &mut TcpStream) + Send>;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request line, as `GET /model.onnx HTTP/1.1`.
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    port: u16,
    requests: JoinHandle<Vec<Request>>,
}

impl Server {
    /// Starts a server that gives these answers and ends.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        Self { port, requests: thread::spawn(move || serve(&listener, answers)) }
    }

    /// The address of a file on it.
    pub fn url(&self, file: &str) -> String {
        format!("http://127.0.0.1:{}/{file}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was asked, in order; waits for as many requests as there were answers.
    ///
    /// # Panics
    /// When an answer panicked.
    pub fn requests(self) -> Vec<Request> {
        self.requests.join().expect("the answers do not panic")
    }
}

fn serve(listener: &TcpListener, answers: Vec<Answer>) -> Vec<Request> {
    let mut requests = Vec::new();
    for mut answer in answers {
        let (mut stream, _) = listener.accept().expect("a bound listener accepts");
        let mut lines = BufReader::new(stream.try_clone().expect("a socket can be cloned")).lines();
        let line = lines.next().and_then(Result::ok).unwrap_or_default();
        let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
        let header = |line: String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let request = Request { line, headers: headers.filter_map(header).collect() };
        answer(&request, &mut stream);
        // The other side may have gone first.
        let _ = stream.shutdown(Shutdown::Write);
        requests.push(request);
    }
    requests
}

/// Sends the file, or from where `Range` says if the entity tag is still this one; breaks off after `cut` bytes.
pub fn file(bytes: &[u8], tag: &str, cut: Option<usize>) -> Answer {
    let (bytes, tag) = (bytes.to_vec(), tag.to_owned());
    Box::new(move |request, stream| {
        let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let start =
            range.filter(|_| request.header("if-range") == Some(tag.as_str())).and_then(|from| from.parse().ok());
        let (status, from) = start.map_or(("200 OK".to_owned(), 0), |from: usize| {
            let last = bytes.len() - 1;
            (format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{}", bytes.len()), from)
        });
        let rest = &bytes[from..];
        send(stream, &format!("{status}\r\nETag: {tag}\r\nContent-Length: {}", rest.len()));
        let _ = stream.write_all(&rest[..cut.unwrap_or(rest.len()).min(rest.len())]);
    })
}

/// Sends the whole file, whatever was asked, without an entity tag.
pub fn plain(bytes: &[u8], cut: Option<usize>) -> Answer {
    let bytes = bytes.to_vec();
    Box::new(move |_, stream| {
        send(stream, &format!("200 OK\r\nContent-Length: {}", bytes.len()));
        let _ = stream.write_all(&bytes[..cut.unwrap_or(bytes.len())]);
    })
}

/// Sends a status line and headers only.
pub fn status(head: &str) -> Answer {
    let head = head.to_owned();
    Box::new(move |_, stream| send(stream, &format!("{head}\r\nContent-Length: 0")))
}

/// Writes the head of an answer.
pub fn send(stream: &mut TcpStream, head: &str) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
}
