//! Backbone and head as one ONNX file: preprocessed input in, calibrated probabilities out.
//!
//! Knows graphs and manifests; what fitted the head is nothing to it. Invariant: the nodes added mean the same in every
//! operator set from [`MIN_OPSET`] on, and their names are new to the graph.

use std::collections::HashSet;

use ndarray::{ArrayView1, ArrayView2};
use prost::{Message as _, bytes::Bytes};
use toml::{Table, Value};

use crate::{
    checksum,
    classifier::{CLASSES_KEY, OTHER_CLASSES_KEYS},
    manifest::{Manifest, ManifestError, Pool},
    network::{Ends, cut},
    onnx::{
        self, ModelError, for_each_node,
        pb::{
            self, AttributeProto, NodeProto, StringStringEntryProto, TensorProto, attribute_proto::AttributeType,
            tensor_proto::DataType,
        },
    },
    pool::Map,
};

/// The oldest operator set in which operands of different shape broadcast.
const MIN_OPSET: i64 = 7;
/// The oldest in which `Gather` counts from the end.
const GATHER_FROM_END_OPSET: i64 = 11;

/// Keeps a feature of all zeros from being divided by 0; far below the square of any other norm.
const LEAST_SQUARE: f32 = 1e-30;

/// Key of the temperature in the metadata.
const TEMPERATURE_KEY: &str = "acclimate.temperature";
/// Key of the manifest in the metadata.
const MANIFEST_KEY: &str = "acclimate.manifest";

/// What a head compares features with, `exp(-γ‖x - s‖²)` for each row s.
#[derive(Clone, Copy, Debug)]
pub struct Likeness<'a> {
    /// `[n, dim]`.
    pub support: ArrayView2<'a, f32>,
    /// γ.
    pub gamma: f64,
}

/// A head to put behind a backbone: linear in the feature, or in its likeness to others.
#[derive(Clone, Debug)]
pub struct Merge<'a> {
    /// `[classes, dim]`, but `[classes, n]` on the likeness.
    pub weights: ArrayView2<'a, f32>,
    /// What stands between feature and weights, if anything.
    pub likeness: Option<Likeness<'a>>,
    /// `[classes]`.
    pub bias: ArrayView1<'a, f32>,
    /// What the scores are divided by before the softmax.
    pub temperature: f64,
    /// Whether the head takes the feature at L2 norm 1; else as it is pooled.
    pub unit: bool,
    /// Names of the classes.
    pub classes: &'a [String],
    /// Further entries of the metadata.
    pub metadata: Vec<(String, String)>,
}

/// Why there is no merged file.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The backbone's model is refused.
    #[error("the model is refused")]
    Model(#[from] ModelError),
    /// The head is of another length than the feature, or not whole.
    #[error("the head has {what} of {found}, expected {expected}: it belongs to another backbone")]
    Head {
        /// What does not fit.
        what: &'static str,
        /// What is needed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The model is of an operator set in which the head cannot be written.
    #[error("the model uses operator set {found}, the merged file needs {needed} or later: convert the model first")]
    Opset {
        /// The model's.
        found: i64,
        /// The oldest that serves.
        needed: i64,
    },
    /// The manifest's text cannot be written into the file.
    #[error("the manifest cannot be written into the merged file")]
    Manifest(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Puts a head behind the backbone that a manifest describes.
///
/// The output `probabilities` is `[N, classes]`. The metadata tells the classes, the temperature and a manifest, so that
/// [`embedded_manifest`] opens the file as a backbone with this head as its classifier.
///
/// # Errors
/// The model is refused or too old, or head and manifest do not fit each other.
pub fn merge(bytes: &[u8], manifest: &Manifest, head: &Merge<'_>) -> Result<Vec<u8>, MergeError> {
    check(manifest, head)?;
    let model = onnx::read(Bytes::copy_from_slice(bytes))?;
    check_opset(&model, manifest.feature.pool)?;
    let input = &manifest.input;
    let batch = onnx::open_batch(&model, input.tensor());
    let ends = Ends {
        output: Some(&manifest.feature.tensor),
        input: input.tensor(),
        shape: &input.shape(1)[1..],
        element: input.element(),
    };
    let mut model = cut(model, &ends)?;
    let mut tail = Tail::new(&model);
    let raw = tail.pool(manifest);
    let feature = if head.unit { tail.unit(&raw, manifest.feature.dim) } else { raw };
    let input = head.likeness.map(|likeness| tail.compare(&feature, likeness));
    let gemm = tail.classify(input.as_ref().unwrap_or(&feature), head);

    let graph = model.graph.as_mut().ok_or(ModelError::NoGraph)?;
    graph.node.extend(tail.nodes);
    graph.initializer.extend(tail.initializers);
    if graph.name().is_empty() {
        graph.name = Some(manifest.name.clone()); // the standard asks for a name
    }
    graph.output = vec![onnx::value_info(&gemm.output, DataType::Float, &[1, head.weights.nrows()])];
    if let Some(batch) = batch {
        graph.input.iter_mut().chain(&mut graph.output).for_each(|value| onnx::set_open_batch(value, &batch));
    }

    model.producer_name = Some("acclimate".to_owned());
    model.producer_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let text =
        manifest_text(manifest, &feature, head.likeness.is_none().then_some(&gemm)).map_err(MergeError::Manifest)?;
    describe(&mut model, head, text);
    Ok(model.encode_to_vec())
}

fn check(manifest: &Manifest, head: &Merge<'_>) -> Result<(), MergeError> {
    let (classes, width) = head.weights.dim();
    let dim = head.likeness.map_or(width, |likeness| likeness.support.ncols());
    let refuse = |what, expected: String, found: String| Err(MergeError::Head { what, expected, found });
    if dim != manifest.feature.dim {
        return refuse("features", format!("{} numbers", manifest.feature.dim), format!("{dim} numbers"));
    }
    if let Some(Likeness { support, .. }) = head.likeness
        && support.nrows() != width
    {
        return refuse("weights", format!("{} numbers", support.nrows()), format!("{width} numbers"));
    }
    if classes == 0 || head.bias.len() != classes {
        return refuse("a bias", format!("{} numbers", classes.max(1)), format!("{} numbers", head.bias.len()));
    }
    if head.classes.len() != classes {
        return refuse("names", format!("{classes} classes"), format!("{} classes", head.classes.len()));
    }
    if !(head.temperature > 0.0 && head.temperature.is_finite()) {
        return refuse("a temperature", "a number above 0".to_owned(), head.temperature.to_string());
    }
    Ok(())
}

fn check_opset(model: &pb::ModelProto, pool: Pool) -> Result<(), MergeError> {
    let own = |opset: &&pb::OperatorSetIdProto| matches!(opset.domain(), "" | "ai.onnx");
    let found = model.opset_import.iter().find(own).map_or(1, pb::OperatorSetIdProto::version);
    let needed = if pool == Pool::LastToken { GATHER_FROM_END_OPSET } else { MIN_OPSET };
    if found < needed { Err(MergeError::Opset { found, needed }) } else { Ok(()) }
}

/// What is put behind the cut.
struct Tail {
    taken: HashSet<String>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    cut: String,
}

/// The names that a manifest of the merged file needs.
struct Gemm {
    weight: String,
    bias: String,
    output: String,
}

impl Tail {
    fn new(model: &pb::ModelProto) -> Self {
        let mut taken = HashSet::new();
        if let Some(graph) = &model.graph {
            taken.extend(graph.input.iter().map(|value| value.name().to_owned()));
            taken.extend(graph.initializer.iter().map(|tensor| tensor.name().to_owned()));
        }
        for_each_node(model, &mut |node| {
            taken.insert(node.name().to_owned());
            taken.extend(node.input.iter().chain(&node.output).cloned());
        });
        let cut = model.graph.iter().flat_map(|graph| &graph.output).map(|output| output.name().to_owned()).next();
        Self { taken, nodes: Vec::new(), initializers: Vec::new(), cut: cut.unwrap_or_default() }
    }

    /// A name that the graph does not have: the one wanted, else with a number.
    fn fresh(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        let name = names.find(|name| !self.taken.contains(name)).expect("a bug: the numbers do not end");
        self.taken.insert(name.clone());
        name
    }

    /// A node with one output, which is also its name.
    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> String {
        let output = self.fresh(output);
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.clone()],
            name: Some(output.clone()),
            op_type: Some(operator.to_owned()),
            attribute,
            ..Default::default()
        });
        output
    }

    fn floats(&mut self, name: &str, dims: &[usize], numbers: impl Iterator<Item = f32>) -> String {
        let raw: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        self.constant(name, DataType::Float, dims, raw)
    }

    fn constant(&mut self, name: &str, kind: DataType, dims: &[usize], raw: Vec<u8>) -> String {
        let name = self.fresh(name);
        self.initializers.push(TensorProto {
            name: Some(name.clone()),
            data_type: Some(kind as i32),
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            raw_data: Some(raw.into()),
            ..Default::default()
        });
        name
    }

    /// The feature as the manifest pools it, `[N, dim]`.
    fn pool(&mut self, manifest: &Manifest) -> String {
        let tensor = self.cut.clone();
        // Models in half precision have such a feature, heads are f32.
        let tensor = self.node("Cast", &[&tensor], "acclimate/tensor", vec![int("to", DataType::Float as i64)]);
        let pooled = match manifest.feature.pool {
            Pool::Flatten | Pool::None => tensor,
            // `ReduceMean` has its axes as an attribute up to operator set 17 and as an input since: this has none.
            Pool::SpatialMean if !Map::of(&manifest.input).channels_last() => self.mean(&tensor),
            Pool::SpatialMean => {
                let shape = [0, -1, manifest.feature.dim as i64].map(i64::to_le_bytes).concat();
                let shape = self.constant("acclimate/places", DataType::Int64, &[3], shape);
                let places = self.node("Reshape", &[&tensor, &shape], "acclimate/by-place", Vec::new());
                self.mean_of_tokens(&places)
            }
            Pool::TokenMean => self.mean_of_tokens(&tensor),
            Pool::Cls => self.token(&tensor, 0),
            Pool::LastToken => self.token(&tensor, -1),
        };
        self.node("Flatten", &[&pooled], "acclimate/pooled", vec![int("axis", 1)])
    }

    /// The mean of `[N, channels, …]` over everything behind the channels.
    fn mean(&mut self, map: &str) -> String {
        self.node("GlobalAveragePool", &[map], "acclimate/mean", Vec::new())
    }

    /// The mean of `[N, tokens, dim]` over the tokens.
    fn mean_of_tokens(&mut self, tokens: &str) -> String {
        let order = AttributeProto {
            name: Some("perm".to_owned()),
            r#type: Some(AttributeType::Ints as i32),
            ints: vec![0, 2, 1],
            ..Default::default()
        };
        let tokens_last = self.node("Transpose", &[tokens], "acclimate/tokens-last", vec![order]);
        self.mean(&tokens_last)
    }

    fn token(&mut self, tensor: &str, position: i64) -> String {
        let position = self.constant("acclimate/position", DataType::Int64, &[], position.to_le_bytes().to_vec());
        self.node("Gather", &[tensor, &position], "acclimate/token", vec![int("axis", 1)])
    }

    /// The feature at L2 norm 1.
    fn unit(&mut self, raw: &str, dim: usize) -> String {
        let ones = self.floats("acclimate/ones", &[dim, 1], std::iter::repeat_n(1.0, dim));
        let least = self.floats("acclimate/least", &[1], std::iter::once(LEAST_SQUARE));
        let squares = self.node("Mul", &[raw, raw], "acclimate/squares", Vec::new());
        let sum = self.node("MatMul", &[&squares, &ones], "acclimate/sum", Vec::new());
        let above_zero = self.node("Add", &[&sum, &least], "acclimate/above-zero", Vec::new());
        let norm = self.node("Sqrt", &[&above_zero], "acclimate/norm", Vec::new());
        self.node("Div", &[raw, &norm], "acclimate/feature", Vec::new())
    }

    /// The likeness of the feature to each row of the support, `[N, n]`: `exp(2γ x·s - γ‖x‖² - γ‖s‖²)`.
    fn compare(&mut self, feature: &str, Likeness { support, gamma }: Likeness<'_>) -> String {
        let (n, dim) = support.dim();
        let square = |row: ArrayView1<'_, f32>| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let doubled = support.t().iter().map(|&x| (2.0 * gamma * f64::from(x)) as f32).collect::<Vec<_>>();
        let doubled = self.floats("acclimate/support", &[dim, n], doubled.into_iter());
        let offsets = support.outer_iter().map(|row| (-gamma * square(row)) as f32).collect::<Vec<_>>();
        let offsets = self.floats("acclimate/support-squares", &[n], offsets.into_iter());
        let width = self.floats("acclimate/width", &[dim, 1], std::iter::repeat_n(-gamma as f32, dim));
        let squares = self.node("Mul", &[feature, feature], "acclimate/feature-squares", Vec::new());
        let own = self.node("MatMul", &[&squares, &width], "acclimate/own", Vec::new());
        let products = self.node("MatMul", &[feature, &doubled], "acclimate/products", Vec::new());
        let sum = self.node("Add", &[&products, &offsets], "acclimate/products-less-squares", Vec::new());
        let exponent = self.node("Add", &[&sum, &own], "acclimate/exponent", Vec::new());
        self.node("Exp", &[&exponent], "acclimate/likeness", Vec::new())
    }

    /// The head, divided by its temperature.
    fn classify(&mut self, feature: &str, head: &Merge<'_>) -> Gemm {
        let cooled = |number: &f32| (f64::from(*number) / head.temperature) as f32;
        let (classes, dim) = head.weights.dim();
        let weight = self.floats("acclimate/weight", &[classes, dim], head.weights.iter().map(cooled));
        let bias = self.floats("acclimate/bias", &[classes], head.bias.iter().map(cooled));
        let logits = self.node("Gemm", &[feature, &weight, &bias], "acclimate/logits", vec![int("transB", 1)]);
        let output = self.node("Softmax", &[&logits], "probabilities", vec![int("axis", 1)]);
        Gemm { weight, bias, output }
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..Default::default()
    }
}

/// The manifest of the merged file, but for its `[file]`, which cannot stand inside.
fn manifest_text(
    manifest: &Manifest,
    feature: &str,
    gemm: Option<&Gemm>,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut root: Table = manifest.text.parse()?;
    root.remove("file");
    let tensor = root.get_mut("feature").and_then(Value::as_table_mut).ok_or("it has no [feature]")?;
    tensor.insert("tensor".to_owned(), feature.into());
    tensor.insert("pool".to_owned(), Pool::None.word().into());
    root.remove("classifier");
    // Weights on anything but the feature are no classifier that a manifest could name.
    if let Some(gemm) = gemm {
        let classifier = [("weight", gemm.weight.as_str()), ("bias", gemm.bias.as_str())];
        let classifier: Table = classifier.into_iter().map(|(key, name)| (key.to_owned(), name.into())).collect();
        root.insert("classifier".to_owned(), Value::Table(classifier));
    }
    Ok(root.to_string())
}

/// Writes the metadata: ours and the caller's, and of the model's own what still holds.
fn describe(model: &mut pb::ModelProto, head: &Merge<'_>, manifest: String) {
    let classes = serde_json::to_string(head.classes).expect("a bug: texts are JSON");
    let ours = [(CLASSES_KEY, classes), (TEMPERATURE_KEY, head.temperature.to_string()), (MANIFEST_KEY, manifest)];
    let ours = ours.map(|(key, value)| (key.to_owned(), value));
    let mut entries = head.metadata.clone();
    entries.retain(|(key, _)| ours.iter().all(|(own, _)| own != key));
    entries.extend(ours);
    let stale = |key: &str| {
        key.starts_with("acclimate.") || OTHER_CLASSES_KEYS.contains(&key) || entries.iter().any(|(new, _)| new == key)
    };
    model.metadata_props.retain(|entry| !stale(entry.key()));
    let entries = entries.into_iter().map(|(key, value)| StringStringEntryProto { key: Some(key), value: Some(value) });
    model.metadata_props.extend(entries);
}

/// The manifest that [`merge`] wrote into a file, as that of this file under the name given; none in other files.
pub fn embedded_manifest(bytes: &[u8], name: &str) -> Option<Result<Manifest, ManifestError>> {
    let model = onnx::read(Bytes::copy_from_slice(bytes)).ok()?;
    let text = model.metadata_props.iter().find(|entry| entry.key() == MANIFEST_KEY)?.value();
    let complete = || {
        let mut root: Table = text.parse().map_err(ManifestError::Syntax)?;
        root.insert("name".to_owned(), name.into());
        let sum = Value::from(checksum::hex(&checksum::of(bytes)));
        let file = [("sha256", sum), ("bytes", Value::from(bytes.len() as i64))];
        let file: Table = file.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        root.insert("file".to_owned(), Value::Table(file));
        Manifest::parse(&root.to_string())
    };
    Some(complete())
}
