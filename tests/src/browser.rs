//! Debian's Chromium, driven through its own driver by the `WebDriver` protocol: pointers and keys as a person has them.
//! Knows nothing of the page.
//!
//! Whatever is waited for is waited for inside the browser.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::skip::skip;

/// Under this name a reference to an element travels.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long the page may take for what is waited for, milliseconds.
const PATIENCE: u64 = 30_000;
/// Between two frames of a film.
const FRAME: Duration = Duration::from_millis(150);

/// A browser with one tab; gone when dropped.
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    /// What the browser keeps; goes last.
    _profile: TempDir,
}

/// An element of the page.
#[derive(Clone, Debug)]
pub struct Element(String);

impl Browser {
    /// Starts one, or skips the calling test where there is none.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub fn start() -> Option<Self> {
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match started {
            Ok(driver) => driver,
            Err(error) => {
                skip("chromium", &format!("starting chromedriver (Debian: chromium-driver): {error}"));
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("piped above"));
        let port = loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line).expect("chromedriver can be read");
            assert!(read > 0, "chromedriver ended before it said its port");
            if let Some((_, port)) = line.trim_end().trim_end_matches('.').rsplit_once("started successfully on port ")
            {
                break port.to_owned();
            }
        };
        // What it says later must not block it.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_mins(2)));
        let profile = tempfile::tempdir().expect("a temporary folder");
        let arguments = [
            "--headless=new".to_owned(),
            // A container has no user namespaces to make a sandbox of; only our own page is opened.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let mut browser = Self {
            driver,
            agent: config.build().into(),
            session: format!("http://127.0.0.1:{port}"),
            _profile: profile,
        };
        let options = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = browser.post("/session", &options);
        let id = made["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("{}/session/{id}", browser.session);
        browser.post("/timeouts", &json!({"script": PATIENCE + 10_000}));
        Some(browser)
    }

    /// Shows a page in a window of this size, in light or dark.
    pub fn open(&self, url: &str, width: u32, dark: bool) {
        self.look(width, dark);
        self.post("/url", &json!({"url": url}));
    }

    /// A window of this size, in light or dark.
    pub fn look(&self, width: u32, dark: bool) {
        let height = if width < 600 { 844 } else { 900 };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// What a script gives.
    pub fn script(&self, body: &str) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": []}))
    }

    /// Waits until an expression is true, and gives its value.
    ///
    /// # Panics
    /// When it does not become so.
    #[track_caller]
    pub fn until(&self, expression: &str) -> Value {
        let script = format!(
            "const [patience, done] = arguments;
            const end = Date.now() + patience;
            const test = () => ({expression});
            const look = () => {{
              let found = null;
              try {{ found = test(); }} catch (error) {{ found = null; }}
              if (found) done(found);
              else if (Date.now() > end) done(null);
              else setTimeout(look, 20);
            }};
            look();"
        );
        let found = self.post("/execute/async", &json!({"script": script, "args": [PATIENCE]}));
        if found.is_null() {
            let text = self.script("return document.body.innerText");
            panic!("never true: {expression}\non the page:\n{}", text.as_str().unwrap_or_default());
        }
        found
    }

    /// Waits until what a selector finds has this text in it.
    #[track_caller]
    pub fn until_says(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "[...document.querySelectorAll({selector})].some((node) => node.checkVisibility() && node.innerText.includes({text}))"
        ));
    }

    /// Waits for the first visible element that a selector finds, with this text in it.
    #[track_caller]
    pub fn element(&self, selector: &str, text: &str) -> Element {
        let (selector, text) = (json!(selector), json!(text));
        let found = self.until(&format!(
            "[...document.querySelectorAll({selector})].find((node) => node.checkVisibility() && node.textContent.includes({text}))"
        ));
        Element(found[ELEMENT].as_str().expect("a reference to an element").to_owned())
    }

    /// Clicks in its middle, after scrolling it into view.
    pub fn click(&self, element: &Element) {
        self.script_on(element, "arguments[0].scrollIntoView({block: 'center'})");
        self.post(&format!("/element/{}/click", element.0), &json!({}));
    }

    /// Types into it.
    pub fn write(&self, element: &Element, text: &str) {
        self.post(&format!("/element/{}/value", element.0), &json!({"text": text}));
    }

    /// Presses and releases keys wherever the focus is. Named keys are `WebDriver`'s code points.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        self.act(&json!([{"type": "key", "id": "keyboard", "actions": strokes}]));
    }

    /// Moves the mouse over an element, presses, and leaves it pressed.
    pub fn mouse_down(&self, element: &Element) {
        self.script_on(element, "arguments[0].scrollIntoView({block: 'center'})");
        let origin = json!({ELEMENT: element.0});
        self.mouse(&json!([
            {"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
        ]));
    }

    /// Releases the mouse where it is.
    pub fn mouse_up(&self) {
        self.mouse(&json!([{"type": "pointerUp", "button": 0}]));
    }

    /// Draws with the mouse on an element, between two places in fractions of it.
    pub fn drag(&self, element: &Element, from: [f64; 2], to: [f64; 2]) {
        let script = "const box = arguments[0].getBoundingClientRect(); return [box.x, box.y, box.width, box.height];";
        let found = self.script_on(element, script);
        let at = |[x, y]: [f64; 2]| {
            let side = |n: usize| found[n].as_f64().expect("a number");
            let place = |start: f64, length: f64, share: f64| (start + length * share).round() as i64;
            json!({"type": "pointerMove", "duration": 50, "x": place(side(0), side(2), x), "y": place(side(1), side(3), y)})
        };
        self.mouse(
            &json!([at(from), {"type": "pointerDown", "button": 0}, at(to), {"type": "pointerUp", "button": 0}]),
        );
    }

    /// Presses or releases one key.
    pub fn key(&self, key: &str, down: bool) {
        let kind = if down { "keyDown" } else { "keyUp" };
        self.act(&json!([{"type": "key", "id": "keyboard", "actions": [{"type": kind, "value": key}]}]));
    }

    /// Moves the mouse to a place of the window, whatever is pressed.
    pub fn mouse_move(&self, x: u32, y: u32) {
        self.mouse(&json!([{"type": "pointerMove", "duration": 0, "x": x, "y": y}]));
    }

    /// Touches the middle of an element with a finger, which stays there.
    pub fn touch(&self, element: &Element) {
        let script = "arguments[0].scrollIntoView({block: 'center'});
            const box = arguments[0].getBoundingClientRect();
            return {x: box.x + box.width / 2, y: box.y + box.height / 2};";
        let place = self.script_on(element, script);
        // The driver's own fingers forget between two calls that they are down.
        self.devtools("Input.dispatchTouchEvent", &json!({"type": "touchStart", "touchPoints": [place]}));
    }

    /// Moves the finger to the corner of the window and lifts it there.
    pub fn lift(&self) {
        let corner = json!([{"x": 2, "y": 2}]);
        self.devtools("Input.dispatchTouchEvent", &json!({"type": "touchMove", "touchPoints": corner}));
        self.devtools("Input.dispatchTouchEvent", &json!({"type": "touchEnd", "touchPoints": []}));
    }

    /// Waits as a person does who reads or thinks.
    pub fn pause(&self, time: Duration) {
        let pause = json!({"type": "pause", "duration": time.as_millis() as u64});
        self.act(&json!([{"type": "key", "id": "keyboard", "actions": [pause]}]));
    }

    /// A picture of the whole page, as PNG, into the folder that `ACCLIMATE_SCREENSHOTS` names; none is taken without it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn screenshot(&self, name: &str) {
        self.capture(name, true);
    }

    /// Waits as [`Browser::pause`] does, and meanwhile takes what the window shows, frame by frame, as
    /// `film-MILLISECONDS.png` since the first, where [`Browser::screenshot`] takes anything.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn film(&self, time: Duration) {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        let end = Instant::now() + time;
        while Instant::now() < end {
            let since = BEGAN.get_or_init(Instant::now).elapsed().as_millis();
            self.capture(&format!("film-{since:07}"), false);
            self.pause(FRAME.min(end.saturating_duration_since(Instant::now())));
        }
    }

    fn capture(&self, name: &str, whole: bool) {
        let Some(folder) = std::env::var_os("ACCLIMATE_SCREENSHOTS") else { return };
        let taken = self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": whole}));
        let png = BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("a picture");
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).expect("the picture can be written");
    }

    /// What the console said since the last call that is an error, or a warning of the page's own.
    pub fn complaints(&self) -> Vec<String> {
        let said = self.post("/se/log", &json!({"type": "browser"}));
        let lines = said.as_array().map(Vec::as_slice).unwrap_or_default();
        let wrong = |line: &&Value| line["level"] == "SEVERE" || line["source"] == "security";
        lines.iter().filter(wrong).filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    /// A command of Chromium's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// What a script gives that is handed an element.
    pub fn script_on(&self, element: &Element, body: &str) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": [{ELEMENT: element.0}]}))
    }

    fn mouse(&self, actions: &Value) {
        self.act(
            &json!([{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]),
        );
    }

    fn act(&self, actions: &Value) {
        self.post("/actions", &json!({"actions": actions}));
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let answer = self.agent.post(&url).header("content-type", "application/json").send(body.to_string());
        let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = answer.body_mut().with_config().limit(256 << 20).read_to_string().expect("an answer can be read");
        let mut found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error} in {text}"));
        assert!(answer.status().is_success(), "{path}: {}", found["value"]["message"]);
        found["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when the session ends, and only then.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
