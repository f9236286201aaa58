//! Inspecting a model: what goes in and comes out, what it is made of, where its feature may be.
//!
//! Knows ONNX operators by name, engines only by what they lack. Invariant: the proposed manifest parses whenever a
//! feature was found and the input is an image; what could not be known is said in its comments.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
};

use prost::bytes::Bytes;

use crate::{
    checksum, engine,
    manifest::Pool,
    onnx::{
        self, ModelError, element_name,
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
    /// What it is.
    pub because: String,
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
    Ok(Inspection {
        bytes: bytes.len() as u64,
        sha256: checksum::hex(&checksum::of(bytes)),
        ir_version: model.ir_version(),
        producer: format!("{} {}", model.producer_name(), model.producer_version()).trim().to_owned(),
        opsets: model.opset_import.iter().map(|opset| (opset.domain().to_owned(), opset.version())).collect(),
        inputs: graph.input.iter().filter(|value| !initialized.contains(value.name())).map(port).collect(),
        outputs: graph.output.iter().map(port).collect(),
        parameters: graph.initializer.iter().map(count).sum(),
        operators,
        features: Search::new(graph).features(),
        lacking_in_tract: engine::lacking_in_tract(&model),
    })
}

impl Inspection {
    /// A manifest to start from. Only what the file tells is filled in; the rest says that it is a guess.
    pub fn propose_manifest(&self, name: &str) -> String {
        propose(self, name)
    }
}

fn port(value: &pb::ValueInfoProto) -> Port {
    let element = match value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(Value::TensorType(tensor)) => element_name(tensor.elem_type()),
        _ => "no tensor",
    };
    Port { name: value.name().to_owned(), element: element.to_owned(), shape: shape_words(value) }
}

/// A walk from the outputs back to the last layer with weights.
struct Search<'g> {
    graph: &'g pb::GraphProto,
    makers: HashMap<&'g str, &'g pb::NodeProto>,
    weights: HashMap<&'g str, &'g pb::TensorProto>,
}

/// How many nodes may stand between an output and its classifier.
const REACH: usize = 12;

impl<'g> Search<'g> {
    fn new(graph: &'g pb::GraphProto) -> Self {
        let outputs = |node: &'g pb::NodeProto| node.output.iter().map(move |name| (name.as_str(), node));
        Self {
            graph,
            makers: graph.node.iter().flat_map(outputs).collect(),
            weights: graph.initializer.iter().map(|tensor| (tensor.name(), tensor)).collect(),
        }
    }

    fn features(&self) -> Vec<FeatureCandidate> {
        let mut found: Vec<FeatureCandidate> = Vec::new();
        let add = |tensor: Option<&str>, pool, dim, because: &str, found: &mut Vec<FeatureCandidate>| {
            if let Some(tensor) = tensor.filter(|&tensor| found.iter().all(|known| known.tensor != tensor)) {
                found.push(FeatureCandidate { tensor: tensor.to_owned(), pool, dim, because: because.to_owned() });
            }
        };
        for output in &self.graph.output {
            let Some((classifier, pooled_after)) = self.classifier(output.name()) else { continue };
            let (Some(dim), Some(input)) = (self.fan_in(classifier), classifier.input.first()) else { continue };
            let what = format!("the input of the last {}", classifier.op_type());
            if pooled_after {
                add(self.float(input), Pool::SpatialMean, dim, &format!("{what}, which is pooled after"), &mut found);
                continue;
            }
            let mut name = input.as_str();
            for _ in 0..REACH {
                match self.makers.get(name) {
                    Some(node) if is_pool(node.op_type()) => {
                        add(
                            self.float(name),
                            Pool::None,
                            dim,
                            &format!("the pool before the last {}", classifier.op_type()),
                            &mut found,
                        );
                        let before = node.input.first().and_then(|before| self.float(before));
                        add(before, Pool::SpatialMean, dim, "what that pool takes", &mut found);
                        break;
                    }
                    Some(node) if is_shape_only(node.op_type()) => name = node.input.first().map_or("", String::as_str),
                    _ => break,
                }
            }
            add(self.float(input), Pool::Flatten, dim, &what, &mut found);
        }
        found
    }

    /// The last layer with weights before `output`, and whether a pool follows it.
    fn classifier(&self, output: &'g str) -> Option<(&'g pb::NodeProto, bool)> {
        let (mut name, mut pooled) = (output, false);
        for _ in 0..REACH {
            let node = *self.makers.get(name)?;
            if self.fan_in(node).is_some() {
                return Some((node, pooled));
            }
            pooled |= is_pool(node.op_type());
            // The operand that is computed: the other is a constant, as a bias.
            name = node.input.iter().map(String::as_str).find(|input| self.makers.contains_key(input))?;
        }
        None
    }

    /// The length of a feature that a node with weights takes: none for other nodes, and for convolutions over an area.
    fn fan_in(&self, node: &pb::NodeProto) -> Option<usize> {
        let (weight, quantised) = match node.op_type() {
            "Gemm" | "MatMul" | "Conv" | "MatMulInteger" | "ConvInteger" => (1, false),
            "QLinearConv" | "QLinearMatMul" | "QGemm" => (3, true),
            _ => return None,
        };
        let dims = &self.constant(node.input.get(weight)?)?.dims;
        let axis = |index: usize| dims.get(index).and_then(|&dim| usize::try_from(dim).ok()).filter(|&dim| dim > 1);
        let is_set = |name: &str| node.attribute.iter().any(|attribute| attribute.name() == name && attribute.i() != 0);
        if node.op_type().contains("Conv") {
            let point = dims.len() == 4 && dims[2..] == [1, 1];
            return if point { axis(1) } else { None };
        }
        match dims.len() {
            2 if is_set("transB") && !(quantised && node.op_type() != "QGemm") => axis(1),
            2 => axis(0),
            _ => None,
        }
    }

    /// A constant by name: an initializer, also one that is dequantised first.
    fn constant(&self, name: &str) -> Option<&'g pb::TensorProto> {
        if let Some(tensor) = self.weights.get(name) {
            return Some(tensor);
        }
        let node =
            self.makers.get(name).filter(|node| matches!(node.op_type(), "DequantizeLinear" | "Identity" | "Cast"))?;
        self.weights.get(node.input.first()?.as_str()).copied()
    }

    /// The tensor itself where it holds floats; for a quantised one, its dequantised form where the graph has it.
    fn float<'n>(&'n self, name: &'n str) -> Option<&'n str> {
        let quantised = self.makers.get(name).is_some_and(|node| {
            node.op_type().starts_with("QLinear")
                || matches!(node.op_type(), "QuantizeLinear" | "QGemm" | "DynamicQuantizeLinear")
        });
        if !quantised {
            return Some(name);
        }
        let dequantises = |node: &&pb::NodeProto| {
            node.op_type() == "DequantizeLinear" && node.input.first().is_some_and(|input| input == name)
        };
        self.graph.node.iter().find(dequantises)?.output.first().map(String::as_str)
    }
}

fn is_pool(operator: &str) -> bool {
    matches!(operator, "AveragePool" | "GlobalAveragePool" | "QLinearGlobalAveragePool" | "ReduceMean")
}

fn is_shape_only(operator: &str) -> bool {
    matches!(
        operator,
        "Reshape"
            | "Flatten"
            | "Squeeze"
            | "Identity"
            | "Dropout"
            | "QuantizeLinear"
            | "DequantizeLinear"
            | "Transpose"
    )
}

fn propose(inspection: &Inspection, name: &str) -> String {
    let mut text = String::new();
    let string = |text: &str| toml::Value::from(text).to_string();
    let input = inspection.inputs.first();
    let axes: Vec<Option<u32>> = input.iter().flat_map(|input| &input.shape).map(|axis| axis.parse().ok()).collect();
    let (layout, channels, size) = match axes[..] {
        [_, Some(channels @ (1 | 3)), height, width] => ("nchw", channels, [height, width]),
        [_, height, width, Some(channels @ (1 | 3))] => ("nhwc", channels, [height, width]),
        _ => ("nchw", 3, [None, None]),
    };
    let dtype = match input.map(|input| input.element.as_str()) {
        Some("UINT8") => "u8",
        Some("INT8") => "i8",
        _ => "f32",
    };
    let [height, width] = size.map(|side| side.unwrap_or(224));
    let lines = [
        format!("name = {}", string(name)),
        "licence = \"unknown\" # of the weights".to_owned(),
        "[file]".to_owned(),
        format!("sha256 = \"{}\"", inspection.sha256),
        format!("bytes = {}", inspection.bytes),
        "[input] # what the file does not tell is a guess: compare with how the model was trained".to_owned(),
        "kind = \"image\"".to_owned(),
        format!("tensor = {}", string(input.map_or("", |input| &input.name))),
        format!("layout = \"{layout}\""),
        format!("dtype = \"{dtype}\""),
        format!("color = \"{}\"", if channels == 1 { "gray" } else { "rgb" }),
        format!("range = {}", if dtype == "f32" { 1 } else { 255 }),
        format!("size = [{height}, {width}]"),
        "resize = \"shortest-edge\"".to_owned(),
        format!("resize_to = {}", height.max(width)),
    ];
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    match inspection.features.split_first() {
        Some((feature, others)) => {
            let _ = writeln!(text, "[feature]\ntensor = {} # {}", string(&feature.tensor), feature.because);
            let _ = writeln!(text, "pool = \"{}\"\ndim = {}", feature.pool, feature.dim);
            for other in others {
                let _ = writeln!(
                    text,
                    "# or {}, pool \"{}\", dim {}: {}",
                    string(&other.tensor),
                    other.pool,
                    other.dim,
                    other.because
                );
            }
        }
        None => text
            .push_str("[feature] # no classifier was found: name the tensor and its length\ntensor = \"\"\ndim = 0\n"),
    }
    text
}
