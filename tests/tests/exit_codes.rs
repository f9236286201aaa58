//! The exit codes that scripts rely on.

use acclimate_tests::device::Device;
use acclimate_tests::picture;

use crate::json_golden::{adapted, contradicted};

#[test]
fn done_is_0() {
    let _ = Device::with_task().run(["task", "list"]).expect(0);
}

#[test]
fn failed_is_1_and_says_what_was_attempted_and_on_what() {
    let device = Device::with_task();
    let unknown = device.run(["adapt", "no-such-task"]).expect(1);
    assert!(unknown.stderr.contains("no-such-task"), "{}", unknown.stderr);
    let nowhere = device.path("nowhere.png");
    let missing = device.run(["add".as_ref(), "parts".as_ref(), nowhere.as_os_str()]).expect(1);
    assert!(missing.stderr.contains("nowhere.png"), "{}", missing.stderr);
    let no_head = device.run(["classify".as_ref(), "parts".as_ref(), nowhere.as_os_str()]).expect(1);
    assert!(no_head.stderr.contains("adapt"), "{}", no_head.stderr);
    let export = device.run(["sample", "export", "parts", "no/such/folder/samples.npz"]).expect(1);
    assert!(export.stderr.contains("could not write the samples to no/such/folder"), "{}", export.stderr);
}

#[test]
fn wrong_usage_is_2() {
    let device = Device::new();
    for wrong in [&["nonsense"][..], &["add", "parts"], &["adapt"], &["task", "list", "--no-such-option"]] {
        let _ = device.run(wrong).expect(2);
    }
}

#[test]
fn a_rejected_head_is_3_and_the_one_in_service_stays() {
    let device = adapted();
    let before = device.in_service();
    contradicted(&device);
    let rejected = device.run(["adapt", "parts"]).expect(3);
    assert!(rejected.stdout.contains("rejected"), "{}", rejected.stdout);
    assert_eq!(device.in_service(), before);
}

#[test]
fn not_enough_samples_is_4() {
    let device = Device::with_task();
    let _ = device.run(["adapt", "parts"]).expect(4);
    let one = device.file("one.png", &picture::draw(0, 1));
    let _ =
        device.run(["add".as_ref(), "parts".as_ref(), one.as_os_str(), "--label".as_ref(), "disc".as_ref()]).expect(0);
    let _ = device.run(["adapt", "parts"]).expect(4);
    assert_eq!(device.in_service(), Vec::<u64>::new());
}
