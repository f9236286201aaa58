//! The page in a real browser against a daemon that only plays one: every way to hold a button, what is shown when things go
//! wrong, labels by keys, a region by mouse, tokens, and whether it can be read.

use std::time::Duration;

use acclimate_tests::browser::Browser;
use acclimate_tests::scripted::{Answered, Scripted, Shown};
use acclimate_tests::{checkout, picture};
use serde_json::{Value, json};

/// `WebDriver`'s code points of keys.
const SHIFT: char = '\u{E008}';
const RIGHT: char = '\u{E014}';

/// A class as somebody may call it.
const MARKUP: &str = "van <b>ahead</b>";

fn golden(name: &str) -> Value {
    let text = std::fs::read_to_string(checkout().join(format!("tests/golden/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn state(class: &str, confidence: f64, unknown: bool) -> Value {
    json!({
        "class": class, "confidence": confidence, "unknown": unknown, "generation": 3, "since": "2026-11-29T11:56:00Z",
        "scores": {"open": 0.05, "closed": 0.02, MARKUP: 0.93},
    })
}

/// A device that has learnt, with one source that runs and one that is lost.
fn taught() -> Shown {
    let view = json!({
        "time": "2026-11-29T12:00:00Z", "device": "press-7", "version": "0.1.0", "started": "2026-11-29T10:00:00Z",
        "degraded": ["the disk is full: new samples are not kept"],
        "sources": [
            {"name": "yard", "kind": "camera", "health": "running", "frames": 812, "size": [96, 96], "last": "2026-11-29T12:00:00Z"},
            {"name": "door", "kind": "http", "health": "lost", "reason": "no answer within 5 s: is it on?", "frames": 3},
        ],
        "tasks": [{
            "name": "gate", "backbone": "builtin-picture-1", "extractor": "ort 1.31.1 (cpu, f32)", "generation": 3,
            "classes": [{"name": "open", "samples": 41}, {"name": "closed", "samples": 37}, {"name": MARKUP, "samples": 12}],
            "looks": [{"source": "yard", "crop": [0.25, 0.25, 0.5, 0.5], "now": state(MARKUP, 0.93, false),
                       "stable": state(MARKUP, 0.93, false), "milliseconds": 23.4}],
            "accuracy": [0.93, 0.86, 0.97], "unlabelled": 3, "new_labels": 3, "adapting": false, "drifted": true,
            "undo": "14 frames of closed", "verdict": "activated", "next": ["review 1 suspect label"],
        }],
    });
    let mut evaluation = golden("evaluate");
    evaluation["evaluation"]["confusion"] =
        json!({"classes": ["open", "closed", MARKUP], "counts": [[39, 2, 0], [1, 36, 0], [3, 0, 9]]});
    evaluation["unproved"] = json!(true);
    evaluation["reliability"] = json!([{"confidence": 0.6, "accuracy": 0.5, "samples": 8}, {"confidence": 0.95, "accuracy": 0.97, "samples": 60}]);
    let sample = |id: u32, label: Value, guess: &str| {
        json!({"id": format!("{id:032x}"), "label": label, "source": "yard", "taken": "2026-11-29T11:00:00Z", "guess": guess,
               "confidence": 0.61, "unknown": false, "why": "doubtful"})
    };
    let useful: Vec<Value> = (1..=6).map(|id| sample(id, Value::Null, "open")).collect();
    let mut heads = golden("head-list");
    let mut serving = golden("head-rollback");
    serving["generation"] = json!(3);
    heads.as_array_mut().unwrap().push(serving);
    let timed = |name: &str, generation: u32| {
        let mut record = golden(name);
        record["time"] = json!("2026-11-29T11:30:00Z");
        record["generation"] = json!(generation);
        record
    };
    let samples = |query: &str| format!("tasks/gate/samples?{query}");
    let answers = [
        ("tasks/gate/evaluation".to_owned(), evaluation),
        ("tasks/gate/heads".to_owned(), heads),
        ("tasks/gate/adaptations".to_owned(), json!([timed("adapt-rejected", 2), timed("adapt-activated", 3)])),
        (samples("filter=unlabelled&limit=24"), json!(useful)),
        (samples("filter=suspect&limit=12"), json!([sample(99, json!("open"), "closed")])),
        ("tasks/gate/attention?source=yard&look=0".to_owned(), looks(MARKUP, [0.25, 0.25, 0.5, 0.5])),
        (format!("tasks/gate/samples/{:032x}/attention?class=closed", 98), looks("closed", [0.0, 0.0, 1.0, 1.0])),
        (samples("limit=60&filter=labelled&label=open&guess=closed"), json!([sample(98, json!("open"), "closed")])),
    ];
    Shown { view, answers: answers.into(), picture: picture::draw(0, 7), ..Shown::default() }
}

/// A map of 4 × 4 places: for the class at the upper left, against it at the lower right.
fn looks(class: &str, region: [f64; 4]) -> Value {
    let mut values = [0.0; 16];
    (values[0], values[1], values[15]) = (1.0, 0.5, -0.8);
    json!({"class": class, "confidence": 0.93, "generation": 3, "grid": [4, 4], "values": values, "scale": 1.5, "region": region})
}

/// What a daemon would do with commands, as far as the page can see it.
fn obey(command: &Value, shown: &mut Shown) -> Answered {
    match (command["do"].as_str().unwrap(), command["hold"].as_str()) {
        ("teach", Some("begin")) => {
            shown.view["tasks"][0]["teaching"] = json!({"class": command["class"], "frames": 0});
            Ok(json!({"done": "it watches"}))
        }
        ("teach", _) => {
            shown.view["tasks"][0]["teaching"] = Value::Null;
            let mut adaptation = golden("adapt-activated");
            adaptation["comparison"]["in_service_accuracy"] = json!(0.91);
            adaptation["comparison"]["candidate_accuracy"] = json!(0.96);
            let digests = ("1a2b3c4d".repeat(8), "5e6f7a8b".repeat(8));
            Ok(
                json!({"frames": 14, "milliseconds": 38.2, "adaptation": adaptation, "digest_before": digests.0, "digest_after": digests.1}),
            )
        }
        ("undo", _) => {
            let digests = ("5e6f7a8b".repeat(8), "1a2b3c4d".repeat(8));
            Ok(json!({"samples": 14, "generation": 2, "digest_before": digests.0, "digest_after": digests.1}))
        }
        ("sense", _) => {
            shown.view["sources"][0]["frames"] = json!(1);
            let said = json!([{"task": "gate", "source": "yard", "state": state("open", 0.93, false)}]);
            Ok(json!({"source": command["source"], "taken": "2026-11-29T12:00:00Z", "said": said}))
        }
        ("activate", _) => Err((409, "conflict", "generation 1 has gone".to_owned())),
        (other, _) => Ok(json!({"done": format!("{other} was done")})),
    }
}

/// The page, open, on a device that has learnt.
fn opened() -> Option<(Scripted, Browser)> {
    let browser = Browser::start()?;
    let daemon = Scripted::start(taught(), obey);
    browser.open(&daemon.url(), 1280, false);
    browser.until_says("#link", "live");
    // Everything is in its place: what still comes in would move a button away from under the mouse.
    browser.until_says("#honest", "not yet proved");
    browser.until_says("#history", "in service");
    browser.until("[...document.images].every((image) => image.hidden || image.complete)");
    Some((daemon, browser))
}

fn holds(commands: &[Value]) -> Vec<String> {
    let teach = commands.iter().filter(|command| command["do"] == "teach");
    teach
        .map(|command| format!("{} {}", command["hold"].as_str().unwrap(), command["class"].as_str().unwrap()))
        .collect()
}

/// Waits until so many ends of holds were heard, and checks that each has its beginning before it.
#[track_caller]
fn ended(daemon: &Scripted, times: usize) {
    daemon.until_asked(|commands| holds(commands).len() == 2 * times);
    let found = holds(&daemon.commands());
    let expected: Vec<String> = (0..times).flat_map(|_| ["begin open".to_owned(), "end open".to_owned()]).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_pure_parts_of_the_page_pass_under_node() {
    let node = std::process::Command::new("node").arg("--version").output();
    // ES modules in files that end in `.js` need no package.json from here on.
    let new_enough = |output: &std::process::Output| {
        let version = String::from_utf8_lossy(&output.stdout);
        let mut numbers = version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
        (numbers.next(), numbers.next()) >= (Some(20), Some(19))
    };
    match node {
        Ok(output) if new_enough(&output) => {}
        Ok(output) => {
            let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            return acclimate_tests::skip::skip("node", &format!("expected 20.19 or later, found {found}"));
        }
        Err(error) => return acclimate_tests::skip::skip("node", &format!("starting node: {error}")),
    }
    let folder = checkout().join("tests/page");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    let output = std::process::Command::new("node").arg("--test").args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_class_is_held_by_mouse_key_finger_and_screen_reader_and_whatever_ends_it_ends_it_once() {
    let Some((daemon, browser)) = opened() else { return };
    let frames = |number: u64| {
        daemon.change(|shown| shown.view["tasks"][0]["teaching"]["frames"] = json!(number));
    };
    let button = browser.element("button.hold", "open");

    // By mouse, counted while held, released far away from the button.
    browser.mouse_down(&button);
    daemon.until_asked(|commands| holds(commands) == ["begin open"]);
    frames(14);
    browser.until_says("button.hold[data-held]", "14 frames");
    assert_eq!(
        browser.script("return document.querySelector('.hold[data-held]').getAttribute('aria-pressed')"),
        "true"
    );
    browser.mouse_move(3, 3);
    browser.mouse_up();
    ended(&daemon, 1);
    browser.until_says(
        "#teach .result",
        "Learnt from 14 frames in 38 ms; proved: 91 → 96\u{a0}% on 30 groups it was not fitted on.",
    );
    browser.until_says("#teach .digests", "1a2b3c4d → 5e6f7a8b");

    // Undo shows the digest of before.
    let undo = browser.element("#teach button", "Undo: 14 frames of closed");
    browser.click(&undo);
    browser.until_says("#teach .digests", "5e6f7a8b → 1a2b3c4d: bit for bit what they were before");

    // By keys; holding one down repeats it, which is still one hold.
    browser.script_on(&button, "arguments[0].focus()");
    browser.key(" ", true);
    browser.key(" ", true);
    browser.until_says("button.hold[data-held]", "open");
    browser.key(" ", false);
    ended(&daemon, 2);

    // By finger, lifted elsewhere.
    browser.touch(&button);
    browser.until_says("button.hold[data-held]", "open");
    browser.lift();
    ended(&daemon, 3);

    // By a screen reader, which only clicks: it begins, and the next click ends.
    browser.script_on(&button, "arguments[0].click()");
    browser.until_says("button.hold[data-held]", "open");
    browser.script_on(&button, "arguments[0].click()");
    ended(&daemon, 4);

    // By tapping, for who cannot hold.
    let tap = browser.element("label", "Tap to start");
    browser.click(&tap);
    browser.click(&button);
    browser.until_says("button.hold[data-held]", "open");
    browser.click(&button);
    ended(&daemon, 5);
    browser.click(&tap);

    // What ends a hold though the button is still pressed.
    let hidden = "Object.defineProperty(document, 'hidden', {value: true, configurable: true});
        document.dispatchEvent(new Event('visibilitychange')); delete document.hidden;";
    let interruptions =
        ["window.dispatchEvent(new Event('blur'))", hidden, "document.querySelector('#teach-name').focus()"];
    for (index, interruption) in interruptions.into_iter().enumerate() {
        browser.script_on(&button, "arguments[0].focus()");
        browser.key(" ", true);
        browser.until_says("button.hold[data-held]", "open");
        browser.script(interruption);
        ended(&daemon, 6 + index);
        browser.until("document.querySelector('.hold[data-held]') === null");
        browser.key(" ", false);
    }
    ended(&daemon, 8);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_daemon_that_goes_is_said_to_be_gone_and_the_page_goes_on_when_it_is_back() {
    let Some((daemon, browser)) = opened() else { return };
    let button = browser.element("button.hold", "open");
    browser.mouse_down(&button);
    daemon.until_asked(|commands| holds(commands) == ["begin open"]);
    daemon.change(|shown| shown.view["tasks"][0]["teaching"]["frames"] = json!(5));
    browser.until_says("button.hold[data-held]", "5 frames");
    daemon.change(|shown| shown.down = true);
    browser.until_says("#link", "reconnecting…");
    browser.until("document.querySelector('.hold[data-held]') === null");
    browser.until_says("#teach .result", "the hold ends as soon as the device is back");
    browser.mouse_up();
    daemon.change(|shown| {
        shown.down = false;
        shown.view["started"] = json!("2026-11-29T12:01:00Z");
        shown.view["tasks"][0]["looks"][0]["stable"] = state("closed", 0.99, false);
    });
    browser.until_says("#link", "live");
    browser.until_says("#live .answer", "closed");
    // It was still held there, so the end is sent late.
    ended(&daemon, 1);
    browser.until_says("#teach .result", "Learnt from 14 frames");
}

#[test]
fn what_does_not_work_is_said_and_a_name_is_only_a_name() {
    let Some((daemon, browser)) = opened() else { return };
    browser.until_says("#degraded", "The disk is full");
    browser.until_says("#live .answer", MARKUP);
    browser.until_says("#live", "Fairly sure");
    browser.until_says("#live", "93\u{a0}%, for 4 min");
    browser.until_says("#live", "23 ms from picture to answer");
    browser.until_says("#live", "generation 3 · builtin-picture-1 on ort 1.31.1 (cpu, f32)");
    browser.until_says("#sources", "lost: no answer within 5 s: is it on?");
    browser.until_says("#honest", "not yet proved");
    browser.until_says("#history", "Not put in service: the new labels contradict the older ones");
    browser.until_says("#history", "in service");
    browser.until("document.querySelector('#live .frame').naturalWidth === 96");
    for place in ["#live", "#teach", "#honest", "#history", "#advice"] {
        let made = browser.script(&format!(
            "return [...document.querySelectorAll('{place} b')].some((node) => node.textContent === 'ahead')"
        ));
        assert_eq!(made, false, "{place}");
    }

    daemon.change(|shown| {
        shown.view["tasks"][0]["looks"][0]["stable"] = state("open", 0.99, true);
        shown.view["sources"][0]["health"] = json!("lost");
        shown.view["sources"][0]["reason"] = json!("the cable is out");
        shown.view["degraded"] = json!([]);
    });
    browser.until_says("#live .answer", "Unknown");
    browser.until_says("#live", "Unlike everything it was taught");
    browser.until_says("#live .trouble", "yard is lost: the cable is out");
    browser.until("document.querySelector('#degraded').hidden");

    // What the daemon refuses is said in its words.
    browser.click(&browser.element("#history button", "Put in service"));
    browser.until_says("#said", "generation 1 has gone");
}

#[test]
fn a_source_on_request_is_looked_at_when_somebody_says_so() {
    let Some((daemon, browser)) = opened() else { return };
    browser.until_says("#live", "Fairly sure");
    let shown = "[...document.querySelectorAll('#live button, #sources button')].filter((node) => node.textContent === 'Look now' && node.offsetParent).length";
    assert_eq!(browser.script(&format!("return {shown}")), 0, "it gives pictures by itself");
    daemon.change(|shown| {
        let source = &mut shown.view["sources"][0];
        (source["on_request"], source["frames"], source["health"]) = (json!(true), json!(0), json!("starting"));
        for said in ["now", "stable"] {
            shown.view["tasks"][0]["looks"][0][said] = Value::Null;
        }
    });
    browser.until_says("#sources", "gives a picture when it is asked");
    browser.until_says("#live", "No picture yet");
    browser.until(&format!("{shown} === 2"));
    browser.screenshot("look-now");
    browser.click(&browser.element("#live button", "Look now"));
    daemon.until_asked(|commands| commands.contains(&json!({"do": "sense", "source": "yard"})));
    browser.until_says("#said", "yard gave a picture. gate: open, 93\u{a0}%");
    browser.until_says("#live", "No answer yet");
    browser.click(&browser.element("#sources button", "Look now"));
    daemon.until_asked(|commands| commands.iter().filter(|command| command["do"] == "sense").count() == 2);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn samples_are_labelled_by_keys_several_at_once_and_a_confusion_shows_its_samples() {
    let Some((daemon, browser)) = opened() else { return };
    let labelled = |ids: &[u32], label: &str| {
        let wanted = json!({"do": "label", "task": "gate", "label": label,
            "samples": ids.iter().map(|id| format!("{id:032x}")).collect::<Vec<_>>()});
        daemon.until_asked(|commands| commands.contains(&wanted));
    };
    browser.until_says("#advice", "no longer what it learnt from");
    browser.until_says("#advice", "Review 1 suspect label.");
    browser.click(&browser.element(".thumbs [role=option]", ""));
    browser.press("2");
    labelled(&[1], "closed");
    browser.until("document.querySelectorAll('.thumbs li').length === 5 && document.activeElement.role === 'option'");
    // Two are skipped, then two are chosen and labelled with a new name.
    browser.press("ss");
    browser.until("document.querySelectorAll('.thumbs li').length === 3");
    browser.key(&SHIFT.to_string(), true);
    browser.press(&RIGHT.to_string());
    browser.key(&SHIFT.to_string(), false);
    browser.until_says("#advice h3", "What are these 2?");
    browser.press("n");
    browser.until("document.activeElement.id === 'queue-name'");
    browser.press("1s\u{E007}");
    labelled(&[4, 5], "1s");
    browser.until("document.querySelectorAll('.thumbs li').length === 1");
    browser.press("u");
    browser.until("document.querySelectorAll('.thumbs li').length === 3");
    assert_eq!(daemon.commands().last().unwrap()["do"], "undo");

    browser.click(&browser.element("#suspects button", "It is closed"));
    labelled(&[99], "closed");

    browser.click(&browser.element(".confusion button[aria-label^='2 of open taken for closed']", "2"));
    browser.until_says("dialog.gallery", "open, taken for closed");
    browser.until("document.querySelector('dialog.gallery img').naturalWidth === 96");
    browser.write(&browser.element("dialog.gallery select", ""), "closed");
    labelled(&[98], "closed");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn where_the_head_looks_is_laid_over_the_picture_and_said_in_words() {
    let Some((daemon, browser)) = opened() else { return };
    let button = browser.element("#live button", "Where it looks");
    browser.click(&button);
    browser.until("document.querySelectorAll('#live .heat rect').length === 3");
    browser.until("document.querySelector('#live .heat .for').getAttribute('x') === '0.25'");
    browser.until_says("#live .where", "it looks mostly at the upper left; the lower right speaks against.");
    assert_eq!(
        browser
            .script("return document.querySelector('#live .where button[aria-pressed]').getAttribute('aria-pressed')"),
        "true"
    );
    browser.screenshot("attention");
    browser.click(&button);
    browser.until("document.querySelectorAll('#live .heat rect').length === 0");

    // In the samples of a confusion, for what a sample was taken for; the other class has no answer here.
    browser.click(&browser.element(".confusion button[aria-label^='2 of open taken for closed']", "2"));
    browser.until_says("dialog.gallery", "taken for");
    browser.click(&browser.element("dialog.gallery button", "Where it sees closed"));
    browser.until("document.querySelectorAll('dialog.gallery .heat rect').length === 3");
    browser.until_says("dialog.gallery figcaption", "For closed it looks mostly at the upper left");
    browser.screenshot("attention-gallery");
    browser.click(&browser.element("dialog.gallery button", "Close"));
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // What cannot be shown is said, and the button is up again.
    daemon.change(|shown| shown.answers.remove("tasks/gate/attention?source=yard&look=0"));
    browser.click(&button);
    browser.until_says("#live .where", "tasks/gate/attention");
    assert_eq!(
        browser
            .script("return document.querySelector('#live .where button[aria-pressed]').getAttribute('aria-pressed')"),
        "false"
    );
}

#[test]
fn a_region_is_drawn_by_mouse_and_by_keys_and_a_source_becomes_a_task() {
    let Some((daemon, browser)) = opened() else { return };
    browser.until("document.querySelector('#sources .frame').naturalWidth === 96");
    browser.click(&browser.element("#sources button", "Draw the region…"));
    let screen = browser.element("dialog.region .drawing", "");
    browser.drag(&screen, [0.8, 0.9], [0.2, 0.4]);
    browser.until("document.querySelector('#region-0').value === '20'");
    // One to the right, one lower at the lower edge.
    browser.press(&RIGHT.to_string());
    browser.key(&SHIFT.to_string(), true);
    browser.press("\u{E015}");
    browser.key(&SHIFT.to_string(), false);
    browser.click(&browser.element("dialog.region button", "Use this region"));
    daemon.until_asked(|commands| commands.iter().any(|command| command["do"] == "look"));
    let look = daemon.commands().into_iter().find(|command| command["do"] == "look").unwrap();
    assert_eq!((&look["task"], &look["from"][0]["source"]), (&json!("gate"), &json!("yard")));
    for (found, expected) in look["from"][0]["crop"].as_array().unwrap().iter().zip([0.21, 0.4, 0.6, 0.51]) {
        assert!((found.as_f64().unwrap() - expected).abs() < 0.015, "{look}");
    }

    browser.click(&browser.element("#sources button", "New task from this…"));
    browser.press("Hof Tür\u{E007}");
    let wanted = json!({"do": "create_task", "task": "hof-tur", "from": [{"source": "yard"}]});
    daemon.until_asked(|commands| commands.contains(&wanted));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_token_is_traded_and_gone_from_the_address_and_without_one_a_form_asks() {
    let Some(browser) = Browser::start() else { return };
    let daemon = Scripted::start(Shown { token: Some("s3cret".to_owned()), ..taught() }, obey);
    browser.open(&daemon.url(), 390, false);
    browser.until_says("#login", "asks for its token");
    let field = browser.element("#token", "");
    browser.write(&field, "wrong\u{E007}");
    browser.until_says("#login", "not this device's token");
    browser.screenshot("token-390");
    browser.write(&browser.element("#token", ""), "s3cret\u{E007}");
    browser.until_says("#live .answer", MARKUP);

    let Some(other) = Browser::start() else { return };
    other.open(&format!("{}#t=s3cret", daemon.url()), 390, false);
    other.until_says("#live .answer", MARKUP);
    assert_eq!(other.script("return location.href"), daemon.url());
    assert_eq!(other.complaints(), Vec::<String>::new());
}

/// Contrast of every text with what is behind it, as WCAG 2 computes it; and whether everything has a name.
const READABLE: &str = r"
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
    const over = (top, below) => top.slice(0, 3).map((value, at) => value * top[3] / 255 + below[at] * (1 - top[3] / 255));
    const behind = (node) => {
      const layers = [];
      for (let at = node; at; at = at.parentElement) {
        const colour = rgb(getComputedStyle(at).backgroundColor);
        layers.push(colour);
        if (colour[3] === 255) break;
      }
      return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const light = (colour) => { const [r, g, b] = colour.map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const wrong = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (texts.nextNode()) {
      const node = texts.currentNode.parentElement;
      if (!texts.currentNode.textContent.trim() || !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
      if (['OPTION', 'SCRIPT', 'NOSCRIPT'].includes(node.tagName) || node.closest('svg')) continue;
      const style = getComputedStyle(node);
      const ground = behind(node);
      const [a, b] = [light(over(rgb(style.color), ground)), light(ground)].sort((x, y) => y - x);
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
      seen++;
      if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) wrong.push(`${((a + 0.05) / (b + 0.05)).toFixed(2)}: ${texts.currentNode.textContent.trim().slice(0, 40)}`);
    }
    for (const field of document.querySelectorAll('input, select')) if (field.labels.length === 0 && !field.ariaLabel) wrong.push(`no label: ${field.outerHTML}`);
    for (const button of document.querySelectorAll('button')) if (button.checkVisibility() && !(button.ariaLabel || button.textContent.trim())) wrong.push(`no name: ${button.outerHTML}`);
    for (const image of document.querySelectorAll('img')) if (!image.hasAttribute('alt')) wrong.push(`no alt: ${image.src}`);
    if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} wide on ${innerWidth}`);
    return [seen, wrong];
";

#[test]
fn it_can_be_read_on_a_phone_and_a_desk_by_day_and_by_night() {
    let Some((daemon, browser)) = opened() else { return };
    browser.mouse_down(&browser.element("button.hold", "open"));
    daemon.until_asked(|commands| !holds(commands).is_empty());
    browser.mouse_up();
    browser.until_says("#teach .result", "Learnt from");
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        browser.look(width, dark);
        browser
            .until(&format!("innerWidth === {width} && matchMedia('(prefers-color-scheme: dark)').matches === {dark}"));
        browser.pause(Duration::from_millis(300));
        let found = browser.script(READABLE);
        assert!(found[0].as_u64().unwrap() > 80, "{found}");
        assert_eq!(found[1], json!([]), "at {width}, dark: {dark}");
        browser.screenshot(&format!("taught-{width}-{}", if dark { "dark" } else { "light" }));
    }
}

#[test]
fn a_person_with_nothing_is_led_to_a_first_hold() {
    let Some(browser) = Browser::start() else { return };
    let mut empty = taught();
    empty.view["tasks"] = json!([]);
    empty.view["degraded"] = json!([]);
    for what in ["heads", "adaptations", "samples"] {
        empty.answers.insert(format!("tasks/yard/{what}"), json!([]));
    }
    let daemon = Scripted::start(empty, |command, shown| {
        if command["do"] == "create_task" {
            shown.view["tasks"] = json!([{
                "name": command["task"], "backbone": "builtin-picture-1", "classes": [], "looks": [{"source": command["from"][0]["source"]}],
                "unlabelled": 0, "new_labels": 0, "adapting": false, "drifted": false, "next": [],
            }]);
        }
        obey(command, shown)
    });
    browser.open(&daemon.url(), 390, false);
    browser.until_says("#start", "Teach it something");
    browser.until("document.querySelector('#start .frame').naturalWidth === 96");
    browser.screenshot("empty-390");
    browser.look(1280, true);
    browser.screenshot("empty-1280-dark");
    browser.write(&browser.element("#start-a", ""), "open");
    browser.write(&browser.element("#start-b", ""), "open");
    let begin = browser.element("#start button", "Begin teaching");
    browser.click(&begin);
    browser.until_says("#start", "need different names");
    browser.write(&browser.element("#start-b", ""), "ed\u{E007}");
    daemon.until_asked(|commands| {
        commands == [json!({"do": "create_task", "task": "yard", "from": [{"source": "yard"}]})]
    });
    browser.until_says("#teach .lead", "Hold “open” while the camera sees it");
    browser.until_says("#start [aria-current]", "Hold each button");
    browser.screenshot("named-1280-dark");
    browser.mouse_down(&browser.element("button.hold", "opened"));
    daemon.until_asked(|commands| holds(commands) == ["begin opened"]);
    browser.mouse_up();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
