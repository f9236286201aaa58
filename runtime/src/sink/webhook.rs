//! A webhook: each notice is posted until the other side says that it has it (any 2xx), in order, at least once. What it is
//! owed lies in the outbox, so that it survives a restart; a header names each payload, so that one that came twice can be
//! told. Two threads: one keeps, one posts.
//!
//! Who says that a notice is wrong for good (4xx other than 408, 425 and 429) is asked [`REFUSALS`] times, which takes some
//! four minutes, for it may be set up wrongly for a while; then this notice is given up, counted, and the next one is posted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use ureq::http::header;

use super::Told;
use super::command::WITHIN;
use super::fares::{Counts, Fares, Trouble};
use super::outbox::{Outbox, Owed};
use crate::backoff::backoff;
use crate::config;
use crate::source::{Stop, address, http};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_mins(5);
/// A notice that was refused so often is given up.
const REFUSALS: u32 = 10;
/// Names a payload: the same when it is posted again.
const NAME: &str = "Idempotency-Key";

/// The name of a hook's queue: the same as long as task and address are. The address may hold a secret, so it is not that.
pub(super) fn key(config: &config::Sink) -> String {
    let digest = Sha256::digest(format!("{}\n{}", config.task, config.url.as_deref().unwrap_or_default()));
    let first: [u8; 16] = std::array::from_fn(|index| digest[index]);
    format!("{:032x}", u128::from_be_bytes(first))
}

/// Starts the two threads of a hook.
pub(super) fn start(
    config: &config::Sink,
    outbox: &Arc<Outbox>,
    told: Receiver<Arc<Told>>,
    fares: &Fares,
    trouble: Trouble,
    stop: &Stop,
) -> [JoinHandle<()>; 2] {
    let (wake, woken) = sync_channel(1);
    let hook = key(config);
    let keeper = {
        let (hook, outbox, trouble, task) = (hook.clone(), Arc::clone(outbox), trouble.clone(), config.task.clone());
        let fares = fares.clone();
        std::thread::spawn(move || {
            for told in told {
                match outbox.put(&hook, &told.payload) {
                    Ok(0) => {}
                    Ok(dropped) => {
                        fares.counts().owed.fetch_add(dropped as u64, Ordering::Relaxed);
                        tracing::warn!("the webhook of task `{task}` is owed too much: {dropped} of the oldest went");
                    }
                    Err(error) => trouble.set(Err(crate::causes(&error))),
                }
                // It is awake already, or ends: then the payload is posted after the next start.
                let _ = wake.try_send(());
            }
        })
    };
    let hook = Hook {
        address: address::split(config.url.as_deref().unwrap_or_default()),
        task: config.task.clone(),
        within: config.within.map_or(WITHIN, |within| within.0),
        first_retry: FIRST_RETRY,
        outbox: Arc::clone(outbox),
        queue: key(config),
        fares: fares.clone(),
        trouble,
    };
    let stop = stop.clone();
    let poster = std::thread::spawn(move || hook.deliver(&woken, &stop));
    [keeper, poster]
}

struct Hook {
    address: address::Address,
    task: String,
    within: Duration,
    first_retry: Duration,
    outbox: Arc<Outbox>,
    queue: String,
    fares: Fares,
    trouble: Trouble,
}

/// What came of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Posted {
    /// The other side has it.
    Taken,
    /// It may have it another time.
    NotNow(String),
    /// It says that it is wrong.
    Refused(String),
}

impl Hook {
    fn deliver(&self, woken: &Receiver<()>, stop: &Stop) {
        let agent = http::agent(self.within);
        let _waker = stop.on_set({
            let agent = agent.clone();
            move || agent.clone().shutdown()
        });
        // Tries of the oldest that failed, and how many of them were refusals.
        let (mut failures, mut refusals) = (0, 0);
        while !stop.is_set() {
            let outcome = match self.outbox.oldest(&self.queue) {
                Ok(None) => match woken.recv_timeout(Duration::from_mins(1)) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                Ok(Some(owed)) => match self.post(&agent, &owed) {
                    Posted::Taken => self.done_with(&owed),
                    // The other end may have gone because of us.
                    _ if stop.is_set() => return,
                    Posted::NotNow(why) => Err(format!("{why}; it is tried again")),
                    Posted::Refused(why) if refusals + 1 < REFUSALS => {
                        refusals += 1;
                        Err(format!("{why}; it is tried again, {REFUSALS} times in all"))
                    }
                    Posted::Refused(why) => match self.done_with(&owed) {
                        Ok(()) => {
                            Counts::one(&self.fares.counts().refused);
                            // Said until one is taken; the next one is posted at once.
                            self.trouble.set(Err(format!("{why}, {REFUSALS} times: this notice is given up")));
                            (failures, refusals) = (0, 0);
                            continue;
                        }
                        failed => failed,
                    },
                },
                Err(error) => Err(crate::causes(&error)),
            };
            (failures, refusals) = if outcome.is_ok() { (0, 0) } else { (failures + 1, refusals) };
            self.trouble.set(outcome);
            if failures > 0 {
                stop.wait(backoff(self.first_retry, failures, LAST_RETRY));
            }
        }
    }

    fn done_with(&self, owed: &Owed) -> Result<(), String> {
        self.outbox.remove(owed.number).map_err(|error| crate::causes(&error))
    }

    fn post(&self, agent: &ureq::Agent, owed: &Owed) -> Posted {
        let mut request = agent
            .post(&self.address.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(NAME, format!("{}-{}", self.queue, owed.number))
            .config()
            .timeout_global(Some(self.within))
            .build();
        if let Some((user, password)) = &self.address.credentials {
            let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        let url = address::redacted(&self.address.url);
        let hook = format!("the webhook of task `{}`, {url},", self.task);
        match request.send(&owed.payload) {
            Ok(response) if response.status().is_success() => Posted::Taken,
            Ok(response) if is_refusal(response.status().as_u16()) => {
                Posted::Refused(format!("{hook} refused a notice with {}", response.status()))
            }
            Ok(response) => Posted::NotNow(format!("{hook} answered {}", response.status())),
            Err(error) => {
                Posted::NotNow(format!("{hook} could not be told: {}", address::redacted(&error.to_string())))
            }
        }
    }
}

/// Whether a status says that the same notice will not do later either.
fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 425 | 429)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn tries_become_rarer_but_do_not_end() {
        let retry = |failures| backoff(FIRST_RETRY, failures, LAST_RETRY);
        assert_eq!((retry(1), retry(40)), (FIRST_RETRY, LAST_RETRY));
        let minutes = (1..REFUSALS).map(retry).sum::<Duration>().as_secs() / 60;
        assert_eq!(minutes, 4, "as the head of this file says");
    }

    #[test]
    fn a_refusal_is_what_the_sender_is_to_blame_for() {
        let refused: Vec<u16> = [200, 301, 400, 401, 404, 408, 410, 422, 425, 429, 500, 503]
            .into_iter()
            .filter(|&status| is_refusal(status))
            .collect();
        assert_eq!(refused, [400, 401, 404, 410, 422]);
    }

    #[test]
    fn who_refuses_one_notice_for_good_is_told_the_next_ones_and_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (seen, posts) = std::sync::mpsc::channel();
        let seen = std::sync::Mutex::new(seen);
        let allowed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let fake = crate::fake::Fake::start({
            let allowed = Arc::clone(&allowed);
            move |request, answer| {
                let body = String::from_utf8(request.body.clone()).unwrap();
                let status = match body.as_str() {
                    "bad" => "400 Bad Request",
                    _ if allowed.load(Ordering::SeqCst) => "200 OK",
                    _ => "503 Service Unavailable",
                };
                let _the_test_is_over = seen.lock().unwrap().send(body);
                answer.whole(status, "", b"");
            }
        });
        let outbox = Arc::new(Outbox::open(dir.path()).unwrap());
        for payload in ["bad", "good"] {
            outbox.put("q", payload).unwrap();
        }
        let (fares, trouble) = (Fares::default(), Trouble::default());
        fares.are(vec![trouble.clone()]);
        let hook = Hook {
            address: address::split(&fake.url()),
            task: "gate".to_owned(),
            within: Duration::from_secs(20),
            first_retry: Duration::from_millis(1),
            outbox: Arc::clone(&outbox),
            queue: "q".to_owned(),
            fares: fares.clone(),
            trouble,
        };
        let (stop, (wake, woken)) = (Stop::new(), sync_channel(1));
        let poster = std::thread::spawn({
            let stop = stop.clone();
            move || hook.deliver(&woken, &stop)
        });
        let next = || posts.recv_timeout(Duration::from_mins(1)).unwrap();
        let first: Vec<String> = (0..=REFUSALS).map(|_| next()).collect();
        assert_eq!(first.iter().filter(|body| *body == "bad").count(), REFUSALS as usize);
        assert_eq!(first.last().unwrap(), "good", "the next one has its turn");
        assert_eq!(fares.shed()[2], ("notice_refused", 1));
        let trouble = fares.troubles().pop().unwrap();
        assert!(trouble.contains("task `gate`") && trouble.contains(&fake.address().to_string()), "{trouble}");
        allowed.store(true, Ordering::SeqCst);
        while outbox.oldest("q").unwrap().is_some() {
            std::thread::yield_now();
        }
        stop.set();
        drop(wake);
        poster.join().unwrap();
        assert_eq!(fares.troubles(), [""; 0], "it was told");
    }
}
