//! The catalogue: manifests that ship with the binary. Knows their text and nothing else.

use crate::{builtin, manifest::Manifest};

/// The manifests of `models/`, as TOML.
pub(crate) const MANIFESTS: &[&str] = &[
    builtin::MANIFEST,
    builtin::SIGNAL_MANIFEST,
    include_str!("../../../models/mcunet-5fps.toml"),
    include_str!("../../../models/mcunet-5fps-int8.toml"),
    include_str!("../../../models/mcunet-mbv2-w0.35.toml"),
    include_str!("../../../models/mcunet-mbv2-w0.35-int8.toml"),
    include_str!("../../../models/mcunet-proxyless-w0.3.toml"),
    include_str!("../../../models/mcunet-proxyless-w0.3-int8.toml"),
    include_str!("../../../models/mlperf-tiny-resnet8.toml"),
    include_str!("../../../models/mlperf-tiny-vww.toml"),
    include_str!("../../../models/mlperf-tiny-vww-int8.toml"),
    include_str!("../../../models/mobilenetv1-0.25-128.toml"),
    include_str!("../../../models/mobilenetv1-0.5-160.toml"),
    include_str!("../../../models/mobilenetv2-0.35-224.toml"),
    include_str!("../../../models/mobilenetv2-1.0-224.toml"),
    include_str!("../../../models/mobilenetv2-1.0-224-uint8.toml"),
    include_str!("../../../models/mobilenetv2-12-int8.toml"),
    include_str!("../../../models/resnet20-cifar10.toml"),
    include_str!("../../../models/resnet56-cifar10.toml"),
    include_str!("../../../models/squeezenet1.0.toml"),
    include_str!("../../../models/yolox-nano.toml"),
    include_str!("../../../models/zoo/efficientnet-lite4-11.toml"),
    include_str!("../../../models/zoo/efficientnet-lite4-11-int8.toml"),
    include_str!("../../../models/zoo/efficientnet-lite4-11-qdq.toml"),
    include_str!("../../../models/zoo/inception-v1-12.toml"),
    include_str!("../../../models/zoo/inception-v1-12-int8.toml"),
    include_str!("../../../models/zoo/inception-v1-12-qdq.toml"),
    include_str!("../../../models/zoo/inception-v1-9.toml"),
    include_str!("../../../models/zoo/inception-v2-9.toml"),
    include_str!("../../../models/zoo/mobilenetv2-10.toml"),
    include_str!("../../../models/zoo/mobilenetv2-12.toml"),
    include_str!("../../../models/zoo/mobilenetv2-12-int8-zoo.toml"),
    include_str!("../../../models/zoo/mobilenetv2-12-qdq.toml"),
    include_str!("../../../models/zoo/mobilenetv2-7.toml"),
    include_str!("../../../models/zoo/resnet18-v1-7.toml"),
    include_str!("../../../models/zoo/resnet18-v2-7.toml"),
    include_str!("../../../models/zoo/resnet50-v1-12.toml"),
    include_str!("../../../models/zoo/resnet50-v1-12-int8.toml"),
    include_str!("../../../models/zoo/resnet50-v1-12-qdq.toml"),
    include_str!("../../../models/zoo/resnet50-v1-7.toml"),
    include_str!("../../../models/zoo/resnet50-v2-7.toml"),
    include_str!("../../../models/zoo/shufflenet-v2-10.toml"),
    include_str!("../../../models/zoo/shufflenet-v2-12.toml"),
    include_str!("../../../models/zoo/shufflenet-v2-12-int8.toml"),
    include_str!("../../../models/zoo/shufflenet-v2-12-qdq.toml"),
    include_str!("../../../models/zoo/squeezenet1.0-12.toml"),
    include_str!("../../../models/zoo/squeezenet1.0-12-int8.toml"),
    include_str!("../../../models/zoo/squeezenet1.0-13-qdq.toml"),
    include_str!("../../../models/zoo/squeezenet1.0-9.toml"),
    include_str!("../../../models/zoo/squeezenet1.1-7.toml"),
    include_str!("../../../models/zoo/vgg16-12.toml"),
    include_str!("../../../models/zoo/vgg16-12-int8.toml"),
    include_str!("../../../models/zoo/vgg16-12-qdq.toml"),
    include_str!("../../../models/zoo/vgg16-7.toml"),
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
