//! A broker of one's own: Debian's Mosquitto on a free port of this machine, and its programs to publish and to listen with.
//! Knows what their manual pages say.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::device::Device;
use crate::program::Running;
use crate::skip::skip;

const BROKER: &str = "/usr/sbin/mosquitto";

/// How a broker is run.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Certificates are needed on both sides; what may be published and read stands in a list.
    pub closed: bool,
    /// What it keeps is there after a restart.
    pub persistent: bool,
    /// The largest packet, in bytes.
    pub packet: Option<u32>,
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    folder: Device,
    setup: Setup,
    port: u16,
    running: Option<Running>,
}

/// Whether there is a Mosquitto; skips the calling test where there is none.
pub fn found() -> bool {
    let there = Path::new(BROKER).exists();
    if !there {
        skip("mosquitto", &format!("{BROKER} is not there (Debian: mosquitto, mosquitto-clients)"));
    }
    there
}

impl Broker {
    /// Starts a broker on a free port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(setup: Setup) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("it is bound").port();
        let mut broker = Self { folder: Device::new(), setup, port, running: None };
        if broker.setup.closed {
            broker.make_certificates();
        }
        broker.again();
        broker
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn again(&mut self) {
        let kept = self.path("kept/");
        std::fs::create_dir_all(&kept).expect("a writable temporary folder");
        let mut text = format!("listener {} 127.0.0.1\nuser root\nmax_queued_messages 0\n", self.port);
        if let Some(packet) = self.setup.packet {
            let _ = writeln!(text, "max_packet_size {packet}");
        }
        if self.setup.persistent {
            let _ = writeln!(text, "persistence true\npersistence_location {}/\nautosave_interval 1", kept.display());
        }
        if self.setup.closed {
            let [ca, cert, key] = ["ca.pem", "broker.pem", "broker.key"].map(|name| self.path(name));
            let _ = writeln!(text, "cafile {}\ncertfile {}\nkeyfile {}", ca.display(), cert.display(), key.display());
            let list = self.folder.file("list", crate::readme::block("Over MQTT", "acl").as_bytes());
            let _ =
                writeln!(text, "require_certificate true\nuse_identity_as_username true\nacl_file {}", list.display());
        } else {
            text.push_str("allow_anonymous true\n");
        }
        let config = self.folder.file("mosquitto.conf", text.as_bytes());
        let running = Running::start(Command::new(BROKER).arg("-c").arg(config).stdin(Stdio::null()));
        running.wait_until(|| TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        self.running = Some(running);
    }

    /// Kills it.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        let running = self.running.take().expect("it is running");
        let _ = running.kill_after(std::time::Duration::ZERO);
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file of its own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// The section of a device's configuration, whose certificate is `press-7`'s where some are needed.
    pub fn section(&self) -> String {
        let port = self.port;
        if !self.setup.closed {
            return format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n");
        }
        let [ca, cert, key] =
            ["ca.pem", "press-7.pem", "press-7.key"].map(|name| self.path(name).display().to_string());
        format!("[mqtt]\nurl = \"mqtts://localhost:{port}\"\nca = \"{ca}\"\ncert = \"{cert}\"\nkey = \"{key}\"\n")
    }

    /// Arguments by which its programs find it, as its operator.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-p".to_owned(), self.port.to_string(), "-V".to_owned(), "5".to_owned()];
        arguments.extend(["-h".to_owned(), if self.setup.closed { "localhost" } else { "127.0.0.1" }.to_owned()]);
        if self.setup.closed {
            for (option, file) in [("--cafile", "ca.pem"), ("--cert", "operator.pem"), ("--key", "operator.key")] {
                arguments.extend([option.to_owned(), self.path(file).display().to_string()]);
            }
        }
        arguments
    }

    /// Publishes.
    ///
    /// # Panics
    /// When the broker does not take it.
    #[track_caller]
    pub fn publish(&self, topic: &str, payload: &str, more: &[&str]) {
        self.say(topic, ["-m".as_ref(), payload.as_ref()], more);
    }

    /// Publishes what a file holds.
    ///
    /// # Panics
    /// When the broker does not take it.
    #[track_caller]
    pub fn publish_file(&self, topic: &str, file: &Path, more: &[&str]) {
        self.say(topic, ["-f".as_ref(), file.as_os_str()], more);
    }

    #[track_caller]
    fn say(&self, topic: &str, what: [&OsStr; 2], more: &[&str]) {
        let mut command = Command::new("mosquitto_pub");
        command.args(self.arguments()).args(["-q", "1", "-t", topic]).args(what).args(more);
        let output: Output = command.stdin(Stdio::null()).output().expect("there is mosquitto_pub");
        assert!(output.status.success(), "{topic}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Listens; each message is a line, `TOPIC PAYLOAD`.
    pub fn listen(&self, topics: &[&str], more: &[&str]) -> Listener {
        let mut command = Command::new("mosquitto_sub");
        command.args(self.arguments()).args(["-q", "1", "-v"]).args(more);
        for topic in topics {
            command.args(["-t", topic]);
        }
        Listener { running: Running::start(command.stdin(Stdio::null())) }
    }

    /// A CA, and certificates that it signed: for the broker, `press-7` and its operator.
    fn make_certificates(&self) {
        std::fs::create_dir_all(self.path("")).expect("a writable temporary folder");
        let openssl = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).current_dir(self.path("")).output();
            let output = output.expect("there is openssl");
            assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let root = ["req", "-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(&[&root[..], &curve].concat());
        for (name, more) in [("broker", "subjectAltName=DNS:localhost"), ("press-7", ""), ("operator", "")] {
            let (subject, key, request) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.csr"));
            openssl(&[&["req", "-new", "-subj", &subject, "-keyout", &key, "-out", &request][..], &curve].concat());
            self.folder.file("extensions", format!("basicConstraints=CA:FALSE\n{more}\n").as_bytes());
            let certificate = format!("{name}.pem");
            openssl(&[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "2",
                "-extfile",
                "extensions",
                "-out",
                &certificate,
            ]);
        }
    }
}

/// A program that listens.
#[derive(Debug)]
pub struct Listener {
    running: Running,
}

impl Listener {
    /// Everything that was heard so far: topics and payloads.
    pub fn heard(&self) -> Vec<(String, String)> {
        let said = self.running.said();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter_map(|line| line.split_once(' ')).map(|(topic, said)| (topic.into(), said.into())).collect()
    }

    /// Waits until a device listens, from the message of this number on: what it says of itself is with the broker from then on.
    /// The number of the message that says so.
    ///
    /// # Panics
    /// When it is not heard within a minute.
    #[track_caller]
    pub fn until_online(&self, from: usize, device: &str) -> usize {
        let status = format!("acclimate/{device}/status");
        self.wait_for(from, |topic, payload| topic == status && payload == "online").0
    }

    /// Waits until something is heard, from the message of this number on; its number and its payload.
    ///
    /// # Panics
    /// When it is not heard within a minute.
    #[track_caller]
    pub fn wait_for(&self, from: usize, is: impl Fn(&str, &str) -> bool) -> (usize, String) {
        let find = || {
            let heard = self.heard();
            let found = heard.iter().skip(from).position(|(topic, payload)| is(topic, payload))? + from;
            Some((found, heard[found].1.clone()))
        };
        self.running.wait_until(|| find().is_some());
        find().expect("it was heard just now")
    }

    /// The same, of a topic, as JSON.
    ///
    /// # Panics
    /// When it is not heard within a minute, or is no JSON.
    #[track_caller]
    pub fn wait_for_json(&self, from: usize, topic: &str) -> (usize, serde_json::Value) {
        let (at, payload) = self.wait_for(from, |heard, _| heard == topic);
        (at, serde_json::from_str(&payload).unwrap_or_else(|error| panic!("{error} in {payload}")))
    }
}
