//! A device that is unplugged and plugged in again: 20 times here, 1,000 times in `cargo xtask soak replug`.

use std::fs;
use std::time::{Duration, Instant};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::line::{Plugged, swing};
use acclimate_tests::skip::soak;

use super::{config, device, line};

/// Back within this, on a machine that has nothing else to do.
const BACK: Duration = Duration::from_secs(2);
/// Of one core, while the device is absent.
const ABSENT: f64 = 0.01;

/// Descriptors that a process has open.
fn descriptors(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

/// Processor time of a process so far.
fn worked(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // USER_HZ is 100 on every Linux that this runs on.
    Duration::from_millis(ticks * 10)
}

#[test]
fn replug() {
    let device = device();
    let (link, file) = (device.path("port"), swing(&device, "slow.csv", 2.0, 200));
    let mut daemon = Daemon::start(&device, &config(&device, &link, ""));
    let times = if soak() { 1000 } else { 20 };
    let mut longest = Duration::ZERO;
    let mut open = 0;
    for number in 1..=times {
        let plugged = Plugged::replay(&device, &link, std::slice::from_ref(&file), &["--rate-hz", "100", "--repeat"]);
        let began = Instant::now();
        daemon.wait_until(|view| line(view)["opened"] == number && view["sources"][0]["health"] == "running");
        longest = longest.max(began.elapsed());
        // What is opened once (backbones, the store's readers) is open by the third time.
        if number == 3 {
            open = descriptors(daemon.id());
        }
        plugged.unplug();
        daemon.wait_until(|view| view["sources"][0]["health"] == "lost");
    }
    let found = descriptors(daemon.id());
    println!("{times} times: back within {longest:?}, {open} descriptors after 3, {found} at the end");
    assert!(found < open, "one less: the port itself; {found} and {open}");

    // Absent, and nothing else to do: the status asks for nothing meanwhile.
    let (began, before) = (Instant::now(), worked(daemon.id()));
    let absent = Duration::from_secs(if soak() { 60 } else { 5 });
    let idle =
        acclimate_tests::program::Running::start(std::process::Command::new("sleep").arg(absent.as_secs().to_string()));
    let _ = idle.wait();
    let share = worked(daemon.id()).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("{:.2} % of a core while the device is absent", 100.0 * share);
    if soak() {
        assert!(longest < BACK && share < ABSENT, "{longest:?}, {share}");
    } else {
        // A spinning thread would have all of one.
        assert!(share < 0.5, "{share}");
    }
    let view = daemon.status();
    assert_eq!(line(&view)["opened"], times, "{view}");
    let _ = daemon.end().expect(0);
}
