//! What a decoded model must satisfy before an engine sees it.
//!
//! Knows tensors and shapes, not operators. Invariant: of a checked model, every tensor's data lies inside the file and
//! has the length that its shape and type say.

use std::collections::HashSet;

use super::{
    pb::{self, tensor_proto::DataType},
    walk::subgraphs,
};

/// Elements of one tensor, whether stored or declared: 4 GiB of f32.
const MAX_ELEMENTS: i64 = 1 << 30;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file is past the cap.
    #[error("the model has {bytes} bytes, more than the {cap} that are read")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The cap.
        cap: u64,
    },
    /// Not even protobuf.
    #[error("not an ONNX file: the bytes are no whole protobuf message")]
    NotOnnx,
    /// Protobuf, but no model.
    #[error("not an ONNX file")]
    Malformed(#[source] prost::DecodeError),
    /// Messages within messages within messages.
    #[error("the model nests deeper than {cap} levels")]
    TooDeep {
        /// The cap.
        cap: usize,
    },
    /// More parts than any model has.
    #[error("the model has more than {cap} {what}")]
    TooMany {
        /// Parts of what kind.
        what: &'static str,
        /// The cap.
        cap: usize,
    },
    /// No graph in the file.
    #[error("the model has no graph")]
    NoGraph,
    /// Nothing comes out.
    #[error("the graph has no outputs")]
    NoOutputs,
    /// Weights in other files.
    #[error("tensor \"{tensor}\" keeps its data in another file: external data is refused; save the model as one file")]
    ExternalData {
        /// The tensor.
        tensor: String,
    },
    /// A shape that no machine holds, or with a negative axis.
    #[error("\"{tensor}\" has shape {dims:?}: axes must be 0 or more and their product at most {MAX_ELEMENTS}")]
    Shape {
        /// The tensor or value.
        tensor: String,
        /// Its axes.
        dims: Vec<i64>,
    },
    /// Data and shape disagree.
    #[error(
        "tensor \"{tensor}\" has {found} {unit} of data, but its shape {dims:?} and type {element} need {expected}"
    )]
    DataLength {
        /// The tensor.
        tensor: String,
        /// Its axes.
        dims: Vec<i64>,
        /// Its element type.
        element: &'static str,
        /// What is counted.
        unit: &'static str,
        /// What the shape needs.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// An element type that ONNX does not define, or in segments, which it gave up.
    #[error("tensor \"{tensor}\" has {what}, which is not supported")]
    Element {
        /// The tensor.
        tensor: String,
        /// The trouble.
        what: String,
    },
    /// A name that nothing in the graph computes.
    #[error("no node of the graph computes \"{tensor}\"{}", nearest(near))]
    UnknownTensor {
        /// The name asked for.
        tensor: String,
        /// Names that end alike.
        near: Vec<String>,
    },
    /// The graph's inputs are others.
    #[error("the graph has no input \"{tensor}\": its inputs are {}", quoted(inputs))]
    UnknownInput {
        /// The name asked for.
        tensor: String,
        /// Those there are.
        inputs: Vec<String>,
    },
    /// The graph needs more than the one input.
    #[error("\"{tensor}\" depends on {} beside \"{input}\": one input is supported", quoted(inputs))]
    MoreInputs {
        /// The tensor to compute.
        tensor: String,
        /// The input given.
        input: String,
        /// Those missing.
        inputs: Vec<String>,
    },
    /// The graph's input has another shape or type.
    #[error("input \"{tensor}\" of the graph is {found}, the manifest says {expected}")]
    InputMismatch {
        /// The input.
        tensor: String,
        /// The manifest's shape and type.
        expected: String,
        /// The graph's.
        found: String,
    },
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn nearest(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; it computes {}", quoted(names)) }
}

/// Checks a whole model.
pub(super) fn check(model: &pb::ModelProto) -> Result<(), ModelError> {
    let main = model.graph.as_ref().ok_or(ModelError::NoGraph)?;
    if main.output.is_empty() {
        return Err(ModelError::NoOutputs);
    }
    graph(main, &mut HashSet::new())?;
    for function in &model.functions {
        function.attribute_proto.iter().try_for_each(attribute)?;
        nodes(&function.node)?;
        function.value_info.iter().try_for_each(value)?;
    }
    let training = model.training_info.iter().flat_map(|info| info.initialization.iter().chain(&info.algorithm));
    for extra in training {
        graph(extra, &mut HashSet::new())?;
    }
    Ok(())
}

fn graph<'m>(graph: &'m pb::GraphProto, outer: &mut HashSet<&'m str>) -> Result<(), ModelError> {
    graph.initializer.iter().try_for_each(tensor)?;
    graph.sparse_initializer.iter().try_for_each(sparse)?;
    graph.input.iter().chain(&graph.output).chain(&graph.value_info).try_for_each(value)?;
    nodes(&graph.node)?;
    outer.extend(graph.input.iter().map(pb::ValueInfoProto::name));
    outer.extend(graph.initializer.iter().map(pb::TensorProto::name));
    outer
        .extend(graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref()).map(pb::TensorProto::name));
    outer.extend(graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)));
    for output in &graph.output {
        if !outer.contains(output.name()) {
            return Err(ModelError::UnknownTensor { tensor: output.name().to_owned(), near: Vec::new() });
        }
    }
    for inner in graph.node.iter().flat_map(subgraphs) {
        // A subgraph sees the names around it; its own stay inside.
        self::graph(inner, &mut outer.clone())?;
    }
    Ok(())
}

fn nodes(nodes: &[pb::NodeProto]) -> Result<(), ModelError> {
    nodes.iter().flat_map(|node| &node.attribute).try_for_each(attribute)
}

fn attribute(attribute: &pb::AttributeProto) -> Result<(), ModelError> {
    attribute.t.iter().chain(&attribute.tensors).try_for_each(tensor)?;
    attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors).try_for_each(sparse)?;
    attribute.tp.iter().chain(&attribute.type_protos).try_for_each(|kind| declared(kind, attribute.name()))
}

fn sparse(sparse: &pb::SparseTensorProto) -> Result<(), ModelError> {
    sparse.values.iter().chain(&sparse.indices).try_for_each(tensor)?;
    elements(sparse.values.as_ref().map_or("", pb::TensorProto::name), &sparse.dims).map(drop)
}

fn tensor(tensor: &pb::TensorProto) -> Result<(), ModelError> {
    let name = || tensor.name().to_owned();
    let external = pb::tensor_proto::DataLocation::External as i32;
    if tensor.data_location == Some(external) || !tensor.external_data.is_empty() {
        return Err(ModelError::ExternalData { tensor: name() });
    }
    if tensor.segment.is_some() {
        return Err(ModelError::Element { tensor: name(), what: "data in segments".to_owned() });
    }
    let count = elements(tensor.name(), &tensor.dims)?;
    let unknown = || ModelError::Element { tensor: name(), what: format!("element type {}", tensor.data_type()) };
    let kind = DataType::try_from(tensor.data_type()).map_err(|_| unknown())?;
    let length = |unit, expected, found| {
        if expected == found {
            return Ok(());
        }
        let (dims, element) = (tensor.dims.clone(), element_name(tensor.data_type()));
        Err(ModelError::DataLength { tensor: name(), dims, element, unit, expected, found })
    };
    if let Some(raw) = &tensor.raw_data {
        let bits = bits(kind).ok_or_else(unknown)?;
        return length("bytes", (count * bits).div_ceil(8), raw.len() as u64);
    }
    let (expected, found) = match kind {
        DataType::Undefined => return Err(unknown()),
        DataType::Float => (count, tensor.float_data.len()),
        DataType::Complex64 => (count * 2, tensor.float_data.len()),
        DataType::Double => (count, tensor.double_data.len()),
        DataType::Complex128 => (count * 2, tensor.double_data.len()),
        DataType::Int64 => (count, tensor.int64_data.len()),
        DataType::Uint32 | DataType::Uint64 => (count, tensor.uint64_data.len()),
        DataType::String => (count, tensor.string_data.len()),
        // Sub-byte elements share a number: two or four to each.
        narrow if bits(narrow).is_some_and(|bits| bits < 8) => {
            ((count * bits(narrow).unwrap_or(8)).div_ceil(8), tensor.int32_data.len())
        }
        _ => (count, tensor.int32_data.len()),
    };
    length("elements", expected, found as u64)
}

fn value(value: &pb::ValueInfoProto) -> Result<(), ModelError> {
    value.r#type.iter().try_for_each(|kind| declared(kind, value.name()))
}

fn declared(kind: &pb::TypeProto, name: &str) -> Result<(), ModelError> {
    use pb::type_proto::Value;
    let shape = match &kind.value {
        Some(Value::TensorType(tensor)) => &tensor.shape,
        Some(Value::SparseTensorType(tensor)) => &tensor.shape,
        Some(Value::SequenceType(sequence)) => {
            return sequence.elem_type.iter().try_for_each(|inner| declared(inner, name));
        }
        Some(Value::OptionalType(optional)) => {
            return optional.elem_type.iter().try_for_each(|inner| declared(inner, name));
        }
        Some(Value::MapType(map)) => return map.value_type.iter().try_for_each(|inner| declared(inner, name)),
        Some(Value::OpaqueType(_)) | None => return Ok(()),
    };
    // Axes with a name or nothing count 1; some exporters write -1 for those.
    let axis = |dim: &pb::tensor_shape_proto::Dimension| match dim.value {
        Some(pb::tensor_shape_proto::dimension::Value::DimValue(value)) if value != -1 => value,
        _ => 1,
    };
    let dims: Vec<_> = shape.iter().flat_map(|shape| &shape.dim).map(axis).collect();
    elements(name, &dims).map(drop)
}

/// The product of the axes. The cap holds for the product of those that are not 0 too, so that no partial product of an
/// engine overflows.
fn elements(name: &str, dims: &[i64]) -> Result<u64, ModelError> {
    let refuse = || ModelError::Shape { tensor: name.to_owned(), dims: dims.to_vec() };
    let mut product = 1_i64;
    for &dim in dims {
        if dim < 0 {
            return Err(refuse());
        }
        product = product.checked_mul(dim.max(1)).filter(|&product| product <= MAX_ELEMENTS).ok_or_else(refuse)?;
    }
    Ok(if dims.contains(&0) { 0 } else { product.unsigned_abs() })
}

/// Bits of one element in raw data; `None` where raw data is not allowed.
fn bits(kind: DataType) -> Option<u64> {
    Some(match kind {
        // How 6-bit floats are packed is not settled.
        DataType::Float6e2m3 | DataType::Float6e3m2 | DataType::Undefined | DataType::String => return None,
        DataType::Int2 | DataType::Uint2 => 2,
        DataType::Float4e2m1 | DataType::Int4 | DataType::Uint4 => 4,
        DataType::Bool
        | DataType::Float8e4m3fn
        | DataType::Float8e4m3fnuz
        | DataType::Float8e5m2
        | DataType::Float8e5m2fnuz
        | DataType::Float8e8m0
        | DataType::Int8
        | DataType::Uint8 => 8,
        DataType::Bfloat16 | DataType::Float16 | DataType::Int16 | DataType::Uint16 => 16,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 32,
        DataType::Complex64 | DataType::Double | DataType::Int64 | DataType::Uint64 => 64,
        DataType::Complex128 => 128,
    })
}

/// The name of an element type, as in the ONNX schema.
pub(crate) fn element_name(code: i32) -> &'static str {
    DataType::try_from(code).map_or("unknown", |kind| kind.as_str_name())
}
