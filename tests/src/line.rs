//! A device on a serial line that is a recording: `acclimate serial replay` on a pseudo-terminal, behind a link whose path stays.
//! Killing it unplugs the device.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::device::Device;
use crate::program::Running;

/// A device that is plugged in.
#[derive(Debug)]
pub struct Plugged {
    running: Running,
    link: PathBuf,
}

impl Plugged {
    /// Replays files at a link. `more` are further words of the command line.
    ///
    /// # Panics
    /// When it ends before the link is there.
    #[track_caller]
    pub fn replay(device: &Device, link: &Path, files: &[PathBuf], more: &[&str]) -> Self {
        let mut command = device.command(["serial", "replay", "--json"]);
        command.args(files).arg("--link").arg(link).args(more);
        let running = Running::start(&mut command);
        running.wait_until(|| link.is_symlink());
        Self { running, link: link.to_owned() }
    }

    /// Waits until everything was sent; what came back, line by line.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn end(self) -> Vec<String> {
        let record = self.running.wait().expect(0).json();
        let answers = record["answers"].as_array().expect("a list of answers");
        answers.iter().map(|answer| answer.as_str().expect("a line").to_owned()).collect()
    }

    /// Pulls the plug.
    ///
    /// # Panics
    /// When the link cannot be removed.
    pub fn unplug(self) {
        let _killed = self.running.kill_after(Duration::ZERO);
        std::fs::remove_file(&self.link).expect("the link was there");
    }
}

/// Two channels that swing `pitch` times in 32 readings, as a CSV file of a device.
pub fn swing(device: &Device, name: &str, pitch: f64, readings: usize) -> PathBuf {
    let mut text = String::from("left,right\n");
    for at in 0..readings {
        let angle = at as f64 / 32.0 * pitch * std::f64::consts::TAU;
        // Something that is no noise of a generator: a slow beat.
        let beat = 0.3 * (at as f64 * 0.013 * pitch).sin();
        let _ = writeln!(text, "{:.4},{:.4}", angle.sin() + beat, 0.5 * angle.cos() - beat);
    }
    device.file(name, text.as_bytes())
}
