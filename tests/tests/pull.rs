//! Getting a model's file: what breaks goes on where it broke, what is not the manifest's file is never in place.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use acclimate_tests::device::Device;
use acclimate_tests::program::{Finished, Running};
use acclimate_tests::server::{self, Answer, Server};
use acclimate_tests::skip::skip;

/// The file that is pulled: any whole model will do.
fn model() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/builtin/builtin-picture-1.onnx")).unwrap()
}

/// A device with a folder of models, in it the manifest of one named `far` at that address.
fn device(url: &str) -> (Device, PathBuf) {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/builtin-picture-1.toml")).unwrap();
    let text = text.replace("builtin-picture-1", "far").replace("[file]", &format!("[file]\nurl = \"{url}\""));
    let device = Device::new();
    let manifest = device.file("models/far.toml", text.as_bytes());
    let folder = manifest.parent().unwrap().to_owned();
    (device, folder)
}

fn pull(device: &Device, models: &Path, more: &[&str], environment: &[(&str, &str)]) -> Finished {
    let mut command = device.command(["model", "pull", "far", "--models"]);
    command.arg(models).args(more);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    Running::start(command.envs(environment.iter().copied())).wait()
}

/// Where the file comes to lie.
fn place(device: &Device) -> PathBuf {
    device.data_dir().join("models/far.onnx")
}

/// Nothing under the final name, and of what is not whole only what `.part` says.
fn is_clean(device: &Device) {
    assert!(!place(device).exists());
}

#[track_caller]
fn pulls(answers: Vec<Answer>) -> (Device, Vec<server::Request>) {
    let server = Server::start(answers);
    let (device, models) = device(&server.url("far.onnx"));
    let _ = pull(&device, &models, &[], &[]).expect(0);
    assert!(fs::read(place(&device)).unwrap() == model());
    let left: Vec<_> = fs::read_dir(place(&device).parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing but the file remains: {left:?}");
    (device, server.requests())
}

#[test]
fn a_file_comes_whole_and_is_not_asked_for_twice() {
    let bytes = model();
    let (device, requests) = pulls(vec![server::file(&bytes, "\"a\"", None)]);
    assert_eq!(requests[0].line, "GET /far.onnx HTTP/1.1");
    assert!(requests[0].header("range").is_none());
    // The server has ended: a second request would fail.
    let (_other, models) = self::device("http://127.0.0.1:9/far.onnx");
    let again = pull(&device, &models, &["--json"], &[]).expect(0).json();
    assert_eq!(again[0]["status"], "here");
    // And a task can be made of it.
    let init = device.command(["init", "parts", "--backbone", "far", "--models"]).arg(&models).output().unwrap();
    assert!(init.status.success(), "{init:?}");
}

#[test]
fn a_cut_connection_goes_on_where_it_broke() {
    let bytes = model();
    let half = bytes.len() / 2;
    let (_, requests) = pulls(vec![
        server::file(&bytes, "\"a\"", Some(half)),
        server::file(&bytes, "\"a\"", Some(1000)),
        server::file(&bytes, "\"a\"", None),
    ]);
    let ranges: Vec<_> = requests.iter().map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some(format!("bytes={half}-")), Some(format!("bytes={}-", half + 1000))]);
    assert_eq!(requests[1].header("if-range"), Some("\"a\""));
}

#[test]
fn a_cut_download_goes_on_in_the_next_run() {
    let bytes = model();
    let half = bytes.len() / 2;
    let cut: Vec<Answer> = vec![
        server::file(&bytes, "\"a\"", Some(half)),
        server::file(&bytes, "\"a\"", Some(0)),
        server::file(&bytes, "\"a\"", Some(0)),
        server::file(&bytes, "\"a\"", Some(0)),
        server::file(&bytes, "\"a\"", None),
    ];
    let server = Server::start(cut);
    let (device, models) = device(&server.url("far.onnx"));
    let first = pull(&device, &models, &[], &[]).expect(1);
    assert!(first.stderr.contains(&format!("{half} of {} bytes are kept", bytes.len())), "{}", first.stderr);
    is_clean(&device);
    let _ = pull(&device, &models, &[], &[]).expect(0);
    assert!(fs::read(place(&device)).unwrap() == bytes);
    assert_eq!(server.requests()[4].header("range"), Some(format!("bytes={half}-").as_str()));
}

#[test]
fn a_file_that_changed_meanwhile_is_taken_from_its_start() {
    let bytes = model();
    let half = bytes.len() / 2;
    let mut other = bytes.clone();
    other[..half].fill(7);
    // The server ignores the range, because the tag is another: what came of the old file must not stay.
    let (_, requests) = pulls(vec![server::file(&other, "\"old\"", Some(half)), server::file(&bytes, "\"new\"", None)]);
    assert_eq!(requests[1].header("if-range"), Some("\"old\""));
}

#[test]
fn a_server_without_ranges_or_tags_is_asked_for_all_of_it_again() {
    let bytes = model();
    let half = bytes.len() / 2;
    let (_, requests) = pulls(vec![server::plain(&bytes, Some(half)), server::plain(&bytes, None)]);
    assert!(requests[1].header("range").is_none(), "without a tag nobody knows which file the half is of");
    let _ = pulls(vec![server::file(&bytes, "\"a\"", Some(half)), server::plain(&bytes, None)]);
}

#[test]
fn another_file_is_refused_naming_both_sums() {
    let mut bytes = model();
    bytes[100] ^= 1;
    let server = Server::start(vec![server::file(&bytes, "\"a\"", None)]);
    let (device, models) = device(&server.url("far.onnx"));
    let refused = pull(&device, &models, &[], &[]).expect(1);
    let sums: Vec<&str> =
        refused.stderr.split_whitespace().filter(|word| word.trim_end_matches([',', ':']).len() == 64).collect();
    assert_eq!(sums.len(), 2, "{}", refused.stderr);
    assert_ne!(sums[0].trim_end_matches(','), sums[1].trim_end_matches(':'));
    is_clean(&device);
    assert!(!device.data_dir().join("models/far.onnx.part").exists(), "bytes that are wrong are not gone on from");
}

#[test]
fn a_file_of_another_length_is_refused_before_it_is_loaded() {
    let mut bytes = model();
    bytes.push(0);
    let server = Server::start(vec![server::file(&bytes, "\"a\"", Some(0))]);
    let (device, models) = device(&server.url("far.onnx"));
    let refused = pull(&device, &models, &[], &[]).expect(1);
    let expected = format!("has {} bytes, the manifest says {}", bytes.len(), bytes.len() - 1);
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    is_clean(&device);
    // Neither is one that goes on and on without saying how long it is.
    let endless: Answer = Box::new(|_, stream| {
        server::send(stream, "200 OK");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let server = Server::start(vec![endless]);
    let (device, models) = self::device(&server.url("far.onnx"));
    let refused = pull(&device, &models, &[], &[]).expect(1);
    assert!(refused.stderr.contains("the manifest says"), "{}", refused.stderr);
    is_clean(&device);
}

#[test]
fn a_server_that_says_no_is_quoted() {
    let server = Server::start(vec![server::status("404 Not Found")]);
    let (device, models) = device(&server.url("far.onnx"));
    let refused = pull(&device, &models, &[], &[]).expect(1);
    assert!(refused.stderr.contains("the server answered 404 Not Found"), "{}", refused.stderr);
    is_clean(&device);
}

#[test]
fn redirects_are_followed_and_proxies_used() {
    let bytes = model();
    let target = Server::start(vec![server::file(&bytes, "\"a\"", None)]);
    let server = Server::start(vec![server::status(&format!("302 Found\r\nLocation: {}", target.url("other.onnx")))]);
    let (device, models) = device(&server.url("far.onnx"));
    let _ = pull(&device, &models, &[], &[]).expect(0);
    assert_eq!(target.requests()[0].line, "GET /other.onnx HTTP/1.1");

    let proxy = Server::start(vec![server::status("502 Bad Gateway")]);
    let (device, models) = self::device("http://192.0.2.1/far.onnx");
    let variable = format!("http://127.0.0.1:{}", proxy.port());
    let _ = pull(&device, &models, &[], &[("HTTP_PROXY", &variable)]).expect(1);
    assert_eq!(proxy.requests()[0].line, "CONNECT 192.0.2.1:80 HTTP/1.1");
}

#[test]
fn no_network_and_no_tls_are_told() {
    let (device, models) = device("http://127.0.0.1:9/far.onnx");
    let failed = pull(&device, &models, &[], &[]).expect(1);
    assert!(failed.stderr.contains("could not download http://127.0.0.1:9/far.onnx"), "{}", failed.stderr);
    let server = Server::start(vec![server::status("400 Bad Request")]);
    let (device, models) = self::device(&server.url("far.onnx").replace("http:", "https:"));
    let failed = pull(&device, &models, &[], &[]).expect(1);
    assert!(failed.stderr.contains("the connection failed"), "{}", failed.stderr);
    assert!(!failed.stderr.contains("panicked"), "{}", failed.stderr);
    is_clean(&device);
}

#[test]
fn a_folder_serves_as_well() {
    let (device, models) = device("http://127.0.0.1:9/of-the-net.onnx");
    let stick = device.file("stick/models/of-the-net.onnx", &model());
    let stick = stick.ancestors().nth(2).unwrap().to_str().unwrap();
    let copied = pull(&device, &models, &["--from", stick, "--json"], &[]).expect(0).json();
    assert_eq!(copied[0]["status"], "copied");
    assert!(fs::read(place(&device)).unwrap() == model());

    let (device, models) = self::device("http://127.0.0.1:9/of-the-net.onnx");
    let wrong = device.file("stick/far.onnx", b"another file");
    let refused = pull(&device, &models, &["--from", wrong.parent().unwrap().to_str().unwrap()], &[]).expect(1);
    assert!(refused.stderr.contains("it was not kept"), "{}", refused.stderr);
    is_clean(&device);
}

#[test]
fn init_gets_what_is_not_here() {
    let server = Server::start(vec![server::file(&model(), "\"a\"", None)]);
    let (device, models) = device(&server.url("far.onnx"));
    let init = || device.command(["init", "parts", "--backbone", "far", "--models"]).arg(&models).output().unwrap();
    let made = init();
    assert!(made.status.success(), "{made:?}");
    assert!(place(&device).is_file());
    drop(server);
}

/// A file system of 128 KiB, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"]).arg(at).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(at.to_owned()));
        }
        skip("small-disk", "a file system of 128 KiB cannot be mounted without root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_left_clean() {
    let bytes = model();
    // Too small from the start: nothing is asked for and nothing written.
    let (device, models) = device("http://127.0.0.1:9/far.onnx");
    let Some(disk) = SmallDisk::mount(&device.path("disk")) else { return };
    let to = disk.0.to_str().unwrap();
    let refused = pull(&device, &models, &["--to", to], &[]).expect(1);
    assert!(refused.stderr.contains(&format!("needs {} more", bytes.len())), "{}", refused.stderr);
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 0);
    drop(disk);

    // Filled by somebody else meanwhile.
    let (device, models) = self::device("http://127.0.0.1:9/far.onnx");
    let size = format!("size={}k", bytes.len() / 1024 + 64);
    let Some(disk) = SmallDisk::mount(&device.path("disk")) else { return };
    let grown = Command::new("mount").args(["-o", &format!("remount,{size}")]).arg(&disk.0).status().unwrap();
    assert!(grown.success());
    let (half, filler) = (bytes.len() / 2, disk.0.join("filler"));
    let answer: Answer = Box::new(move |_, stream| {
        server::send(stream, &format!("200 OK\r\nContent-Length: {}", bytes.len()));
        fs::write(&filler, vec![0; bytes.len() / 2 + 80_000]).unwrap();
        let _ = stream.write_all(&bytes);
    });
    let server = Server::start(vec![answer]);
    let text = fs::read_to_string(models.join("far.toml")).unwrap();
    fs::write(models.join("far.toml"), text.replace("http://127.0.0.1:9/far.onnx", &server.url("far.onnx"))).unwrap();
    let refused = pull(&device, &models, &["--to", disk.0.to_str().unwrap()], &[]).expect(1);
    assert!(refused.stderr.contains("bytes free and the model needs"), "{half}: {}", refused.stderr);
    let left: Vec<_> = fs::read_dir(&disk.0).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["filler"]);
}
