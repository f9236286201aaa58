//! An outage: results are queued while there is no broker, the daemon is killed meanwhile, the broker comes back without what it
//! remembered. 1,000 results; 100,000 in `cargo xtask soak outage`.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use acclimate_tests::daemon::Daemon;
use acclimate_tests::http;
use acclimate_tests::mosquitto::{self, Broker, Setup};
use acclimate_tests::program::resident;
use acclimate_tests::skip::soak;
use serde_json::Value;

use super::{Gate, ROOT, topic};

/// The daemon's pictures come as fast as it takes them.
fn config(gate: &Gate, mqtt: &str) -> std::path::PathBuf {
    let pictures = gate.device.draw("seen", 4, 5).join("disc");
    let text = format!(
        "[device]\nid = \"press-7\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"yard\"\nkind = \"replay\"\n\
         path = \"{}\"\nevery = \"1ms\"\n[[task]]\nname = \"gate\"\nfrom = [{{ source = \"yard\" }}]\nkeep = \"labelled\"\n\
         {mqtt}predictions = \"all\"\noutbox_mib = 256\n",
        pictures.display()
    );
    gate.device.file("outage.toml", text.as_bytes())
}

/// A number of the daemon's metrics; none until what it is of has begun.
fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let (_, text) = http::ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n"), "");
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.parse().ok()
}

/// Messages that it has not got rid of.
fn waiting(address: SocketAddr) -> Option<f64> {
    metric(address, "acclimate_mqtt_owed_messages")
}

fn size(path: &Path) -> u64 {
    ["", "-wal", "-shm"]
        .iter()
        .filter_map(|end| fs::metadata(format!("{}{end}", path.display())).ok())
        .map(|file| file.len())
        .sum()
}

#[test]
fn outage() {
    if !mosquitto::found() {
        return;
    }
    let results: f64 = if soak() { 100_000.0 } else { 1_000.0 };
    let mut broker = Broker::start(Setup::default());
    let gate = Gate::new();
    let config = config(&gate, &broker.section());
    let outbox = gate.device.data_dir().join("mqtt.db");
    let mut daemon = Daemon::start(&gate.device, &config);
    let address = daemon.address();
    daemon.wait_until(|_| metric(address, "acclimate_mqtt_connected") > Some(0.0));
    broker.kill();
    daemon.wait_until(|view| view["degraded"].to_string().contains("MQTT broker is not connected"));
    // One half is queued by a daemon that is killed, the other by the next one.
    let grown = |daemon: &mut Daemon, wanted: f64| {
        let (address, id) = (daemon.address(), daemon.id());
        daemon.wait_until(|_| waiting(address).is_some());
        let owed = || waiting(address).expect("it has begun");
        // What it needs anyway it has by now.
        let half = owed() + (wanted - owed()) / 2.0;
        let mut until = |more: f64| {
            // Asked seldom: who asks takes the time of whom he asks.
            while owed() < more {
                let frames = |view: &Value| view["sources"][0]["frames"].as_u64().unwrap_or_default();
                let seen = frames(&daemon.status());
                daemon.wait_until(|view| frames(view) >= seen + 100);
            }
        };
        until(half);
        let warm = resident(id);
        until(wanted);
        (owed(), resident(id).saturating_sub(warm))
    };
    let (first, growth) = grown(&mut daemon, results / 2.0);
    println!("outage: {first} queued, {growth} bytes of memory more for the last half of them");
    let _ = daemon.kill_after(Duration::ZERO);
    let mut daemon = Daemon::start(&gate.device, &config);
    let (owed, growth) = grown(&mut daemon, results);
    println!("outage: {owed} queued, {growth} bytes of memory more; {} bytes on the disk", size(&outbox));
    assert!(growth < 5_000_000, "{growth}");
    assert!(size(&outbox) < 256 << 20);
    let _ = daemon.kill_after(Duration::ZERO);

    broker.again();
    let listener = broker.listen(&[&format!("{ROOT}/#"), "probe"], &["-q", "1"]);
    broker.publish("probe", "retained", &["-r"]);
    listener.wait_for(0, |heard, _| heard == "probe");
    let daemon = Daemon::start(&gate.device, &config);
    let address = daemon.address();
    // What is said of itself last comes after everything that was owed: values first, then what is owed, in order.
    let drained = |listener: &mosquitto::Listener| {
        let heard = listener.heard();
        heard.iter().filter(|(heard, _)| *heard == topic("gate/prediction")).count() as f64 >= owed
            && waiting(address).is_some_and(|waiting| waiting < 500.0)
    };
    let began = std::time::Instant::now();
    while !drained(&listener) {
        assert!(began.elapsed() < Duration::from_mins(if soak() { 30 } else { 3 }), "it is not all told");
        listener.wait_for(0, |_, _| true);
    }
    println!("outage: told within {:?}", began.elapsed());

    // By each start of the daemon: counted from one to the next without a gap, in order of their first arrival.
    let mut starts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let (mut duplicates, mut told) = (0, 0);
    for (heard, payload) in listener.heard() {
        if heard != topic("gate/prediction") {
            continue;
        }
        told += 1;
        let payload: Value = serde_json::from_str(&payload).unwrap();
        let (start, count) = payload["uid"].as_str().unwrap().rsplit_once('-').unwrap();
        let count: u64 = count.parse().unwrap();
        let (last, all) = starts.entry(start.to_owned()).or_insert((count - 1, 0));
        if count <= *last {
            duplicates += 1;
            continue;
        }
        // Events of the same start are counted as well; few.
        assert!(count - *last <= 4, "{} are missing after {last} of {start}", count - *last - 1);
        (*last, *all) = (count, *all + 1);
    }
    println!("outage: {told} told, {duplicates} of them twice, of {} starts", starts.len());
    assert!(duplicates <= 16, "{duplicates}");
    assert!(starts.len() >= 3, "{starts:?}");
    let _ = daemon.kill_after(Duration::ZERO);
}
