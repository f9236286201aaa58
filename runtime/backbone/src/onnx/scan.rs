//! A walk over the wire format before anything is decoded, so that decoding cannot allocate out of proportion.
//!
//! Two bytes of protobuf can become a message of hundreds of bytes, one byte of a packed varint eight. Knows which
//! fields are messages and which are packed numbers; nothing about their meaning. Invariant: it allocates nothing.

use super::check::ModelError;

/// Levels of messages within messages; a subgraph takes three.
const MAX_DEPTH: usize = 64;
/// Field occurrences outside packed numbers; each becomes at most some 400 bytes.
const MAX_ITEMS: usize = 1 << 20;
/// Packed variable-length numbers; each becomes at most 8 bytes.
const MAX_NUMBERS: usize = 1 << 26;

/// A message type, as far as the walk tells them apart.
#[derive(Clone, Copy)]
enum Kind {
    Annotation,
    Attribute,
    Function,
    Graph,
    IntIntList,
    /// Has no messages and no packed numbers inside.
    Leaf,
    Model,
    Node,
    NodeDevice,
    Shape,
    ShardedDim,
    Sharding,
    Sparse,
    Tensor,
    Training,
    Type,
    TypeMap,
    TypeSequence,
    TypeTensor,
    ValueInfo,
}

/// What a length-delimited field holds, by the schema in `pb.rs`.
enum Content {
    Bytes,
    Message(Kind),
    Numbers,
}

#[expect(clippy::unnested_or_patterns, reason = "in the order of the schema")]
fn content(kind: Kind, field: u64) -> Content {
    use Content::{Bytes, Message, Numbers};
    use Kind::{
        Annotation, Attribute, Function, Graph, IntIntList, Leaf, Model, Node, NodeDevice, Shape, ShardedDim, Sharding,
        Sparse, Tensor, Training, Type, TypeMap, TypeSequence, TypeTensor, ValueInfo,
    };
    match (kind, field) {
        (Model, 7) | (Training, 1 | 2) | (Attribute, 6 | 11) => Message(Graph),
        (Model, 20) => Message(Training),
        (Model, 25) => Message(Function),
        (Graph, 1) | (Function, 7) => Message(Node),
        (Graph, 5) | (Attribute, 5 | 10) | (Sparse, 1 | 2) => Message(Tensor),
        (Graph, 15) | (Attribute, 22 | 23) => Message(Sparse),
        (Graph, 11..=13) | (Function, 12) => Message(ValueInfo),
        (Graph, 14) => Message(Annotation),
        (Node, 5) | (Function, 11) => Message(Attribute),
        (Node, 10) => Message(NodeDevice),
        (NodeDevice, 2) => Message(Sharding),
        (Sharding, 3) => Message(IntIntList),
        (Sharding, 4) => Message(ShardedDim),
        (Attribute, 14 | 15) | (ValueInfo, 2) | (TypeSequence, 1) | (TypeMap, 2) => Message(Type),
        (Type, 1 | 8) => Message(TypeTensor),
        (Type, 4 | 9) => Message(TypeSequence),
        (Type, 5) => Message(TypeMap),
        (TypeTensor, 2) => Message(Shape),
        (Model, 8 | 14 | 26)
        | (Training, 3 | 4)
        | (Graph, 16)
        | (Node, 9)
        | (ShardedDim, 2)
        | (Tensor, 3 | 13 | 16)
        | (ValueInfo, 4)
        | (Type, 7)
        | (Shape, 1)
        | (Function, 9 | 14)
        | (Annotation, 2) => Message(Leaf),
        (Tensor, 1 | 5 | 7 | 11) | (Attribute, 8) | (Sparse, 3) | (Sharding | IntIntList, 2) => Numbers,
        _ => Bytes,
    }
}

/// Checks form and proportions of a model's bytes.
pub(super) fn scan(bytes: &[u8]) -> Result<(), ModelError> {
    let mut counts = Counts { items: 0, numbers: 0 };
    counts.message(bytes, Kind::Model, 0)
}

struct Counts {
    items: usize,
    numbers: usize,
}

impl Counts {
    fn message(&mut self, mut bytes: &[u8], kind: Kind, depth: usize) -> Result<(), ModelError> {
        if depth > MAX_DEPTH {
            return Err(ModelError::TooDeep { cap: MAX_DEPTH });
        }
        while !bytes.is_empty() {
            self.items += 1;
            if self.items > MAX_ITEMS {
                return Err(ModelError::TooMany { what: "fields", cap: MAX_ITEMS });
            }
            let key = varint(&mut bytes)?;
            match key & 7 {
                0 => drop(varint(&mut bytes)?),
                1 => drop(take(&mut bytes, 8)?),
                2 => {
                    let length = varint(&mut bytes)?;
                    let inner = take(&mut bytes, length)?;
                    match content(kind, key >> 3) {
                        Content::Bytes => {}
                        Content::Message(kind) => self.message(inner, kind, depth + 1)?,
                        // Each varint ends with the one byte whose top bit is clear.
                        Content::Numbers => self.numbers += inner.iter().filter(|&&byte| byte < 0x80).count(),
                    }
                    if self.numbers > MAX_NUMBERS {
                        return Err(ModelError::TooMany { what: "packed numbers", cap: MAX_NUMBERS });
                    }
                }
                5 => drop(take(&mut bytes, 4)?),
                // Groups (3, 4) are in no version of ONNX.
                _ => return Err(ModelError::NotOnnx),
            }
        }
        Ok(())
    }
}

fn take<'b>(bytes: &mut &'b [u8], length: u64) -> Result<&'b [u8], ModelError> {
    let length = usize::try_from(length).map_err(|_| ModelError::NotOnnx)?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or(ModelError::NotOnnx)?;
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ModelError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(ModelError::NotOnnx)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(ModelError::NotOnnx)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message field around `inner`.
    fn wrap(field: u8, inner: &[u8]) -> Vec<u8> {
        let mut bytes = vec![field << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend_from_slice(inner);
        bytes
    }

    #[test]
    fn a_million_empty_nodes_are_refused_before_they_are_allocated() {
        let graph = wrap(7, &[0x0a, 0x00].repeat(MAX_ITEMS));
        assert!(matches!(scan(&graph), Err(ModelError::TooMany { what: "fields", .. })));
    }

    #[test]
    fn subgraphs_nested_without_end_are_refused() {
        let mut bytes = Vec::new();
        for _ in 0..30 {
            bytes = wrap(1, &wrap(5, &wrap(6, &bytes)));
        }
        assert!(matches!(scan(&wrap(7, &bytes)), Err(ModelError::TooDeep { .. })));
    }

    #[test]
    fn a_length_past_the_end_is_refused() {
        assert!(matches!(scan(&[0x3a, 0x7f, 0x00]), Err(ModelError::NotOnnx)));
    }
}
