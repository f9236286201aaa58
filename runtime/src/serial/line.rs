//! A device that is listened to whatever comes between: opened, closed at the first sign that it is gone, waited for, opened
//! again. Blocking; knows nothing of what becomes of what is heard.
//!
//! ```text
//! absent ── its path is there ──▶ open ── gone, or an error ──▶ absent      after a refusal: a little later each time
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use acclimate_bridge::detect::Speech;
use acclimate_bridge::heard::Heard;
use acclimate_bridge::listener::Listener;
use jiff::Timestamp;

use super::downlink::Downlink;
use super::port::{Device, Port, Read};
use crate::backoff::backoff;
use crate::source::Stop;

/// Between two looks whether a device is back.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// And between two tries to open what refuses to be.
const LAST_RETRY: Duration = Duration::from_secs(1);
/// Bytes that wait for a device that does not read; what is more is of no use to it.
const UNREAD: usize = 4096;
/// Bytes of one read at most: more than the kernel gives at once.
const CHUNK: usize = 16 * 1024;
/// Bytes that are neither text nor frames before that is said.
const IN_VAIN: usize = 16 * 1024;

/// How a device is reached.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its port.
    pub device: Device,
    /// Bits a second.
    pub baud: u32,
    /// Whether DTR is set while it is open.
    pub dtr: bool,
    /// How it speaks; found out where none.
    pub speech: Option<Speech>,
    /// One that says nothing for so long is told of.
    pub patience: Duration,
}

/// What becomes of what is heard.
pub trait Ears {
    /// The port was opened.
    fn opened(&mut self, path: &Path);
    /// Bytes came, as they are.
    fn came(&mut self, _bytes: &[u8]) {}
    /// Something was heard. `now` counts from the first opening.
    fn heard(&mut self, heard: Heard<'_>, now: Duration);
    /// A moment has passed, with or without a word from the device.
    fn looked(&mut self, listener: &Listener, now: Duration);
    /// The device says nothing that can be used; its port stays open.
    fn silent(&mut self, reason: String);
    /// The device cannot be reached; it is waited for. Nothing that comes later follows what came before.
    fn lost(&mut self, reason: String);
}

/// Listens to a device until told to stop.
pub fn keep(setup: &Setup, downlink: &Downlink, stop: &Stop, ears: &mut impl Ears) {
    let began = Instant::now();
    let mut listener = Listener::new(setup.speech, session());
    let mut told = String::new();
    let mut refused = 0;
    while !stop.is_set() {
        let found = setup.device.find();
        let opened = found.as_ref().map(|path| Port::open(path, setup.baud, setup.dtr));
        let (reason, wait) = match opened {
            Ok(Ok(port)) => {
                ears.opened(port.path());
                listener.opened(began.elapsed());
                downlink.opened();
                let reason = Open { setup, port, downlink, stop, began }.listen(&mut listener, ears);
                downlink.lost();
                (told, refused) = (String::new(), 0);
                (reason, LOOK_EVERY)
            }
            Ok(Err(reason)) => {
                refused += 1;
                (reason, backoff(LOOK_EVERY, refused, LAST_RETRY))
            }
            Err(reason) => {
                refused = 0;
                (reason.clone(), LOOK_EVERY)
            }
        };
        if stop.is_set() {
            return;
        }
        if reason != told {
            ears.lost(reason.clone());
            told = reason;
        }
        stop.wait(wait);
    }
}

/// Another number for every run: a device that kept running takes it for another host.
fn session() -> u32 {
    Timestamp::now().as_second() as u32
}

/// A device while its port is open.
struct Open<'a> {
    setup: &'a Setup,
    port: Port,
    downlink: &'a Downlink,
    stop: &'a Stop,
    began: Instant,
}

impl Open<'_> {
    /// Until it is gone, and why it is.
    fn listen(mut self, listener: &mut Listener, ears: &mut impl Ears) -> String {
        let (mut buffer, mut unread) = (vec![0; CHUNK], Vec::new());
        let (mut last, mut silent) = (self.began.elapsed(), false);
        while !self.stop.is_set() {
            let read = match self.port.read(&mut buffer) {
                Ok(read) => read,
                Err(reason) => return reason,
            };
            let now = self.began.elapsed();
            if let Read::Bytes(count) = read {
                ears.came(&buffer[..count]);
                let mut any = false;
                listener.received(&buffer[..count], now, &mut |heard| {
                    any |= matches!(heard, Heard::Rows { .. });
                    ears.heard(heard, now);
                });
                if any {
                    (last, silent) = (now, false);
                }
            }
            self.downlink.take().iter().for_each(|answer| listener.tell(answer));
            listener.tick(now);
            unread.append(&mut listener.output(now));
            if unread.len() > UNREAD {
                let at = self.port.path().display();
                tracing::warn!("the device at {at} does not read what it is told: {} bytes are left out", unread.len());
                unread.clear();
            }
            match self.port.write(&unread, Duration::ZERO) {
                Ok(written) => drop(unread.drain(..written)),
                Err(reason) => return reason,
            }
            ears.looked(listener, now);
            if !silent && let Some(reason) = self.silence(listener, now.saturating_sub(last)) {
                silent = true;
                ears.silent(reason);
            }
        }
        String::new()
    }

    fn silence(&self, listener: &Listener, silence: Duration) -> Option<String> {
        let (at, baud) = (self.port.path().display(), self.setup.baud);
        if listener.in_vain() >= IN_VAIN {
            return Some(format!(
                "what comes from {at} is neither lines of numbers nor frames: is {baud} baud what the device uses?"
            ));
        }
        let patience = crate::config::Interval(self.setup.patience);
        (silence >= self.setup.patience).then(|| {
            format!("no reading came from {at} for {patience}: is the sketch running, and does it print numbers at {baud} baud?")
        })
    }
}
