//! Ids of backbones.

use acclimate_backbone::{BackboneId, Library, Manifest};

use crate::manifests::{MINIMAL, minimal_signal};

/// If this fails, do not edit it: features in the field are recorded under these ids. Raise the version that changed
/// (of preprocessing, say) and add the new ids.
#[test]
fn ids_of_the_catalogue_are_what_they_were() {
    let ids: Vec<_> = Library::new(Vec::new())
        .list()
        .into_iter()
        // Of one whose tensors are still to be found there is no id.
        .filter(|entry| !entry.manifest.is_open())
        .map(|entry| format!("{} {}", entry.manifest.name, BackboneId::of(&entry.manifest)))
        .collect();
    assert_eq!(
        ids,
        [
            "builtin-picture-1 6d340d4307c182f06878b4eb5a3aac156aa4a708904e9dc676c956b9b02d72ad",
            "builtin-signal-1 510ec9e0a41bf60c8886d2ba13d3cf81fbabac8c12eb2a2bbeca6fb02fc81338",
            "mcunet-5fps 6da84024e6f029da07e23b9117a793210e343ab87ba7499e5adcd87e98f09ab1",
            "mcunet-5fps-int8 33c6cf40dae454dace08fa848d7537456e984b948edce34358fe5f708353bfb4",
            "mcunet-mbv2-w0.35 de36565014c0b015ada442c6592a2c316b13c82da951285f6107f470579efe8e",
            "mcunet-mbv2-w0.35-int8 997ae699d479dd18da40462ce740d943d1676a84d1b6b014b6a94cf37f3dacd2",
            "mcunet-proxyless-w0.3 825f6bd6b6cf67b284df2e8884b31aaa718d271aa30086f9efdb9c4376c3ae77",
            "mcunet-proxyless-w0.3-int8 6910c500db69b0f86e64c82ff39b1c95073691ecacf6c2b2ea84cb0a6b71fe63",
            "mlperf-tiny-resnet8 748d36ebe3cb20dc48cbd8942596b07073bc900067615b27fb50ff5386782fa9",
            "mlperf-tiny-vww 1c5732bbf328bdd24902e2d8d004fbd62a7d9d630c405b94a01b6d87725e5cdf",
            "mlperf-tiny-vww-int8 bd22dd45fc381ea27484fc1e20d4363aaa1f43aceed7dfb9151b7ae7c4f5ed76",
            "mobilenetv1-0.25-128 e6cbcb9d6900dc557f94860fa0230dc2249d2d9217fe91a97e2cee0c80e0b3e7",
            "mobilenetv1-0.5-160 fc6ec44e1cc7b5c2eb0c4d532c71b384aeb7b255bc963e0fee9fba5f5b765a69",
            "mobilenetv2-0.35-224 989623b1c9369e7fd343fd02999f22dd888f20507b3049b1354814e303b775be",
            "mobilenetv2-1.0-224 7ada572313c03ebdd4b248e8a6ba9c2c0ad248764df20619051067c2dc7ef236",
            "mobilenetv2-1.0-224-uint8 c6fb8e8820890fc3d58358c71178e6fa7b1ba08bb88c582def19ed17d4ff4e49",
            "mobilenetv2-12-int8 e5590eedc3f1fa9252868e06b556ba8466cbe21db200eaf90b135765d3b364b1",
            "resnet20-cifar10 4a465902f91e7d904a39b3b110d351cc7e0bdaac2ca90089a121428400251633",
            "resnet56-cifar10 b8410a5a66891ed56eae0ec05f8d33432b6555a025048001215d52c3cc395af0",
            "squeezenet1.0 472ef8181ae1cd819f1b241575ce034a24c760f7bf5e8b74908617fd2d223e56",
            "yolox-nano 44b1e3873dfd29f853746e62828f60c36183820453b283873cbdd2287ec772d2",
        ]
    );
}

#[test]
fn whatever_changes_features_changes_the_id_and_nothing_else_does() {
    let id = |text: &str| BackboneId::of(&Manifest::parse(text).unwrap());
    let minimal = id(MINIMAL);
    for (from, to) in [
        ("sha256 = \"00", "sha256 = \"01"),
        ("tensor = \"image\"", "tensor = \"image\"\ncolor = \"bgr\""),
        ("tensor = \"image\"", "tensor = \"image\"\nmean = [0.5, 0.5, 0.25]"),
        ("tensor = \"image\"", "tensor = \"image\"\nresize_to = 9"),
        ("tensor = \"image\"", "tensor = \"image\"\nresize = \"stretch\""),
        ("tensor = \"image\"", "tensor = \"image\"\nresize = \"letterbox\""),
        ("tensor = \"image\"", "tensor = \"image\"\nresize = \"letterbox\"\npad_value = 114"),
        ("tensor = \"image\"", "tensor = \"image\"\ninterpolation = \"bicubic\""),
        ("tensor = \"image\"", "tensor = \"image\"\nantialias = false"),
        ("tensor = \"image\"", "tensor = \"image\"\ndecode = \"scaled\""),
        ("range = 1", "range = 255"),
        ("tensor = \"feature\"", "tensor = \"pooled\""),
        ("dim = 4", "dim = 4\npool = \"flatten\""),
        ("dim = 4", "dim = 4\nsigned = false"),
        ("dim = 4", "dim = 4\nfull_scale = 0.5"),
    ] {
        let changed = MINIMAL.replacen(from, to, 1);
        assert_ne!(changed, MINIMAL, "{from}");
        assert_ne!(id(&changed), minimal, "{to}");
    }
    for (from, to) in [
        ("name = \"tiny\"", "name = \"other\""),
        ("licence = \"MIT\"", "licence = \"Apache-2.0\""),
        ("[file]", "[file]\nurl = \"https://example.com/x.onnx\""),
        // No letterbox, no padding.
        ("tensor = \"image\"", "tensor = \"image\"\npad_value = 114"),
        // Defaults written out.
        ("tensor = \"image\"", "tensor = \"image\"\nresize = \"shortest-edge\"\nresize_to = 8\ncrop = \"center\""),
        ("dim = 4", "dim = 4\nbits = 8\nfull_scale = 1.0\nsigned = true\npool = \"none\""),
    ] {
        let changed = MINIMAL.replacen(from, to, 1);
        assert_ne!(changed, MINIMAL, "{from}");
        assert_eq!(id(&changed), minimal, "{to}");
    }
}

#[test]
fn whatever_changes_a_signal_changes_the_id_and_words_about_it_do_not() {
    let id = |text: &str| BackboneId::of(&Manifest::parse(text).unwrap());
    let minimal = minimal_signal();
    let with = |line: &str| id(&minimal.replacen("length = 96", line, 1));
    // Golden, as above.
    assert_eq!(id(&minimal).to_string(), "67e72d8c1877625dafe3abb4fe8ce163028257672d26f9dd6fb9e11399f653b2");
    for line in
        ["length = 97", "length = 96\nlayout = \"nlc\"", "length = 96\nmean = 0.5", "length = 96\nstd = [1, 1, 2]"]
    {
        assert_ne!(with(line), id(&minimal), "{line}");
    }
    for line in ["length = 96\nrate_hz = 32\nunit = \"g\"", "length = 96\nmean = 0\nstd = [1, 1, 1]\nlayout = \"ncl\""]
    {
        assert_eq!(with(line), id(&minimal), "{line}");
    }
}
