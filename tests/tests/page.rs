//! The first hour of a device, in a real browser, against the real daemon, with a real camera on the network and photographs
//! of TrashNet in front of it: nothing configured, a source added, two classes taught by holding, then the light changes.
//!
//! `cargo xtask soak page` does it at the speed of a person, with the stopwatch of the first class and pictures of the page
//! (`ACCLIMATE_SCREENSHOTS` names their folder).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acclimate_tests::browser::Browser;
use acclimate_tests::camera::{Camera, seen};
use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::{Device, sample_id};
use acclimate_tests::skip::{assets, soak};
use acclimate_tests::trashnet::TrashNet;
use serde_json::Value;

type Pictures = Vec<Arc<Vec<u8>>>;

const CLASSES: [&str; 2] = ["cardboard", "glass"];
/// What is left of red, green and blue at night: what was learnt by day is hardly better than chance there.
const NIGHT: [f32; 3] = [0.08, 0.1, 0.2];
/// Labels after which it adapts to a drift by itself.
const ENOUGH: u64 = 5;
/// Photographs of a class that are held, and then others that the camera never sees.
const HELD: usize = 80;
const OTHERS: usize = 40;

/// Photographs of a class, by day and by night.
struct Stock {
    class: &'static str,
    bright: Pictures,
    dark: Pictures,
}

fn stock(class: &'static str, trashnet: &TrashNet) -> Stock {
    let paths: Vec<PathBuf> = trashnet
        .photographs()
        .iter()
        .filter(|photograph| photograph.class == class)
        .map(|photograph| photograph.path.clone())
        .take(HELD + OTHERS)
        .collect();
    let in_light = |light| paths.iter().map(|path| seen(path, light)).collect();
    Stock { class, bright: in_light([1.0; 3]), dark: in_light(NIGHT) }
}

/// As long as a person needs who reads a sentence and moves a hand; nothing where nobody watches.
fn think(browser: &Browser, seconds: f64) {
    if soak() {
        browser.film(Duration::from_secs_f64(seconds));
    }
}

/// Types as a person does.
fn write(browser: &Browser, selector: &str, text: &str) {
    let field = browser.element(selector, "");
    browser.click(&field);
    if soak() {
        for letter in text.chars() {
            browser.write(&field, &letter.to_string());
            browser.film(Duration::from_millis(120));
        }
    } else {
        browser.write(&field, text);
    }
}

/// Holds the button of a class until so many frames are learnt, fewer than there are to see: two photographs may be the same,
/// which is one sample. What the page says then.
fn hold(browser: &Browser, class: &str, frames: u64) -> String {
    think(browser, 1.0);
    let before = browser.script("return document.querySelector('#teach .result')?.innerText ?? ''");
    browser.mouse_down(&browser.element("button.hold", class));
    think(browser, frames as f64 * 0.1);
    browser.until(&format!(
        "Number(document.querySelector('button.hold[data-held] .small')?.textContent.split(' ')[0]) >= {frames}"
    ));
    browser.mouse_up();
    let said = browser.until(&format!(
        "(() => {{ const said = document.querySelector('#teach .result')?.innerText ?? '';
                   return said !== {before} && said.includes('frame') && said; }})()"
    ));
    said.as_str().unwrap().to_owned()
}

fn in_service(view: &Value) -> Option<u64> {
    view["tasks"][0]["generation"].as_u64()
}

#[test]
fn a_person_teaches_it_the_light_changes_and_it_learns_that_too() {
    let Some(assets) = assets() else { return };
    let Some(browser) = Browser::start() else { return };
    let trashnet = TrashNet::read(&assets);
    let [cardboard, glass] = CLASSES.map(|class| stock(class, &trashnet));
    let camera = Camera::start();
    camera.show(&cardboard.bright[..20]);

    // Nothing but a port of its own.
    let device = Device::new();
    let config = device.file("acclimate.toml", b"[http]\nlisten = \"127.0.0.1:0\"\n");
    let mut daemon = Daemon::start(&device, &config);
    let stopwatch = Instant::now();
    browser.open(&daemon.page(), 1280, false);
    browser.until_says("#link", "live");

    // A source, on the page.
    browser.until_says("#start", "There is no source yet");
    think(&browser, 3.0);
    write(&browser, "#start input[type=url]", &camera.url());
    browser.click(&browser.element("#start .adder button", "Show it"));
    browser.until("document.querySelector('#start .preview img').naturalWidth === 320");
    browser.screenshot("page-1-add-a-source");
    think(&browser, 1.0);
    browser.click(&browser.element("#start .adder button[type=submit]", "Use it"));
    browser.until("document.querySelector('#start .picks img').naturalWidth === 320");

    // Two classes, by holding.
    think(&browser, 2.0);
    write(&browser, "#start-a", cardboard.class);
    write(&browser, "#start-b", glass.class);
    browser.screenshot("page-2-name-two-classes");
    browser.click(&browser.element("#start button[type=submit]", "Begin teaching"));
    hold(&browser, cardboard.class, 15);
    camera.show(&glass.bright[..20]);
    let mut said = hold(&browser, glass.class, 15);
    // Photographs of one hold are as unlike as those of two: what two holds taught may be no better than chance when one is
    // left out, and then more are asked for.
    for more in 1..4 {
        if in_service(&daemon.status()).is_some() {
            break;
        }
        for stock in [&cardboard, &glass] {
            camera.show(&stock.bright[more * 20..][..20]);
            said = hold(&browser, stock.class, 15);
        }
    }
    browser.until_says("#live .answer", glass.class);
    let first = stopwatch.elapsed();
    eprintln!("from the empty page to the first own answer: {:.1} s; {}", first.as_secs_f64(), said.replace('\n', " "));
    if soak() {
        assert!(first < Duration::from_mins(2), "{first:?}");
    }
    camera.show(&cardboard.bright[..20]);
    browser.until_says("#live .answer", cardboard.class);
    browser.screenshot("page-3-it-answers");

    // Several times each, other things every time, so that it can be judged on groups that it was not fitted on, and that
    // it is known what is usual.
    for round in 4..14 {
        for stock in [&cardboard, &glass] {
            camera.show(&stock.bright[round * 5..][..5]);
            hold(&browser, stock.class, 4);
        }
    }
    browser.until_says("#history", "in service");
    for (width, dark) in [(390, false), (390, true), (1280, true), (1280, false)] {
        browser.look(width, dark);
        browser.screenshot(&format!("page-4-taught-{width}-{}", if dark { "dark" } else { "light" }));
    }

    // The light changes: it notices, and asks.
    let bright = daemon.status();
    camera.show(&[&cardboard.dark[..10], &glass.dark[..10], &cardboard.dark[10..20], &glass.dark[10..20]].concat());
    browser.until_says("#advice", "no longer what it learnt from");
    browser.screenshot("page-5-the-light-has-changed");

    let before = right_in_the_dark(&device, &[&cardboard, &glass]);

    // Labels for what it saw since then, which has it adapt by itself. Five may not be enough to be believed: then five more.
    let mut labelled = 0;
    let adapted = loop {
        label_newest(&browser, &mut daemon, &[&cardboard, &glass]);
        labelled += ENOUGH;
        if labelled > ENOUGH {
            browser.click(&browser.element("#advice button", "Learn from"));
        }
        let view =
            daemon.wait_until(|view| view["tasks"][0]["new_labels"] == 0 && view["tasks"][0]["adapting"] == false);
        if in_service(&view) != in_service(&bright) {
            break view;
        }
        assert!(labelled < 4 * ENOUGH, "{labelled} labels, and no head that is better: {view:#}");
    };
    assert_eq!(adapted["tasks"][0]["verdict"], "activated");
    browser.until_says("#history li:first-child", "Put in service; proved");
    browser.until_says("#history li:first-child", "in service");
    browser.until("!document.querySelector('#advice').innerText.includes('no longer what it learnt from')");
    let after = right_in_the_dark(&device, &[&cardboard, &glass]);
    let count = |right: &[bool]| right.iter().filter(|&&right| right).count();
    let changed = |from: bool| before.iter().zip(&after).filter(|&(&was, &is)| was == from && is != from).count();
    let (lost, gained) = (changed(true), changed(false));
    let (before, after) = (count(&before), count(&after));
    eprintln!(
        "at night, of {OTHERS} other photographs a class: {before} right before, {after} after {labelled} labels"
    );
    assert!(after > before, "{gained} gained, {lost} lost");
    if soak() {
        // By more than chance (McNemar's test).
        assert!(gained as f64 - lost as f64 > 2.0 * ((lost + gained) as f64).sqrt(), "{gained} gained, {lost} lost");
    }
    think(&browser, 2.0);
    browser.screenshot("page-6-learnt-the-dark");

    // The last label is taken back, and with it the head that came of it; then the head before that is put in service.
    let digest = device.digest();
    browser.click(&browser.element("#teach button", "Undo: labelling"));
    browser.until_says("#teach .result", "Taken back: 1 sample");
    assert_ne!(device.digest(), digest);
    let undone = daemon.wait_until(|view| in_service(view) == in_service(&bright));
    think(&browser, 2.0);
    browser.click(&browser.element("#history button", "Roll back"));
    let back = daemon.wait_until(|view| in_service(view) != in_service(&undone));
    browser.until_says("#live", &format!("generation {}", in_service(&back).unwrap()));
    browser.until_says("#history", &format!("Generation {}", in_service(&back).unwrap()));
    think(&browser, 2.0);
    browser.screenshot("page-7-rolled-back");

    // It is all there after a restart, the source that was added as well; then the source goes.
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let _ended = daemon.end().expect(0);
    let mut daemon = Daemon::start(&device, &config);
    daemon.wait_until(|view| view["tasks"][0]["looks"][0]["stable"]["class"].is_string());
    assert_eq!(in_service(&daemon.status()), in_service(&back));
    browser.open(&daemon.page(), 390, true);
    browser.click(&browser.element("#sources button", "Remove"));
    daemon.wait_until(|view| view["sources"].as_array().is_some_and(Vec::is_empty));
    browser.until("document.querySelectorAll('.source').length === 0");
    assert!(device.run(["config", "show"]).expect(0).stdout.contains("task.camera.backbone"));
    let _ended = daemon.end().expect(0);
}

/// Labels as many pictures of the dark as have it adapt, by keys: those that the queue shows, which are known by their bytes.
fn label_newest(browser: &Browser, daemon: &mut Daemon, stocks: &[&Stock]) {
    let mut labelled = 0;
    while labelled < ENOUGH {
        let id = browser.until(
            "!document.querySelector('.queue').hidden && document.querySelector('.queue .screen img').complete
             && document.querySelector('.queue .screen img').getAttribute('src').split('/').at(-2)",
        );
        let id = id.as_str().unwrap().to_owned();
        let truth = stocks.iter().find(|stock| stock.dark.iter().any(|picture| sample_id(picture) == id));
        let key = truth.map_or("s", |stock| if classes(&daemon.status())[0] == stock.class { "1" } else { "2" });
        think(browser, 1.5);
        browser.script("document.querySelector('.thumbs [aria-selected][tabindex=\"0\"]').focus()");
        browser.press(key);
        labelled += u64::from(truth.is_some());
        browser.until(&format!(
            "document.querySelector('.queue').hidden
             || !document.querySelector('.queue .screen img').getAttribute('src').includes('{id}')"
        ));
    }
}

/// Of pictures in the dark that nobody labels, which ones the head in service takes for what they are.
fn right_in_the_dark(device: &Device, stocks: &[&Stock]) -> Vec<bool> {
    let mut right = Vec::new();
    for stock in stocks {
        let files: Vec<PathBuf> = (stock.dark[HELD..].iter().enumerate())
            .map(|(number, picture)| device.file(format!("dark-{}-{number}.jpg", stock.class), picture))
            .collect();
        let mut arguments = vec!["classify".into(), "camera".into(), "--json".into()];
        arguments.extend(files.into_iter().map(PathBuf::into_os_string));
        let classified = device.run(arguments).expect(0).json_lines();
        right.extend(classified.iter().map(|answer| answer["class"] == stock.class));
    }
    right
}

fn classes(view: &Value) -> Vec<String> {
    let classes = view["tasks"][0]["classes"].as_array().unwrap();
    classes.iter().map(|class| class["name"].as_str().unwrap().to_owned()).collect()
}
