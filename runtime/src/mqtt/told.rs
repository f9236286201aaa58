//! What happens in the daemon, as messages: the newest values, which the broker keeps, and what is told once. Pure; the JSON
//! of each topic is a type here.

use serde::Serialize;

use super::message::Message;
use super::places::places;
use super::session::NOT_CONNECTED;
use super::topics::Topics;
use crate::daemon::notice::{Event, Notice, Prediction, State};
use crate::daemon::view::{LookView, TaskView, View};
use crate::record::InstallRecord;

/// `<root>/info`.
#[derive(Debug, Serialize)]
struct Info<'a> {
    device: &'a str,
    version: &'a str,
    started: &'a str,
    /// Null where nobody tells.
    clock_synchronised: Option<bool>,
    /// What does not work as it should, in words.
    degraded: Vec<&'a str>,
    sources: Vec<&'a str>,
    tasks: Vec<TaskInfo<'a>>,
}

#[derive(Debug, Serialize)]
struct TaskInfo<'a> {
    task: &'a str,
    backbone: &'a str,
    extractor: Option<&'a str>,
    classes: Vec<&'a str>,
    samples: usize,
    unlabelled: usize,
    generation: Option<u32>,
    accuracy: Option<[f64; 3]>,
    /// Whether it adapts by itself.
    adapts: bool,
    /// The confidence below which every answer is `unknown`; 0 for none.
    threshold: f64,
}

/// `<root>/<task>/state`.
#[derive(Debug, Serialize)]
struct Stable<'a> {
    class: &'a str,
    confidence: f64,
    unknown: bool,
    generation: u32,
    /// On samples that the head was not fitted on.
    accuracy: Option<f64>,
    drift: bool,
    /// Since when.
    time: &'a str,
}

/// `<root>/<task>/prediction`.
#[derive(Debug, Serialize)]
struct Predicted<'a> {
    uid: &'a str,
    time: &'a str,
    task: &'a str,
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crop: Option<[f64; 4]>,
    class: &'a str,
    confidence: f64,
    unknown: bool,
    scores: &'a std::collections::BTreeMap<String, f64>,
    generation: u32,
}

/// `<root>/event/<kind>`: the notice, with a name that no other has.
#[derive(Debug, Serialize)]
struct Announced<'a> {
    uid: &'a str,
    device: &'a str,
    #[serde(flatten)]
    notice: &'a Notice,
}

/// The same, of what the daemon was never asked: it has no number among the daemon's notices.
#[derive(Debug, Serialize)]
struct Own<'a> {
    uid: &'a str,
    device: &'a str,
    time: String,
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    message: &'a str,
}

/// The version, tasks and classes; the broker keeps it.
pub(super) fn info(topics: &Topics, view: &View, clock_synchronised: Option<bool>) -> Message {
    fn task(task: &TaskView) -> TaskInfo<'_> {
        TaskInfo {
            task: &task.name,
            backbone: &task.backbone,
            extractor: task.extractor.as_deref(),
            classes: task.classes.iter().map(|class| class.name.as_str()).collect(),
            samples: task.classes.iter().map(|class| class.samples).sum(),
            unlabelled: task.unlabelled,
            generation: task.generation,
            accuracy: task.accuracy,
            adapts: task.adapts,
            threshold: task.threshold,
        }
    }
    let info = Info {
        device: &view.device,
        version: &view.version,
        started: &view.started,
        clock_synchronised,
        // Whoever reads it knows better.
        degraded: view.degraded.iter().map(String::as_str).filter(|why| !why.starts_with(NOT_CONNECTED)).collect(),
        sources: view.sources.iter().map(|source| source.name.as_str()).collect(),
        tasks: view.tasks.iter().map(task).collect(),
    };
    Message::json(topics.own("info"), &info).retained()
}

/// The stable answers that there are; the broker keeps them.
pub(super) fn states(topics: &Topics, view: &View) -> Vec<Message> {
    view.tasks.iter().flat_map(|task| states_of(topics, task)).collect()
}

fn states_of(topics: &Topics, task: &TaskView) -> Vec<Message> {
    let message = |(look, place): (&LookView, Option<String>)| {
        let state = look.stable.as_ref()?;
        let topic = topics.state(&task.name, place.as_deref());
        let State { class, confidence, unknown, scores: _, generation, since } = state;
        let stable = Stable {
            class,
            confidence: *confidence,
            unknown: *unknown,
            generation: *generation,
            accuracy: task.accuracy.map(|[accuracy, ..]| accuracy),
            drift: task.drifted,
            time: since,
        };
        Some(Message::json(topic, &stable).retained())
    };
    task.looks.iter().zip(places(task)).filter_map(message).collect()
}

/// One answer of many.
pub(super) fn prediction(topics: &Topics, uid: String, prediction: &Prediction) -> Message {
    let Prediction { time, task, source, crop, state } = prediction;
    predicted(topics, uid, time, task, Some(source), *crop, state)
}

/// A changed answer as a prediction, anything else as an event.
pub(super) fn notice(topics: &Topics, uid: String, device: &str, notice: &Notice) -> Message {
    if let (Event::Changed, Some(task), Some(state)) = (notice.event, &notice.task, &notice.state) {
        return predicted(topics, uid, &notice.time, task, notice.source.as_deref(), None, state);
    }
    let topic = topics.own(&format!("event/{}", notice.event.word()));
    let message = Message::json(topic, &Announced { uid: &uid, device, notice });
    Message { uid: Some(uid), ..message }
}

/// That another device's head was refused before the daemon had it.
pub(super) fn rejected(topics: &Topics, uid: String, device: &str, record: &InstallRecord) -> Message {
    let reason = record.reasons.first().map(String::as_str);
    own(topics, uid, device, Event::Rejected, (Some(&record.task), reason, &record.sentence()))
}

/// What of the broker itself needs a person.
pub(super) fn problem(topics: &Topics, uid: String, device: &str, why: &str) -> Message {
    own(topics, uid, device, Event::Problem, (None, None, why))
}

fn own(
    topics: &Topics,
    uid: String,
    device: &str,
    event: Event,
    (task, reason, message): (Option<&str>, Option<&str>, &str),
) -> Message {
    let time = jiff::Timestamp::now().to_string();
    let own = Own { uid: &uid, device, time, event, task, reason, message };
    let message = Message::json(topics.own(&format!("event/{}", event.word())), &own);
    Message { uid: Some(uid), ..message }
}

fn predicted(
    topics: &Topics,
    uid: String,
    time: &str,
    task: &str,
    source: Option<&str>,
    crop: Option<[f64; 4]>,
    state: &State,
) -> Message {
    let State { class, confidence, unknown, scores, generation, since: _ } = state;
    let (confidence, unknown, generation) = (*confidence, *unknown, *generation);
    let predicted = Predicted { uid: &uid, time, task, source, crop, class, confidence, unknown, scores, generation };
    let message = Message::json(topics.own(&format!("{task}/prediction")), &predicted);
    Message { uid: Some(uid), ..message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use serde_json::{Value, json};

    use super::*;
    use crate::daemon::command::Look;

    fn topics() -> Topics {
        Topics::new("acclimate", "press-7", None, &[])
    }

    fn state(class: &str) -> State {
        State {
            class: class.to_owned(),
            confidence: 0.9,
            unknown: false,
            scores: [(class.to_owned(), 0.9)].into(),
            generation: 3,
            since: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    fn look(source: &str, stable: Option<State>) -> LookView {
        let look = Look { source: source.to_owned(), crop: None };
        LookView { look, now: None, stable, milliseconds: None }
    }

    fn view(looks: Vec<LookView>) -> View {
        let mut view = crate::door::tests::view();
        view.tasks[0].looks = looks;
        view.tasks[0].accuracy = Some([0.97, 0.9, 0.99]);
        view
    }

    fn document(message: &Message) -> Value {
        serde_json::from_slice(&message.payload).unwrap()
    }

    #[test]
    fn each_source_of_several_has_a_state_of_its_own_and_so_has_each_region() {
        let topic = |message: &Message| message.topic.clone();
        let one = states(&topics(), &view(vec![look("yard", Some(state("open")))]));
        assert_eq!(one.iter().map(topic).collect::<Vec<_>>(), ["acclimate/press-7/gate/state"]);
        assert!(one[0].retain);
        let expected = json!({ "class": "open", "confidence": 0.9, "unknown": false, "generation": 3, "accuracy": 0.97,
            "drift": false, "time": "2026-01-01T00:00:00Z" });
        assert_eq!(document(&one[0]), expected);
        let looks = vec![
            look("yard", Some(state("open"))),
            look("yard", Some(state("closed"))),
            look("door", Some(state("open"))),
            look("roof", None),
        ];
        let several = states(&topics(), &view(looks));
        assert_eq!(
            several.iter().map(topic).collect::<Vec<_>>(),
            [
                "acclimate/press-7/gate/yard/state",
                "acclimate/press-7/gate/yard-2/state",
                "acclimate/press-7/gate/door/state"
            ]
        );
    }

    #[test]
    fn a_changed_answer_is_a_prediction_and_anything_else_an_event() {
        let mut told = crate::sink::tests::notice(7, "open");
        let message = notice(&topics(), "ab-1".to_owned(), "press-7", &told);
        assert_eq!((message.topic.as_str(), message.retain), ("acclimate/press-7/gate/prediction", false));
        assert_eq!(message.uid.as_deref(), Some("ab-1"));
        let expected = json!({ "uid": "ab-1", "time": "2026-01-01T00:00:00Z", "task": "gate", "source": "yard",
            "class": "open", "confidence": 0.9, "unknown": false, "scores": { "open": 0.9 }, "generation": 3 });
        assert_eq!(document(&message), expected);
        told.event = Event::LabelWanted;
        told.state = None;
        let message = notice(&topics(), "ab-2".to_owned(), "press-7", &told);
        assert_eq!(message.topic, "acclimate/press-7/event/label_wanted");
        let expected = json!({ "uid": "ab-2", "device": "press-7", "id": 7, "time": "2026-01-01T00:00:00Z",
            "event": "label_wanted", "task": "gate", "source": "yard", "message": "gate is open" });
        assert_eq!(document(&message), expected);
    }

    #[test]
    fn info_says_what_there_is() {
        let mut view = view(Vec::new());
        view.degraded = vec![format!("{NOT_CONNECTED}: it sleeps"), "the disk is full".to_owned()];
        let info = info(&topics(), &view, Some(true));
        let document = document(&info);
        assert_eq!((info.topic.as_str(), info.retain), ("acclimate/press-7/info", true));
        assert_eq!(document["clock_synchronised"], json!(true));
        assert_eq!(document["tasks"][0]["task"], json!("gate"));
        assert_eq!(document["degraded"], json!(["the disk is full"]));
        assert!(document["tasks"][0]["classes"].is_array());
    }
}
