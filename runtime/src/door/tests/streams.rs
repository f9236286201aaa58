//! The event stream: views, notices, where it goes on, how many there may be.

use std::io::{BufRead as _, BufReader};

use super::*;
use crate::daemon::notice::Event;

/// An open stream.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(opened: &Opened, more: &str) -> Self {
        let mut stream = opened.connect();
        send(&mut stream, &format!("GET /api/v1/events{more}"), opened.address, b"");
        let mut stream = Self(BufReader::new(stream));
        while !stream.line().is_empty() {}
        stream
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// Name, id and data of the next event.
    fn next(&mut self) -> (String, Option<u64>, Value) {
        let (mut name, mut id) = (String::new(), None);
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("event", word)) => name = word.to_owned(),
                Some(("id", number)) => id = number.parse().ok(),
                Some(("data", data)) => return (name, id, serde_json::from_str(data).unwrap()),
                // Lengths of chunks, blank lines, `retry`, comments.
                _ => {}
            }
        }
    }

    fn notice(&mut self) -> u64 {
        loop {
            if let (name, Some(id), data) = self.next() {
                assert_eq!((name.as_str(), &data["id"]), ("notice", &id.into()));
                return id;
            }
        }
    }
}

fn announce(opened: &Opened, id: u64) {
    let (time, message) = ("2026-11-29T12:00:00Z".to_owned(), "look\nhere".to_owned());
    let notice =
        Notice { id, time, event: Event::Problem, task: None, source: None, reason: None, message, state: None };
    opened.notices.send(Arc::new(notice)).unwrap();
}

/// Announces, and waits until the door has it.
fn announced(opened: &Opened, id: u64) {
    let mut witness = Stream::open(opened, "");
    witness.next();
    announce(opened, id);
    assert_eq!(witness.notice(), id);
}

#[test]
fn a_view_comes_at_once_and_again_when_more_than_its_time_changes() {
    let opened = Opened::new(Limits::default(), None);
    let mut stream = Stream::open(&opened, "");
    let (name, id, data) = stream.next();
    assert_eq!((name.as_str(), id, &data["time"]), ("view", None, &"2026-11-29T12:00:00Z".into()));
    let mut next = view();
    // Only the time: nobody is told. Then the frames of ten moments: who watches sees the last.
    next.time = "2026-11-29T12:00:01Z".to_owned();
    opened.view.send_replace(Arc::new(next.clone()));
    for frames in 1..=10 {
        next.sources[0].frames = frames;
        opened.view.send_replace(Arc::new(next.clone()));
    }
    let mut seen = vec![stream.next().2["sources"][0]["frames"].as_u64().unwrap()];
    while *seen.last().unwrap() != 10 {
        seen.push(stream.next().2["sources"][0]["frames"].as_u64().unwrap());
    }
    assert!(!seen.contains(&812), "{seen:?}");
    opened.close();
}

#[test]
fn a_stream_that_broke_off_goes_on_where_it_was() {
    let opened = Opened::new(Limits::default(), None);
    for id in 1..=4 {
        announced(&opened, id);
    }
    let mut late = Stream::open(&opened, "\r\nLast-Event-ID: 2");
    assert_eq!([late.notice(), late.notice()], [3, 4]);
    announce(&opened, 5);
    assert_eq!(late.notice(), 5);
    // Who was never there hears only what is new; who was there before a restart hears everything since.
    let mut new = Stream::open(&opened, "");
    new.next();
    announce(&opened, 6);
    assert_eq!(new.notice(), 6);
    let mut old = Stream::open(&opened, "\r\nLast-Event-ID: 900");
    assert_eq!(old.notice(), 1);
    opened.close();
}

#[test]
fn streams_are_bounded_and_one_that_ends_makes_place() {
    let opened = Opened::new(Limits { streams: 2, ..Limits::default() }, None);
    let (first, _second) = (Stream::open(&opened, ""), Stream::open(&opened, ""));
    opened.get("/api/v1/events").refused(503, "unavailable");
    assert_eq!(opened.get("/api/v1/status").status, 200);
    drop(first);
    // The door notices in its own time; a view that changes helps.
    let mut again = false;
    for frames in 0..1000 {
        let mut next = view();
        next.sources[0].frames = frames;
        opened.view.send_replace(Arc::new(next));
        let mut stream = opened.connect();
        send(&mut stream, "GET /api/v1/events", opened.address, b"");
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        again = status.ends_with(b"200");
        if again {
            break;
        }
    }
    assert!(again);
    opened.close();
}
