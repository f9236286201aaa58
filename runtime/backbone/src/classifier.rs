//! The classifier that came with a model: the last layer with weights, as numbers on the manifest's feature.
//!
//! Knows graphs and manifests, nothing about heads. Invariant: `weights · feature + bias` is what the model's own layer
//! gives for the pooled feature before it is normalised, but for the rounding of quantised models.

mod labels;
mod layer;
mod route;

use ndarray::{Array1, Array2};
use prost::bytes::Bytes;

use self::layer::{Layer, per_class};
pub(crate) use self::{
    labels::{KEY as CLASSES_KEY, OTHER_KEYS as OTHER_CLASSES_KEYS, class_names, numbered},
    route::{Obstacle, Route, is_pool, is_shape_only, is_storage, means_over, means_over_space},
};
use crate::{
    manifest::Manifest,
    onnx::{self, Index, ModelError, pb},
    pool::Map,
};

/// A model's own classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Shipped {
    /// `[classes, dim]`.
    pub weights: Array2<f32>,
    /// `[classes]`.
    pub bias: Array1<f32>,
    /// The classes' names, where the file tells them.
    pub classes: Option<Vec<String>>,
}

/// Why a model's own classifier cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ShippedError {
    /// The model is refused before anything is looked for in it.
    #[error("the model is refused")]
    Model(#[from] ModelError),
    /// No output leads back to a layer with constant weights.
    #[error(
        "no classifier was found behind \"{feature}\": no output of the graph comes from a dense layer or a 1x1 \
         convolution with constant weights; name one under [classifier] in the manifest, or adapt without it"
    )]
    None {
        /// The feature tensor.
        feature: String,
    },
    /// A node between the feature and the output does more than the classifier may.
    #[error(
        "the classifier \"{layer}\" cannot be kept: {operator} \"{node}\" stands between the feature \"{feature}\" and \
         the output \"{output}\", so the answers are no linear function of the feature; choose the tensor that the last \
         layer takes, or adapt without it"
    )]
    Between {
        /// The classifier's node.
        layer: String,
        /// The feature tensor.
        feature: String,
        /// The output.
        output: String,
        /// The node in the way.
        node: String,
        /// What it does.
        operator: String,
    },
    /// The classifier takes another tensor.
    #[error(
        "the classifier \"{layer}\" of output \"{output}\" takes \"{input}\"{}, not the feature \"{feature}\" of the \
         manifest: name that tensor under [feature], or adapt without the classifier",
        if *pooled { ", pooled" } else { "" }
    )]
    Elsewhere {
        /// The classifier's node.
        layer: String,
        /// The output.
        output: String,
        /// What it takes.
        input: String,
        /// Whether a mean of it is taken.
        pooled: bool,
        /// The feature tensor.
        feature: String,
    },
    /// Its length is another than the feature's.
    #[error("the classifier \"{layer}\" takes {found} numbers, the manifest's feature has {expected}")]
    Dim {
        /// The classifier's node.
        layer: String,
        /// The manifest's.
        expected: usize,
        /// The layer's.
        found: usize,
    },
    /// The manifest names what is not there, or not a constant.
    #[error("[classifier] names \"{name}\" as {what}, and the model has no such constant of {expected} numbers")]
    Named {
        /// The name.
        name: String,
        /// `weight` or `bias`.
        what: &'static str,
        /// What is needed.
        expected: String,
    },
    /// The numbers are stored in a way that is not read.
    #[error("the weights of the classifier \"{layer}\" ({operator}) cannot be read: their storage is not supported")]
    Unreadable {
        /// The classifier's node.
        layer: String,
        /// Its operator.
        operator: String,
    },
}

/// The classifier behind a manifest's feature: the layer that `[classifier]` names, else the one that is found.
///
/// # Errors
/// The model is refused; no linear layer on just this feature gives an output; its numbers cannot be read.
pub fn shipped(bytes: &[u8], manifest: &Manifest) -> Result<Shipped, ShippedError> {
    let model = onnx::read(Bytes::copy_from_slice(bytes))?;
    let graph = model.graph.as_ref().ok_or(ModelError::NoGraph)?;
    let index = Index::new(graph);
    let named = manifest.classifier.as_ref();
    let (weights, bias) = match named.and_then(|named| Some((named.weight.as_deref()?, named.bias.as_deref()))) {
        Some((weight, bias)) => read_named(weight, bias, manifest.feature.dim, &index)?,
        None => read_found(manifest, &index)?,
    };
    let classes = class_names(&model.metadata_props, weights.nrows());
    Ok(Shipped { weights, bias, classes })
}

fn read_found(manifest: &Manifest, index: &Index<'_>) -> Result<(Array2<f32>, Array1<f32>), ShippedError> {
    let mut refusal = None;
    for output in &index.graph().output {
        match read_output(output.name(), manifest, index) {
            Ok(found) => return Ok(found),
            // The first output that comes from a classifier is the one whose refusal tells most.
            Err(error) if matches!(refusal, None | Some(ShippedError::None { .. })) => refusal = Some(error),
            Err(_) => {}
        }
    }
    Err(refusal.unwrap_or(ShippedError::Model(ModelError::NoOutputs)))
}

fn read_output(
    output: &str,
    manifest: &Manifest,
    index: &Index<'_>,
) -> Result<(Array2<f32>, Array1<f32>), ShippedError> {
    let feature = &manifest.feature;
    let route = Route::to(output, index).ok_or_else(|| ShippedError::None { feature: feature.tensor.clone() })?;
    let layer = node_name(route.layer.node);
    match route.obstacle_to(&feature.tensor, feature.pool, Map::of(&manifest.input), index) {
        None => {}
        Some(Obstacle::Node(node)) => {
            return Err(ShippedError::Between {
                layer,
                feature: feature.tensor.clone(),
                output: output.to_owned(),
                node: node_name(node),
                operator: node.op_type().to_owned(),
            });
        }
        Some(Obstacle::NotPooled | Obstacle::NotReached) => {
            return Err(ShippedError::Elsewhere {
                layer,
                output: output.to_owned(),
                input: route.layer.input.to_owned(),
                pooled: route.pooled_after,
                feature: feature.tensor.clone(),
            });
        }
    }
    read_layer(&route.layer, &route.added, feature.dim, index)
}

fn read_layer(
    layer: &Layer<'_>,
    added: &[(&pb::NodeProto, &str)],
    dim: usize,
    index: &Index<'_>,
) -> Result<(Array2<f32>, Array1<f32>), ShippedError> {
    if layer.dim != dim {
        return Err(ShippedError::Dim { layer: node_name(layer.node), expected: dim, found: layer.dim });
    }
    let read = || {
        let (weights, mut bias) = layer.read(index)?;
        for (node, constant) in added {
            bias += &per_class(&route::added_numbers(node, constant, index)?, layer.classes)?;
        }
        Some((weights, bias))
    };
    read().ok_or_else(|| ShippedError::Unreadable {
        layer: node_name(layer.node),
        operator: layer.node.op_type().to_owned(),
    })
}

/// The constants that a manifest names. What a node uses is read as that node reads it; without one, `[classes, dim]`.
fn read_named(
    weight: &str,
    bias: Option<&str>,
    dim: usize,
    index: &Index<'_>,
) -> Result<(Array2<f32>, Array1<f32>), ShippedError> {
    let is_named = |layer: &Layer<'_>| index.constant(layer.weight).is_some_and(|(tensor, _)| tensor.name() == weight);
    let layer = index.graph().node.iter().filter_map(|node| Layer::of(node, index)).find(is_named);
    let refuse = |name: &str, what, expected| ShippedError::Named { name: name.to_owned(), what, expected };
    let (weights, own_bias) = if let Some(layer) = layer {
        read_layer(&layer, &[], dim, index)?
    } else {
        let plain = index.numbers(weight).and_then(|numbers| numbers.into_dimensionality().ok());
        let weights: Array2<f32> = plain
            .filter(|weights: &Array2<f32>| weights.ncols() == dim)
            .ok_or_else(|| refuse(weight, "weight", format!("[classes, {dim}]")))?;
        let classes = weights.nrows();
        (weights, Array1::zeros(classes))
    };
    let classes = weights.nrows();
    let bias = match bias {
        None => own_bias,
        Some(name)
            if layer.and_then(|layer| index.constant(layer.bias?)).is_some_and(|(bias, _)| bias.name() == name) =>
        {
            own_bias
        }
        Some(name) => index
            .numbers(name)
            .and_then(|numbers| per_class(&numbers, classes))
            .ok_or_else(|| refuse(name, "bias", classes.to_string()))?,
    };
    Ok((weights, bias))
}

/// A node's name, or what it makes where it has none.
pub(crate) fn node_name(node: &pb::NodeProto) -> String {
    match node.name() {
        "" => node.output.first().cloned().unwrap_or_default(),
        name => name.to_owned(),
    }
}
