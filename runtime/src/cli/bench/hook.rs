//! A webhook of this process: says when an answer has come whole. Knows as much HTTP as it takes to be told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use acclimate::record::SpreadRecord;
use anyhow::{Context as _, bail};

use super::daemon::{Frames, spread};

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Hook {
    pub(super) url: String,
    told: Receiver<Instant>,
}

impl Hook {
    /// Listens on a port of this machine; its thread ends with the program.
    pub(super) fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("could not listen for the webhook")?;
        let url = format!("http://{}/", listener.local_addr().context("could not listen for the webhook")?);
        let (tell, told) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tell = tell.clone();
                thread::spawn(move || serve(&stream, &tell));
            }
        });
        Ok(Self { url, told })
    }

    /// Hands frames in, each after the answer to the one before has come; how long that takes, in milliseconds.
    pub(super) fn time(&self, hand: &Sender<Vec<u8>>, frames: &Frames, count: usize) -> anyhow::Result<SpreadRecord> {
        let mut times = Vec::new();
        // The first ones open the way, and are not measured.
        for number in 0..count + 10 {
            let frame = frames.get(number);
            let start = Instant::now();
            hand.send(frame).context("the daemon ended")?;
            let Ok(told) = self.told.recv_timeout(PATIENCE) else {
                bail!("a frame changed the answer and the webhook was not told within {} s", PATIENCE.as_secs())
            };
            if number >= 10 {
                times.push(told.duration_since(start).as_secs_f64() * 1e3);
            }
        }
        Ok(spread(times))
    }
}

/// Takes what is posted on a connection until it ends.
fn serve(stream: &TcpStream, tell: &Sender<Instant>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = Vec::new();
        if !matches!(reader.by_ref().take(length).read_to_end(&mut body), Ok(read) if read as u64 == length) {
            return;
        }
        let heard = tell.send(Instant::now()).is_ok();
        let answered = (&mut &*stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok();
        if !(heard && answered) {
            return;
        }
    }
}
