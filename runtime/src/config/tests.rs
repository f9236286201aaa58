//! The configuration as a whole: what is right, what is wrong and how that is said, what comes from where.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;

use super::*;
use crate::daemon::notice::Event;
use crate::name::is_name;

/// The default file with every commented key in force.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    DEFAULT.lines().map(line).collect()
}

fn mistakes(text: &str) -> Vec<Mistake> {
    match Config::parse(text).unwrap_err() {
        ConfigError::Wrong { mistakes, .. } => mistakes,
        error @ ConfigError::Read { .. } => panic!("{error}"),
    }
}

/// The one mistake of a text: its line, its key, its message with what was expected and what may have been meant.
fn mistake(text: &str) -> (usize, String, String) {
    let mistakes = mistakes(text);
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
    let help = mistake.help.clone().unwrap_or_default();
    (mistake.line, mistake.key.clone(), format!("{}: {}: {help}", mistake.message, mistake.expected))
}

#[track_caller]
fn wrong(text: &str, line: usize, key: &str, words: &[&str]) {
    let (found_line, found_key, said) = mistake(text);
    assert_eq!((found_line, found_key.as_str()), (line, key), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

const CAMERA: &str = "[[source]]\nname = \"yard\"\nkind = \"camera\"\n";

#[test]
fn every_key_is_optional() {
    let config = Config::parse("[backbone]\nengine = \"tract\"\n[adapt]\nbudget_ms = 500").unwrap();
    assert_eq!(config.adapt.budget_ms, Some(500));
    assert_eq!(config.backbone.engine, EngineName::Tract);
    assert!(is_name(&config.device_id()), "{}", config.device_id());
    assert_eq!(Config::parse("").unwrap().http.listen, None);
}

#[test]
fn the_default_file_passes_and_so_it_does_with_every_key_in_force() {
    use SourceKind::{Camera, Command, Folder, Http, Mqtt, Replay, Serial};
    let bare = Config::parse(DEFAULT).unwrap();
    assert!(bare.source.is_empty() && bare.device.id.is_none());
    let full = Config::parse(&uncommented()).unwrap();
    let kinds: Vec<SourceKind> = full.source.iter().map(|source| source.kind).collect();
    assert_eq!(kinds, [Camera, Command, Folder, Http, Mqtt, Mqtt, Replay, Serial]);
    assert_eq!(full.source[0].mask, [[[0.0, 0.0], [0.3, 0.0], [0.0, 0.3]]]);
    assert_eq!(full.source[1].size, Some([640, 480]));
    assert_eq!(full.task[0].from[0].crop, Some([0.71, 0.40, 0.18, 0.22]));
    assert_eq!(full.adapt.at_most_every.unwrap().to_string(), "1min");
    let events = [&[Event::Changed][..], &[Event::Changed], &[Event::Changed], &[Event::Changed, Event::LabelWanted]];
    assert_eq!(full.sink.iter().map(|sink| &sink.events[..]).collect::<Vec<_>>(), events);
    assert_eq!(full.sink[2].line, Some(17));
}

#[test]
fn the_schema_and_the_default_file_know_the_same_keys() {
    let schema = serde_json::to_value(Config::schema()).unwrap();
    let (entries, errors) = document::parse(0, &uncommented());
    assert!(errors.is_empty());
    let file = Value { place: Place { document: 0, start: 0, end: 0 }, kind: Kind::Table(entries) }.json();
    assert_eq!(misfit(&schema, &schema, &file, "acclimate.toml"), None);
    // And it refuses what the program refuses.
    for (pointer, value) in [
        ("/http/lisen", serde_json::json!("127.0.0.1:1")),
        ("/source/0/every", serde_json::json!("soon")),
        ("/source/0/kind", serde_json::json!("kamera")),
        ("/task/0/from/0/crop", serde_json::json!([0.1, 0.2])),
        ("/sink/0/line", serde_json::json!("seventeen")),
    ] {
        let mut file = file.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[key] = value;
        assert!(misfit(&schema, &schema, &file, "").is_some(), "{pointer}");
    }
    // What the schema knows, the default file shows.
    let shown = |section: &str, value: &serde_json::Value| -> Vec<String> {
        let tables: Vec<&serde_json::Value> = value.as_array().map_or(vec![value], |list| list.iter().collect());
        tables
            .iter()
            .flat_map(|table| table.as_object().unwrap().keys())
            .map(|key| format!("{section}.{key}"))
            .collect()
    };
    let in_file: std::collections::BTreeSet<String> =
        file.as_object().unwrap().iter().flat_map(|(section, value)| shown(section, value)).collect();
    let types = [
        ("adapt", "Adapt"),
        ("backbone", "Backbone"),
        ("device", "Device"),
        ("http", "Http"),
        ("mqtt", "Mqtt"),
        ("sink", "Sink"),
        ("source", "Source"),
        ("task", "Task"),
    ];
    let in_schema: std::collections::BTreeSet<String> = types
        .iter()
        .flat_map(|(section, name)| {
            let keys = schema["$defs"][name]["properties"].as_object().unwrap().keys();
            keys.map(move |key| format!("{section}.{key}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(in_file, in_schema);
}

/// Where a value does not fit a JSON Schema, as far as ours uses the language; a word that is not known here is a panic.
fn misfit(root: &serde_json::Value, schema: &serde_json::Value, value: &serde_json::Value, at: &str) -> Option<String> {
    let Some(words) = schema.as_object() else { return (schema == false).then(|| format!("{at} may not be there")) };
    words.iter().find_map(|(word, says)| {
        let fits = |schema| misfit(root, schema, value, at).is_none();
        let all = || says.as_array().unwrap().iter();
        let right = match word.as_str() {
            "$defs" | "$schema" | "default" | "description" | "format" | "title" => true,
            "$ref" => return misfit(root, root.pointer(says.as_str()?.strip_prefix('#')?).unwrap(), value, at),
            "additionalProperties" => value
                .as_object()
                .is_none_or(|object| object.keys().all(|key| words["properties"].get(key).is_some()) || says != false),
            "anyOf" => all().any(fits),
            "oneOf" => all().filter(|schema| fits(schema)).count() == 1,
            "const" => says == value,
            "enum" => all().any(|one| one == value),
            "items" => {
                return value
                    .as_array()?
                    .iter()
                    .enumerate()
                    .find_map(|(n, one)| misfit(root, says, one, &format!("{at}[{n}]")));
            }
            "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= says.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= says.as_u64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= says.as_f64().unwrap()),
            "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().unwrap()),
            // There is one pattern, that of times.
            "pattern" => value.as_str().is_none_or(|text| text.parse::<Interval>().is_ok()),
            "properties" => {
                let inside = |(key, schema)| misfit(root, schema, value.get(key)?, &format!("{at}.{key}"));
                return says.as_object()?.iter().find_map(inside);
            }
            "required" => all().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "type" => {
                let is = |name: &serde_json::Value| match name.as_str().unwrap() {
                    "array" => value.is_array(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "null" => value.is_null(),
                    "number" => value.is_number(),
                    "object" => value.is_object(),
                    "string" => value.is_string(),
                    name => panic!("{name}"),
                };
                says.as_array().map_or_else(|| is(says), |names| names.iter().any(is))
            }
            word => panic!("the schema says {word}, which this test does not know"),
        };
        (!right).then(|| format!("{at}: {word} {says} for {value}"))
    })
}

#[test]
fn every_mistake_is_listed_at_once_with_its_line() {
    let text = "[backbone]\nengin = \"ort\"\n[http]\nlisten = \"0.0.0.0:7070\"\n[[source]]\nname = \"Yard\"\nkind = \"camera\"\nevery = \"soon\"\n[mqtt]\nurl = \"x\"\n";
    let error = Config::parse(text).unwrap_err();
    let ConfigError::Wrong { mistakes, report } = error else { panic!("{error}") };
    let lines: Vec<(usize, &str)> = mistakes.iter().map(|mistake| (mistake.line, mistake.key.as_str())).collect();
    let expected =
        [(2, "backbone.engin"), (4, "http.listen"), (6, "source.0.name"), (8, "source.0.every"), (10, "mqtt.url")];
    assert_eq!(lines, expected);
    let expected = "\
error: unknown key `engin` in [backbone]
 --> acclimate.toml:2:1
  |
2 | engin = \"ort\"
  | ^^^^^ known here: engine, name
  |
  = help: did you mean `engine`?";
    assert!(report.starts_with(expected), "{report}");
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    wrong("[htp]\n", 1, "htp", &["unknown section", "did you mean `http`?"]);
    wrong("[source]\nname = \"a\"", 1, "source", &["[[source]]"]);
    wrong("http = 3", 1, "http", &["the number 3", "[http]"]);
    wrong("[http]\nlisten = 7070", 2, "http.listen", &["an address and a port"]);
    wrong("[adapt]\nafter_labels = 0", 2, "adapt.after_labels", &["from 1 to"]);
    wrong("[adapt]\nafter_labels = \"5\"", 2, "adapt.after_labels", &["whole number"]);
    wrong("[adapt]\non_drift = \"yes\"", 2, "adapt.on_drift", &["true or false"]);
    wrong("[device]\nid = \"Press 7\"", 2, "device.id", &["a-z"]);
    wrong("[backbone]\nproviders = [\"cuda\"]", 2, "backbone.providers", &["not in this version"]);
    wrong("[backbone]\nengine = \"tracts\"", 2, "backbone.engine", &["did you mean \"tract\"?"]);
    wrong("[fleet]\nname = \"a\"", 1, "fleet", &["not in this version"]);
    wrong("[mqtt]\nurl = \"broker:1883\"", 2, "mqtt.url", &["mqtt://host:port"]);
    wrong("[mqtt]\nprefix = \"a//b\"", 2, "mqtt.prefix", &["a-z"]);
    wrong("[mqtt]\nkeep_alive = \"500ms\"", 2, "mqtt.keep_alive", &["2s to 18h"]);
    wrong("a = \n[http]", 1, "", &["not TOML"]);
}

#[test]
fn a_source_knows_the_keys_of_its_kind() {
    wrong("[[source]]\nkind = \"http\"", 1, "source.0.name", &["has no `name`"]);
    wrong("[[source]]\nname = \"a\"", 1, "source.a.kind", &["has no `kind`", "camera"]);
    wrong("[[source]]\nname = \"a\"\nkind = \"camra\"", 3, "source.a.kind", &["did you mean \"camera\"?"]);
    wrong(&format!("{CAMERA}path = \"/a\""), 4, "source.yard.path", &["kinds \"folder\" and \"replay\""]);
    wrong(&format!("{CAMERA}colour = 1"), 4, "source.yard.colour", &["unknown key", "every"]);
    wrong(&format!("{CAMERA}device = \"webcam\""), 4, "source.yard.device", &["/dev/video0", "rtsp://"]);
    wrong(&format!("{CAMERA}rotate = 45"), 4, "source.yard.rotate", &["0, 90, 180 or 270"]);
    wrong(&format!("{CAMERA}size = [0, 480]"), 4, "source.yard.size", &["1 to 16384"]);
    wrong(&format!("{CAMERA}mask = [[[0, 0], [1, 1]]]"), 4, "source.yard.mask", &["3 to 64 corners"]);
    wrong(&format!("{CAMERA}mask = [[[0, 0], [1, 1], [1, 2]]]"), 4, "source.yard.mask", &["fractions"]);
    wrong("[[source]]\nname = \"a\"\nkind = \"folder\"", 1, "source.a.path", &["has no `path`"]);
    wrong("[[source]]\nname = \"a\"\nkind = \"command\"\nargv = []", 4, "source.a.argv", &["a program"]);
    wrong("[[source]]\nname = \"a\"\nkind = \"command\"", 1, "source.a.argv", &["has no `argv`"]);
    let mqtt = "[[source]]\nname = \"a\"\nkind = \"mqtt\"";
    let with_broker = format!("[mqtt]\nurl = \"mqtt://b\"\n{mqtt}");
    wrong(&with_broker, 3, "source.a.topic", &["has no `topic`"]);
    wrong(&format!("{with_broker}\ntopic = \"a/#/b\""), 6, "source.a.topic", &["a part may be +"]);
    wrong(&format!("{mqtt}\ntopic = \"a/+\""), 2, "source.a.kind", &["there is none", "[mqtt]"]);
    let raw = "[[source]]\nname = \"a\"\nkind = \"command\"\nargv = [\"x\"]\nformat = \"rgb\"";
    wrong(raw, 1, "source.a.size", &["has no `size`"]);
}

#[test]
fn what_two_classes_are_elsewhere_is_a_device_class_and_one_of_them() {
    let task = "[[task]]\nname = \"gate\"\nclasses = [\"open\", \"shut\"]\n";
    let of = Config::parse(&format!("{task}device_class = \"garage_door\"\non_class = \"open\"")).unwrap();
    assert_eq!(
        (of.task[0].device_class.as_deref(), of.task[0].on_class.as_deref()),
        (Some("garage_door"), Some("open"))
    );
    wrong(&format!("{task}device_class = \"gate\""), 4, "task.gate.device_class", &["garage_door"]);
    wrong(&format!("{task}on_class = \"ajar\""), 4, "task.gate.on_class", &["none of `classes`"]);
}

#[test]
fn a_serial_source_and_the_sink_to_its_device_know_their_keys() {
    let serial = "[[source]]\nname = \"press\"\nkind = \"serial\"\nwindow = 96\n";
    let source = Config::parse(&format!("{serial}channels = [3, \"ay\"]\nrate_hz = 32\nspeaks = \"text\"")).unwrap();
    let source = &source.source[0];
    assert_eq!((source.device.as_deref(), source.window, source.dtr), (Some("auto"), Some(96), true));
    assert_eq!((source.channels.join(" "), source.rate_hz), ("3 ay".to_owned(), Some(32.0)));
    wrong("[[source]]\nname = \"press\"\nkind = \"serial\"", 1, "source.press.window", &["has no `window`"]);
    wrong(&format!("{serial}device = \"ttyACM0\""), 5, "source.press.device", &["/dev/serial/by-id"]);
    wrong(&format!("{serial}baud = 0"), 5, "source.press.baud", &["from 50"]);
    wrong(&format!("{serial}channels = [0]"), 5, "source.press.channels", &["by name or by number from 1"]);
    wrong(&format!("{serial}rate_hz = -1"), 5, "source.press.rate_hz", &["above 0"]);
    wrong(&format!("{serial}speaks = \"txt\""), 5, "source.press.speaks", &["did you mean \"text\"?"]);
    wrong(&format!("{serial}size = [1, 1]"), 5, "source.press.size", &["kinds \"camera\" and \"command\""]);
    wrong(&format!("{CAMERA}baud = 9600"), 4, "source.yard.baud", &["kind \"serial\""]);
    let sink = "[[sink]]\ntask = \"gate\"\nkind = \"serial\"\n";
    assert!(Config::parse(&format!("{serial}{sink}source = \"press\"")).is_ok());
    wrong(&format!("{serial}{sink}"), 5, "sink.0.source", &["has no `source`"]);
    wrong(&format!("{serial}{sink}source = \"pres\""), 8, "sink.source", &["did you mean \"press\"?"]);
    wrong(&format!("{CAMERA}{sink}source = \"yard\""), 7, "sink.source", &["no serial source"]);
}

#[test]
fn a_source_of_kind_mqtt_takes_readings_where_json_pointers_say_where_they_are() {
    let head =
        "[mqtt]\nurl = \"mqtt://broker\"\n[[source]]\nname = \"pump\"\nkind = \"mqtt\"\ntopic = \"sensors/pump\"\n";
    let of = Config::parse(&format!("{head}readings = [\"/a~1b\", \"\"]\nwindow = 8\nstride = 4\n")).unwrap();
    let source = &of.source[0];
    assert_eq!((source.readings.join(" "), source.window, source.stride), ("/a~1b ".to_owned(), Some(8), Some(4)));
    wrong(&format!("{head}readings = [\"a\"]\nwindow = 8"), 7, "source.pump.readings", &["JSON pointers"]);
    wrong(&format!("{head}readings = [\"/a\"]"), 3, "source.pump.window", &["has no `window`"]);
    wrong(&format!("{head}window = 8"), 7, "source.pump.window", &["no `readings`"]);
    wrong(&format!("{CAMERA}readings = [\"/a\"]"), 4, "source.yard.readings", &["kind \"mqtt\""]);
}

#[test]
fn sections_must_fit_one_another() {
    let task = |from: &str| format!("{CAMERA}[[task]]\nname = \"gate\"\nfrom = [{from}]\n");
    assert_eq!(Config::parse(&task("{ source = \"yard\" }")).unwrap().task[0].from[0].crop, None);
    wrong(&task("{ source = \"yrd\" }"), 6, "task.gate.from", &["there is not", "did you mean \"yard\"?"]);
    wrong(&task("{ source = \"yard\", crop = [0.5, 0, 0.6, 1] }"), 6, "task.gate.from[0].crop", &["inside it"]);
    wrong(&task("{ source = \"yard\", crop = [0, 0, 0, 1] }"), 6, "task.gate.from[0].crop", &["inside it"]);
    wrong(&task("{ crop = [0, 0, 1, 1] }"), 6, "task.gate.from[0].source", &["has no `source`"]);
    wrong(&format!("{CAMERA}{CAMERA}"), 5, "source.yard.name", &["a second source", "acclimate.toml:2"]);
    let two = |device: &str| {
        format!("{CAMERA}device = \"{device}\"\n[[source]]\nname = \"b\"\nkind = \"camera\"\ndevice = \"{device}\"\n")
    };
    wrong(&two("/dev/video0"), 8, "source.b.device", &["`yard`"]);
    assert!(Config::parse(&two("http://cam/a.jpg")).is_ok());
    wrong("[[task]]\nname = \"status\"", 2, "task.status.name", &["MQTT"]);
    wrong("[[task]]\nname = \"a\"\nclasses = [\"x\", \"y\", \"x\"]", 3, "task.a.classes", &["twice"]);
    wrong("[http]\nlisten = \"0.0.0.0:80\"", 2, "http.listen", &["token_file"]);
    assert!(Config::parse("[http]\nlisten = \"0.0.0.0:80\"\ntoken_file = \"/t\"").is_ok());
    assert!(Config::parse("[http]\nlisten = \"[::1]:80\"").is_ok());
    wrong("[mqtt]\npassword_file = \"/p\"", 2, "mqtt.password_file", &["no `user`"]);
    wrong("[mqtt]\nprofile = \"aws-iot\"\nhome_assistant = true", 3, "mqtt.home_assistant", &["AWS IoT"]);
    wrong("[mqtt]\ncert = \"/c\"", 2, "mqtt.cert", &["no `key`"]);
    wrong("[mqtt]\nurl = \"mqtt://a\"\nca = \"/c\"", 3, "mqtt.ca", &["mqtts://"]);
    wrong("[mqtt]\ngroups = [\"a\"]", 2, "mqtt.groups", &["no `fleet`"]);
    wrong("[mqtt]\nheads_from = [\"fleet\"]", 2, "mqtt.heads_from", &["no `fleet`"]);
    wrong("[mqtt]\nheads_from = [\"press-7\", \"+\"]", 2, "mqtt.heads_from", &["no device"]);
    wrong("[[sink]]\ntask = \"a\"\nkind = \"webhook\"\nurl = \"automation\"", 4, "sink.0.url", &["http://"]);
    wrong("[[sink]]\ntask = \"a\"\nkind = \"gpio\"\nline = 3", 1, "sink.0.class", &["has no `class`"]);
    wrong(
        "[[sink]]\ntask = \"a\"\nkind = \"command\"\nargv = [\"x\"]\nevents = [\"chnaged\"]",
        5,
        "sink.0.events",
        &["\"changed\""],
    );
}

#[test]
fn files_and_variables_come_one_after_the_other_and_origins_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("acclimate.toml");
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(
        &main,
        format!("[device]\nid = \"main\"\n[adapt]\nafter_labels = 1\n{CAMERA}device = \"http://u:secret@cam/\"\n"),
    )
    .unwrap();
    fs::write(
        folder.path().join("conf.d/20-b.toml"),
        "[device]\nid = \"second\"\n[[source]]\nname = \"b\"\nkind = \"http\"\n",
    )
    .unwrap();
    fs::write(folder.path().join("conf.d/10-a.toml"), "[device]\nid = \"first\"\n[http]\nlisten = \"127.0.0.1:1\"\n")
        .unwrap();
    fs::write(folder.path().join("conf.d/not-this.toml.bak"), "nonsense").unwrap();
    let variables = vec![
        ("ACCLIMATE_HTTP_LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
        ("ACCLIMATE_ADAPT_AFTER_LABELS".to_owned(), "9".to_owned()),
    ];
    let from = From { named: Some(main.clone()), default: None, variables };
    let loaded = Config::load(&from).unwrap();
    assert_eq!(loaded.files.len(), 3);
    assert_eq!(loaded.config.device.id.as_deref(), Some("second"));
    assert_eq!(loaded.config.http.listen.unwrap().port(), 2);
    assert_eq!(loaded.config.adapt.after_labels, Some(9));
    assert_eq!(loaded.config.source.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["yard", "b"]);
    let origin = |key: &str| {
        let setting = loaded.settings.iter().find(|setting| setting.key == key).unwrap_or_else(|| panic!("{key}"));
        (setting.value.clone(), setting.from.replace(&folder.path().display().to_string(), ""))
    };
    assert_eq!(origin("device.id"), ("second".into(), "/conf.d/20-b.toml:2".to_owned()));
    assert_eq!(origin("http.listen"), ("127.0.0.1:2".into(), "ACCLIMATE_HTTP_LISTEN".to_owned()));
    assert_eq!(origin("backbone.engine"), ("auto".into(), "default".to_owned()));
    assert_eq!(origin("source.yard.device"), ("http://…@cam/".into(), "/acclimate.toml:8".to_owned()));
}

#[test]
fn a_wrong_variable_is_named_and_a_missing_file_matters_only_if_it_was_named() {
    let from = |named: Option<&str>, variables: &[(&str, &str)]| From {
        named: named.map(Into::into),
        default: Some("/nonexistent/default.toml".into()),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    assert!(Config::load(&from(None, &[])).unwrap().files.is_empty());
    let error = Config::load(&from(Some("/nonexistent/named.toml"), &[])).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/named.toml"), "{error}");
    let error =
        Config::load(&from(None, &[("ACCLIMATE_HTTP_LISEN", "x"), ("ACCLIMATE_ADAPT_ON_DRIFT", "maybe")])).unwrap_err();
    let ConfigError::Wrong { mistakes, report } = error else { panic!("{error}") };
    assert_eq!(mistakes.iter().map(|mistake| mistake.file.as_str()).collect::<Vec<_>>(), ["environment"; 2]);
    assert!(report.contains("did you mean `ACCLIMATE_HTTP_LISTEN`?"), "{report}");
    assert!(report.contains("ACCLIMATE_ADAPT_ON_DRIFT=maybe"), "{report}");
}

#[test]
fn a_broken_part_is_named_and_the_others_are_checked_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("acclimate.toml");
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(&main, "[device\n").unwrap();
    fs::write(folder.path().join("conf.d/a.toml"), "[device]\nid = 1\n").unwrap();
    let error = Config::load(&From { named: Some(main), ..From::default() }).unwrap_err();
    let ConfigError::Wrong { mistakes, .. } = error else { panic!("{error}") };
    assert!(mistakes.first().unwrap().message.contains("not TOML"), "{mistakes:#?}");
    assert_eq!(mistakes.last().unwrap().key, "device.id");
}

#[test]
fn a_device_has_a_name_that_cloned_cards_do_not_share() {
    assert_eq!(id_of("Press_7.local", ""), "press-7-local");
    let (one, other) = (id_of("pi", "0123"), id_of("pi", "4567"));
    assert_ne!(one, other);
    assert!(is_name(&one) && one.starts_with("pi-") && one.len() == 7, "{one}");
    assert!(is_name(&id_of(&"x".repeat(200), "0123")));
    assert_eq!(id_of("", ""), "device");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[\\[?(source|task|sink|http|adapt)\\]\\]?\n|[a-z_]{1,8} = |\"[a-zé]{0,6}\"|[0-9.\\-]{1,6}|\\{|\\}|\\[|\\]|,|\n|#){0,40}") {
        let _ = Config::parse(&text);
    }
}
