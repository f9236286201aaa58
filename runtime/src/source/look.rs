//! One picture of a camera, for who chooses one: opened, looked at, closed.

use std::time::{Duration, Instant};

use super::{Content, Health, Outlet, Sensed, Stop, open};
use crate::config::{self, SourceKind};

/// The first picture of a camera, `device` as [`config::Source::added`] takes it.
///
/// # Errors
/// Says why there is none within `patience`.
pub fn look(device: &str, patience: Duration) -> Result<Content, String> {
    let config = config::Source::added("look", SourceKind::Camera, Some(device))?;
    let (outlet, stop, until) = (Outlet::new(), Stop::new(), Instant::now() + patience);
    let feed = outlet.feed("look");
    std::thread::scope(|threads| {
        threads.spawn(|| open(&config).run(&feed, &stop));
        let seen = loop {
            match outlet.take(until.saturating_duration_since(Instant::now())) {
                Some(Sensed::Frame(frame)) => break Ok(frame.content),
                Some(Sensed::Health { health: Health::Lost { reason }, .. }) => break Err(reason),
                Some(Sensed::Counted { .. } | Sensed::Health { .. } | Sensed::Labelled { .. }) => {}
                None => break Err(format!("no picture came within {} s", patience.as_secs())),
            }
        };
        stop.set();
        seen
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::cameras::picture;
    use super::*;
    use crate::fake::Fake;

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn a_camera_is_looked_at_or_says_why_not() {
        let fake = Fake::start(|request, answer| match request.number {
            0 => answer.whole("200 OK", "Content-Type: image/jpeg\r\n", &picture(32, 16, 1)),
            _ => answer.whole("404 Not Found", "", b""),
        });
        assert_eq!(look(&fake.url(), SOON).unwrap(), Content::File(picture(32, 16, 1)));
        let gone = look(&fake.url(), SOON).unwrap_err();
        assert!(gone.contains("404"), "{gone}");
        let silent = Fake::start(|_, answer| answer.stall());
        let late = look(&silent.url(), Duration::ZERO).unwrap_err();
        assert!(late.contains("no picture came within 0 s"), "{late}");
        for device in
            ["/dev/watchdog", "/dev/video", "/dev/v4l/../mem", "/dev/v4l/by-id/../../mem", "file:///etc/passwd", ""]
        {
            let refused = look(device, SOON).unwrap_err();
            assert!(refused.contains("is no camera: expected auto"), "{refused}");
        }
    }
}
