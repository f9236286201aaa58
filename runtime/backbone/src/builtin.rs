//! The backbone that ships inside the binary. Knows its bytes and nothing else.
//!
//! `models/builtin/make_pictures.py` makes both files.

/// The manifest, as TOML.
pub const MANIFEST: &str = include_str!("../../../models/builtin-picture-1.toml");

/// The model file that the manifest's checksum speaks of.
pub const MODEL: &[u8] = include_bytes!("../../../models/builtin/builtin-picture-1.onnx");

/// Name of the backbone.
pub const NAME: &str = "builtin-picture-1";
