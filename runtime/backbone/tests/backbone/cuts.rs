//! Cutting: any tensor can be the output, whatever the declarations say, and samples do not see each other.

use acclimate_backbone::{ElementType, Ends, EngineChoice, Network, Tensor};
use ndarray::{ArrayD, Axis};

use crate::assets::{chain, engines, open_small, options, small, small_ends};

/// Numbers that differ everywhere.
fn images(n: usize) -> Tensor {
    let mut number = 0.0_f32;
    Tensor::F32(ArrayD::from_shape_simple_fn(vec![n, 3, 8, 8], || {
        number += 0.37;
        number.sin()
    }))
}

fn close(a: &ArrayD<f32>, b: &ArrayD<f32>) -> bool {
    a.shape() == b.shape() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn any_tensor_can_be_the_output_despite_stale_symbolic_shapes() {
    for engine in engines() {
        let run = |output| open_small("tiny.onnx", output, engine).run(&images(3)).unwrap();
        let map = run("map");
        assert_eq!(map.shape(), [3, 4, 8, 8]);
        let mean = map.mean_axis(Axis(3)).unwrap().mean_axis(Axis(2)).unwrap();
        assert!(close(&run("feature"), &mean), "{engine}");
        assert_eq!(run("pooled").shape(), [3, 4, 1, 1]);
        assert_eq!(run("logits").shape(), [3, 5]);
    }
}

#[test]
fn a_sample_gets_the_same_bits_in_any_batch() {
    for engine in engines() {
        let mut network = open_small("tiny.onnx", "logits", engine);
        let Tensor::F32(batch) = images(5) else { unreachable!() };
        let together = network.run(&Tensor::F32(batch.clone())).unwrap();
        for (index, row) in together.axis_iter(Axis(0)).enumerate() {
            let one = batch.index_axis(Axis(0), index).insert_axis(Axis(0)).to_owned();
            assert_eq!(network.run(&Tensor::F32(one)).unwrap().index_axis(Axis(0), 0), row, "{engine}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for engine in engines() {
        let run = |threads| {
            let options = acclimate_backbone::EngineOptions { threads, ..options(engine) };
            Network::open(small("tiny.onnx"), &small_ends(Some("logits")), &options).unwrap().run(&images(7)).unwrap()
        };
        assert_eq!(run(1), run(3), "{engine}");
    }
}

#[test]
fn a_model_of_the_time_when_initializers_were_inputs_runs() {
    for engine in engines() {
        let logits = open_small("old.onnx", "logits", engine).run(&images(2)).unwrap();
        assert!(close(&logits, &open_small("tiny.onnx", "logits", engine).run(&images(2)).unwrap()), "{engine}");
    }
}

#[test]
fn what_a_subgraph_captures_is_kept() {
    for engine in engines().into_iter().filter(|&engine| engine == EngineChoice::Ort) {
        let chosen = open_small("captured.onnx", "chosen", engine).run(&images(1)).unwrap();
        let pooled = open_small("captured.onnx", "pooled", engine).run(&images(1)).unwrap();
        assert!(close(&chosen, &(&pooled * 2.0)) || close(&chosen, &(&pooled * 3.0)));
    }
}

fn refusal(ends: &Ends<'_>) -> String {
    // Refused before any engine is looked for.
    let error = Network::open(small("tiny.onnx"), ends, &options(EngineChoice::Auto)).err().unwrap();
    chain(&error)
}

#[test]
fn a_wrong_name_or_shape_is_told_with_what_there_is() {
    let ends = small_ends(Some("feature"));
    assert_eq!(
        refusal(&small_ends(Some("features"))),
        "the model is refused: no node of the graph computes \"features\"; it computes \"feature\""
    );
    assert_eq!(
        refusal(&Ends { input: "picture", ..ends }),
        "the model is refused: the graph has no input \"picture\": its inputs are \"image\""
    );
    assert_eq!(
        refusal(&Ends { shape: &[8, 8, 3], ..ends }),
        "the model is refused: input \"image\" of the graph is FLOAT [N, 3, 8, 8], the manifest says FLOAT [1, 8, 8, 3]"
    );
    assert_eq!(
        refusal(&Ends { element: ElementType::U8, ..ends }),
        "the model is refused: input \"image\" of the graph is FLOAT [N, 3, 8, 8], the manifest says UINT8 [1, 3, 8, 8]"
    );
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    for engine in engines() {
        let error =
            open_small("tiny.onnx", "logits", engine).run(&Tensor::F32(ArrayD::zeros(vec![1, 3, 8, 9]))).err().unwrap();
        assert_eq!(error.to_string(), "the graph's input is f32 [n, 3, 8, 8], the batch given is f32 [1, 3, 8, 9]");
    }
}
