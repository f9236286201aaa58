//! A microcontroller from end to end: QEMU runs the example firmware, the daemon hears its accelerometer over a serial line, a
//! person says over the API what the machine has, and the firmware's lamp shows what the daemon answers.

use acclimate_tests::board::Board;
use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::http;
use serde_json::{Value, json};

/// The firmware's classes in the order of its keys.
const STATES: [&str; 4] = ["off", "normal", "imbalance", "bearing"];

/// Visits to each state, and windows learnt in each. A visit is a group: the machine's speed, load and fault are others in the next.
const VISITS: usize = 4;
const WINDOWS: u64 = 6;

/// Of windows in visits that took no part in the fit.
const ACCURACY: f64 = 0.95;

struct Shop {
    device: Device,
    board: Board,
    daemon: Daemon,
}

impl Shop {
    fn open() -> Option<Self> {
        let device = Device::new();
        let board = Board::start()?;
        let init = ["init", "parts", "--backbone", "builtin-signal-1", "--channels", "3", "--length", "128"];
        let _ = device.run(init).expect(0);
        let line = board.line().display();
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n\
             [[source]]\nname = \"machine\"\nkind = \"serial\"\ndevice = \"{line}\"\nwindow = 128\n\
             [[task]]\nname = \"parts\"\nfrom = [{{ source = \"machine\" }}]\nagree = 3\n\
             [[sink]]\ntask = \"parts\"\nkind = \"serial\"\nsource = \"machine\"\n"
        );
        let config = device.file("acclimate.toml", text.as_bytes());
        let daemon = Daemon::start(&device, &config);
        Some(Self { device, board, daemon })
    }

    /// A command over the network's API; the reply.
    #[track_caller]
    fn say(&self, command: &Value) -> Value {
        let address = self.daemon.address();
        let head = format!("POST /api/v1/command HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
        let (status, answer) = http::ask(address, &head, &command.to_string());
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(status, 200, "{command}: {answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body}"))
    }

    /// Switches the machine, and waits for windows that are of the new state alone.
    fn switch(&mut self, state: usize) {
        self.board.press(b'0' + state as u8);
        let windows = |view: &Value| view["sources"][0]["line"]["windows"].as_u64().unwrap_or(0);
        // The one that was being filled, one that waits to be looked at, and the ringing of what was before.
        let after = windows(&self.daemon.status()) + 4;
        self.daemon.wait_until(|view| windows(view) >= after);
    }

    fn teach(&mut self, state: usize) {
        self.switch(state);
        let hold =
            |hold| json!({ "do": "teach", "task": "parts", "source": "machine", "class": STATES[state], "hold": hold });
        self.say(&hold("begin"));
        self.daemon.wait_until(|view| view["tasks"][0]["teaching"]["frames"].as_u64() >= Some(WINDOWS));
        self.say(&hold("end"));
    }
}

#[test]
fn a_microcontroller_is_heard_taught_and_answered() {
    let Some(mut shop) = Shop::open() else { return };
    let view = shop.daemon.wait_until(|view| view["sources"][0]["line"]["windows"].as_u64() > Some(0));
    let line = &view["sources"][0]["line"];
    assert_eq!((&line["speaks"], &line["gaps"], &line["lost"]), (&json!("frames"), &json!(0), &json!(0)), "{line}");
    assert!(line["device"].as_str().is_some_and(|device| device.contains("machine")), "{line}");

    for _ in 0..VISITS {
        for state in 0..STATES.len() {
            shop.teach(state);
        }
    }
    let adapted = shop.device.json(["adapt", "parts"]);
    let evaluation = &adapted["evaluation"];
    let line = &shop.daemon.status()["sources"][0]["line"];
    eprintln!("{} groups, accuracy {}, line {line}", evaluation["groups"], evaluation["accuracy"]);
    assert_eq!(evaluation["groups"], VISITS * STATES.len(), "{adapted}");
    assert!(evaluation["accuracy"].as_f64() >= Some(ACCURACY), "{adapted}");

    // The lamp follows the machine, in any order.
    for state in [2, 0, 3, 1] {
        shop.switch(state);
        shop.board.wait_until(|| shop.board.lamp().is_some_and(|lamp| lamp.trim_end_matches(" ?") == STATES[state]));
    }

    // Somebody at the machine presses a button: what was heard last is labelled.
    let labelled = |shop: &Shop| {
        let samples = shop.device.json(["sample", "list", "parts", "--class", "bearing"]);
        samples.as_array().map_or(0, Vec::len)
    };
    let before = labelled(&shop);
    shop.switch(3);
    shop.board.press(b'd');
    shop.board.wait_until(|| labelled(&shop) > before);
    let ended = shop.daemon.end().expect(0);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
}
