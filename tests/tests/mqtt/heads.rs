//! Heads that travel over a broker: taught on one device, live on another, judged there and taken back; and everything that
//! somebody else could put on the broker in their place.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::mosquitto::{self, Broker, Listener, Setup};
use serde_json::{Value, json};

use crate::heads_travel::{contradict, taught, trust};

fn config(device: &Device, id: &str, broker: &Broker, more: &str) -> PathBuf {
    let text = format!("[device]\nid = \"{id}\"\n[http]\nlisten = \"127.0.0.1:0\"\n{}{more}", broker.section());
    device.file("acclimate.toml", text.as_bytes())
}

/// What all devices say in words.
fn listen(broker: &Broker) -> Listener {
    broker.listen(&["acclimate/+/status", "acclimate/+/event/+", "acclimate/+/rsp/+"], &[])
}

fn generation(view: &Value) -> &Value {
    &view["tasks"][0]["generation"]
}

/// A head as the broker keeps it: its manifest and its parts.
#[derive(Clone)]
struct Kept {
    manifest: Vec<u8>,
    parts: Vec<Vec<u8>>,
}

/// Waits until the broker has a head of a device's, and takes it from there: nothing of it is kept after that.
fn take(broker: &Broker, device: &str) -> Kept {
    let base = format!("acclimate/{device}/parts/head");
    let get = |topic: &str| {
        let mut command = Command::new("mosquitto_sub");
        command.args(broker.arguments()).args(["-C", "1", "-W", "60", "-N", "-F", "%x", "-t", topic]);
        let output = command.stdin(Stdio::null()).output().expect("there is mosquitto_sub");
        assert!(output.status.success(), "nothing came on {topic}");
        broker.publish(topic, "", &["-r"]);
        let hex = String::from_utf8(output.stdout).unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.trim().len()).step_by(2).map(byte).collect::<Vec<u8>>()
    };
    let listener = listen(broker);
    listener.until_online(0, device);
    broker.publish(&format!("acclimate/{device}/cmd/publish"), r#"{"task":"parts"}"#, &[]);
    let (_, answer) = listener.wait_for_json(0, &format!("acclimate/{device}/rsp/publish"));
    let said = (&answer["status"], &answer["data"]["topic"], &answer["data"]["published"]["device"]);
    assert_eq!(said, (&json!("ok"), &json!(base), &json!(device)), "{answer}");
    let parts = answer["data"]["parts"].as_u64().unwrap();
    // The last part comes last.
    let last = get(&format!("{base}/{}", parts - 1));
    let mut parts: Vec<Vec<u8>> = (0..parts - 1).map(|part| get(&format!("{base}/{part}"))).collect();
    parts.push(last);
    Kept { manifest: get(&base), parts }
}

/// Puts bytes on the broker as a device would.
fn put(broker: &Broker, topic: &str, bytes: &[u8]) {
    let file = broker.path("payload");
    std::fs::write(&file, bytes).unwrap();
    broker.publish_file(topic, &file, &["-r"]);
}

#[test]
fn taught_on_one_device_a_head_is_live_on_another_and_contrary_labels_take_it_back() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup::default());
    let (press, gate) = (Device::with_task(), Device::with_task());
    press.add_folders(&press.draw("first", 12, 1));
    let _ = press.run(["key", "generate"]).expect(0);
    trust(&gate, "press-7", &press);
    let listener = listen(&broker);
    let mut there = Daemon::start(&gate, &config(&gate, "gate-1", &broker, "heads_from = [\"press-7\"]\n"));
    let here = Daemon::start(&press, &config(&press, "press-7", &broker, "publish_heads = true\n"));
    for device in ["gate-1", "press-7"] {
        listener.until_online(0, device);
    }
    assert!(generation(&there.status()).is_null());

    broker.publish("acclimate/press-7/cmd/adapt", r#"{"task":"parts"}"#, &[]);
    let view = there.wait_until(|view| *generation(view) == json!(1));
    assert_eq!(view["tasks"][0]["unproved"], json!(true), "too few labels there could judge it");
    let (_, told) = listener.wait_for_json(0, "acclimate/gate-1/event/adapted");
    assert!(told["message"].as_str().unwrap().contains("press-7"), "{told}");
    assert_eq!(gate.json(["head", "list", "parts"])[0]["from"]["signer"], "press-7");

    // It is offered again, and nobody is told of what is known.
    broker.publish("acclimate/press-7/cmd/publish", "{}", &[]);
    let (_, answer) = listener.wait_for_json(0, "acclimate/press-7/rsp/publish");
    assert_eq!(answer["data"]["published"]["generation"], json!(1), "{answer}");
    // What was learnt elsewhere is not signed here.
    broker.publish("acclimate/gate-1/cmd/publish", "{}", &[]);
    let (_, answer) = listener.wait_for_json(0, "acclimate/gate-1/rsp/publish");
    assert_eq!(answer["status"], json!("error"), "{answer}");

    contradict(&gate, 3, 5);
    broker.publish("acclimate/gate-1/cmd/adapt", r#"{"task":"parts"}"#, &[]);
    let (_, answer) = listener.wait_for_json(0, "acclimate/gate-1/rsp/adapt");
    assert_eq!(answer["data"]["adaptation"]["taken_back"], json!(1), "{answer}");
    there.wait_until(|view| *generation(view) != json!(1));
    let refused = |(topic, _): &(String, String)| topic == "acclimate/gate-1/event/rejected";
    let rejected: Vec<_> = listener.heard().into_iter().filter(refused).collect();
    assert!(rejected.iter().all(|(_, payload)| payload.contains("taken_back")), "{rejected:?}");
    let _ = here.end().expect(0);
    let _ = there.end().expect(0);
}

#[test]
fn what_others_put_on_the_broker_is_refused_with_its_reason_and_parts_may_come_late() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup::default());
    // Many parts.
    let publisher = |device: &Device, id: &str| {
        let daemon = Daemon::start(device, &config(device, id, &broker, "max_packet = 4096\n"));
        let kept = take(&broker, id);
        let _ = daemon.end().expect(0);
        kept
    };
    let (press, stranger) = (taught(), taught());
    let foreign = publisher(&stranger, "stranger");
    let old = publisher(&press, "press-7");
    press.add_folders(&press.draw("second", 3, 2));
    let _ = press.run(["adapt", "parts", "--head", "ridge"]).expect(0);
    let new = publisher(&press, "press-7");
    assert!(new.parts.len() > 3, "{}", new.parts.len());

    let gate = Device::with_task();
    trust(&gate, "press-7", &press);
    let listener = listen(&broker);
    let from = config(&gate, "gate-1", &broker, "heads_from = [\"press-7\"]\n");
    let mut daemon = Daemon::start(&gate, &from);
    listener.until_online(0, "gate-1");
    let base = "acclimate/press-7/parts/head";
    let refused = |reason: &str, from: usize| {
        let is = |topic: &str, payload: &str| topic == "acclimate/gate-1/event/rejected" && payload.contains(reason);
        listener.wait_for(from, is).0
    };
    put(&broker, base, &foreign.manifest);
    let _ = refused("\"reason\":\"unknown_signer\"", 0);
    let mut flipped = new.manifest.clone();
    flipped[200] ^= 1;
    put(&broker, base, &flipped);
    let _ = refused("\"reason\":\"bad_signature\"", 0);
    put(&broker, base, b"not a head at all");
    let _ = refused("\"reason\":\"malformed\"", 0);

    // One bit of a part, and the last one is missing, while the device is killed.
    put(&broker, base, &new.manifest);
    let last = new.parts.len() - 1;
    for (part, bytes) in new.parts.iter().enumerate().take(last).rev() {
        let mut bytes = bytes.clone();
        bytes[10] ^= u8::from(part == 1);
        put(&broker, &format!("{base}/{part}"), &bytes);
    }
    let arriving = gate.data_dir().join("arriving");
    let kept = || {
        std::fs::read_dir(&arriving)
            .ok()?
            .next()?
            .ok()
            .map(|of| std::fs::read_dir(of.path()).map_or(0, Iterator::count))
    };
    // The manifest, and all parts but two.
    daemon.wait_until(|_| kept() == Some(1 + last - 1));
    assert!(generation(&daemon.status()).is_null());
    let _ = daemon.kill_after(std::time::Duration::ZERO);
    let mut daemon = Daemon::start(&gate, &from);
    put(&broker, &format!("{base}/1"), &new.parts[1]);
    put(&broker, &format!("{base}/{last}"), &new.parts[last]);
    daemon.wait_until(|view| *generation(view) == json!(1) && view["tasks"][0]["unproved"] == json!(true));
    daemon.wait_until(|_| kept().is_none());

    // An old one is none for a new one.
    let so_far = listener.heard().len();
    put(&broker, base, &old.manifest);
    let _ = refused("\"reason\":\"older\"", so_far);
    assert_eq!(*generation(&daemon.status()), json!(1), "the head in service stays");
    // It is told of once, however often the broker announces it.
    put(&broker, base, &old.manifest);
    broker.publish("acclimate/gate-1/cmd/health", "{}", &[]);
    let _ = listener.wait_for_json(so_far, "acclimate/gate-1/rsp/health");
    let told = listener.heard().into_iter().skip(so_far).filter(|(_, payload)| payload.contains("\"older\"")).count();
    assert_eq!(told, 1);
    let _ = daemon.end().expect(0);

    // Devices that come later find what the broker keeps, and judge for themselves.
    put(&broker, base, &new.manifest);
    let (signals, contrary) = (Device::new(), Device::with_task());
    let init = ["init", "parts", "--backbone", "builtin-signal-1", "--channels", "2", "--length", "32"];
    let _ = signals.run(init).expect(0);
    contradict(&contrary, 6, 5);
    let _ = contrary.run(["adapt", "parts"]).expect(0);
    for (device, id, reason) in [(signals, "gate-2", "other_backbone"), (contrary, "gate-3", "worse")] {
        trust(&device, "press-7", &press);
        let daemon = Daemon::start(&device, &config(&device, id, &broker, "heads_from = [\"press-7\"]\n"));
        let (_, told) = listener.wait_for_json(0, &format!("acclimate/{id}/event/rejected"));
        assert_eq!(told["reason"], json!(reason), "{told}");
        let _ = daemon.end().expect(0);
        let installed = device
            .json(["head", "list", "parts"])
            .as_array()
            .unwrap()
            .iter()
            .any(|head| head["in_service"] == true && head["origin"] == "installed");
        assert!(!installed, "the head in service stays");
    }
}

#[test]
fn a_head_that_is_learnt_while_a_broker_of_small_packets_is_away_arrives() {
    if !mosquitto::found() {
        return;
    }
    let mut broker = Broker::start(Setup { packet: Some(8 << 10), ..Setup::default() });
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    let mut there = Daemon::start(&gate, &config(&gate, "gate-1", &broker, "heads_from = [\"press-7\"]\n"));
    let mut here = Daemon::start(&press, &config(&press, "press-7", &broker, "publish_heads = true\n"));
    let away = |view: &Value| view["degraded"].to_string().contains("the MQTT broker is not connected");
    // What is in service at the start is offered, too.
    there.wait_until(|view| *generation(view) == json!(1));
    broker.kill();
    here.wait_until(away);
    press.add_folders(&press.draw("second", 3, 2));
    let learnt = here.ask(&json!({ "do": "adapt", "task": "parts" }));
    assert_eq!(learnt["adaptation"]["verdict"], json!("activated"), "{learnt}");
    broker.again();
    there.wait_until(|view| *generation(view) == json!(2));
    let _ = here.end().expect(0);
    let _ = there.end().expect(0);
}

/// Swings of so many windows, two pitches, in 16 channels: their features are large.
fn swings(device: &Device, windows: usize) -> PathBuf {
    for (class, pitch) in [("slow", 0.6), ("fast", 1.8)] {
        let header: Vec<String> = (0..16).map(|channel| format!("c{channel}")).collect();
        let mut text = header.join(",") + "\n";
        for at in 0..32 * windows {
            for channel in 0..16 {
                let end = if channel == 15 { '\n' } else { ',' };
                // Something that differs from window to window, and is no noise of a generator.
                let beat = 0.5 * (at as f64 * (0.013 + 0.001 * f64::from(channel))).sin();
                let _ = write!(text, "{:.3}{end}", (at as f64 * pitch + f64::from(channel)).sin() + beat);
            }
        }
        device.file(format!("swings/{class}/0.csv"), text.as_bytes());
    }
    device.path("swings")
}

#[test]
fn heads_of_256_kb_and_4_mb_go_through_packets_of_128_kib() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup { packet: Some(128 << 10), ..Setup::default() });
    for (name, windows, least) in [("small", 60, 256_000), ("large", 1250, 4_000_000)] {
        let (press, gate) = (Device::new(), Device::new());
        for device in [&press, &gate] {
            let init = ["init", "parts", "--backbone", "builtin-signal-1", "--channels", "16", "--length", "32"];
            let _ = device.run(init).expect(0);
        }
        press.add_folders(&swings(&press, windows));
        let _ = press.run(["adapt", "parts", "--head", "kernel"]).expect(0);
        let _ = press.run(["key", "generate"]).expect(0);
        trust(&gate, "press", &press);
        let (from, to) = (format!("{name}-press"), format!("{name}-gate"));
        let listener = listen(&broker);
        let mut there = Daemon::start(&gate, &config(&gate, &to, &broker, &format!("heads_from = [\"{from}\"]\n")));
        let here = Daemon::start(&press, &config(&press, &from, &broker, ""));
        for device in [&from, &to] {
            listener.until_online(0, device);
        }
        broker.publish(&format!("acclimate/{from}/cmd/publish"), "{}", &[]);
        let (_, answer) = listener.wait_for_json(0, &format!("acclimate/{from}/rsp/publish"));
        let bytes = answer["data"]["bytes"].as_u64().unwrap_or_default();
        assert!(bytes >= least, "{answer}");
        assert!(answer["data"]["parts"].as_u64() >= Some(bytes / (128 << 10)), "{answer}");
        there.wait_until(|view| *generation(view) == json!(1));
        let _ = here.end().expect(0);
        let _ = there.end().expect(0);
    }
}
