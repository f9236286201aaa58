//! A webhook: each notice is posted until the other side says that it has it (any 2xx), in order, at least once. What it is
//! owed lies in the outbox, so that it survives a restart; a header names each payload, so that one that came twice can be
//! told. Two threads: one keeps, one posts.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use ureq::http::header;

use super::command::WITHIN;
use super::outbox::{Outbox, Owed};
use super::{Told, Trouble};
use crate::config;
use crate::source::{Stop, address, http};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_mins(5);
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
    trouble: Trouble,
    stop: &Stop,
) -> [JoinHandle<()>; 2] {
    let (wake, woken) = sync_channel(1);
    let hook = key(config);
    let keeper = {
        let (hook, outbox, trouble, task) = (hook.clone(), Arc::clone(outbox), trouble.clone(), config.task.clone());
        std::thread::spawn(move || {
            for told in told {
                match outbox.put(&hook, &told.payload) {
                    Ok(0) => {}
                    Ok(dropped) => {
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
    };
    let (outbox, stop, queue) = (Arc::clone(outbox), stop.clone(), key(config));
    let poster = std::thread::spawn(move || hook.deliver(&outbox, &queue, &woken, &trouble, &stop));
    [keeper, poster]
}

struct Hook {
    address: address::Address,
    task: String,
    within: Duration,
}

impl Hook {
    fn deliver(&self, outbox: &Outbox, queue: &str, woken: &Receiver<()>, trouble: &Trouble, stop: &Stop) {
        let agent = http::agent(self.within);
        let _waker = stop.on_set({
            let agent = agent.clone();
            move || agent.clone().shutdown()
        });
        let mut failures = 0;
        while !stop.is_set() {
            let outcome = match outbox.oldest(queue) {
                Ok(None) => match woken.recv_timeout(Duration::from_mins(1)) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                Ok(Some(owed)) => self
                    .post(&agent, queue, &owed)
                    .and_then(|()| outbox.remove(owed.number).map_err(|error| crate::causes(&error))),
                Err(error) => Err(crate::causes(&error)),
            };
            if stop.is_set() {
                return;
            }
            failures = if outcome.is_ok() { 0 } else { failures + 1 };
            trouble.set(outcome);
            if failures > 0 {
                stop.wait(retry(failures));
            }
        }
    }

    fn post(&self, agent: &ureq::Agent, queue: &str, owed: &Owed) -> Result<(), String> {
        let mut request = agent
            .post(&self.address.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(NAME, format!("{queue}-{}", owed.number))
            .config()
            .timeout_global(Some(self.within))
            .build();
        if let Some((user, password)) = &self.address.credentials {
            let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        let url = address::redacted(&self.address.url);
        match request.send(&owed.payload) {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!(
                "the webhook of task `{}`, {url}, answered {}; it is tried again",
                self.task,
                response.status()
            )),
            Err(error) => {
                let error = address::redacted(&error.to_string());
                Err(format!(
                    "the webhook of task `{}`, {url}, could not be told: {error}; it is tried again",
                    self.task
                ))
            }
        }
    }
}

/// Time until the next try after so many that failed.
fn retry(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rarer_but_do_not_end() {
        assert_eq!(retry(1), FIRST_RETRY);
        assert_eq!(retry(2), 2 * FIRST_RETRY);
        assert_eq!(retry(40), LAST_RETRY);
        assert_eq!(retry(u32::MAX), LAST_RETRY);
    }
}
