//! `serial list`: which ports there are, and why one cannot be opened. Opens none.

use std::fmt::Write as _;

use acclimate::record::SerialListRecord;
use acclimate::serial::{Found, list};

use crate::cli::{Context, Outcome};

pub(super) fn run(context: &Context) -> anyhow::Result<Outcome> {
    let record = SerialListRecord { ports: list() };
    context.print(&record, || words(&record.ports))?;
    Ok(Outcome::Done)
}

fn words(ports: &[Found]) -> String {
    if ports.is_empty() {
        return "no serial ports: is the device plugged in, and does its cable carry data?".to_owned();
    }
    let words = |found: &Found| {
        let mut words = found.device.clone();
        if found.port != found.device {
            let _ = write!(words, " ({})", found.port);
        }
        let details = [found.name.clone(), found.usb.as_ref().map(|usb| format!("USB {usb}"))];
        for detail in details.into_iter().flatten() {
            let _ = write!(words, "\n  {detail}");
        }
        if !found.held_by.is_empty() {
            let _ = write!(words, "\n  held by {}", found.held_by.join(", "));
        }
        if let Some(problem) = &found.problem {
            let _ = write!(words, "\n  cannot be used: {problem}");
        }
        words
    };
    ports.iter().map(words).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_shown_with_what_it_is_and_who_holds_it() {
        let found = Found {
            device: "/dev/serial/by-id/usb-Arduino-if00".to_owned(),
            port: "/dev/ttyACM0".to_owned(),
            name: Some("Arduino Nano".to_owned()),
            usb: Some("2341:0058".to_owned()),
            held_by: vec!["12 (screen)".to_owned()],
            ..Found::default()
        };
        let plain = Found {
            device: "/dev/ttyS0".to_owned(),
            port: "/dev/ttyS0".to_owned(),
            problem: Some("no".to_owned()),
            ..Found::default()
        };
        let expected = "/dev/serial/by-id/usb-Arduino-if00 (/dev/ttyACM0)\n  Arduino Nano\n  USB 2341:0058\n  held by 12 \
                        (screen)\n/dev/ttyS0\n  cannot be used: no";
        assert_eq!(words(&[found, plain]), expected);
        assert!(words(&[]).contains("plugged in"));
    }
}
