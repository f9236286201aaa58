//! One process writes at a time. The second is told at once who holds the store; readers are not kept out.

use std::process::Stdio;

use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::program::Running;

#[test]
fn the_second_writer_is_told_who_holds_the_store() {
    let device = Device::with_task();
    let known = device.file("known.png", &picture::draw(0, 1));
    let add = ["add".as_ref(), "parts".as_ref(), known.as_os_str()];
    let _ = device.run(add).expect(0);

    // The first writer waits for a picture on its standard input, with the store in its hands.
    let mut command = device.command(["add", "parts", "-"]);
    let first = Running::start(command.stdin(Stdio::piped()));
    // How soon it has the store is not ours to know: the second, which changes nothing, tries until it is refused.
    let refused = (0..500).map(|_| device.run(add)).find(|second| second.code != Some(0));
    let refused = refused.expect("the first writer takes the store").expect(1);
    for part in [first.id().to_string().as_str(), "acclimate add"] {
        assert!(refused.stderr.contains(part), "`{part}` in:\n{}", refused.stderr);
    }
    assert_eq!(device.json(["sample", "list", "parts"]).as_array().unwrap().len(), 1);

    // With its input closed it ends, and the store is free again.
    let _ = first.wait();
    let _ = device.run(add).expect(0);
}
