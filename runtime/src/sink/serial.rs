//! The device at the other end of a serial source, told what its readings are of. Knows no port: what it is told waits where the
//! thread of the source finds it.

use acclimate_bridge::answer::Answer;

use crate::config;
use crate::daemon::notice::{Event, Notice};
use crate::serial::Downlinks;

/// A sink of kind `serial`.
pub(super) struct Device {
    source: String,
    downlinks: Downlinks,
}

impl Device {
    pub(super) fn new(config: &config::Sink, downlinks: Downlinks) -> Self {
        Self { source: config.source.clone().unwrap_or_default(), downlinks }
    }

    pub(super) fn tell(&self, notice: &Notice) -> Result<(), String> {
        let Some(answer) = answer(notice) else { return Ok(()) };
        let downlink = self.downlinks.of(&self.source).ok_or_else(|| {
            format!(
                "the device of source `{}` was not told: there is no source of kind serial of that name",
                self.source
            )
        })?;
        downlink.tell(answer);
        Ok(())
    }
}

/// What a device is told of a notice, if anything.
fn answer(notice: &Notice) -> Option<Answer> {
    match (notice.event, &notice.state) {
        (Event::Changed, Some(state)) => {
            let (class, confidence) = (state.class.clone(), state.confidence);
            Some(Answer::State { class, confidence, unknown: state.unknown })
        }
        (Event::LabelWanted | Event::Drifted, _) => Some(Answer::LabelWanted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::tests::notice;
    use super::*;
    use crate::serial::Downlink;

    #[test]
    fn a_device_is_told_what_its_readings_are_of_and_that_a_label_would_help() {
        let text = "[[source]]\nname = \"press\"\nkind = \"serial\"\nwindow = 8\n[[sink]]\ntask = \"gate\"\n\
                    kind = \"serial\"\nsource = \"press\"";
        let (downlinks, downlink) = (Downlinks::default(), Downlink::default());
        let device = Device::new(&config::Config::parse(text).unwrap().sink[0], downlinks.clone());
        assert!(device.tell(&notice(1, "open")).unwrap_err().contains("`press`"));
        downlinks.put("press", downlink.clone());
        downlink.opened();
        let mut wanted = notice(2, "open");
        device.tell(&wanted).unwrap();
        wanted.event = Event::LabelWanted;
        device.tell(&wanted).unwrap();
        wanted.event = Event::Adapted;
        device.tell(&wanted).unwrap();
        let lines: Vec<String> = downlink.take().iter().map(Answer::line).collect();
        assert_eq!(lines, ["open\n", "!\n"]);
    }
}
