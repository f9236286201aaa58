//! `serial send`: one thing told to a device, in the way that it speaks.

use std::path::Path;
use std::time::Duration;

use acclimate::serial::{Downlink, Ears, Setup, keep};
use acclimate::source::Stop;
use acclimate_bridge::answer::Answer;
use acclimate_bridge::detect::Speech;
use acclimate_bridge::heard::Heard;
use acclimate_bridge::listener::Listener;

use crate::cli::Outcome;
use crate::cli::args::{Send, Speaks};

/// Finding out how a device speaks takes so long at most, and being told.
const WITHIN: Duration = Duration::from_secs(10);

pub(super) fn run(args: &Send) -> anyhow::Result<Outcome> {
    let mut setup = super::setup(&args.port);
    if let Some(line) = &args.line {
        anyhow::ensure!(args.port.speaks != Some(Speaks::Frames), "a line is told to devices that speak text");
        setup.speech = Some(Speech::Text);
        return tell(&setup, Answer::Line(line.clone()));
    }
    anyhow::ensure!((0.0..=1.0).contains(&args.confidence), "--confidence {}: expected 0 to 1", args.confidence);
    match &args.class {
        Some(class) => {
            let (confidence, unknown) = (args.confidence, args.unknown);
            tell(&setup, Answer::State { class: class.clone(), confidence, unknown })
        }
        None => tell(&setup, Answer::LabelWanted),
    }
}

fn tell(setup: &Setup, answer: Answer) -> anyhow::Result<Outcome> {
    let stop = Stop::new();
    let mut teller = Teller { stop: stop.clone(), downlink: Downlink::default(), answer, outcome: None };
    keep(setup, &teller.downlink.clone(), &stop, &mut teller);
    match teller.outcome {
        Some(Ok(())) => Ok(Outcome::Done),
        Some(Err(reason)) => Err(anyhow::Error::msg(reason)),
        None => Err(anyhow::anyhow!("the device was told nothing; this is a bug in acclimate")),
    }
}

struct Teller {
    stop: Stop,
    downlink: Downlink,
    answer: Answer,
    outcome: Option<Result<(), String>>,
}

impl Teller {
    fn end(&mut self, outcome: Result<(), String>) {
        self.outcome.get_or_insert(outcome);
        self.stop.set();
    }
}

impl Ears for Teller {
    fn opened(&mut self, _path: &Path) {}

    fn heard(&mut self, _heard: Heard<'_>, _now: Duration) {}

    fn looked(&mut self, listener: &Listener, now: Duration) {
        if listener.told() > 0 {
            self.end(Ok(()));
        } else if listener.speech().is_some() && self.downlink.is_idle() {
            self.downlink.tell(self.answer.clone());
        } else if now > WITHIN {
            let seconds = WITHIN.as_secs();
            self.end(Err(format!(
                "what the device says within {seconds} s does not show how it speaks: name it with --speaks"
            )));
        }
    }

    fn silent(&mut self, _reason: String) {}

    fn lost(&mut self, reason: String) {
        self.end(Err(reason));
    }
}
