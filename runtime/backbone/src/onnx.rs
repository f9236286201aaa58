//! ONNX as protobuf: reading it within bounds, and cutting a graph at a tensor.
//!
//! Knows nothing about engines, manifests or pictures. Invariant: bytes leave here only as the encoding of a model that
//! passed [`read`]; unknown fields and everything behind the cut are gone.

mod check;
mod cut;
mod index;
#[expect(clippy::all, clippy::pedantic, unreachable_pub, reason = "generated")]
pub(crate) mod pb;
mod scan;
mod walk;

use prost::{Message as _, bytes::Bytes};

pub use self::check::ModelError;
pub(crate) use self::{
    check::element_name,
    cut::{Cut, cut, open_batch, set_open_batch, shape_words, value_info},
    index::{Index, attribute, dequantise, integer},
    walk::for_each_node,
};

/// Largest model file: protobuf itself ends at 2 GiB.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// Reads a model, or says why no engine should see it.
///
/// # Errors
/// Too large, not protobuf, too deep, too many parts, external data, shapes past the cap, data that is not its shape's
/// length, no graph, no outputs.
pub(crate) fn read(bytes: Bytes) -> Result<pb::ModelProto, ModelError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ModelError::TooLarge { bytes: bytes.len() as u64, cap: MAX_BYTES });
    }
    scan::scan(&bytes)?;
    let model = pb::ModelProto::decode(bytes).map_err(ModelError::Malformed)?;
    check::check(&model)?;
    Ok(model)
}
