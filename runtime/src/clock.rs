//! Whether the wall clock can be believed: a board without a battery starts in 1970, or where it was when it was switched off.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Nobody makes heads before this: the clock was never set.
const NEVER_SET: i64 = 1_700_000_000;

/// What is known of the clock is believed for so long.
const ASK_EVERY: Duration = Duration::from_mins(1);

/// What systemd's own client leaves where the clock follows others; none where it does not, or another client sees to that.
pub fn marked() -> Option<bool> {
    Path::new("/run/systemd/timesync/synchronized").exists().then_some(true)
}

/// Whether the clock follows others; none where nothing here knows. Asks a program where [`marked`] says nothing.
pub fn synchronised() -> Option<bool> {
    if let Some(marked) = marked() {
        return Some(marked);
    }
    let mut ask = Command::new("timedatectl");
    ask.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null());
    let said = ask.output().ok().filter(|output| output.status.success())?;
    match String::from_utf8_lossy(&said.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Whether a time can be right, by what is known of the clock. Where nobody says that it is wrong it is believed, once it was set.
pub fn believable(now: Timestamp, synchronised: Option<bool>) -> bool {
    now.as_second() >= NEVER_SET && synchronised != Some(false)
}

/// The time, if it can be believed. Who asks again and again starts no program each time.
pub fn believed() -> Option<Timestamp> {
    static ASKED: Mutex<Option<(Instant, Option<bool>)>> = Mutex::new(None);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = asked.filter(|(at, _)| at.elapsed() < ASK_EVERY);
    let (_, synchronised) = *asked.insert(known.unwrap_or_else(|| (Instant::now(), synchronised())));
    let now = Timestamp::now();
    believable(now, synchronised).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_or_is_said_to_be_wrong_is_not_believed() {
        let [boot, today] = [Timestamp::UNIX_EPOCH, Timestamp::from_second(1_800_000_000).unwrap_or_default()];
        assert!(!believable(boot, Some(true)) && !believable(today, Some(false)));
        assert!(believable(today, Some(true)) && believable(today, None));
    }
}
