//! Frozen ONNX backbones as feature extractors. Knows nothing about tasks, labels or the store.

pub mod picture;
