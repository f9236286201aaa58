//! Manifests: what is missing, unknown or wrong is told all at once.

use acclimate_backbone::{Crop, Manifest, ManifestError, Pool, Resize, SignalLayout};

/// Only what must be there.
pub(crate) const MINIMAL: &str = r#"
name = "tiny"
licence = "MIT"
[file]
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
bytes = 1191
[input]
kind = "image"
tensor = "image"
layout = "nchw"
range = 1
size = [8, 8]
[feature]
tensor = "feature"
dim = 4
"#;

fn mistakes(text: &str) -> Vec<String> {
    match Manifest::parse(text) {
        Err(ManifestError::Mistakes(mistakes)) => mistakes.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn mistake_of(from: &str, to: &str) -> String {
    let changed = MINIMAL.replacen(from, to, 1);
    assert_ne!(changed, MINIMAL, "{from}");
    let found = mistakes(&changed);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn what_need_not_be_there_has_the_documented_defaults() {
    let manifest = Manifest::parse(MINIMAL).unwrap();
    let input = manifest.input.image().unwrap();
    assert_eq!((input.resize, input.resize_to, input.crop), (Resize::ShortestEdge, 8, Crop::Center));
    assert_eq!((input.mean, input.std), ([0.0; 3], [1.0; 3]));
    assert!(input.antialias);
    assert_eq!(manifest.feature.pool, Pool::None);
    assert!(manifest.feature.quantisation.signed);
    assert!((manifest.feature.quantisation.full_scale - 1.0).abs() < f32::EPSILON);
    let wide = Manifest::parse(&MINIMAL.replace("dim = 4", "dim = 1024")).unwrap();
    assert!((wide.feature.quantisation.full_scale - 0.25).abs() < f32::EPSILON);
}

#[test]
fn a_classifier_is_read() {
    let classifier = "[classifier]\nweight = \"w\"\nbias = \"b\"\nlabels = \"labels.txt\"\n";
    let manifest = Manifest::parse(&format!("{MINIMAL}{classifier}")).unwrap();
    assert_eq!(manifest.classifier.unwrap().weight.as_deref(), Some("w"));
}

#[test]
fn every_mistake_is_told_with_key_expected_and_found() {
    let text = r#"
name = "../tiny"
extra = true
[file]
sha256 = "abc"
bytes = 0
[input]
kind = "image"
layout = "hwc"
range = 2
mean = [0.5]
std = [1, 0, 1]
size = [0, 8]
color = 3
pad_value = 300
[feature]
tensor = ""
dim = "1280"
bits = 16
full_scale = 0
"#;
    assert_eq!(
        mistakes(text),
        [
            "name: expected letters, digits, '.', '_' and '-', not starting with '.', found \"../tiny\"",
            "licence: expected a string, found nothing",
            "file.sha256: expected 64 hexadecimal digits, found \"abc\"",
            "file.bytes: expected an integer of at least 1, found 0",
            "input.tensor: expected a string, found nothing",
            "input.layout: expected \"nchw\" or \"nhwc\", found \"hwc\"",
            "input.color: expected \"bgr\" or \"gray\" or \"rgb\", found 3",
            "input.range: expected 1 or 255, found 2",
            "input.mean: expected an array of 3 finite numbers, one per channel, found [0.5]",
            "input.std: expected an array of 3 numbers above 0, one per channel, found [1, 0, 1]",
            "input.size: expected [height, width], each an integer from 1 to 4096, found [0, 8]",
            "input.pad_value: expected an integer from 0 to 255, found 300",
            "feature.tensor: expected a string that is not empty, found \"\"",
            "feature.dim: expected an integer from 1 to 1048576, found \"1280\"",
            "feature.bits: expected 8, the only width that this version stores, found 16",
            "feature.full_scale: expected a number above 0 and at most 1, found 0",
            "extra: expected no such key, found it",
        ]
    );
}

#[test]
fn keys_that_contradict_each_other_are_told() {
    assert_eq!(
        mistake_of("range = 1", "range = 1\nresize_to = 7"),
        "input.resize_to: expected at least 8, the longer side of size, for resize = \"shortest-edge\", found 7"
    );
    assert_eq!(
        mistake_of("range = 1", "range = 1\ncrop = \"none\""),
        "input.crop: expected \"center\" after resize = \"shortest-edge\", or pictures come out in different sizes, found \"none\""
    );
    assert_eq!(
        mistake_of("range = 1", "range = 1\nresize = \"stretch\"\ncrop = \"center\""),
        "input.crop: expected \"none\" after resize = \"stretch\", which leaves nothing to crop, found \"center\""
    );
}

#[test]
fn another_kind_of_input_is_told_once_and_not_judged_as_an_image() {
    assert_eq!(
        mistake_of("kind = \"image\"", "kind = \"audio\"\nrate = 16000"),
        "input.kind: expected \"image\" or \"signal\", found \"audio\""
    );
}

/// [`MINIMAL`] with a signal for its input.
pub(crate) fn minimal_signal() -> String {
    let (head, rest) = MINIMAL.split_once("[input]").unwrap();
    let (_, feature) = rest.split_once("[feature]").unwrap();
    let input = "kind = \"signal\"\ntensor = \"readings\"\nchannels = 3\nlength = 96\n";
    format!("{head}[input]\n{input}[feature]{feature}")
}

#[test]
fn a_signal_has_its_own_keys_and_defaults() {
    let manifest = Manifest::parse(&minimal_signal()).unwrap();
    assert_eq!((manifest.input.kind(), manifest.input.shape(1)), ("signal", vec![1, 3, 96]));
    let input = manifest.input.signal().unwrap();
    assert_eq!((&input.mean[..], &input.std[..]), (&[0.0; 3][..], &[1.0; 3][..]));
    assert_eq!((input.layout, input.rate_hz, &input.unit), (SignalLayout::Ncl, None, &None));
    let words = "mean = 31.5\nstd = [21, 21, 21.5]\nrate_hz = 32\nunit = \"g\"\nlayout = \"nlc\"\nlength";
    let manifest = Manifest::parse(&minimal_signal().replace("length", words)).unwrap();
    assert_eq!(manifest.input.shape(2), [2, 96, 3]);
    let input = manifest.input.signal().unwrap();
    assert_eq!((&input.mean[..], &input.std[..]), (&[31.5; 3][..], &[21.0, 21.0, 21.5][..]));
    assert_eq!((input.rate_hz, input.unit.as_deref()), (Some(32.0), Some("g")));
}

#[test]
fn every_mistake_of_a_signal_is_told() {
    let wrong = "layout = \"nchw\"\ndtype = \"u8\"\nmean = [1, 2]\nstd = 0\nrate_hz = -1\nsize = [8, 8]\nlength = 0\n";
    assert_eq!(
        mistakes(&minimal_signal().replace("length = 96\n", wrong)),
        [
            "input.layout: expected \"n1cl\" or \"n1lc\" or \"ncl\" or \"ncl1\" or \"nl\" or \"nlc\" or \"nlc1\", found \"nchw\"",
            "input.dtype: expected \"f32\", found \"u8\"",
            "input.length: expected an integer from 1 to 1048576, found 0",
            "input.mean: expected one number or an array of 3, finite numbers, found [1, 2]",
            "input.std: expected one number or an array of 3, numbers above 0, found 0",
            "input.rate_hz: expected a number above 0, found -1",
            "input.size: expected no such key, found it",
        ]
    );
    assert_eq!(
        mistakes(&minimal_signal().replace("length = 96", "length = 9600\nlayout = \"nl\"\n")),
        ["input.channels: expected 1 with layout = \"nl\", which has no axis for them, found 3"]
    );
    assert_eq!(
        mistakes(
            &minimal_signal().replace("length = 96", "length = 1048576").replace("channels = 3", "channels = 1000")
        ),
        ["input.length: expected channels × length of at most 4194304, found 1048576000"]
    );
}

#[test]
fn a_misspelt_key_is_told() {
    assert_eq!(mistake_of("range = 1", "range = 1\nresizeto = 9"), "input.resizeto: expected no such key, found it");
    assert!(matches!(Manifest::parse("name = "), Err(ManifestError::Syntax(_))));
}
