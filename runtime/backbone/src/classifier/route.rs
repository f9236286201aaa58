//! The way from an output back to the last layer with weights, and from that layer back to a feature tensor.
//!
//! Knows which operators change no number, only shape or storage, and which pool. Invariant: a way is followed for at
//! most [`REACH`] nodes, so that cycles end.

use ndarray::ArrayD;

use super::layer::{Layer, has_weights};
use crate::{
    manifest::Pool,
    onnx::{Index, attribute, dequantise, integer, pb::NodeProto},
    pool::Map,
};

/// How many nodes may stand between an output and its classifier, and between that and its feature.
const REACH: usize = 16;

/// The way from an output back to its classifier.
pub(crate) struct Route<'g> {
    /// The last layer with weights.
    pub(crate) layer: Layer<'g>,
    /// Constants added behind it.
    pub(crate) added: Vec<(&'g NodeProto, &'g str)>,
    /// Whether a pool follows it.
    pub(crate) pooled_after: bool,
    /// Nodes behind it that make the output no plain function of its scores: the nearest to the output first.
    pub(crate) obstacles: Vec<&'g NodeProto>,
}

impl<'g> Route<'g> {
    /// The way to an output; none where it parts or reaches no usable layer.
    pub(crate) fn to(output: &'g str, index: &Index<'g>) -> Option<Self> {
        let (mut name, mut added, mut pooled_after, mut obstacles) = (output, Vec::new(), false, Vec::new());
        for _ in 0..REACH {
            let node = index.maker(name)?;
            if let Some(layer) = Layer::of(node, index) {
                return Some(Self { layer, added, pooled_after, obstacles });
            }
            let operator = node.op_type();
            if has_weights(operator) {
                return None;
            }
            if let Some((constant, computed)) = addition(node, index) {
                added.push((node, constant));
                name = computed;
                continue;
            }
            if is_pool(operator) {
                pooled_after = true;
            } else if !(is_shape_only(operator) || is_storage(operator) || (is_answer(operator) && added.is_empty())) {
                obstacles.push(node);
            }
            name = only_computed(node, index)?;
        }
        None
    }

    /// What keeps the layer from being a plain classifier of a feature tensor.
    pub(crate) fn obstacle_to(&self, tensor: &str, pool: Pool, map: Map, index: &Index<'g>) -> Option<Obstacle<'g>> {
        if let Some(&node) = self.obstacles.first() {
            return Some(Obstacle::Node(node));
        }
        if !self.layer.plain {
            return Some(Obstacle::Node(self.layer.node));
        }
        let same = same_numbers(tensor, pool, index);
        let (mut name, mut pooled) = (self.layer.input, self.pooled_after);
        for _ in 0..REACH {
            if same.contains(&name) {
                let must_be_pooled = matches!(pool, Pool::SpatialMean | Pool::TokenMean | Pool::Cls | Pool::LastToken);
                return (must_be_pooled && !pooled).then_some(Obstacle::NotPooled);
            }
            let Some(node) = index.maker(name) else { return Some(Obstacle::NotReached) };
            let operator = node.op_type();
            if pools_as(node, pool, map, index) {
                pooled = true;
            } else if !(is_storage(operator) || (is_shape_only(operator) && !reorders(node, pool))) {
                let behind = index.depends(name, tensor);
                return Some(if behind { Obstacle::Node(node) } else { Obstacle::NotReached });
            }
            let Some(before) = node.input.first() else { return Some(Obstacle::NotReached) };
            name = before;
        }
        Some(Obstacle::NotReached)
    }
}

/// Why a layer is no plain classifier of a feature tensor.
pub(crate) enum Obstacle<'g> {
    /// A node between the two that does more than change shape or storage.
    Node(&'g NodeProto),
    /// The feature is to be pooled, and the model does not.
    NotPooled,
    /// The feature tensor is not on the way.
    NotReached,
}

/// The names under which a tensor's numbers stand in the graph: itself, what it was reshaped or dequantised from.
fn same_numbers<'t>(tensor: &'t str, pool: Pool, index: &Index<'t>) -> Vec<&'t str> {
    let mut names = vec![tensor];
    while let Some(node) = names.last().and_then(|name| index.maker(name)) {
        let plain = is_storage(node.op_type()) || (is_shape_only(node.op_type()) && !reorders(node, pool));
        match node.input.first() {
            // Before a mean the axes count; behind it only the order of the numbers.
            Some(before) if plain && names.len() < REACH => {
                if is_shape_only(node.op_type()) && !matches!(pool, Pool::Flatten | Pool::None) {
                    break;
                }
                names.push(before);
            }
            _ => break,
        }
    }
    names
}

/// A sum of something computed and a constant: the constant and the other.
fn addition<'g>(node: &'g NodeProto, index: &Index<'_>) -> Option<(&'g str, &'g str)> {
    let (first, second) = match node.op_type() {
        "Add" => (0, 1),
        "QLinearAdd" => (0, 3),
        _ => return None,
    };
    let (first, second) = (node.input.get(first)?.as_str(), node.input.get(second)?.as_str());
    match (index.is_constant(first), index.is_constant(second)) {
        (false, true) => Some((second, first)),
        (true, false) => Some((first, second)),
        _ => None,
    }
}

/// The numbers that an addition adds, dequantised.
pub(crate) fn added_numbers(node: &NodeProto, constant: &str, index: &Index<'_>) -> Option<ArrayD<f32>> {
    let numbers = index.numbers(constant)?;
    if node.op_type() != "QLinearAdd" {
        return Some(numbers);
    }
    // Each operand is followed by its scale and zero point.
    let at = node.input.iter().position(|name| name == constant)?;
    dequantise(numbers, &index.numbers(node.input.get(at + 1)?)?, Some(&index.numbers(node.input.get(at + 2)?)?), -1)
}

/// The one operand that depends on the model's input; none where several do.
fn only_computed<'g>(node: &'g NodeProto, index: &Index<'_>) -> Option<&'g str> {
    // Further inputs of these are shapes, axes and scales, which may be computed too.
    if is_shape_only(node.op_type()) || is_storage(node.op_type()) || is_pool(node.op_type()) {
        return node.input.first().map(String::as_str);
    }
    let mut computed =
        node.input.iter().map(String::as_str).filter(|name| !name.is_empty() && !index.is_constant(name));
    let first = computed.next()?;
    computed.all(|other| other == first).then_some(first)
}

/// Whether a node pools the way that a manifest says.
fn pools_as(node: &NodeProto, pool: Pool, map: Map, index: &Index<'_>) -> bool {
    let token = |index_of: i64| {
        let position = || index.numbers(node.input.get(1)?).filter(|at| at.len() == 1)?.first().copied();
        integer(node, "axis").unwrap_or(0) == 1 && position() == Some(index_of as f32)
    };
    match (pool, node.op_type()) {
        // The pool of a map of one place is that place.
        (
            Pool::None | Pool::Flatten | Pool::SpatialMean,
            "AveragePool" | "GlobalAveragePool" | "QLinearGlobalAveragePool" | "QLinearAveragePool",
        ) => true,
        (Pool::None | Pool::Flatten | Pool::SpatialMean, "ReduceMean") => means_over_space(node, map, index),
        (Pool::TokenMean, "ReduceMean") => means_over(node, 3, &[1], index),
        (Pool::Cls, "Gather") => token(0),
        (Pool::LastToken, "Gather") => token(-1),
        _ => false,
    }
}

/// Whether a `ReduceMean` takes the mean over just these axes of a tensor of a rank.
pub(crate) fn means_over(node: &NodeProto, rank: usize, wanted: &[usize], index: &Index<'_>) -> bool {
    let listed = attribute(node, "axes").map(|attribute| attribute.ints.clone());
    let given = || Some(index.numbers(node.input.get(1)?)?.iter().map(|&axis| axis as i64).collect());
    let axes: Vec<i64> = listed.or_else(given).unwrap_or_default();
    let mut axes: Vec<_> = axes.into_iter().map(|axis| if axis < 0 { axis + rank as i64 } else { axis }).collect();
    axes.sort_unstable();
    axes.iter().copied().eq(wanted.iter().map(|&axis| axis as i64))
}

/// Whether a `ReduceMean` takes the mean over the places of a map.
pub(crate) fn means_over_space(node: &NodeProto, map: Map, index: &Index<'_>) -> bool {
    [3, 4].into_iter().any(|rank| {
        let mut space = map.space(rank).unwrap_or_default().to_vec();
        space.sort_unstable();
        !space.is_empty() && means_over(node, rank, &space, index)
    })
}

/// Whether a shape-only node may change the order of a feature's numbers, given how it is pooled.
fn reorders(node: &NodeProto, pool: Pool) -> bool {
    node.op_type() == "Transpose" && matches!(pool, Pool::Cls | Pool::Flatten | Pool::LastToken | Pool::TokenMean)
}

pub(crate) fn is_pool(operator: &str) -> bool {
    matches!(
        operator,
        "AveragePool" | "GlobalAveragePool" | "QLinearAveragePool" | "QLinearGlobalAveragePool" | "ReduceMean"
    )
}

pub(crate) fn is_shape_only(operator: &str) -> bool {
    matches!(operator, "Dropout" | "Flatten" | "Identity" | "Reshape" | "Squeeze" | "Transpose" | "Unsqueeze")
}

/// Operators that change how numbers are stored, not, but for rounding, which they are.
pub(crate) fn is_storage(operator: &str) -> bool {
    matches!(operator, "Cast" | "DequantizeLinear" | "QuantizeLinear")
}

/// What a classifier ends in: the order of the scores stays.
fn is_answer(operator: &str) -> bool {
    matches!(operator, "LogSoftmax" | "QLinearSigmoid" | "QLinearSoftmax" | "Sigmoid" | "Softmax")
}
