//! The catalogue: manifests that ship with the binary. Knows their text and nothing else.

use crate::{builtin, manifest::Manifest};

/// The manifests of `models/`, as TOML.
pub(crate) const MANIFESTS: [&str; 6] = [
    builtin::MANIFEST,
    builtin::SIGNAL_MANIFEST,
    include_str!("../../../models/mcunet-5fps.toml"),
    include_str!("../../../models/mobilenetv2-1.0-224.toml"),
    include_str!("../../../models/mobilenetv2-12-int8.toml"),
    include_str!("../../../models/squeezenet1.0.toml"),
];

/// The manifests of the catalogue, parsed.
pub(crate) fn manifests() -> Vec<Manifest> {
    MANIFESTS.iter().filter_map(|text| Manifest::parse(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_manifest_parses() {
        for text in MANIFESTS {
            if let Err(error) = Manifest::parse(text) {
                panic!("{error} in\n{text}");
            }
        }
    }
}
