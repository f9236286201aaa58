//! One ONNX file for any other runtime: Python's onnxruntime gives what `classify` gives, whatever the backbone's numbers
//! are made of.

use std::path::PathBuf;

use acclimate_tests::device::Device;
use acclimate_tests::program::Running;
use acclimate_tests::python::{python, run};
use acclimate_tests::skip::{assets, skip};
use acclimate_tests::trashnet::{TrashNet, csv, onnx_runtime};

/// Largest difference of a probability.
const TOLERANCE: f64 = 1e-4;

/// A backbone, and how Python prepares a picture for it, as its documentation says.
struct Case {
    kind: &'static str,
    model: &'static str,
    prepare: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        kind: "fp32",
        model: "mobilenetv2-1.0-224/mobilenetv2_1.0_224_fp32.onnx",
        prepare: "((x / 127.5 - 1).transpose(2, 0, 1)[None]).astype(np.float32)",
    },
    Case {
        kind: "QDQ",
        model: "mobilenetv2-1.0-224/mobilenetv2_1.0_224_uint8_qdq_nhwc.onnx",
        prepare: "x[None].astype(np.uint8)",
    },
    Case {
        kind: "QLinear",
        model: "mobilenetv2-12-int8/mobilenetv2-12-int8.onnx",
        prepare: "(((x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)[None]).astype(np.float32)",
    },
];

/// Pictures of exactly the input's size, so that no resize stands between the two.
fn pictures(device: &Device, trashnet: &TrashNet) -> Vec<PathBuf> {
    let cut = |(number, photograph): (usize, &acclimate_tests::trashnet::Photograph)| {
        let picture = image::open(&photograph.path).unwrap();
        let side = picture.width().min(picture.height());
        let square = picture.crop_imm(0, 0, side, side).thumbnail_exact(256, 256);
        let path = device.file(format!("square/{number}.png"), b"");
        square.save(&path).unwrap();
        path
    };
    trashnet.split(0).test.iter().step_by(9).enumerate().map(cut).collect()
}

#[test]
fn python_gives_the_probabilities_of_classify() {
    let Some(assets) = assets() else { return };
    if let Err(why) = onnx_runtime() {
        return skip("ort", &why);
    }
    let Some(python) = python("onnxruntime") else { return };
    let trashnet = TrashNet::read(&assets);
    for case in &CASES {
        let device = Device::new();
        let model = assets.join("models").join(case.model);
        let _ = device.run(["init", "waste", "--model", model.to_str().unwrap()]).expect(0);
        let train: Vec<_> = trashnet.split(0).train.into_iter().step_by(6).collect();
        let table = device.file("train.csv", csv(&train).as_bytes());
        let _ = device.run(["add", "waste", "/", "--labels-from-csv", table.to_str().unwrap()]).expect(0);
        let _ = device.run(["adapt", "waste"]).expect(0);
        let file = device.path("merged.onnx");
        let file = file.to_str().unwrap();
        let exported = device.json(["head", "export", "waste", "--onnx", file]);
        assert_eq!(exported["check"]["synthetic"], false);

        let pictures = pictures(&device, &trashnet);
        let mut command = device.command(["classify", "waste", "--json"]);
        let answers = Running::start(command.args(&pictures)).wait().expect(0).json_lines();
        let script = format!(
            "import sys, json, numpy as np, onnxruntime as ort\nfrom PIL import Image\n\
             options = ort.SessionOptions()\n\
             options.add_session_config_entry('session.x64quantprecision', '1')  # no saturation where there is no VNNI\n\
             s = ort.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])\n\
             names = json.loads(s.get_modelmeta().custom_metadata_map['acclimate.classes'])\n\
             for path in sys.argv[2:]:\n\
             \x20   x = np.asarray(Image.open(path).convert('RGB').crop((16, 16, 240, 240)), np.float64)\n\
             \x20   p = s.run(['probabilities'], {{s.get_inputs()[0].name: {}}})[0][0]\n\
             \x20   print(json.dumps(dict(zip(names, map(float, p)))))\n",
            case.prepare
        );
        let arguments: Vec<&str> =
            std::iter::once(file).chain(pictures.iter().map(|path| path.to_str().unwrap())).collect();
        let theirs = run(&python, &script, &arguments).expect(0).json_lines();
        assert_eq!((answers.len(), theirs.len()), (20, 20), "{}", case.kind);
        let mut worst = 0.0_f64;
        for (ours, theirs) in answers.iter().zip(&theirs) {
            let scores = ours["scores"].as_object().unwrap();
            assert_eq!(scores.len(), theirs.as_object().unwrap().len());
            for (class, p) in scores {
                worst = worst.max((p.as_f64().unwrap() - theirs[class].as_f64().unwrap()).abs());
            }
        }
        println!("{}: {worst:.1e}", case.kind);
        assert!(worst <= TOLERANCE, "{}: {worst}", case.kind);
    }
}
