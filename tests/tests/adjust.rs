//! `adjust`: the head in service to a darker site, from pictures without labels, and back.

use std::fs;
use std::path::PathBuf;

use acclimate_tests::device::Device;
use acclimate_tests::picture;

/// Drawn pictures as they would be at dusk.
pub(crate) fn dark(device: &Device, name: &str, count: u64, seed: u64) -> PathBuf {
    let folder = device.draw(name, count, seed);
    for class in picture::CLASSES {
        for entry in fs::read_dir(folder.join(class)).unwrap() {
            let path = entry.unwrap().path();
            let mut picture = image::open(&path).unwrap().to_rgb8();
            picture.pixels_mut().flat_map(|pixel| &mut pixel.0).for_each(|value| *value /= 4);
            picture.save(&path).unwrap();
        }
    }
    folder
}

#[test]
fn a_head_is_adjusted_to_another_site_and_goes_out_and_back_like_any_other() {
    let device = Device::with_task();
    device.add_folders(&device.draw("first", 30, 1));
    let _ = device.run(["adapt", "parts"]).expect(0);
    let folder = dark(&device, "dark", 12, 3);
    let folder = folder.to_str().unwrap();
    let adjusted = device.json(["adjust", "parts", folder]);
    assert_eq!(
        (&adjusted["verdict"], &adjusted["from"], &adjusted["generation"]),
        (&"activated".into(), &1.into(), &2.into())
    );
    let show = device.json(["head", "show", "parts"]);
    let said = (&show["origin"], &show["parent"], &show["adjusted"]["samples"], &show["evaluation"]);
    assert_eq!(said, (&"adjusted".into(), &1.into(), &adjusted["inputs"], &serde_json::Value::Null), "{show}");
    assert_eq!(device.json(["audit", "parts"])["reproduced"], true);
    // What is exported answers as it does: that is checked before it is written.
    let [onnx, file] = ["gate.onnx", "gate.head"].map(|name| device.path(name).to_str().unwrap().to_owned());
    assert_eq!(device.json(["head", "export", "parts", "--onnx", &onnx])["generation"], 2);
    let _ = device.run(["head", "export", "parts", "--output", &file]).expect(0);
    let other = Device::with_task();
    assert_eq!(other.json(["head", "import", "parts", &file])["origin"], "imported");

    assert_eq!(device.json(["head", "rollback", "parts"])["generation"], 1);
    let same = device.draw("same", 12, 2);
    let refused = device.run(["adjust", "parts", same.to_str().unwrap()]).expect(3);
    assert!(refused.stdout.contains("nothing to adjust to"), "{}", refused.stdout);
    let one = dark(&device, "one", 1, 5).join(picture::CLASSES[0]);
    let few = device.run(["adjust", "parts", one.to_str().unwrap()]).expect(4);
    assert!(few.stdout.contains("name more, of other moments"), "{}", few.stdout);
}
