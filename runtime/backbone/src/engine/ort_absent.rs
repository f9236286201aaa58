//! ONNX Runtime, in a build without it: the surface of `ort.rs`, every call of which says so.

use std::path::PathBuf;

use super::{Engine, EngineError, EngineOptions};
use crate::onnx::pb;

const ABSENT: EngineError = EngineError::Absent { engine: "ort", other: "tract" };

pub(super) fn open(_: &pb::ModelProto, _: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    Err(ABSENT)
}

pub(super) fn probe(_: &EngineOptions) -> Result<(String, PathBuf), EngineError> {
    Err(ABSENT)
}
