//! Inspecting a model: what goes in and comes out, what it is made of, where its feature may be.
//!
//! Knows ONNX operators by name, engines only by what they lack. Invariant: the proposed manifest parses whenever a
//! feature was found and the input is one that manifests have; what could not be known is said in its comments.

mod input;
mod propose;
mod search;

use std::collections::{BTreeMap, HashSet};

use prost::bytes::Bytes;

pub(crate) use self::{
    input::{Guess, guess},
    propose::{feature as feature_lines, head as head_lines, string},
};
use crate::{
    checksum, engine,
    manifest::Pool,
    onnx::{
        self, Index, ModelError, element_name,
        pb::{self, type_proto::Value},
        shape_words,
    },
};

/// A declared input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its element type, as `FLOAT`.
    pub element: String,
    /// Its axes: numbers, names, `?`.
    pub shape: Vec<String>,
}

/// A tensor that is likely a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureCandidate {
    /// Its name.
    pub tensor: String,
    /// How to pool it.
    pub pool: Pool,
    /// Components, as the layer behind tells them.
    pub dim: usize,
    /// Whether a component may be below 0, as far as the graph tells.
    pub signed: bool,
    /// What it is.
    pub because: String,
}

/// The classifier that came with a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedLayer {
    /// Its node's operator.
    pub operator: String,
    /// The constant with its weights.
    pub weight: String,
    /// The constants with its bias; none: it has no bias.
    pub bias: Option<String>,
    /// Scores that it gives.
    pub classes: usize,
    /// Numbers that it takes.
    pub dim: usize,
    /// The classes' names, where the file tells them.
    pub names: Option<Vec<String>>,
    /// Why it cannot be kept behind the likeliest feature; none: it can.
    pub refused: Option<String>,
}

/// What a model file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Version of the format.
    pub ir_version: i64,
    /// What wrote it.
    pub producer: String,
    /// Operator sets: domain (empty: ONNX's own) and version.
    pub opsets: Vec<(String, i64)>,
    /// What must be fed.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// Numbers in its weights.
    pub parameters: u64,
    /// How often each operator occurs; those outside ONNX's own set with their domain.
    pub operators: BTreeMap<String, usize>,
    /// Likely features, the likeliest first.
    pub features: Vec<FeatureCandidate>,
    /// The classifier that came with it.
    pub classifier: Option<ShippedLayer>,
    /// Operators that tract has not; none where tract is not in this build.
    pub lacking_in_tract: Option<Vec<String>>,
}

/// Looks into a model file.
///
/// # Errors
/// The file is refused, for the reasons for which no engine would see it.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, ModelError> {
    let model = onnx::read(Bytes::copy_from_slice(bytes))?;
    let graph = model.graph.as_ref().ok_or(ModelError::NoGraph)?;
    let initialized: HashSet<_> = graph.initializer.iter().map(pb::TensorProto::name).collect();
    let mut operators = BTreeMap::new();
    onnx::for_each_node(&model, &mut |node| {
        let domain =
            if matches!(node.domain(), "" | "ai.onnx") { String::new() } else { format!("{}:", node.domain()) };
        *operators.entry(format!("{domain}{}", node.op_type())).or_insert(0) += 1;
    });
    let count = |tensor: &pb::TensorProto| tensor.dims.iter().map(|&dim| dim.unsigned_abs()).product::<u64>();
    let inputs: Vec<Port> = graph.input.iter().filter(|value| !initialized.contains(value.name())).map(port).collect();
    let index = Index::new(graph);
    let found = search::search(&index, &model.metadata_props, input::guess(&inputs).ok().as_ref());
    Ok(Inspection {
        bytes: bytes.len() as u64,
        sha256: checksum::hex(&checksum::of(bytes)),
        ir_version: model.ir_version(),
        producer: format!("{} {}", model.producer_name(), model.producer_version()).trim().to_owned(),
        opsets: model.opset_import.iter().map(|opset| (opset.domain().to_owned(), opset.version())).collect(),
        outputs: graph.output.iter().map(port).collect(),
        inputs,
        parameters: graph.initializer.iter().map(count).sum(),
        operators,
        features: found.features,
        classifier: found.classifier,
        lacking_in_tract: engine::lacking_in_tract(&model),
    })
}

impl Inspection {
    /// A manifest to start from. Only what the file tells is filled in; the rest says that it is a guess. Where
    /// [`unsupported`](Self::unsupported) tells why there can be none, that as a comment and nothing else.
    pub fn propose_manifest(&self, name: &str) -> String {
        propose::propose(self, name)
    }

    /// Why this version has no manifest for such a model; none: it has.
    pub fn unsupported(&self) -> Option<String> {
        input::guess(&self.inputs).err()
    }
}

fn port(value: &pb::ValueInfoProto) -> Port {
    let element = match value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(Value::TensorType(tensor)) => element_name(tensor.elem_type()),
        _ => "no tensor",
    };
    Port { name: value.name().to_owned(), element: element.to_owned(), shape: shape_words(value) }
}
