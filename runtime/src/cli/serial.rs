//! `acclimate serial`: ports, and what comes from and goes to the devices behind them. What is done stands in files of their
//! own.

mod list;
mod record;
mod replay;
mod send;
mod watch;

use std::num::NonZeroU64;
use std::time::Duration;

use acclimate::serial::{Device, PATIENCE, Setup};
use acclimate::source::Stop;
use acclimate_bridge::detect::Speech;

use super::args::{Port, Serial, Speaks};
use super::{Context, Outcome};

/// Runs `acclimate serial …`.
pub fn run(context: &Context, command: &Serial) -> anyhow::Result<Outcome> {
    match command {
        Serial::List => list::run(context),
        Serial::Record { port, output, seconds, readings, raw } => {
            let limit = record::Limit { seconds: *seconds, readings: *readings };
            record::run(context, &setup(port), output, &limit, *raw)
        }
        Serial::Replay(args) => replay::run(context, args),
        Serial::Send(args) => send::run(args),
        Serial::Watch { port, seconds } => watch::run(context, &setup(port), *seconds),
    }
}

/// Has it end after so many seconds, whether or not the device is there.
fn end_after(stop: &Stop, seconds: Option<NonZeroU64>) {
    if let Some(seconds) = seconds {
        let stop = stop.clone();
        std::thread::spawn(move || {
            stop.wait(Duration::from_secs(seconds.get()));
            stop.set();
        });
    }
}

/// Whether anything came in the seconds that were given to it: nothing is no success.
fn came(setup: &Setup, seconds: Option<NonZeroU64>, any: bool, reason: Option<&str>) -> anyhow::Result<()> {
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let within = seconds.map(|seconds| format!(" within {seconds} s")).unwrap_or_default();
    anyhow::ensure!(any, "nothing that could be read came from {}{within}{why}", setup.device);
    Ok(())
}

/// How a device is reached.
fn setup(port: &Port) -> Setup {
    let speech = port.speaks.map(|speaks| match speaks {
        Speaks::Frames => Speech::Frames,
        Speaks::Text => Speech::Text,
    });
    Setup { device: Device::from(port.device.as_str()), baud: port.baud, dtr: !port.no_dtr, speech, patience: PATIENCE }
}
