//! `drift`: pictures without labels against what the head in service was learnt on.

use std::path::Path;

use acclimate_tests::device::Device;
use acclimate_tests::picture;

use crate::adjust::dark;

#[test]
fn pictures_of_a_darkened_lens_are_drift_and_others_of_the_same_kind_are_not() {
    let device = Device::with_task();
    device.add_folders(&device.draw("first", 30, 1));
    let _ = device.run(["adapt", "parts"]).expect(0);
    let ask = |folder: &Path| device.json(["drift".as_ref(), "parts".as_ref(), folder.as_os_str()]);

    let same = ask(&device.draw("same", 10, 2));
    assert_eq!(
        (&same["drifted"], &same["groups"], &same["generation"]),
        (&false.into(), &20.into(), &1.into()),
        "{same}"
    );

    let dark = dark(&device, "dark", 10, 3);
    let moved = ask(&dark);
    assert_eq!(moved["drifted"], true, "{moved}");
    assert!(moved["p"].as_f64().unwrap() < same["p"].as_f64().unwrap());

    // One moment says nothing of a change, however often it was pictured.
    let one = dark.join(picture::CLASSES[0]).join("3-0.png");
    let few = device.run(["drift".as_ref(), "parts".as_ref(), one.as_os_str()]).expect(1);
    assert!(few.stderr.contains("expected at least 5"), "{}", few.stderr);
}
