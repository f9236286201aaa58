//! A graph by names: which node makes a tensor, and what numbers stand in a constant one.
//!
//! Knows the operators that exporters put around weights (dequantisation, casts, transposition) and no others. Invariant:
//! it asks for a checked model, and no graph, however twisted, makes it run for ever.

use std::collections::{HashMap, HashSet};

use ndarray::{ArrayD, Axis};
use prost::bytes::Bytes;

use super::pb::{self, tensor_proto::DataType};

/// How many nodes may stand between a constant and its initializer.
const DEPTH: usize = 4;

/// A graph's nodes and initializers by name.
pub(crate) struct Index<'g> {
    graph: &'g pb::GraphProto,
    makers: HashMap<&'g str, &'g pb::NodeProto>,
    initializers: HashMap<&'g str, &'g pb::TensorProto>,
}

impl<'g> Index<'g> {
    pub(crate) fn new(graph: &'g pb::GraphProto) -> Self {
        let outputs = |node: &'g pb::NodeProto| node.output.iter().map(move |name| (name.as_str(), node));
        Self {
            graph,
            makers: graph.node.iter().flat_map(outputs).filter(|(name, _)| !name.is_empty()).collect(),
            initializers: graph.initializer.iter().map(|tensor| (tensor.name(), tensor)).collect(),
        }
    }

    pub(crate) fn graph(&self) -> &'g pb::GraphProto {
        self.graph
    }

    /// The node that computes a tensor.
    pub(crate) fn maker(&self, name: &str) -> Option<&'g pb::NodeProto> {
        self.makers.get(name).copied()
    }

    /// Whether one tensor is computed from another.
    pub(crate) fn depends(&self, name: &'g str, on: &str) -> bool {
        let (mut seen, mut open) = (HashSet::new(), vec![name]);
        while let Some(name) = open.pop() {
            if name == on {
                return true;
            }
            if seen.insert(name) {
                open.extend(self.maker(name).iter().flat_map(|node| &node.input).map(String::as_str));
            }
        }
        false
    }

    /// The stored tensor that a constant is made of, and its axes as the constant has them: none for what is computed
    /// from the input.
    pub(crate) fn constant(&self, name: &str) -> Option<(&'g pb::TensorProto, Vec<usize>)> {
        self.constant_within(name, DEPTH)
    }

    fn constant_within(&self, name: &str, depth: usize) -> Option<(&'g pb::TensorProto, Vec<usize>)> {
        let axes = |tensor: &pb::TensorProto| tensor.dims.iter().map(|&dim| dim as usize).collect::<Vec<_>>();
        if let Some(&tensor) = self.initializers.get(name) {
            return Some((tensor, axes(tensor)));
        }
        let node = self.maker(name)?;
        let before = |name: &str| self.constant_within(name, depth.checked_sub(1)?);
        match node.op_type() {
            "Constant" => {
                attribute(node, "value").and_then(|value| value.t.as_ref()).map(|tensor| (tensor, axes(tensor)))
            }
            "Cast" | "DequantizeLinear" | "Identity" => before(node.input.first()?),
            "Transpose" => {
                let (tensor, axes) = before(node.input.first()?)?;
                let axes = permutation(node, axes.len())?.into_iter().map(|axis| axes[axis]).collect();
                Some((tensor, axes))
            }
            _ => None,
        }
    }

    /// Whether a tensor is the same for every input, as far as this index can read it.
    pub(crate) fn is_constant(&self, name: &str) -> bool {
        self.constant(name).is_some()
    }

    /// The numbers of a constant, dequantised where the graph does so.
    pub(crate) fn numbers(&self, name: &str) -> Option<ArrayD<f32>> {
        self.numbers_within(name, DEPTH)
    }

    fn numbers_within(&self, name: &str, depth: usize) -> Option<ArrayD<f32>> {
        if let Some(tensor) = self.initializers.get(name) {
            return numbers(tensor);
        }
        let node = self.maker(name)?;
        let before = |name: &String| self.numbers_within(name, depth.checked_sub(1)?);
        match node.op_type() {
            "Constant" => numbers(attribute(node, "value")?.t.as_ref()?),
            "Cast" | "Identity" => before(node.input.first()?),
            "DequantizeLinear" => {
                let codes = before(node.input.first()?)?;
                let scale = before(node.input.get(1)?)?;
                let zero = match node.input.get(2).filter(|name| !name.is_empty()) {
                    Some(zero) => Some(before(zero)?),
                    None => None,
                };
                dequantise(codes, &scale, zero.as_ref(), integer(node, "axis").unwrap_or(1))
            }
            "Transpose" => {
                let array = before(node.input.first()?)?;
                let axes = permutation(node, array.ndim())?;
                Some(array.permuted_axes(axes).as_standard_layout().into_owned())
            }
            _ => None,
        }
    }
}

/// `(code - zero) · scale`, where scale and zero are one number or one per index of `axis`.
pub(crate) fn dequantise(
    mut codes: ArrayD<f32>,
    scale: &ArrayD<f32>,
    zero: Option<&ArrayD<f32>>,
    axis: i64,
) -> Option<ArrayD<f32>> {
    let at = |numbers: &ArrayD<f32>, index: usize| -> Option<f32> {
        if numbers.len() == 1 { numbers.first().copied() } else { numbers.iter().nth(index).copied() }
    };
    if scale.len() == 1 && zero.is_none_or(|zero| zero.len() == 1) {
        let (scale, zero) = (at(scale, 0)?, zero.map_or(Some(0.0), |zero| at(zero, 0))?);
        codes.mapv_inplace(|code| (code - zero) * scale);
        return Some(codes);
    }
    let axis = if axis < 0 { axis + codes.ndim() as i64 } else { axis };
    let axis = if codes.ndim() == 1 { 0 } else { usize::try_from(axis).ok().filter(|&axis| axis < codes.ndim())? };
    let along = codes.len_of(Axis(axis));
    let fits = |numbers: &ArrayD<f32>| numbers.len() == 1 || (numbers.len() == along && numbers.ndim() == 1);
    if !fits(scale) || !zero.is_none_or(fits) {
        return None; // in blocks
    }
    for (index, mut slice) in codes.axis_iter_mut(Axis(axis)).enumerate() {
        let (scale, zero) = (at(scale, index)?, zero.map_or(Some(0.0), |zero| at(zero, index))?);
        slice.mapv_inplace(|code| (code - zero) * scale);
    }
    Some(codes)
}

/// The numbers of a stored tensor; none for text, complex numbers and those of fewer than 8 bits.
pub(crate) fn numbers(tensor: &pb::TensorProto) -> Option<ArrayD<f32>> {
    let kind = DataType::try_from(tensor.data_type()).ok()?;
    let shape: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<_>>()?;
    let list: Vec<f32> = match (&tensor.raw_data, kind) {
        (Some(raw), _) => raw_numbers(raw, kind)?,
        (None, DataType::Float) => tensor.float_data.clone(),
        (None, DataType::Double) => tensor.double_data.iter().map(|&number| number as f32).collect(),
        (None, DataType::Int64) => tensor.int64_data.iter().map(|&number| number as f32).collect(),
        (None, DataType::Uint32 | DataType::Uint64) => tensor.uint64_data.iter().map(|&number| number as f32).collect(),
        (None, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Uint8 | DataType::Uint16) => {
            tensor.int32_data.iter().map(|&number| number as f32).collect()
        }
        (None, DataType::Float16) => tensor.int32_data.iter().map(|&bits| half(bits as u16)).collect(),
        (None, DataType::Bfloat16) => {
            tensor.int32_data.iter().map(|&bits| f32::from_bits((bits as u32) << 16)).collect()
        }
        _ => return None,
    };
    ArrayD::from_shape_vec(shape, list).ok()
}

fn raw_numbers(raw: &Bytes, kind: DataType) -> Option<Vec<f32>> {
    macro_rules! little_endian {
        ($kind:ty) => {
            raw.as_chunks().0.iter().map(|&bytes| <$kind>::from_le_bytes(bytes) as f32).collect()
        };
    }
    Some(match kind {
        DataType::Bfloat16 => {
            raw.as_chunks().0.iter().map(|&bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)).collect()
        }
        DataType::Double => little_endian!(f64),
        DataType::Float => raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        DataType::Float16 => raw.as_chunks().0.iter().map(|&bytes| half(u16::from_le_bytes(bytes))).collect(),
        DataType::Int8 => raw.iter().map(|&byte| f32::from(byte.cast_signed())).collect(),
        DataType::Int16 => raw.as_chunks().0.iter().map(|&bytes| f32::from(i16::from_le_bytes(bytes))).collect(),
        DataType::Int32 => little_endian!(i32),
        DataType::Int64 => little_endian!(i64),
        DataType::Uint8 => raw.iter().map(|&byte| f32::from(byte)).collect(),
        DataType::Uint16 => raw.as_chunks().0.iter().map(|&bytes| f32::from(u16::from_le_bytes(bytes))).collect(),
        DataType::Uint32 => little_endian!(u32),
        DataType::Uint64 => little_endian!(u64),
        _ => return None,
    })
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    }
}

/// A node's attribute.
pub(crate) fn attribute<'g>(node: &'g pb::NodeProto, name: &str) -> Option<&'g pb::AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

/// A node's attribute that is an integer.
pub(crate) fn integer(node: &pb::NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).and_then(|attribute| attribute.i)
}

/// The order of axes that a `Transpose` of `rank` axes makes.
fn permutation(node: &pb::NodeProto, rank: usize) -> Option<Vec<usize>> {
    let Some(order) = attribute(node, "perm") else { return Some((0..rank).rev().collect()) };
    let order: Vec<usize> = order.ints.iter().map(|&axis| usize::try_from(axis).ok()).collect::<Option<_>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    sorted.iter().copied().eq(0..rank).then_some(order)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use ndarray::array;

    use super::*;

    #[test]
    fn half_precision_is_read_whole() {
        for (bits, number) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 5.960_464_5e-8), (0x3555, 0.333_251_95)]
        {
            assert_eq!(half(bits).to_bits(), f32::to_bits(number), "{bits:#x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn scales_along_an_axis_are_taken_from_that_axis() {
        let codes = array![[1.0, 2.0], [3.0, 4.0]].into_dyn();
        let (scale, zero) = (array![10.0, 100.0].into_dyn(), array![1.0, 0.0].into_dyn());
        let columns = dequantise(codes.clone(), &scale, Some(&zero), -1).unwrap();
        assert_eq!(columns, array![[0.0, 200.0], [20.0, 400.0]].into_dyn());
        let rows = dequantise(codes.clone(), &scale, Some(&zero), 0).unwrap();
        assert_eq!(rows, array![[0.0, 10.0], [300.0, 400.0]].into_dyn());
        assert_eq!(dequantise(codes, &array![[1.0], [2.0]].into_dyn(), None, 1), None);
    }
}
