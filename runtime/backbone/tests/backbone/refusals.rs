//! Models that no engine may see, and models that nobody wrote.

use acclimate_backbone::{EngineChoice, ModelError, Network, Tensor, inspect};
use ndarray::ArrayD;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::assets::{engines, options, small, small_ends};

/// A length-delimited field.
fn field(tag: u32, inner: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(tag, WireType::LengthDelimited, &mut bytes);
    encode_varint(inner.len() as u64, &mut bytes);
    bytes.extend_from_slice(inner);
    bytes
}

/// A field of type int64, int32 or enum.
fn number(tag: u32, value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(tag, WireType::Varint, &mut bytes);
    encode_varint(value.cast_unsigned(), &mut bytes);
    bytes
}

fn text(tag: u32, value: &str) -> Vec<u8> {
    field(tag, value.as_bytes())
}

/// `TensorProto` of f32 with raw data.
fn tensor(name: &str, dims: &[i64], raw: usize) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&dim| number(1, dim));
    dims.chain(number(2, 1)).chain(text(8, name)).chain(field(9, &vec![0; raw])).collect()
}

/// `TensorProto` with its data elsewhere, in three spellings.
fn external(spelling: usize) -> Vec<u8> {
    let location = field(13, &[text(1, "location"), text(2, "../../etc/passwd")].concat());
    let rest = [number(1, 2), number(2, 1), text(8, "w")].concat();
    match spelling {
        0 => [rest, location, number(14, 1)].concat(),
        1 => [rest, location].concat(),
        _ => [rest, number(14, 1)].concat(),
    }
}

/// `ModelProto` with a node "Neg" from `x` to `y`, and more fields of the graph and of the model.
fn model(graph: &[u8], more: &[u8]) -> Vec<u8> {
    let node = field(1, &[text(1, "x"), text(2, "y"), text(4, "Neg")].concat());
    let ends = [field(11, &text(1, "x")), field(12, &text(1, "y"))].concat();
    [number(1, 8), field(7, &[&node, &ends, graph].concat()), field(8, &number(2, 13)), more.to_vec()].concat()
}

/// `NodeProto` in a graph's field 1, with one attribute.
fn node_with(attribute: &[u8]) -> Vec<u8> {
    field(1, &[text(2, "z"), text(4, "Constant"), field(5, &[&text(1, "value"), attribute].concat())].concat())
}

fn refusal(model: &[u8]) -> ModelError {
    inspect(model).err().unwrap()
}

#[test]
fn a_plain_model_is_not_refused() {
    let fine = model(&field(5, &tensor("w", &[2, 3], 24)), &[]);
    assert_eq!(inspect(&fine).unwrap().parameters, 6);
}

#[test]
fn external_data_is_refused_wherever_it_hides() {
    for spelling in 0..3 {
        let tensor = external(spelling);
        let nested = field(6, &field(5, &tensor));
        let sparse = field(1, &tensor);
        let in_function = field(7, &[text(4, "Constant"), field(5, &field(5, &tensor))].concat());
        for (place, bytes) in [
            ("initializer", model(&field(5, &tensor), &[])),
            ("sparse initializer", model(&field(15, &sparse), &[])),
            ("attribute", model(&node_with(&field(5, &tensor)), &[])),
            ("list attribute", model(&node_with(&field(10, &tensor)), &[])),
            ("sparse attribute", model(&node_with(&field(22, &sparse)), &[])),
            ("subgraph", model(&node_with(&nested), &[])),
            ("subgraph in a list", model(&node_with(&field(11, &field(5, &tensor))), &[])),
            ("subgraph of a subgraph", model(&node_with(&field(6, &node_with(&nested))), &[])),
            ("function", model(&[], &field(25, &in_function))),
            ("training", model(&[], &field(20, &field(1, &field(5, &tensor))))),
        ] {
            let error = refusal(&bytes);
            assert!(matches!(error, ModelError::ExternalData { .. }), "{place}, spelling {spelling}: {error}");
        }
    }
    assert_eq!(
        refusal(&model(&field(5, &external(0)), &[])).to_string(),
        "tensor \"w\" keeps its data in another file: external data is refused; save the model as one file"
    );
}

#[test]
fn shapes_that_no_machine_holds_are_refused() {
    let initializer = |dims: &[i64], raw| refusal(&model(&field(5, &tensor("w", dims, raw)), &[])).to_string();
    let rule = "axes must be 0 or more and their product at most 1073741824";
    assert_eq!(initializer(&[1 << 40], 0), format!("\"w\" has shape [1099511627776]: {rule}"));
    assert_eq!(initializer(&[1 << 32, 1 << 32], 0), format!("\"w\" has shape [4294967296, 4294967296]: {rule}"));
    assert_eq!(initializer(&[0, 1 << 40], 0), format!("\"w\" has shape [0, 1099511627776]: {rule}"));
    assert_eq!(initializer(&[-2, -2], 16), format!("\"w\" has shape [-2, -2]: {rule}"));
    let dims = [1 << 20, 1 << 20].map(|dim| field(1, &number(1, dim))).concat();
    let declared = field(13, &[text(1, "v"), field(2, &field(1, &[number(1, 1), field(2, &dims)].concat()))].concat());
    assert_eq!(refusal(&model(&declared, &[])).to_string(), format!("\"v\" has shape [1048576, 1048576]: {rule}"));
}

#[test]
fn data_of_another_length_than_the_shape_says_is_refused() {
    let error = refusal(&model(&field(5, &tensor("w", &[2, 3], 23)), &[]));
    assert_eq!(error.to_string(), "tensor \"w\" has 23 bytes of data, but its shape [2, 3] and type FLOAT need 24");
    let bare = [number(1, 3), number(2, 7), text(8, "w")].concat();
    let error = refusal(&model(&field(5, &bare), &[]));
    assert_eq!(error.to_string(), "tensor \"w\" has 0 elements of data, but its shape [3] and type INT64 need 3");
    let odd = [number(1, 3), number(2, 99), text(8, "w")].concat();
    assert_eq!(
        refusal(&model(&field(5, &odd), &[])).to_string(),
        "tensor \"w\" has element type 99, which is not supported"
    );
}

#[test]
fn what_is_no_model_is_told() {
    let says = |bytes: &[u8]| refusal(bytes).to_string();
    assert_eq!(says(b""), "the model has no graph");
    assert_eq!(says(b"\x89PNG\r\n\x1a\n"), "not an ONNX file: the bytes are no whole protobuf message");
    assert_eq!(says(&number(1, 8)), "the model has no graph");
    assert_eq!(says(&field(7, &text(2, "empty"))), "the graph has no outputs");
    assert_eq!(says(&field(7, &field(12, &text(1, "y")))), "no node of the graph computes \"y\"");
    let whole = small("tiny.onnx");
    assert_eq!(says(&whole[..whole.len() - 100]), "not an ONNX file: the bytes are no whole protobuf message");
}

#[test]
fn a_file_past_the_cap_is_not_even_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.onnx");
    // Sparse: it takes no space on the disk.
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let manifest = acclimate_backbone::Manifest::parse(crate::manifests::MINIMAL).unwrap();
    let error = acclimate_backbone::Backbone::open(&manifest, &path, &options(EngineChoice::Auto)).err().unwrap();
    let text = crate::assets::chain(&error);
    assert!(text.ends_with("it has 1099511627776 bytes, more than the 1073741824 that are read"), "{text}");
}

/// Every truncation and 300 seeded mutations: refused, or run, but never a panic.
#[test]
fn damaged_models_never_panic() {
    let whole = small("tiny.onnx");
    for length in 0..whole.len() {
        // A cut between two fields of the model leaves a shorter, but whole message.
        if let Ok(inspection) = inspect(&whole[..length]) {
            assert_eq!(inspection.outputs.len(), 2);
        }
    }
    let engines = engines();
    let zeros = Tensor::F32(ArrayD::zeros(vec![1, 3, 8, 8]));
    let mut state = 0x5eed_u64;
    let mut random = |below: usize| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    };
    let (mut refused, mut unable, mut ran) = (0, 0, 0);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = random(256) as u8,
                _ => drop(bytes.drain(at..(at + 1 + random(8)).min(bytes.len()))),
            }
        }
        if inspect(&bytes).is_err() {
            refused += 1;
            continue;
        }
        for &engine in &engines {
            match Network::open(bytes.clone(), &small_ends(Some("logits")), &options(engine))
                .map(|mut network| network.run(&zeros))
            {
                Ok(Ok(_)) => ran += 1,
                Ok(Err(_)) | Err(_) => unable += 1,
            }
        }
    }
    println!("{refused} refused, {unable} not run, {ran} run");
    // Or the test has stopped testing one of the paths.
    assert!(refused > 30 && (engines.is_empty() || (unable > 10 && ran > 30)), "{refused} {unable} {ran}");
}
