//! The way from a feature back to the maps that it is the spatial mean of. Knows the operators that take means over places,
//! and the arithmetic that may follow them.
//!
//! Invariant: at most [`REACH`] nodes are looked at, so that no graph, however twisted, makes it run for ever.

use std::collections::HashMap;

use super::{
    NoMap,
    tail::{Step, Tail},
};
use crate::{
    classifier::{is_shape_only, is_storage, means_over, node_name},
    manifest::{Manifest, Pool},
    onnx::{Index, attribute, integer, pb::NodeProto},
    pool::Map,
};

/// Nodes that may stand between maps and feature.
const REACH: usize = 64;

/// A map in a graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    /// The tensor, `[1, channels, height, width]` or `[1, height, width, channels]`.
    pub(super) tensor: String,
    pub(super) channels_last: bool,
    /// Height and width that the mean is taken over, where the graph says so: they must be the map's.
    pub(super) kernel: Option<[usize; 2]>,
    /// Scale and zero point of a map in integers.
    pub(super) quantised: Option<[String; 2]>,
}

/// The maps of a feature, and what becomes of their means.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) sources: Vec<Source>,
    pub(super) tail: Tail,
}

/// Finds them.
pub(super) fn find(manifest: &Manifest, index: &Index<'_>) -> Result<Found, NoMap> {
    let feature = &manifest.feature;
    let mut way = Way { index, sources: Vec::new(), steps: Vec::new(), known: HashMap::new(), looked_at: 0 };
    match feature.pool {
        Pool::SpatialMean => {
            let channels_last = Map::of(&manifest.input).channels_last();
            way.mean(Source { tensor: feature.tensor.clone(), channels_last, kernel: None, quantised: None });
        }
        Pool::Flatten | Pool::None => {
            way.step_of(&feature.tensor)?;
        }
        pool @ (Pool::Cls | Pool::LastToken | Pool::TokenMean) => return Err(NoMap::Tokens(pool)),
    }
    if way.sources.is_empty() {
        return Err(NoMap::End(feature.tensor.clone()));
    }
    Ok(Found { sources: way.sources, tail: Tail(way.steps) })
}

struct Way<'g, 'i> {
    index: &'i Index<'g>,
    sources: Vec<Source>,
    steps: Vec<Step>,
    /// Steps by the tensors that they are.
    known: HashMap<String, usize>,
    looked_at: usize,
}

impl Way<'_, '_> {
    /// The step that a tensor is.
    fn step_of(&mut self, tensor: &str) -> Result<usize, NoMap> {
        if let Some(&step) = self.known.get(tensor) {
            return Ok(step);
        }
        if let Some(numbers) = self.index.numbers(tensor) {
            return Ok(self.add(Step::Constant(numbers.iter().copied().map(f64::from).collect())));
        }
        self.looked_at += 1;
        let node = self.index.maker(tensor).filter(|_| self.looked_at <= REACH);
        let node = node.ok_or_else(|| NoMap::End(tensor.to_owned()))?;
        let step = self.step_of_node(node)?;
        // Several tensors may be one step: shapes alone differ between them.
        self.known.insert(tensor.to_owned(), step);
        Ok(step)
    }

    fn step_of_node(&mut self, node: &NodeProto) -> Result<usize, NoMap> {
        let other = || NoMap::Node { node: node_name(node), operator: node.op_type().to_owned() };
        if let Some(source) = source(node, self.index) {
            return Ok(self.mean(source));
        }
        let operator = node.op_type();
        if is_shape_only(operator) || is_storage(operator) {
            return self.step_of(node.input.first().ok_or_else(other)?);
        }
        let step = match (operator, node.input.as_slice()) {
            ("Add", [a, b]) => Step::Add(self.step_of(a)?, self.step_of(b)?),
            ("Div", [a, b]) => Step::Divide(self.step_of(a)?, self.step_of(b)?),
            ("Mul", [a, b]) => Step::Multiply(self.step_of(a)?, self.step_of(b)?),
            ("Relu", [a]) => Step::Relu(self.step_of(a)?),
            ("Sqrt", [a]) => Step::Root(self.step_of(a)?),
            ("Sub", [a, b]) => Step::Subtract(self.step_of(a)?, self.step_of(b)?),
            ("Concat", parts) if !parts.is_empty() => {
                let steps = parts.iter().map(|part| self.step_of(part)).collect::<Result<_, _>>()?;
                let last = self.sources.iter().all(|source| source.channels_last);
                let axis = integer(node, "axis").unwrap_or(1);
                // Along the channels, or the numbers of several parts alternate.
                if axis != 1 && !(last && matches!(axis, -1 | 3)) {
                    return Err(other());
                }
                Step::Concat(steps)
            }
            _ => return Err(other()),
        };
        Ok(self.add(step))
    }

    fn mean(&mut self, source: Source) -> usize {
        let known = self.sources.iter().position(|known| *known == source);
        let number = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        self.add(Step::Mean(number))
    }

    fn add(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }
}

/// The map that a node takes the mean of, if that is what it does.
fn source(node: &NodeProto, index: &Index<'_>) -> Option<Source> {
    let tensor = node.input.first()?.clone();
    let plain = |channels_last| Source { tensor: tensor.clone(), channels_last, kernel: None, quantised: None };
    let channels_last = integer(node, "channels_last").unwrap_or(0) != 0;
    let quantised = || Some([node.input.get(1)?.clone(), node.input.get(2)?.clone()]);
    match node.op_type() {
        "AveragePool" => Some(Source { kernel: Some(kernel(node)?), ..plain(false) }),
        "GlobalAveragePool" => Some(plain(false)),
        "QLinearAveragePool" => {
            Some(Source { kernel: Some(kernel(node)?), quantised: Some(quantised()?), ..plain(channels_last) })
        }
        "QLinearGlobalAveragePool" => Some(Source { quantised: Some(quantised()?), ..plain(channels_last) }),
        "ReduceMean" if means_over(node, 4, &[2, 3], index) => Some(plain(false)),
        "ReduceMean" if means_over(node, 4, &[1, 2], index) => Some(plain(true)),
        _ => None,
    }
}

/// Height and width that an `AveragePool` without padding takes means over.
fn kernel(node: &NodeProto) -> Option<[usize; 2]> {
    let padded = attribute(node, "pads").is_some_and(|pads| pads.ints.iter().any(|&pad| pad != 0))
        || attribute(node, "auto_pad").is_some_and(|pad| !matches!(pad.s(), b"NOTSET" | b"VALID"));
    let &[height, width] = attribute(node, "kernel_shape")?.ints.as_slice() else { return None };
    if padded { None } else { Some([usize::try_from(height).ok()?, usize::try_from(width).ok()?]) }
}
