//! Cutting a graph: one tensor becomes the only output, what it does not depend on goes, the input's shape is fixed.
//!
//! Knows names and shapes, not operators. Invariant: the graph that leaves has exactly one input and one output, no
//! declared shapes but the input's, and no initializer among its inputs.

use std::collections::{HashMap, HashSet};

use super::{
    check::{ModelError, element_name},
    pb::{
        self, tensor_shape_proto,
        tensor_shape_proto::dimension,
        type_proto::{self, Value},
    },
    walk::captured,
};

/// Where to cut.
#[derive(Clone, Debug)]
pub(crate) struct Cut<'a> {
    /// The tensor that becomes the output; none: the model's first output.
    pub(crate) output: Option<&'a str>,
    /// The input that is fed.
    pub(crate) input: &'a str,
    /// Its shape; the first axis is the batch.
    pub(crate) shape: &'a [usize],
    /// Its element type.
    pub(crate) element: pb::tensor_proto::DataType,
}

/// Cuts a checked model.
///
/// # Errors
/// The output is not computed by any node, or depends on other inputs; the input is not there or of another shape or type.
pub(crate) fn cut(mut model: pb::ModelProto, cut: &Cut<'_>) -> Result<pb::ModelProto, ModelError> {
    let graph = model.graph.as_mut().ok_or(ModelError::NoGraph)?;
    let output = match cut.output {
        Some(name) => name.to_owned(),
        None => graph.output.first().ok_or(ModelError::NoOutputs)?.name().to_owned(),
    };
    check_input(graph, cut)?;

    let used = ancestors(graph, &output)?;
    let initialized: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name().to_owned()).collect();
    let more: Vec<String> = graph
        .input
        .iter()
        .map(pb::ValueInfoProto::name)
        .filter(|&name| used.contains(name) && name != cut.input && !initialized.contains(name))
        .map(str::to_owned)
        .collect();
    if !more.is_empty() {
        return Err(ModelError::MoreInputs { tensor: output, input: cut.input.to_owned(), inputs: more });
    }

    graph.node.retain(|node| node.output.iter().any(|name| used.contains(name)));
    graph.initializer.retain(|tensor| used.contains(tensor.name()));
    graph.sparse_initializer.retain(|sparse| sparse.values.as_ref().is_some_and(|values| used.contains(values.name())));
    graph.input = vec![value_info(cut.input, cut.element, cut.shape)];
    // Only the name: its type and shape follow from the nodes, and a stale declaration would contradict them.
    graph.output = vec![pb::ValueInfoProto { name: Some(output), ..Default::default() }];
    graph.value_info.clear();
    graph.quantization_annotation.clear();
    model.training_info.clear();
    // Before version 4 every initializer had to be an input too; since then one that is not is a constant to the engine.
    model.ir_version = Some(model.ir_version().max(4));
    Ok(model)
}

/// The names that `output` is computed from, itself included.
fn ancestors(graph: &pb::GraphProto, output: &str) -> Result<HashSet<String>, ModelError> {
    let mut makers = HashMap::new();
    for node in &graph.node {
        makers.extend(node.output.iter().filter(|name| !name.is_empty()).map(|name| (name.as_str(), node)));
    }
    if !makers.contains_key(output) {
        return Err(ModelError::UnknownTensor { tensor: output.to_owned(), near: near(output, makers.into_keys()) });
    }
    let mut used = HashSet::new();
    let mut open = vec![output];
    while let Some(name) = open.pop() {
        if name.is_empty() || !used.insert(name.to_owned()) {
            continue;
        }
        if let Some(node) = makers.get(name) {
            let mut inner = HashSet::new();
            captured(node, &mut inner);
            open.extend(node.input.iter().map(String::as_str).chain(inner));
        }
    }
    Ok(used)
}

/// Up to five names that contain the last part of the one asked for, or are contained in it.
fn near<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let last = |name: &str| name.rsplit(['/', ';', '.', ':']).next().unwrap_or_default().to_lowercase();
    let part = last(wanted);
    let alike = |name: &&str| {
        let other = last(name);
        !part.is_empty() && !other.is_empty() && (other.contains(&part) || part.contains(&other))
    };
    let mut found: Vec<_> = names.filter(alike).map(str::to_owned).collect();
    found.sort_unstable_by_key(|name| (name.len().abs_diff(wanted.len()), name.clone()));
    found.truncate(5);
    found
}

fn check_input(graph: &pb::GraphProto, cut: &Cut<'_>) -> Result<(), ModelError> {
    let initialized: HashSet<_> = graph.initializer.iter().map(pb::TensorProto::name).collect();
    let mut inputs = graph.input.iter().filter(|value| !initialized.contains(value.name()));
    let Some(value) = inputs.clone().find(|value| value.name() == cut.input) else {
        let inputs = inputs.by_ref().map(|value| value.name().to_owned()).collect();
        return Err(ModelError::UnknownInput { tensor: cut.input.to_owned(), inputs });
    };
    let Some(Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Ok(());
    };
    let shape_fits = axes(value).is_none_or(|axes| {
        let fits = |(axis, &wanted): (&Option<usize>, &usize)| axis.is_none_or(|axis| axis == wanted);
        axes.len() == cut.shape.len() && axes.iter().zip(cut.shape).skip(1).all(fits)
    });
    if shape_fits && tensor.elem_type() == cut.element as i32 {
        return Ok(());
    }
    Err(ModelError::InputMismatch {
        tensor: cut.input.to_owned(),
        expected: format!("{} {:?}", cut.element.as_str_name(), cut.shape),
        found: format!("{} [{}]", element_name(tensor.elem_type()), shape_words(value).join(", ")),
    })
}

/// The axes of a declared tensor; an axis without a number is none.
fn axes(value: &pb::ValueInfoProto) -> Option<Vec<Option<usize>>> {
    let Some(Value::TensorType(tensor)) = &value.r#type.as_ref()?.value else { return None };
    let axis = |dim: &tensor_shape_proto::Dimension| match dim.value {
        Some(dimension::Value::DimValue(value)) => usize::try_from(value).ok().filter(|&value| value > 0),
        _ => None,
    };
    Some(tensor.shape.as_ref()?.dim.iter().map(axis).collect())
}

/// The axes of a declared tensor as words: numbers, names, `?`.
pub(crate) fn shape_words(value: &pb::ValueInfoProto) -> Vec<String> {
    let Some(Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Vec::new();
    };
    let word = |dim: &tensor_shape_proto::Dimension| match &dim.value {
        Some(dimension::Value::DimValue(value)) if *value >= 0 => value.to_string(),
        Some(dimension::Value::DimParam(name)) if !name.is_empty() => name.clone(),
        _ => "?".to_owned(),
    };
    tensor.shape.iter().flat_map(|shape| &shape.dim).map(word).collect()
}

/// The name of an input's first axis where it is not a number, so that any batch can be given.
pub(crate) fn open_batch(model: &pb::ModelProto, input: &str) -> Option<String> {
    let value = model.graph.iter().flat_map(|graph| &graph.input).find(|value| value.name() == input)?;
    let Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()? else { return None };
    match tensor.shape.as_ref().and_then(|shape| shape.dim.first()).and_then(|axis| axis.value.as_ref()) {
        Some(dimension::Value::DimParam(name)) if !name.is_empty() => Some(name.clone()),
        Some(dimension::Value::DimValue(number)) if *number >= 0 => None,
        _ => Some("N".to_owned()),
    }
}

/// Declares the first axis of a tensor under a name instead of a number.
pub(crate) fn set_open_batch(value: &mut pb::ValueInfoProto, name: &str) {
    if let Some(Value::TensorType(tensor)) = value.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        && let Some(axis) = tensor.shape.as_mut().and_then(|shape| shape.dim.first_mut())
    {
        axis.value = Some(dimension::Value::DimParam(name.to_owned()));
    }
}

/// The declaration of a tensor.
pub(crate) fn value_info(name: &str, element: pb::tensor_proto::DataType, shape: &[usize]) -> pb::ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&axis| tensor_shape_proto::Dimension {
            value: Some(dimension::Value::DimValue(axis as i64)),
            ..Default::default()
        })
        .collect();
    let tensor = type_proto::Tensor { elem_type: Some(element as i32), shape: Some(pb::TensorShapeProto { dim }) };
    pb::ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(pb::TypeProto { value: Some(Value::TensorType(tensor)), ..Default::default() }),
        ..Default::default()
    }
}
