//! The search for the feature: back from the outputs to the last layer with weights, and what that takes.
//!
//! Knows operators by name. Invariant: a tensor is named once, and the likeliest comes first.

use super::{FeatureCandidate, Guess, ShippedLayer};
use crate::{
    classifier::{Obstacle, Route, class_names, is_pool, is_shape_only, is_storage, node_name},
    manifest::{Layout, Pool},
    onnx::{
        Index, element_name, integer,
        pb::{NodeProto, StringStringEntryProto, type_proto::Value},
        shape_words,
    },
    pool::Map,
};

/// How many nodes may stand between a layer and the pool before it, or the activation behind it.
const REACH: usize = 12;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) features: Vec<FeatureCandidate>,
    pub(super) classifier: Option<ShippedLayer>,
}

/// Searches a graph whose input was guessed to be this.
pub(super) fn search(index: &Index<'_>, metadata: &[StringStringEntryProto], input: Option<&Guess>) -> Found {
    let mut search = Search { index, input, features: Vec::new() };
    let mut classifier = None;
    for output in &index.graph().output {
        let Some(route) = Route::to(output.name(), index) else { continue };
        if gives_features(&route, metadata) {
            search.output(output.name());
            if !search.features.is_empty() {
                continue;
            }
        }
        search.before(&route);
        if classifier.is_none() {
            classifier = Some(search.shipped(&route, metadata));
        }
    }
    if search.features.is_empty() {
        index.graph().output.iter().for_each(|output| search.output(output.name()));
    }
    if search.features.is_empty() {
        search.widest();
    }
    Found { features: search.features, classifier }
}

/// Whether a graph ends in its feature: an activation follows its last layer, or that takes a whole area, and their number
/// is none of classes.
fn gives_features(route: &Route<'_>, metadata: &[StringStringEntryProto]) -> bool {
    // SqueezeNet ends in an activation too, of ImageNet's classes.
    let classes = matches!(route.layer.classes, 1000 | 1001) || class_names(metadata, route.layer.classes).is_some();
    let activated = route.pooled_after && !route.obstacles.is_empty();
    (activated || !route.layer.point) && !classes
}

struct Search<'g, 'i> {
    index: &'i Index<'g>,
    input: Option<&'i Guess>,
    features: Vec<FeatureCandidate>,
}

impl<'g> Search<'g, '_> {
    fn add(&mut self, tensor: Option<&str>, pool: Pool, dim: usize, because: &str) {
        let Some(tensor) = tensor.filter(|&tensor| self.features.iter().all(|known| known.tensor != tensor)) else {
            return;
        };
        let signed = !self.never_negative(tensor, REACH);
        let because = because.to_owned();
        self.features.push(FeatureCandidate { tensor: tensor.to_owned(), pool, dim, signed, because });
    }

    /// What a classifier takes.
    fn before(&mut self, route: &Route<'g>) {
        let (layer, dim) = (&route.layer, route.layer.dim);
        let what = format!("the input of the last {}", layer.node.op_type());
        if !layer.point {
            self.add(self.float(layer.input), Pool::Flatten, dim, &format!("{what}, which takes it whole"));
            return;
        }
        if route.pooled_after {
            self.add(self.float(layer.input), Pool::SpatialMean, dim, &format!("{what}, which is pooled after"));
            return;
        }
        let mut name = layer.input;
        for _ in 0..REACH {
            let Some(node) = self.index.maker(name) else { break };
            let Some(before) = node.input.first().map(String::as_str) else { break };
            if is_pool(node.op_type()) {
                let because = format!("the pool before the last {}", layer.node.op_type());
                self.add(self.float(name), Pool::None, dim, &because);
                if self.pools_in_place(node) {
                    self.add(self.float(before), Pool::SpatialMean, dim, "what that pool takes");
                }
                break;
            }
            if !(is_shape_only(node.op_type()) || is_storage(node.op_type())) {
                break;
            }
            name = before;
        }
        self.add(self.float(layer.input), Pool::Flatten, dim, &what);
    }

    /// An output that is itself a feature: of a known length.
    fn output(&mut self, name: &'g str) {
        let Some(value) = self.index.graph().output.iter().find(|value| value.name() == name) else { return };
        let float = matches!(
            value.r#type.as_ref().and_then(|kind| kind.value.as_ref()),
            Some(Value::TensorType(tensor)) if element_name(tensor.elem_type()) == "FLOAT"
        );
        let shape = shape_words(value);
        let axes: Option<Vec<usize>> = shape.iter().skip(1).map(|axis| axis.parse().ok()).collect();
        if let Some(axes) = axes.filter(|axes| float && axes.iter().filter(|&&axis| axis != 1).count() == 1) {
            self.add(Some(name), Pool::None, axes.iter().product(), "an output with no classifier before it");
        }
    }

    /// The last of the convolutions with the most channels, behind its activation: for detectors and the like.
    fn widest(&mut self) {
        if !matches!(self.input, Some(Guess::Image { layout: Layout::Nchw, .. })) {
            return; // other layouts are transposed inside, so that a mean over places is none
        }
        let channels = |node: &&'g NodeProto| -> Option<usize> {
            let weight = match node.op_type() {
                "Conv" | "ConvInteger" => 1,
                "QLinearConv" => 3,
                _ => return None,
            };
            let (_, axes) = self.index.constant(node.input.get(weight)?)?;
            (axes.len() == 4).then(|| axes[0])
        };
        let widest = self.index.graph().node.iter().filter_map(|node| Some((channels(&node)?, node)));
        let Some((dim, node)) = widest.max_by_key(|(channels, _)| *channels) else { return };
        let tensor = node.output.first().map(|name| self.activated(name));
        let because = "behind the last of the widest convolutions; no classifier was found";
        self.add(tensor.and_then(|tensor| self.float(tensor)), Pool::SpatialMean, dim, because);
    }

    /// The tensor behind what follows a convolution: its bias, scale and activation.
    fn activated(&self, name: &'g str) -> &'g str {
        let mut name = name;
        for _ in 0..REACH {
            let users: Vec<_> = self.users(name).collect();
            let next = match users[..] {
                [node] if is_elementwise(node.op_type()) => Some(node),
                // x · sigmoid(x), in either order
                [first, second] => match (first.op_type(), second.op_type()) {
                    ("Sigmoid" | "HardSigmoid", "Mul") => Some(second),
                    ("Mul", "Sigmoid" | "HardSigmoid") => Some(first),
                    _ => None,
                },
                _ => None,
            };
            let operand = |node: &&NodeProto| {
                node.input
                    .iter()
                    .filter(|input| *input != name)
                    .all(|input| self.index.is_constant(input) || node.op_type() == "Mul" || input.is_empty())
            };
            match next.filter(operand).and_then(|node| node.output.first()) {
                Some(output) => name = output,
                None => break,
            }
        }
        name
    }

    fn users<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'g NodeProto> + 'n {
        self.index.graph().node.iter().filter(move |node| node.input.iter().any(|input| input == name))
    }

    /// Whether a pool's input, averaged as the input's layout says, is its output.
    fn pools_in_place(&self, node: &NodeProto) -> bool {
        let space = match node.op_type() {
            "ReduceMean" => None,
            "QLinearGlobalAveragePool" | "QLinearAveragePool" if integer(node, "channels_last") == Some(1) => {
                return false;
            }
            _ => Some(()),
        };
        match (self.input, space) {
            (Some(Guess::Image { layout, .. }), None) => {
                let map = match layout {
                    Layout::Nchw => Map::ImageChannelsFirst,
                    Layout::Nhwc => Map::ImageChannelsLast,
                };
                crate::classifier::means_over_space(node, map, self.index)
            }
            (Some(Guess::Image { layout, .. }), Some(())) => *layout == Layout::Nchw,
            _ => false,
        }
    }

    /// The tensor itself where it holds floats; for a quantised one, its dequantised form where the graph has it.
    fn float(&self, name: &'g str) -> Option<&'g str> {
        let quantised = self.index.maker(name).is_some_and(|node| {
            node.op_type().starts_with("QLinear")
                || matches!(node.op_type(), "QuantizeLinear" | "QGemm" | "DynamicQuantizeLinear")
        });
        if !quantised {
            return Some(name);
        }
        let dequantises = |node: &&NodeProto| {
            node.op_type() == "DequantizeLinear" && node.input.first().is_some_and(|input| input == name)
        };
        self.index.graph().node.iter().find(dequantises)?.output.first().map(String::as_str)
    }

    /// Whether the graph proves that no number of a tensor is below 0.
    fn never_negative(&self, name: &str, depth: usize) -> bool {
        let (Some(node), Some(depth)) = (self.index.maker(name), depth.checked_sub(1)) else { return false };
        let first = || node.input.first().is_some_and(|before| self.never_negative(before, depth));
        let number = |at: usize| node.input.get(at).and_then(|name| self.index.numbers(name));
        match node.op_type() {
            "HardSigmoid" | "Relu" | "Sigmoid" | "Softmax" => true,
            "Clip" => match number(1) {
                Some(least) => least.iter().all(|&least| least >= 0.0),
                None => crate::onnx::attribute(node, "min").and_then(|min| min.f).is_some_and(|min| min >= 0.0),
            },
            // Codes without a sign, whose zero is the smallest of them.
            "DequantizeLinear" => {
                let unsigned = node.input.get(2).and_then(|zero| self.index.constant(zero));
                let unsigned = unsigned.is_some_and(|(zero, _)| element_name(zero.data_type()) == "UINT8");
                (unsigned && number(2).is_some_and(|zero| zero.iter().all(|&zero| zero == 0.0))) || first()
            }
            "Concat" => node.input.iter().all(|before| self.never_negative(before, depth)),
            "MaxPool" => first(),
            operator if is_pool(operator) || is_shape_only(operator) || is_storage(operator) => first(),
            _ => false,
        }
    }

    fn shipped(&self, route: &Route<'g>, metadata: &[StringStringEntryProto]) -> ShippedLayer {
        let layer = &route.layer;
        let stored = |name: &str| self.index.constant(name).map_or(name, |(tensor, _)| tensor.name()).to_owned();
        let bias = layer.bias.into_iter().chain(route.added.iter().map(|(_, constant)| *constant));
        let bias = bias.map(stored).collect::<Vec<_>>().join(" + ");
        let map = match self.input {
            Some(Guess::Image { layout: Layout::Nhwc, .. }) => Map::ImageChannelsLast,
            Some(Guess::Signal { layout, .. }) if layout.channels_last() => Map::SignalChannelsLast,
            Some(Guess::Signal { .. }) => Map::SignalChannelsFirst,
            _ => Map::ImageChannelsFirst,
        };
        let obstacle =
            self.features.first().and_then(|feature| route.obstacle_to(&feature.tensor, feature.pool, map, self.index));
        let refused = obstacle.map(|obstacle| match obstacle {
            Obstacle::Node(node) => format!("{} \"{}\" stands in between", node.op_type(), node_name(node)),
            Obstacle::NotPooled | Obstacle::NotReached => "it takes another tensor".to_owned(),
        });
        ShippedLayer {
            operator: layer.node.op_type().to_owned(),
            weight: stored(layer.weight),
            bias: (!bias.is_empty()).then_some(bias),
            classes: layer.classes,
            dim: layer.dim,
            names: class_names(metadata, layer.classes),
            refused,
        }
    }
}

/// Operators that follow a convolution and keep the shape.
fn is_elementwise(operator: &str) -> bool {
    matches!(
        operator,
        "Add"
            | "BatchNormalization"
            | "Cast"
            | "Clip"
            | "HardSwish"
            | "LeakyRelu"
            | "Mul"
            | "PRelu"
            | "Relu"
            | "Sigmoid"
    )
}
