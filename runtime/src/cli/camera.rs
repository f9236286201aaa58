//! `acclimate camera`: which cameras there are, what each can do, and why one cannot be opened. Takes no picture.

use acclimate::record::CameraListRecord;
use acclimate::source::{self, Seen};

use super::args::Camera;
use super::{Context, Outcome};

/// Runs `acclimate camera …`.
pub fn run(context: &Context, command: &Camera) -> anyhow::Result<Outcome> {
    match command {
        Camera::List => {
            let record = CameraListRecord { cameras: source::list() };
            context.print(&record, || words(&record.cameras))?;
            Ok(Outcome::Done)
        }
    }
}

fn words(cameras: &[Seen]) -> String {
    if cameras.is_empty() {
        return "no cameras: none in /dev/video*, no rpicam-vid, no nvargus-daemon (cameras with an address need not be listed)"
            .to_owned();
    }
    let words = |camera: &Seen| {
        let name = if camera.name.is_empty() { String::new() } else { format!("  {}", camera.name) };
        let mut details = String::new();
        for format in &camera.formats {
            details.push_str("\n  ");
            details.push_str(format);
        }
        if let Some(problem) = &camera.problem {
            details.push_str("\n  cannot be used: ");
            details.push_str(problem);
        }
        format!("{}{name}{details}", camera.device)
    };
    cameras.iter().map(words).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_camera_is_shown_with_what_it_can_or_why_it_cannot() {
        let camera = |device: &str, name: &str, format: Option<&str>, problem: Option<&str>| Seen {
            device: device.to_owned(),
            name: name.to_owned(),
            formats: format.map(str::to_owned).into_iter().collect(),
            problem: problem.map(str::to_owned),
        };
        let cameras = [
            camera("/dev/video0", "C920", Some("MJPG 640×480"), None),
            camera("/dev/video2", "", None, Some("in use")),
        ];
        let expected = "/dev/video0  C920\n  MJPG 640×480\n/dev/video2\n  cannot be used: in use";
        assert_eq!(words(&cameras), expected);
        assert!(words(&[]).starts_with("no cameras"));
    }
}
