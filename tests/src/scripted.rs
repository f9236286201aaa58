//! A daemon that only plays one: it serves the page and speaks its API as a script says, for states that are hard to make
//! real. Knows as much HTTP as the page needs, and nothing of what a daemon decides.
//!
//! The page lies below a prefix and comes with the policy `default-src 'self'`, so that an absolute address or an inline
//! style breaks a test.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// Where the page lies.
const PREFIX: &str = "/site/press-7/";

/// What the daemon shows, and what it was asked.
#[derive(Debug, Default)]
pub struct Shown {
    /// The view.
    pub view: Value,
    /// Answers by path below `api/v1/`, with the query if it matters.
    pub answers: HashMap<String, Value>,
    /// Pictures by path below `api/v1/`.
    pub pictures: HashMap<String, Vec<u8>>,
    /// What is there where no picture of that name is.
    pub picture: Vec<u8>,
    /// Commands, in order.
    pub commands: Vec<Value>,
    /// A token that every request needs, by cookie.
    pub token: Option<String>,
    /// Nobody is answered, and every stream is broken off.
    pub down: bool,
    /// Counts changes.
    pub round: u64,
}

/// An answer to a command: a reply, or a status with a code and a message.
pub type Answered = Result<Value, (u16, &'static str, String)>;

type Script = Box<dyn FnMut(&Value, &mut Shown) -> Answered + Send>;

struct Inside {
    shown: Mutex<Shown>,
    changed: Condvar,
    script: Mutex<Script>,
}

/// A running one; its threads end with the program.
pub struct Scripted {
    inside: Arc<Inside>,
    port: u16,
}

impl Scripted {
    /// Starts one. The script sees each command and may change what is shown.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(shown: Shown, script: impl FnMut(&Value, &mut Shown) -> Answered + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let inside = Arc::new(Inside {
            shown: Mutex::new(shown),
            changed: Condvar::new(),
            script: Mutex::new(Box::new(script)),
        });
        let served = Arc::clone(&inside);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inside = Arc::clone(&served);
                thread::spawn(move || inside.serve(stream));
            }
        });
        Self { inside, port }
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PREFIX}", self.port)
    }

    /// Changes what is shown; who listens is sent the new view.
    pub fn change<T>(&self, change: impl FnOnce(&mut Shown) -> T) -> T {
        self.inside.change(change)
    }

    /// The commands so far.
    pub fn commands(&self) -> Vec<Value> {
        self.inside.lock().commands.clone()
    }

    /// Waits until something was asked.
    ///
    /// # Panics
    /// When it is not within a minute.
    #[track_caller]
    pub fn until_asked(&self, asked: impl Fn(&[Value]) -> bool) {
        let patience = std::time::Duration::from_mins(1);
        let waiting = |shown: &mut Shown| !asked(&shown.commands);
        let found = self.inside.changed.wait_timeout_while(self.inside.lock(), patience, waiting);
        let (shown, timeout) = found.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "never asked; asked were {:#?}", shown.commands);
    }
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shown) -> T) -> T {
        let mut shown = self.lock();
        let given = change(&mut shown);
        shown.round += 1;
        self.changed.notify_all();
        given
    }

    /// One request; the connection is closed after it.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket can be cloned"));
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || self.lock().down {
            return;
        }
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.trim().split_once(": ") {
                headers.insert(name.to_lowercase(), value.to_owned());
            }
        }
        let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(path) = target.strip_prefix(PREFIX) else { return refuse(&mut stream, 404, "not_found", target) };
        match path.strip_prefix("api/v1/") {
            Some(call) => self.call(&mut stream, method, call, &headers, &body),
            None => send_asset(&mut stream, path),
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn call(&self, stream: &mut TcpStream, method: &str, call: &str, headers: &HashMap<String, String>, body: &[u8]) {
        if let Some(token) = self.lock().token.clone() {
            if (method, call) == ("POST", "session") {
                if headers.get("authorization") == Some(&format!("Bearer {token}")) {
                    answer(
                        stream,
                        "204 No Content\r\nSet-Cookie: session=yes; HttpOnly; SameSite=Strict; Path=/",
                        "text/plain",
                        b"",
                    );
                } else {
                    refuse(stream, 401, "unauthorized", "this is not the token");
                }
                return;
            }
            if headers.get("cookie").is_none_or(|cookie| !cookie.contains("session=yes")) {
                return refuse(stream, 401, "unauthorized", "a token is required");
            }
        }
        match (method, call) {
            ("GET", "events") => self.events(stream),
            ("GET", "status") => {
                let view = self.lock().view.clone();
                send_json(stream, &view);
            }
            ("POST", "command") => {
                let command: Value = serde_json::from_slice(body).expect("a command is JSON");
                let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
                let answered = self.change(|shown| {
                    shown.commands.push(command.clone());
                    script(&command, shown)
                });
                match answered {
                    Ok(reply) => send_json(stream, &reply),
                    Err((status, code, message)) => refuse(stream, status, code, &message),
                }
            }
            ("GET", _) if call.contains("/frame") || call.ends_with("/picture") => {
                let shown = self.lock();
                let name = call.split('?').next().unwrap_or_default();
                let picture = shown.pictures.get(name).unwrap_or(&shown.picture).clone();
                drop(shown);
                answer(stream, "200 OK\r\nCache-Control: no-store", "image/png", &picture);
            }
            ("GET", _) => {
                let shown = self.lock();
                let found = shown.answers.get(call).or_else(|| shown.answers.get(call.split('?').next()?)).cloned();
                drop(shown);
                match found {
                    Some(found) => send_json(stream, &found),
                    None => refuse(stream, 404, "not_found", call),
                }
            }
            _ => refuse(stream, 404, "not_found", call),
        }
    }

    /// Sends the view now and whenever it changes, until the other side is gone.
    fn events(&self, stream: &mut TcpStream) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
        if stream.write_all(head.as_bytes()).is_err() {
            return;
        }
        let mut shown = self.lock();
        loop {
            let (round, event) = (shown.round, format!("event: view\ndata: {}\n\n", shown.view));
            if shown.down {
                return;
            }
            drop(shown);
            if stream.write_all(event.as_bytes()).is_err() {
                return;
            }
            let same = |shown: &mut Shown| shown.round == round;
            shown = self.changed.wait_while(self.lock(), same).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A file of the page, from the checkout.
fn send_asset(stream: &mut TcpStream, path: &str) {
    let name = if path.is_empty() { "index.html" } else { path };
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        _ => "image/svg+xml",
    };
    match std::fs::read(crate::checkout().join("runtime/src/page").join(name)) {
        Ok(content) => answer(stream, "200 OK\r\nContent-Security-Policy: default-src 'self'", kind, &content),
        Err(_) => refuse(stream, 404, "not_found", path),
    }
}

fn send_json(stream: &mut TcpStream, value: &Value) {
    answer(stream, "200 OK", "application/json", value.to_string().as_bytes());
}

fn refuse(stream: &mut TcpStream, status: u16, code: &str, message: &str) {
    let error = json!({"error": {"code": code, "message": message}});
    answer(stream, &format!("{status} Refused"), "application/json", error.to_string().as_bytes());
}

/// The other side may have gone first.
fn answer(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}
