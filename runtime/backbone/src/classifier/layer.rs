//! One layer with weights: what it takes and the numbers of `y = W·x + b`, dequantised where they are stored in integers.
//!
//! Knows the operators that are such layers. Knows nothing about what stands before or behind them.

use ndarray::{Array1, Array2, ArrayD};

use crate::onnx::{
    Index, attribute, dequantise, integer,
    pb::{AttributeProto, NodeProto},
};

/// A node that multiplies its input with constant weights.
#[derive(Clone, Copy)]
pub(crate) struct Layer<'g> {
    /// The node.
    pub(crate) node: &'g NodeProto,
    /// The tensor that it takes.
    pub(crate) input: &'g str,
    /// The constant with its weights.
    pub(crate) weight: &'g str,
    /// The constant with its bias, where the node itself has one.
    pub(crate) bias: Option<&'g str>,
    /// Numbers that it gives.
    pub(crate) classes: usize,
    /// Numbers that it takes.
    pub(crate) dim: usize,
    /// Whether it takes each place of a map alone (also where there is one place); else a whole area.
    pub(crate) point: bool,
    /// Whether it does nothing beside: no padding, no places left out.
    pub(crate) plain: bool,
}

/// Whether an operator multiplies with weights, usable here or not.
pub(crate) fn has_weights(operator: &str) -> bool {
    matches!(
        operator,
        "Conv"
            | "ConvInteger"
            | "ConvTranspose"
            | "Gemm"
            | "GRU"
            | "LSTM"
            | "MatMul"
            | "MatMulInteger"
            | "QGemm"
            | "QLinearConv"
            | "QLinearMatMul"
            | "RNN"
    )
}

impl<'g> Layer<'g> {
    /// The layer that a node is, if it is one: dense, or a convolution with one group.
    pub(crate) fn of(node: &'g NodeProto, index: &Index<'_>) -> Option<Self> {
        let (weight, bias) = match node.op_type() {
            "Conv" | "Gemm" => (1, Some(2)),
            "MatMul" => (1, None),
            "QGemm" => (3, Some(6)),
            "QLinearConv" => (3, Some(8)),
            "QLinearMatMul" => (3, None),
            _ => return None,
        };
        let weight = node.input.get(weight)?.as_str();
        let bias = bias.and_then(|at| node.input.get(at)).map(String::as_str).filter(|name| !name.is_empty());
        let (_, axes) = index.constant(weight)?;
        let (classes, dim, point, plain) = if node.op_type().ends_with("Conv") {
            let (&[classes, channels], area) = axes.split_first_chunk()?;
            if integer(node, "group").unwrap_or(1) != 1 {
                return None;
            }
            let area: usize = area.iter().product();
            let plain = all(attribute(node, "pads"), 0)
                && all(attribute(node, "dilations"), 1)
                && (area > 1 || all(attribute(node, "strides"), 1))
                && attribute(node, "auto_pad").is_none_or(|pad| matches!(pad.s(), b"NOTSET" | b"VALID"));
            (classes, channels * area, area == 1, plain)
        } else {
            let &[rows, columns] = &axes[..] else { return None };
            if integer(node, "transA").unwrap_or(0) != 0 {
                return None;
            }
            let (classes, dim) = if transposed(node) { (rows, columns) } else { (columns, rows) };
            (classes, dim, true, true)
        };
        Some(Self { node, input: node.input.first()?, weight, bias, classes, dim, point, plain })
    }

    /// Its weights `[classes, dim]` and its bias `[classes]`; none where they cannot be read.
    pub(crate) fn read(&self, index: &Index<'_>) -> Option<(Array2<f32>, Array1<f32>)> {
        let number = |at: usize| index.numbers(self.node.input.get(at)?).and_then(|numbers| numbers.first().copied());
        let quantised = self.node.op_type().starts_with('Q');
        let mut weights = index.numbers(self.weight)?;
        if quantised {
            let (scale, zero) = (index.numbers(self.node.input.get(4)?)?, index.numbers(self.node.input.get(5)?)?);
            // One scale per class, wherever the classes are.
            let axis = i64::from(!(self.node.op_type() == "QLinearConv" || transposed(self.node)));
            weights = dequantise(weights, &scale, Some(&zero), axis)?;
        }
        let rows = if self.node.op_type().ends_with("Conv") || transposed(self.node) {
            weights.into_shape_with_order((self.classes, self.dim)).ok()?
        } else {
            let columns = weights.into_shape_with_order((self.dim, self.classes)).ok()?;
            columns.reversed_axes().as_standard_layout().into_owned()
        };
        let (alpha, beta) = (float(self.node, "alpha"), float(self.node, "beta"));
        let bias = match self.bias {
            None => Array1::zeros(self.classes),
            Some(name) => {
                let codes = per_class(&index.numbers(name)?, self.classes)?;
                if quantised {
                    // Its scale is that of the products.
                    let scales = per_class(&index.numbers(self.node.input.get(4)?)?, self.classes)?;
                    codes * scales * number(1)? * alpha
                } else {
                    codes * beta
                }
            }
        };
        Some((rows * alpha, bias))
    }
}

/// A constant that is one number, or one per class, as one per class.
pub(crate) fn per_class(numbers: &ArrayD<f32>, classes: usize) -> Option<Array1<f32>> {
    match numbers.len() {
        1 => Some(Array1::from_elem(classes, *numbers.first()?)),
        found if found == classes => Some(numbers.iter().copied().collect()),
        _ => None,
    }
}

fn transposed(node: &NodeProto) -> bool {
    node.op_type().ends_with("Gemm") && integer(node, "transB").unwrap_or(0) != 0
}

fn float(node: &NodeProto, name: &str) -> f32 {
    attribute(node, name).and_then(|attribute| attribute.f).unwrap_or(1.0)
}

fn all(attribute: Option<&AttributeProto>, number: i64) -> bool {
    attribute.is_none_or(|attribute| attribute.ints.iter().all(|&found| found == number))
}
