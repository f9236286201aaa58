//! Who is told what a daemon finds, from outside: a webhook that refuses is named, and no more once it takes what it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use serde_json::{Value, json};

/// A hook that refuses whatever it is told until it is well.
struct Hook {
    port: u16,
    well: Arc<AtomicBool>,
    told: mpsc::Receiver<Value>,
}

impl Hook {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let well = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        thread::spawn({
            let well = Arc::clone(&well);
            move || {
                for stream in listener.incoming().flatten() {
                    let taken = well.load(Ordering::SeqCst);
                    let _the_other_side_may_have_gone =
                        answer(stream, taken).map(|body| taken.then(|| tell.send(body)));
                }
            }
        });
        Self { port, well, told }
    }
}

fn answer(mut stream: TcpStream, taken: bool) -> std::io::Result<Value> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
        if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let status = if taken { "200 OK" } else { "503 Service Unavailable" };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())?;
    Ok(serde_json::from_slice(&body)?)
}

#[test]
fn a_webhook_that_refuses_is_named_with_the_reason_until_it_takes_what_it_is_told() {
    let (device, hook) = (Device::new(), Hook::start());
    let pictures = device.draw("replay", 10, 1).join("disc");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"disc\"\nkind = \"replay\"\npath = \"{}\"\nevery = \"20ms\"\n\
         [[task]]\nname = \"parts\"\n[[sink]]\ntask = \"parts\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/hook\"\n",
        pictures.display(),
        hook.port
    );
    let mut daemon = Daemon::start(&device, &device.file("acclimate.toml", text.as_bytes()));
    daemon.teach("disc", "disc", 8);
    let others = device.draw("others", 8, 7);
    device.add_folders(&others);
    let _ = device.run(["adapt", "parts"]).expect(0);
    let view = daemon.wait_until(|view| view["degraded"] != json!([]));
    let why = view["degraded"][0].as_str().unwrap();
    for part in ["webhook of task `parts`", &format!("127.0.0.1:{}", hook.port), "503", "tried again"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let (status, ready) = daemon.get("/readyz");
    assert!(status == 200 && ready.contains("webhook of task `parts`"), "{status} {ready}");
    let (_, metrics) = daemon.get("/metrics");
    for part in [
        "acclimate_degraded_reasons 1.0",
        "acclimate_shed_total{what=\"notice_refused\"} 0",
        "acclimate_stage_busy_seconds{stage=\"writer\"}",
        "acclimate_picture_to_answer_seconds_count{task=\"parts\",source=\"disc\"}",
    ] {
        assert!(metrics.contains(part), "{part}: {metrics}");
    }

    hook.well.store(true, Ordering::SeqCst);
    let told = hook.told.recv_timeout(Duration::from_mins(1)).unwrap();
    assert_eq!((&told["event"], &told["state"]["class"]), (&json!("changed"), &json!("disc")), "{told}");
    daemon.wait_until(|view| view["degraded"] == json!([]));
    assert!(!daemon.get("/readyz").1.contains("webhook"));
    let _ended = daemon.end().expect(0);
}
