//! Tests of cameras and commands that misbehave: each is named with a reason that a person understands, and recovers without
//! a restart. The cameras are servers and shell scripts of the tests' own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use super::{Content, Health, Outlet, Sensed, Source, Stop, open};
use crate::config::Config;
use crate::fake::{Answer, Fake, Request};

const SOON: Duration = Duration::from_secs(30);

/// A JPEG file of a size, in a colour.
pub(super) fn picture(width: u32, height: u32, colour: u8) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(width, height, image::Rgb([colour, 100, 200]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&image).unwrap();
    bytes
}

struct Running {
    outlet: Outlet,
    stop: Stop,
    ask: Option<super::Ask>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(keys: &str) -> Self {
        let config = Config::parse(&format!("[[source]]\nname = \"yard\"\n{keys}")).unwrap().source.remove(0);
        let mut source: Box<dyn Source> = open(&config);
        let (outlet, stop, ask) = (Outlet::new(), Stop::new(), source.ask());
        let feed = outlet.feed("yard");
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || source.run(&feed, &stop)
        });
        Self { outlet, stop, ask, thread: Some(thread) }
    }

    fn camera(fake: &Fake, keys: &str) -> Self {
        Self::start(&format!("kind = \"camera\"\ndevice = \"{}\"\n{keys}", fake.url()))
    }

    /// A shell script; files lie in `$0`.
    fn script(script: &str, argument: &str, keys: &str) -> Self {
        Self::start(&format!(
            "kind = \"command\"\nargv = [\"/bin/sh\", \"-c\", '''{script}''', \"{argument}\"]\n{keys}"
        ))
    }

    fn next(&self) -> Sensed {
        self.outlet.take(SOON).expect("something in half a minute")
    }

    /// The next frame; whatever is said of health before it is passed over.
    fn frame(&self) -> Content {
        loop {
            if let Sensed::Frame(frame) = self.next() {
                return frame.content;
            }
        }
    }

    /// Why it is lost; frames before are passed over.
    fn lost(&self) -> String {
        loop {
            if let Sensed::Health { health: Health::Lost { reason }, .. } = self.next() {
                return reason;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the source panicked");
    }
}

fn multipart(answer: &mut Answer<'_>) {
    answer.raw(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n");
}

fn part(answer: &mut Answer<'_>, file: &[u8]) {
    answer.raw(format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", file.len()).as_bytes());
    answer.raw(file);
    answer.raw(b"\r\n");
}

#[test]
fn snapshots_come_at_their_pace_and_an_unchanged_one_is_not_sent_again() {
    let fake = Fake::start(|request, answer| match (request.number, request.header("if-none-match")) {
        (0, None) => answer.whole("200 OK", "Content-Type: image/jpeg\r\nETag: \"one\"\r\n", &picture(32, 16, 1)),
        (1, Some("\"one\"")) => answer.whole("304 Not Modified", "", b""),
        (_, Some("\"one\"")) => answer.whole("200 OK", "Content-Type: image/jpeg\r\n", &picture(32, 16, 2)),
        (_, None) => answer.whole("200 OK", "Content-Type: image/jpeg\r\n", &picture(32, 16, 3)),
        (number, tag) => panic!("request {number} with {tag:?}"),
    });
    let running = Running::camera(&fake, "every = \"10ms\"");
    assert_eq!(running.frame(), Content::File(picture(32, 16, 1)));
    // The frame after it is of the third request: the second had nothing new.
    let second = running.frame();
    assert!(second == Content::File(picture(32, 16, 2)) || second == Content::File(picture(32, 16, 3)));
}

#[test]
fn a_camera_that_asks_for_a_password_gets_it_and_nobody_else_sees_it() {
    let fake = Fake::start(|request, answer| match request.header("authorization") {
        // me:s3cret
        Some("Basic bWU6czNjcmV0") => answer.whole("200 OK", "", &picture(8, 8, 1)),
        _ => answer.whole("401 Unauthorized", "WWW-Authenticate: Basic\r\n", b""),
    });
    let with = |credentials: &str| {
        let url = fake.url().replace("://", &format!("://{credentials}"));
        Running::start(&format!("kind = \"camera\"\ndevice = \"{url}\""))
    };
    assert_eq!(with("me:s3cret@").frame(), Content::File(picture(8, 8, 1)));
    for credentials in ["", "me:wrong@"] {
        let reason = with(credentials).lost();
        assert!(reason.contains("401") && reason.contains("password") && !reason.contains("wrong"), "{reason}");
    }
}

#[test]
fn on_request_a_snapshot_is_taken_for_each_ask() {
    let fake = Fake::start(|request, answer| answer.whole("200 OK", "", &picture(8, 8, request.number as u8 * 50)));
    let running = Running::camera(&fake, "trigger = \"request\"");
    for number in 0..3 {
        running.ask.as_ref().unwrap().now();
        assert_eq!(running.frame(), Content::File(picture(8, 8, number * 50)));
    }
}

/// A camera that misbehaves at its first request and works at later ones: what is said of it, after which frames come.
fn misbehaves(first: impl Fn(&Request, &mut Answer<'_>) + Send + Sync + 'static) -> String {
    let fake = Fake::start(move |request, answer| {
        if request.number == 0 {
            first(request, answer);
        } else {
            multipart(answer);
            part(answer, &picture(64, 48, 7));
            answer.stall();
        }
    });
    let running = Running::camera(&fake, "patience = \"300ms\"");
    let reason = running.lost();
    assert_eq!(running.frame(), Content::File(picture(64, 48, 7)), "after: {reason}");
    reason
}

#[test]
fn a_stream_that_stops_stalls_changes_or_closes_is_named_and_opened_again() {
    let reason = misbehaves(|_, answer| {
        multipart(answer);
        part(answer, &picture(64, 48, 1));
        answer.stall();
    });
    assert!(reason.contains("for 300ms"), "{reason}");

    let reason = misbehaves(|_, answer| {
        multipart(answer);
        part(answer, &picture(64, 48, 1));
        let half = picture(64, 48, 2);
        answer.raw(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n");
        answer.raw(&half[..half.len() / 2]);
        answer.stall();
    });
    assert!(reason.contains("in the middle of a picture"), "{reason}");

    let reason = misbehaves(|_, answer| {
        multipart(answer);
        part(answer, &picture(64, 48, 1));
        part(answer, &picture(32, 24, 1));
        answer.stall();
    });
    assert!(reason.contains("64×48") && reason.contains("32×24"), "{reason}");

    let reason = misbehaves(|_, answer| {
        multipart(answer);
        part(answer, &picture(64, 48, 1));
    });
    assert!(reason.contains("ended its stream"), "{reason}");

    let reason = misbehaves(|_, answer| {
        multipart(answer);
        let half = picture(64, 48, 2);
        answer.raw(&half[..half.len() - 9]);
    });
    assert!(reason.contains("middle of a picture"), "{reason}");

    let reason = misbehaves(|_, answer| answer.stall());
    assert!(reason.contains("no answer within 300ms"), "{reason}");

    let reason = misbehaves(|_, answer| answer.whole("404 Not Found", "", b"nothing here"));
    assert!(reason.contains("404"), "{reason}");

    let reason = misbehaves(|_, answer| answer.whole("200 OK", "Content-Type: text/html\r\n", b"<html>log in</html>"));
    assert!(reason.contains("no JPEG") && reason.contains("text/html") && reason.contains("log in"), "{reason}");

    let reason = misbehaves(|_, answer| {
        answer.raw(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\n");
        answer.raw(&picture(8, 8, 1)[..50]);
    });
    assert!(reason.contains("broke off"), "{reason}");
}

#[test]
fn a_camera_whose_server_is_off_is_found_when_it_is_on_again() {
    let script = |_: &Request, answer: &mut Answer<'_>| answer.whole("200 OK", "", &picture(8, 8, 1));
    let fake = Fake::start(script);
    let address = fake.address();
    let running = Running::camera(&fake, "every = \"10ms\"\npatience = \"2s\"");
    running.frame();
    drop(fake);
    let reason = running.lost();
    assert!(reason.contains("refused") || reason.contains("could not"), "{reason}");
    let _fake = Fake::start_at(address, script);
    while !matches!(running.next(), Sensed::Health { health: Health::Running, .. }) {}
    running.frame();
}

#[test]
fn a_stop_does_not_wait_for_a_camera_that_says_nothing() {
    let (asked, asks) = std::sync::mpsc::channel();
    let asked = std::sync::Mutex::new(asked);
    let fake = Fake::start(move |_, answer| {
        asked.lock().unwrap().send(()).unwrap();
        answer.stall();
    });
    let running = Running::camera(&fake, "patience = \"1h\"");
    asks.recv_timeout(SOON).unwrap();
    // Would take an hour.
    drop(running);
}

#[test]
fn a_program_gives_pictures_or_raw_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.jpg");
    std::fs::write(&path, picture(16, 16, 3)).unwrap();
    let running = Running::script("while cat \"$0\"; do :; done", path.to_str().unwrap(), "");
    assert_eq!(running.frame(), Content::File(picture(16, 16, 3)));
    assert_eq!(running.frame(), Content::File(picture(16, 16, 3)));
    let running = Running::script(
        "printf abcdef; printf ABCDEF; exec cat",
        "",
        "format = \"rgb\"\nsize = [2, 1]\npatience = \"1h\"",
    );
    // The second may have taken the place of the first.
    let pixels = running.frame();
    assert!(
        [b"abcdef", b"ABCDEF"]
            .iter()
            .any(|expected| pixels == Content::Rgb { width: 2, height: 1, pixels: expected.to_vec() })
    );
}

#[test]
fn a_program_that_fails_is_named_with_its_last_words_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.jpg");
    std::fs::write(&path, picture(16, 16, 3)).unwrap();
    // The first time it fails; there is a note of that then.
    let first = |otherwise: &str| {
        format!("if [ -e \"$0.note\" ]; then cat \"$0\"; exec sleep 1000; fi; : > \"$0.note\"; {otherwise}")
    };
    let said = |otherwise: &str, keys: &str| {
        let _ = std::fs::remove_file(folder.path().join("one.jpg.note"));
        let running = Running::script(&first(otherwise), path.to_str().unwrap(), keys);
        let reason = running.lost();
        assert_eq!(running.frame(), Content::File(picture(16, 16, 3)), "after: {reason}");
        reason
    };
    let reason = said("echo starting >&2; echo no camera at rtsp://u:pw@host/1 >&2; exit 3", "");
    assert!(reason.contains("exit status: 3") && reason.contains("no camera at rtsp://…@host/1"), "{reason}");
    let reason = said("head -c 200 \"$0\"; exit 0", "");
    assert!(reason.contains("in the middle of a picture"), "{reason}");
    let reason = said("exec sleep 1000", "patience = \"300ms\"");
    assert!(reason.contains("nothing came for 300ms"), "{reason}");
    let reason = said("head -c 200 \"$0\"; sleep 1000 & wait", "patience = \"300ms\"");
    assert!(reason.contains("stopped in the middle"), "{reason}");
    let reason = said("echo nonsense; exec sleep 1000", "patience = \"300ms\"");
    assert!(reason.contains("no JPEG picture was in it"), "{reason}");
}

#[test]
fn what_cannot_be_run_is_named_and_raw_pixels_that_end_early_too() {
    let running = Running::start("kind = \"command\"\nargv = [\"/nonexistent/camera\"]");
    let reason = running.lost();
    assert!(reason.contains("no program `/nonexistent/camera`"), "{reason}");
    let running = Running::script("printf abcd", "", "format = \"rgb\"\nsize = [2, 1]");
    let reason = running.lost();
    assert!(reason.contains("is `size` what it writes"), "{reason}");
}

#[test]
fn a_program_ends_with_all_that_it_started_when_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.jpg");
    std::fs::write(&path, picture(16, 16, 3)).unwrap();
    let script = "sleep 1000 & echo $! > \"$0.pid\"; cat \"$0\"; wait";
    let running = Running::script(script, path.to_str().unwrap(), "");
    running.frame();
    let pid: i32 = std::fs::read_to_string(folder.path().join("one.jpg.pid")).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::test_kill_process(pid).expect("its child runs");
    drop(running);
    // It is gone, or waits for init to take note of it.
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}
