//! The add-on for Home Assistant, as far as that can be told without its supervisor: its files agree with each other and with this
//! version, and what its options say is what the program then has set.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use acclimate_tests::checkout;
use acclimate_tests::device::Device;
use acclimate_tests::program::acclimate;
use serde_json::{Value, json};

fn file(name: &str) -> String {
    let path = checkout().join("packaging/home-assistant").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The entries below a key of a YAML file: as far as the add-on's files use the language.
fn entries(text: &str, below: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines().skip_while(|line| *line != format!("{below}:")).skip(1);
    let inside = lines.by_ref().take_while(|line| line.starts_with(' '));
    let entry = |line: &str| {
        let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
        let (key, value) = line.split_once(':')?;
        Some((key.to_owned(), value.trim().trim_matches('"').to_owned()))
    };
    inside.filter_map(entry).collect()
}

fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("there is no {key}")).trim_matches('"')
}

#[test]
fn version_options_words_and_documentation_agree() {
    let config = file("config.yaml");
    let workspace = fs::read_to_string(checkout().join("Cargo.toml")).unwrap();
    let version = workspace.lines().find_map(|line| line.strip_prefix("version = ")).unwrap().trim_matches('"');
    assert_eq!(value(&config, "version"), version);
    let schema = entries(&config, "schema");
    let options = entries(&config, "options");
    assert!(schema.len() > 5 && !options.is_empty(), "{schema:?}");
    for (option, kind) in &schema {
        assert_eq!(options.contains_key(option), !kind.ends_with('?'), "`{option}` has a default, or may be left out");
    }
    assert!(options.keys().all(|option| schema.contains_key(option)), "{options:?}");
    let known: Vec<&String> = schema.keys().collect();
    for language in ["de", "en"] {
        let words = entries(&file(&format!("translations/{language}.yaml")), "configuration");
        assert_eq!(words.keys().collect::<Vec<_>>(), known, "{language}");
    }
    let (documented, script) = (file("DOCS.md"), file("rootfs/etc/services.d/acclimate/run"));
    for option in known {
        assert!(documented.contains(&format!("`{option}`")), "{option} is not in DOCS.md");
        assert!(script.contains(&format!("bashio::config {option})")), "{option} does nothing");
    }
    let door = file("rootfs/etc/nginx/ingress.conf");
    assert!(door.contains(&format!("listen {};", value(&config, "ingress_port"))));
    for header in ["Forwarded", "Origin", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"] {
        assert!(door.contains(&format!("proxy_set_header {header} \"\";")), "{header} would take the trust away");
    }
    for architecture in entries(&format!("{}\n", file("build.yaml")), "build_from").keys() {
        assert!(config.contains(&format!("  - {architecture}\n")), "{architecture}");
    }
}

/// What `bashio` gives a script, from `OPTIONS` and `SERVICE`, which hold `name=value` lines.
const BASHIO: &str = r#"
of() { printf '%s\n' "$1" | sed -n "s/^$2=//p"; }
bashio::config() { of "$OPTIONS" "$1"; }
bashio::config.has_value() { [ -n "$(of "$OPTIONS" "$1")" ]; }
bashio::services.available() { [ -n "$SERVICE" ]; }
bashio::services() { of "$SERVICE" "$2"; }
bashio::var.true() { [ "$1" = true ]; }
bashio::log.warning() { echo "$@" >&2; }
"#;

/// What the program has set where the add-on's options are these, and how much it is told to log.
fn set(options: &str, service: &str) -> (Value, String) {
    let device = Device::new();
    let stub = device.file("bashio.sh", BASHIO.as_bytes());
    // As the program, but that it says what it has set instead of running.
    let program = format!(
        "#!/bin/sh\ncase \"$*\" in\nrun) echo \"$ACCLIMATE_LOG\" > '{}'; exec '{1}' --json config show ;;\n*) exec '{1}' \"$@\" ;;\nesac\n",
        device.path("level").display(),
        acclimate().display()
    );
    let program = device.file("bin/acclimate", program.as_bytes());
    assert!(Command::new("chmod").arg("755").arg(&program).status().unwrap().success());
    let path = std::env::var("PATH").unwrap();
    let script: PathBuf = checkout().join("packaging/home-assistant/rootfs/etc/services.d/acclimate/run");
    let output = Command::new("bash")
        .arg(script)
        .env("BASH_ENV", stub)
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .env("OPTIONS", options)
        .env("SERVICE", service)
        .env("ACCLIMATE_CONFIG", device.path("acclimate.toml"))
        .env("ACCLIMATE_DATA_DIR", device.path("store"))
        .env("PASSWORD_FILE", device.path("password"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{options}: {errors}");
    assert!(device.path("acclimate.toml").is_file(), "a file to begin with is written");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let settings = shown["settings"].as_array().unwrap_or_else(|| panic!("{shown}")).clone();
    // What a variable says is shown as it stands there.
    let read = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| value.clone());
    let setting = |one: &Value| Some((one["key"].as_str()?.to_owned(), read(&one["value"])));
    let mut settings: serde_json::Map<String, Value> = settings.iter().filter_map(setting).collect();
    if let Ok(password) = fs::read_to_string(device.path("password")) {
        settings.insert("password".to_owned(), password.into());
    }
    (Value::Object(settings), fs::read_to_string(device.path("level")).unwrap())
}

#[test]
fn what_the_options_say_is_what_the_program_has_set() {
    let house = "host=core-mosquitto\nport=1883\nssl=false\nusername=addons\npassword=se cret\n";
    let (settings, level) = set("home_assistant=true\npictures=false\nlog_level=info\n", house);
    for (key, expected) in [
        ("http.listen", json!("127.0.0.1:7070")),
        ("mqtt.url", json!("mqtt://core-mosquitto:1883")),
        ("mqtt.user", json!("addons")),
        ("mqtt.home_assistant", json!(true)),
        ("mqtt.pictures", json!(false)),
        ("mqtt.prefix", json!("acclimate")),
        ("password", json!("se cret")),
    ] {
        assert_eq!(settings[key], expected, "{key}");
    }
    assert_eq!(level.trim(), "", "the daemon's own");
    let options = "home_assistant=false\npictures=true\nlog_level=error\nafter_labels=5\ndevice_id=shed\n\
                   mqtt_url=mqtts://broker.example:8883\nmqtt_user=me\nmqtt_password=x\nmqtt_prefix=garden\n";
    let (settings, level) = set(options, house);
    for (key, expected) in [
        ("adapt.after_labels", json!(5)),
        ("device.id", json!("shed")),
        ("mqtt.url", json!("mqtts://broker.example:8883")),
        ("mqtt.user", json!("me")),
        ("mqtt.home_assistant", json!(false)),
        ("mqtt.pictures", json!(true)),
        ("mqtt.prefix", json!("garden")),
        ("password", json!("x")),
    ] {
        assert_eq!(settings[key], expected, "{key}");
    }
    assert_eq!(level.trim(), "error");
    let (settings, _) = set("home_assistant=true\npictures=false\nlog_level=warning\n", "");
    assert_eq!(settings["mqtt.url"], Value::Null, "no broker, and the page works");
}
