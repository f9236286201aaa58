//! `run`: the daemon, until the system tells it to end.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use acclimate::config::{Config, From as ConfigFrom};
use acclimate::daemon::signals::{self, Signal};
use acclimate::daemon::socket::{self, Socket};
use acclimate::daemon::{Running, Start, start};
use acclimate::door;
use acclimate::memory;
use acclimate::mqtt::{self, Mqtt};
use acclimate::place::Environment;
use acclimate::source::{self, Stop};
use anyhow::Context as _;
use sd_notify::NotifyState;

use super::{Context, Outcome};

/// How often what is stuck is looked for, where systemd does not say.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// With less room than this, what cannot be opened cannot be opened for want of it.
const LEAST_KIB: u64 = 256;

/// Runs `acclimate run`.
pub fn run(context: &Context) -> anyhow::Result<Outcome> {
    memory::keep_little();
    let signals = signals::listen().context("could not listen to the system's signals")?;
    // An address that is taken is known before anything begins.
    let door = door::bind(door::Options::new(&context.config.http, &context.data_dir)?)?;
    let starting = Start {
        config: context.config.clone(),
        data_dir: context.data_dir.clone(),
        opener: context.opener(),
        options: context.adapt_options(),
    };
    let running = start(starting, Arc::new(source::open)).map_err(|error| match no_room(&context.data_dir) {
        Some(full) => anyhow::Error::new(error).context(full),
        None => error.into(),
    })?;
    let mqtt = mqtt::start(&context.config, &context.data_dir, &running)?;
    let sockets = sockets(context, &running);
    let closing = Stop::new();
    let door = door.serve(running.handle().clone(), closing.clone())?;
    if !context.global.quiet {
        super::line(&format!("the page is at http://{}/", door.address()))?;
    }
    tell(&[NotifyState::Ready]);
    tracing::info!("running on the store in {}", context.data_dir.display());
    let watchdog = sd_notify::watchdog_enabled();
    let mut current = context.config.clone();
    let every = watchdog.map_or(LOOK_EVERY, |limit| limit / 3);
    loop {
        match signals.recv_timeout(every) {
            Ok(Signal::End) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(Signal::Reload) => reload(context, &running, &mut current),
            Err(RecvTimeoutError::Timeout) => match running.stuck() {
                Some(stage) => tracing::error!("the thread `{stage}` has been at one thing for too long"),
                None if watchdog.is_some() => tell(&[NotifyState::Watchdog]),
                None => {}
            },
        }
    }
    tell(&[NotifyState::Stopping]);
    drop(sockets);
    closing.set();
    door.join();
    running.end();
    // Last: what the end brought is told as well.
    mqtt.into_iter().for_each(Mqtt::end);
    Ok(Outcome::Done)
}

/// That the disk is full, where that is why nothing can be opened.
fn no_room(data_dir: &Path) -> Option<String> {
    let free = rustix::fs::statvfs(data_dir).ok()?;
    let kib = free.f_bavail.saturating_mul(free.f_frsize) >> 10;
    let dir = data_dir.display();
    (kib < LEAST_KIB)
        .then(|| format!("could not start on the store in {dir}: its disk is full ({kib} KiB are free): make room"))
}

/// In the data directory, and where a service of the system has it.
fn sockets(context: &Context, running: &Running) -> Vec<Socket> {
    let environment = Environment::of_process();
    let dirs = [Some(context.data_dir.as_path()), environment.runtime_dir()];
    let open = |dir: &Path| {
        let opened = socket::open(running, dir);
        if let Err(error) = &opened {
            let path = socket::path(dir);
            tracing::warn!("no command line reaches this daemon at {}: could not open it: {error}", path.display());
        }
        opened.ok()
    };
    dirs.into_iter().flatten().filter_map(open).collect()
}

/// Reads the configuration again; one that is wrong changes nothing, and what needs a restart is said.
fn reload(context: &Context, running: &Running, current: &mut Config) {
    match Config::load(&ConfigFrom::of_process(context.global.config.as_deref())).map(|loaded| loaded.config) {
        Ok(config) => {
            let restart = running.reload(&context.config, current, &config, &context.options_of(&config));
            *current = config;
            if restart.is_empty() {
                tracing::info!("read the configuration again: it holds");
            } else {
                tracing::warn!(
                    "read the configuration again: it holds, but a change of {} needs a restart",
                    restart.join(", ")
                );
            }
        }
        Err(error) => {
            let why = super::causes(&error);
            tracing::error!("the configuration stays as it was: {why}");
            // Where, and what is wrong with it, stands in the log.
            running.refuse(why.lines().next().unwrap_or_default());
        }
    }
}

/// Without systemd nobody listens.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("systemd was not told: {error}");
    }
}
