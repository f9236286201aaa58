//! A folder as people have them: what can be read goes in, the rest is named with a reason, and nothing takes the machine
//! down.

use std::os::unix::fs::symlink;

use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::program::Running;

/// What `add` may hold in memory, however large a picture says it is.
const MEMORY: u64 = 400_000_000;

#[test]
fn what_can_be_read_goes_in_and_the_rest_is_named_with_a_reason() {
    let device = Device::with_task();
    let good = [device.file("a/one.png", &picture::draw(0, 1)), device.file("a/deep/er/two.png", &picture::draw(1, 2))];
    let jpeg = jpeg();
    let bad = [
        device.file("a/truncated.jpg", &jpeg[..jpeg.len() / 3]),
        device.file("a/empty.jpg", b""),
        device.file("a/text.jpg", b"This is not a picture.\n"),
        device.file("a/huge.png", &huge_png()),
        device.path("a/itself.png"),
    ];
    symlink("itself.png", device.path("a/itself.png")).unwrap();
    symlink("..", device.path("a/deep/back")).unwrap();

    let folder = device.path("a");
    let added = Running::start(device.command(["add", "parts", "--json"]).arg(&folder)).wait().expect(1);

    let samples = device.json(["sample", "list", "parts"]);
    assert_eq!(samples.as_array().unwrap().len(), good.len(), "{}", added.stderr);
    for path in &good {
        assert!(!added.stderr.contains(path.to_str().unwrap()), "{} is fine:\n{}", path.display(), added.stderr);
    }
    for path in &bad {
        let named: Vec<&str> = added.stderr.lines().filter(|line| line.contains(path.to_str().unwrap())).collect();
        assert_eq!(named.len(), 1, "one line for {}:\n{}", path.display(), added.stderr);
        let (_, reason) = named[0].split_once(path.to_str().unwrap()).unwrap();
        assert!(reason.trim_matches([':', ' ']).len() > 10, "a reason for {}: {}", path.display(), named[0]);
    }
    assert!(added.peak_memory > 0 && added.peak_memory < MEMORY, "{} bytes", added.peak_memory);
}

fn jpeg() -> Vec<u8> {
    let png = image::load_from_memory(&picture::draw(0, 3)).unwrap();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    png.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    jpeg.into_inner()
}

/// A valid picture of 20,000 × 20,000 pixels in a few kilobytes: white, one bit a pixel.
fn huge_png() -> Vec<u8> {
    const SIDE: u32 = 20_000;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![0xFF; (SIDE * SIDE / 8) as usize]).unwrap();
    writer.finish().unwrap();
    bytes
}
