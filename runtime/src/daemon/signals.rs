//! What the system tells the daemon: to end, or to read its configuration again. The signals are waited for by tokio, on a
//! thread of their own; nothing else here is asynchronous.

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// What the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

/// Waits for signals from now on.
///
/// # Errors
/// When the system refuses.
pub fn listen() -> io::Result<Receiver<Signal>> {
    let (told, receiver) = channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut terminate, mut interrupt, mut hang_up) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                let signal = tokio::select! {
                    _ = terminate.recv() => Signal::End,
                    _ = interrupt.recv() => Signal::End,
                    _ = hang_up.recv() => Signal::Reload,
                };
                if told.send(signal).is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(receiver)
}
