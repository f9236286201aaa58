//! tract, in a build without it: the surface of `tract.rs`, every call of which says so.

use super::{Engine, EngineError, EngineOptions};
use crate::onnx::pb;

pub(super) fn open(_: &pb::ModelProto, _: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::Absent { engine: "tract", other: "ort" })
}

pub(super) fn version() -> Result<&'static str, EngineError> {
    Err(EngineError::Absent { engine: "tract", other: "ort" })
}

pub(super) fn lacking(_: &pb::ModelProto) -> Option<Vec<String>> {
    None
}
