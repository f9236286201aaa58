//! `/metrics`: a view, and how the parts fare, as `OpenMetrics` text, in base units. Pure; knows nothing of who reads it.

use std::fmt;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::health::readiness;
use crate::daemon::view::{SourceView, TaskView, View};
use crate::daemon::vitals::Vitals;

/// The media type of the text.
pub(super) const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whatever the health of a source can be.
const HEALTH: [&str; 4] = ["starting", "running", "lost", "ended"];

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// The text.
pub(super) fn text(view: &View, vitals: &Vitals) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("acclimate");
    let build = Info::new(vec![("version", view.version.clone())]);
    registry.register("build", "The program", build);
    let seconds = |time: &str| time.parse::<Timestamp>().map(|time| time.as_millisecond() as f64 / 1000.0).ok();
    let mut one = |name: &str, help: &str, value: Option<f64>| {
        let gauge = Gauge::<f64, AtomicU64>::default();
        if let Some(value) = value {
            gauge.set(value);
            registry.register(name, help, gauge);
        }
    };
    one("start_time_seconds", "When the daemon began, seconds since 1970", seconds(&view.started));
    let degraded = readiness(view, vitals).degraded.len();
    one("degraded_reasons", "Things that do not work as they should", Some(degraded as f64));
    sources(&mut registry, &view.sources, seconds);
    lines(&mut registry, &view.sources);
    tasks(&mut registry, &view.tasks);
    parts(&mut registry, vitals);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn gauges(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let family = Gauges::default();
    registry.register(name, help, family.clone());
    family
}

fn sources(registry: &mut Registry, sources: &[SourceView], seconds: impl Fn(&str) -> Option<f64>) {
    let frames = Family::<Labels, Counter>::default();
    registry.register("source_frames", "Frames that a source has given", frames.clone());
    let health = gauges(registry, "source_health", "1 for the health that a source has");
    let last = gauges(registry, "source_last_frame_timestamp_seconds", "When the newest frame was sensed");
    for source in sources {
        let labels = vec![("source", source.name.clone()), ("kind", source.kind.clone())];
        frames.get_or_create(&labels).inc_by(source.frames);
        for word in HEALTH {
            let labels = vec![("source", source.name.clone()), ("health", word.to_owned())];
            health.get_or_create(&labels).set(f64::from(source.health == word));
        }
        if let Some(taken) = source.last.as_deref().and_then(&seconds) {
            last.get_or_create(&labels).set(taken);
        }
    }
}

/// What came over serial lines, and what was lost.
fn lines(registry: &mut Registry, sources: &[SourceView]) {
    let mut family = |name: &str, help: &str| {
        let family = Family::<Labels, Counter>::default();
        registry.register(name, help, family.clone());
        family
    };
    let opened = family("source_line_opened", "How often the port of a serial source was opened");
    let bytes = family("source_line_bytes", "Bytes that came over a serial line");
    let readings = family("source_line_readings", "Readings that came over a serial line");
    let lost = family("source_line_lost_readings", "Lines, or blocks of readings, that never came");
    let recovered =
        family("source_line_recovered_readings", "Blocks of readings that came when they were asked for again");
    let unreadable = family("source_line_unreadable", "Lines and frames that cannot be read");
    let faults = family("source_line_faults", "Faults that the device spoke of");
    let gaps = family("source_line_gaps", "Gaps over which no window reaches");
    for source in sources {
        let Some(line) = &source.line else { continue };
        let labels = vec![("source", source.name.clone())];
        for (family, count) in [
            (&opened, line.opened),
            (&bytes, line.bytes),
            (&readings, line.readings),
            (&lost, line.lost),
            (&recovered, line.recovered),
            (&unreadable, line.unreadable),
            (&faults, line.faults),
            (&gaps, line.gaps),
        ] {
            family.get_or_create(&labels).inc_by(count);
        }
    }
}

fn parts(registry: &mut Registry, vitals: &Vitals) {
    let shed = Family::<Labels, Counter>::default();
    registry.register("shed", "What was given up for want of room, or because it was refused", shed.clone());
    for (what, count) in &vitals.shed {
        shed.get_or_create(&vec![("what", (*what).to_owned())]).inc_by(*count);
    }
    let busy = gauges(registry, "stage_busy_seconds", "How long a thread has been at what it is at; 0 while it rests");
    for (stage, since) in &vitals.stages {
        busy.get_or_create(&vec![("stage", (*stage).to_owned())]).set(since.as_secs_f64());
    }
    for (name, help, value) in &vitals.gauges {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(*value);
        registry.register(*name, *help, gauge);
    }
    registry.register("picture_to_answer_seconds", "From a picture to its answer", vitals.latency.clone());
}

fn tasks(registry: &mut Registry, tasks: &[TaskView]) {
    let mut family = |name: &str, help: &str| gauges(registry, name, help);
    let generation = family("task_generation", "The head in service");
    let accuracy = family("task_accuracy_ratio", "Accuracy on samples that the head was not fitted on");
    let low = family("task_accuracy_low_ratio", "Lower end of the accuracy's 95 % interval");
    let high = family("task_accuracy_high_ratio", "Upper end of the accuracy's 95 % interval");
    let samples = family("task_samples", "Labelled samples of a class");
    let unlabelled = family("task_unlabelled_samples", "Samples without a label");
    let new_labels = family("task_new_labels", "Labels since the last adaptation");
    let adapting = family("task_adapting", "1 while an adaptation runs");
    let drifted = family("task_drifted", "1 where what is sensed is no longer what the head was learnt on");
    let answer = family("task_answer_seconds", "From the newest frame to its answer");
    let extractors = Family::<Labels, Gauge>::default();
    registry.register("task_extractor_info", "What really runs the backbone of a task", extractors.clone());
    for task in tasks {
        let name = vec![("task", task.name.clone())];
        let set = |family: &Gauges, value: f64| {
            family.get_or_create(&name).set(value);
        };
        if let Some(number) = task.generation {
            set(&generation, number.into());
        }
        for (family, value) in [&accuracy, &low, &high].into_iter().zip(task.accuracy.iter().flatten()) {
            set(family, *value);
        }
        for class in &task.classes {
            let labels = vec![("task", task.name.clone()), ("class", class.name.clone())];
            samples.get_or_create(&labels).set(class.samples as f64);
        }
        set(&unlabelled, task.unlabelled as f64);
        set(&new_labels, task.new_labels as f64);
        set(&adapting, task.adapting.into());
        set(&drifted, task.drifted.into());
        for look in &task.looks {
            if let Some(milliseconds) = look.milliseconds {
                let labels = vec![("task", task.name.clone()), ("source", look.look.source.clone())];
                answer.get_or_create(&labels).set(milliseconds / 1000.0);
            }
        }
        if let Some(extractor) = &task.extractor {
            let labels = vec![
                ("task", task.name.clone()),
                ("backbone", task.backbone.clone()),
                ("extractor", extractor.clone()),
            ];
            extractors.get_or_create(&labels).set(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use std::time::Duration;

    use crate::daemon::view::LineView;
    use crate::daemon::vitals::{answered, latency};
    use crate::door::tests::view;

    #[test]
    fn what_the_view_says_is_there_in_base_units() {
        let mut view = view();
        view.tasks[0].looks[0].milliseconds = Some(25.0);
        view.sources[0].line = Some(LineView { readings: 900, lost: 2, ..LineView::default() });
        view.tasks[0].classes[0].name = "a \"quoted\"\nname".to_owned();
        let vitals = Vitals {
            lacks: vec!["the webhook answered 503".to_owned()],
            stages: vec![("writer", Duration::from_millis(1500))],
            shed: vec![("frame", 3)],
            latency: latency(),
            ..Vitals::default()
        };
        for milliseconds in [4.0, 40.0, 60_000.0] {
            answered(&vitals.latency, "gate", "yard", milliseconds);
        }
        let text = text(&view, &vitals).unwrap();
        for line in [
            "acclimate_build_info{version=\"0.1.0\"} 1",
            "acclimate_start_time_seconds 1795946400.0",
            "acclimate_degraded_reasons 1.0",
            "acclimate_shed_total{what=\"frame\"} 3",
            "acclimate_stage_busy_seconds{stage=\"writer\"} 1.5",
            "acclimate_picture_to_answer_seconds_bucket{le=\"0.005\",task=\"gate\",source=\"yard\"} 1",
            "acclimate_picture_to_answer_seconds_bucket{le=\"10.0\",task=\"gate\",source=\"yard\"} 2",
            "acclimate_picture_to_answer_seconds_bucket{le=\"+Inf\",task=\"gate\",source=\"yard\"} 3",
            "acclimate_picture_to_answer_seconds_count{task=\"gate\",source=\"yard\"} 3",
            "acclimate_picture_to_answer_seconds_sum{task=\"gate\",source=\"yard\"} 60.044",
            "acclimate_source_frames_total{source=\"yard\",kind=\"camera\"} 812",
            "acclimate_source_health{source=\"yard\",health=\"running\"} 1.0",
            "acclimate_source_health{source=\"yard\",health=\"lost\"} 0.0",
            "acclimate_source_line_readings_total{source=\"yard\"} 900",
            "acclimate_source_line_lost_readings_total{source=\"yard\"} 2",
            "acclimate_task_generation{task=\"gate\"} 3.0",
            "acclimate_task_accuracy_ratio{task=\"gate\"} 0.93",
            "acclimate_task_accuracy_low_ratio{task=\"gate\"} 0.86",
            "acclimate_task_samples{task=\"gate\",class=\"a \\\"quoted\\\"\\nname\"} 41.0",
            "acclimate_task_answer_seconds{task=\"gate\",source=\"yard\"} 0.025",
            "acclimate_task_extractor_info{task=\"gate\",backbone=\"builtin-picture-1\",extractor=\"ort 1.31.1 (cpu, f32)\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
