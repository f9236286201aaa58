//! The maps behind a feature: what a backbone answers at each place of a picture, before it takes the mean over the places.
//!
//! Class activation maps (Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", eq. 1 and 2): where a
//! feature is the mean of a map over its places, a score of the feature is a mean over the places too, and what each place
//! adds to it can be shown. Knows manifests, networks and places; nothing of heads or classes: the gradient of a score by the
//! feature comes from outside.
//!
//! ```text
//! picture ─▶ network, cut at the map ─▶ map [channels, height, width] ─▶ mean ─▶ tail ─▶ feature [dim]
//! ```
//!
//! The tail is whatever arithmetic the graph does behind the mean; most backbones have none. Invariant: the feature that is
//! computed here is, but for rounding, that of the [`Backbone`](crate::Backbone) with the same manifest.

mod find;
mod tail;

use std::sync::Arc;

use ndarray::{Array2, Array3, Axis, Ix4};
use prost::bytes::Bytes;

use self::{
    find::{Found, Source, find},
    tail::{Tail, Values},
};
use crate::{
    backbone::{BackboneError, Prepared, verify},
    engine::{EngineError, EngineOptions, Extractor},
    manifest::{Manifest, Pool},
    network::{Ends, Network, NetworkError},
    onnx::{self, Index, ModelError, pb},
};

/// Why a backbone's feature has no map behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMap {
    /// The way back ends before a mean.
    #[error("\"{0}\" is computed by no node, or by too many, and none of them takes a mean over all places of a map")]
    End(String),
    /// Two maps have different grids.
    #[error("it comes out of maps of different sizes, {0:?} and {1:?} places")]
    Grids([usize; 2], [usize; 2]),
    /// A mean over a part of the map.
    #[error("it is the mean over {kernel:?} places of a map of {map:?}, not over all of it")]
    Kernel {
        /// Height and width of the mean.
        kernel: [usize; 2],
        /// Height and width of the map.
        map: [usize; 2],
    },
    /// Lengths behind the means do not go together.
    #[error("what the graph does behind the mean gives {found} numbers, the manifest says {expected}")]
    Length {
        /// The manifest's.
        expected: usize,
        /// What came out.
        found: usize,
    },
    /// Something else than a mean makes it.
    #[error("{operator} \"{node}\" stands where a mean over the places of a map should")]
    Node {
        /// The node.
        node: String,
        /// What it does.
        operator: String,
    },
    /// The tensor is no map.
    #[error("\"{tensor}\" has shape {found:?}, and a map has four axes")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A signal has no places of a picture.
    #[error("it is a feature of signals, which have no places of a picture")]
    Signal,
    /// Tokens lie in no grid that the manifest tells of.
    #[error("it is pooled as \"{0}\" from tokens, which are no map")]
    Tokens(Pool),
}

/// Why there are no maps.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Not the manifest's bytes.
    #[error(transparent)]
    Backbone(Box<BackboneError>),
    /// The engine failed.
    #[error("the maps of backbone \"{name}\" cannot be computed")]
    Engine {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: EngineError,
    },
    /// Its feature is no spatial mean.
    #[error(
        "backbone \"{name}\" cannot show where a head looks: its feature is not the mean of a map over all places of the picture"
    )]
    NoMap {
        /// The backbone.
        name: String,
        /// What it is instead.
        #[source]
        source: NoMap,
    },
    /// It cannot be opened at its maps.
    #[error("backbone \"{name}\" cannot be opened at the map behind its feature")]
    Open {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: NetworkError,
    },
}

/// A backbone, open at the maps behind its feature.
pub struct ActivationMaps {
    manifest: Manifest,
    /// One for each map: an engine serves one output, and nearly every backbone has one map.
    networks: Vec<(Source, Network)>,
    tail: Arc<Tail>,
}

/// The maps of one picture.
pub struct ActivationMap {
    /// Each `[channels, height, width]`, all of one grid.
    maps: Vec<Array3<f32>>,
    tail: Arc<Tail>,
    values: Values,
}

impl ActivationMaps {
    /// Opens the model in memory at the maps behind the manifest's feature.
    ///
    /// # Errors
    /// The bytes are not the manifest's, the feature is no spatial mean, or no engine can run it.
    pub fn open(manifest: &Manifest, bytes: Vec<u8>, options: &EngineOptions) -> Result<Self, ActivationError> {
        let name = || manifest.name.clone();
        verify(manifest, &bytes, "the model").map_err(|error| ActivationError::Backbone(error.into()))?;
        if manifest.input.image().is_none() {
            return Err(ActivationError::NoMap { name: name(), source: NoMap::Signal });
        }
        let refused = |error: ModelError| ActivationError::Open { name: name(), source: error.into() };
        let model = onnx::read(Bytes::from(bytes)).map_err(refused)?;
        let Found { sources, tail } = {
            let graph = model.graph.as_ref().ok_or_else(|| refused(ModelError::NoGraph))?;
            find(manifest, &Index::new(graph)).map_err(|source| ActivationError::NoMap { name: name(), source })?
        };
        let open = |source: Source| {
            // Weights are shared, not copied: they are reference-counted bytes.
            let (model, tensor) = as_floats(model.clone(), &source);
            let input = &manifest.input;
            let shape = input.shape(1);
            let (output, element) = (Some(tensor.as_str()), input.element());
            let ends = Ends { output, input: input.tensor(), shape: &shape[1..], element };
            let network = Network::of(model, &ends, options);
            network.map(|network| (source, network)).map_err(|source| ActivationError::Open { name: name(), source })
        };
        let networks = sources.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { manifest: manifest.clone(), networks, tail: Arc::new(tail) })
    }

    /// What really runs.
    pub fn extractor(&self) -> Option<&Extractor> {
        self.networks.first().map(|(_, network)| network.extractor())
    }

    /// The manifest it was opened with.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The maps of one prepared picture.
    ///
    /// # Errors
    /// The engine fails, or what comes out is no map of which the feature is the mean.
    ///
    /// # Panics
    /// When the input was prepared for another backbone.
    pub fn of(&mut self, prepared: &Prepared) -> Result<ActivationMap, ActivationError> {
        let name = || self.manifest.name.clone();
        let none = |source| ActivationError::NoMap { name: name(), source };
        let input = prepared.tensor(&self.manifest.input);
        let mut maps: Vec<Array3<f32>> = Vec::with_capacity(self.networks.len());
        for (source, network) in &mut self.networks {
            let output = network.run(&input);
            let output = output.map_err(|source| ActivationError::Engine { name: name(), source })?;
            let found = output.shape().to_vec();
            let map = output
                .into_dimensionality::<Ix4>()
                .ok()
                .filter(|map| map.len_of(Axis(0)) == 1 && !map.is_empty())
                .ok_or_else(|| none(NoMap::Shape { tensor: source.tensor.clone(), found }))?
                .index_axis_move(Axis(0), 0);
            let map = if source.channels_last { map.permuted_axes([2, 0, 1]) } else { map };
            let grid = grid(&map);
            if let Some(kernel) = source.kernel.filter(|&kernel| kernel != grid) {
                return Err(none(NoMap::Kernel { kernel, map: grid }));
            }
            if let Some(first) = maps.first().map(self::grid).filter(|&first| first != grid) {
                return Err(none(NoMap::Grids(first, grid)));
            }
            maps.push(map.as_standard_layout().into_owned());
        }
        let means: Vec<Vec<f64>> = maps.iter().map(means).collect();
        let expected = self.manifest.feature.dim;
        let values = self.tail.forward(&means).ok_or_else(|| none(NoMap::Length { expected, found: 0 }))?;
        let found = values.feature().len();
        if found != expected {
            return Err(none(NoMap::Length { expected, found }));
        }
        Ok(ActivationMap { maps, tail: Arc::clone(&self.tail), values })
    }
}

impl ActivationMap {
    /// Height and width of the grid of places.
    pub fn grid(&self) -> [usize; 2] {
        self.maps.first().map_or([0, 0], grid)
    }

    /// The raw feature `[dim]`: what the means of the maps become.
    pub fn feature(&self) -> Vec<f32> {
        self.values.feature().iter().map(|&x| x as f32).collect()
    }

    /// What each place adds to a score of the feature, `[height, width]`, given the score's gradient `[dim]` by the raw
    /// feature: the class activation map (Zhou et al., eq. 2), with the gradient for the weights. Signed; its mean over the
    /// places is `gradient · feature`. O(channels·height·width).
    ///
    /// Behind arithmetic that is not linear it is the first-order answer: `gradient · feature` and what the score would
    /// gain if the means moved from what they are towards what is at the place.
    ///
    /// # Panics
    /// When the gradient is of another length than the feature.
    pub fn contributions(&self, gradient: &[f64]) -> Array2<f64> {
        let feature = self.values.feature();
        assert_eq!(gradient.len(), feature.len(), "a gradient by another feature");
        let [height, width] = self.grid();
        let level: f64 = gradient.iter().zip(feature).map(|(g, x)| g * x).sum();
        let mut places = Array2::from_elem((height, width), level);
        for (map, weights) in self.maps.iter().zip(self.tail.backward(&self.values, gradient, self.maps.len())) {
            for ((channel, weight), mean) in map.outer_iter().zip(weights).zip(means(map)) {
                for (place, &x) in places.iter_mut().zip(&channel) {
                    *place += weight * (f64::from(x) - mean);
                }
            }
        }
        places
    }
}

fn grid(map: &Array3<f32>) -> [usize; 2] {
    [map.len_of(Axis(1)), map.len_of(Axis(2))]
}

/// The mean of each channel.
fn means(map: &Array3<f32>) -> Vec<f64> {
    let places = (map.len_of(Axis(1)) * map.len_of(Axis(2))) as f64;
    map.outer_iter().map(|channel| channel.iter().copied().map(f64::from).sum::<f64>() / places).collect()
}

/// The model with the map in floats, and the tensor that it then is.
fn as_floats(mut model: pb::ModelProto, source: &Source) -> (pb::ModelProto, String) {
    let Some([scale, zero]) = &source.quantised else { return (model, source.tensor.clone()) };
    let wanted = "acclimate/map".to_owned();
    let taken = |name: &String| model.graph.iter().flat_map(|graph| &graph.node).any(|node| node.output.contains(name));
    let name = std::iter::successors(Some(wanted), |name| Some(format!("{name}'"))).find(|name| !taken(name));
    let name = name.expect("a bug: the names do not end");
    if let Some(graph) = &mut model.graph {
        graph.node.push(pb::NodeProto {
            input: vec![source.tensor.clone(), scale.clone(), zero.clone()],
            output: vec![name.clone()],
            name: Some(name.clone()),
            op_type: Some("DequantizeLinear".to_owned()),
            ..Default::default()
        });
    }
    (model, name)
}

#[cfg(all(test, feature = "tract"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use prost::Message as _;

    use super::*;
    use crate::{
        EngineChoice, Picture, checksum,
        onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, tensor_proto::DataType},
    };

    fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
        NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            op_type: Some(operator.to_owned()),
            attribute,
            ..Default::default()
        }
    }

    fn ints(name: &str, ints: &[i64]) -> AttributeProto {
        use crate::onnx::pb::attribute_proto::AttributeType;
        let kind = Some(AttributeType::Ints as i32);
        AttributeProto { name: Some(name.to_owned()), r#type: kind, ints: ints.to_vec(), ..Default::default() }
    }

    /// A model of pictures of 4 rows and 5 columns, three channels last, and its manifest.
    fn channels_last(nodes: Vec<NodeProto>) -> (Manifest, Vec<u8>) {
        let graph = GraphProto {
            name: Some("test".to_owned()),
            node: nodes,
            input: vec![onnx::value_info("picture", DataType::Float, &[1, 4, 5, 3])],
            output: vec![onnx::value_info("feature", DataType::Float, &[1, 3])],
            ..Default::default()
        };
        let opset = OperatorSetIdProto { version: Some(13), ..Default::default() };
        let model =
            ModelProto { ir_version: Some(8), opset_import: vec![opset], graph: Some(graph), ..Default::default() };
        let bytes = model.encode_to_vec();
        let text = format!(
            "name = \"test\"\nlicence = \"MIT\"\n[file]\nsha256 = \"{}\"\nbytes = {}\n[input]\nkind = \"image\"\n\
             tensor = \"picture\"\nlayout = \"nhwc\"\nrange = 1\nsize = [4, 5]\nresize = \"stretch\"\n[feature]\n\
             tensor = \"feature\"\npool = \"none\"\ndim = 3\n",
            checksum::hex(&checksum::of(&bytes)),
            bytes.len()
        );
        (Manifest::parse(&text).unwrap(), bytes)
    }

    fn options() -> EngineOptions {
        EngineOptions { engine: EngineChoice::Tract, threads: 1, ort_library: None }
    }

    /// Every pixel says where it is: red its column, green its row.
    fn numbered() -> Picture {
        let pixel = |at: u32| [(at % 5 * 40) as u8, (at / 5 * 60) as u8, 7];
        Picture::from_rgb(5, 4, (0..20).flat_map(pixel).collect()).unwrap()
    }

    fn of(manifest: &Manifest, bytes: Vec<u8>) -> Result<ActivationMap, ActivationError> {
        let prepared = Prepared::picture(&numbered(), manifest.input.image().unwrap());
        ActivationMaps::open(manifest, bytes, &options())?.of(&prepared)
    }

    #[test]
    fn a_map_with_its_channels_last_has_its_places_where_they_are() {
        let mean = node("ReduceMean", &["map"], "feature", vec![ints("axes", &[1, 2])]);
        let (manifest, bytes) = channels_last(vec![node("Relu", &["picture"], "map", Vec::new()), mean]);
        let map = of(&manifest, bytes).unwrap();
        assert_eq!(map.grid(), [4, 5]);
        let (columns, rows) = (map.contributions(&[1.0, 0.0, 0.0]), map.contributions(&[0.0, 1.0, 0.0]));
        for ((row, column), &place) in columns.indexed_iter() {
            assert!((place - column as f64 * 40.0 / 255.0).abs() < 1e-6, "{row} {column}: {place}");
            let place = rows[(row, column)];
            assert!((place - row as f64 * 60.0 / 255.0).abs() < 1e-6, "{row} {column}: {place}");
        }
    }

    #[test]
    fn a_mean_over_a_part_of_the_map_is_refused_when_it_shows() {
        let first = node("Transpose", &["picture"], "map", vec![ints("perm", &[0, 3, 1, 2])]);
        let pool = |kernel: &[i64]| node("AveragePool", &["map"], "feature", vec![ints("kernel_shape", kernel)]);
        let (manifest, bytes) = channels_last(vec![first.clone(), pool(&[4, 5])]);
        assert_eq!(of(&manifest, bytes).unwrap().grid(), [4, 5]);
        let (manifest, bytes) = channels_last(vec![first, pool(&[4, 4])]);
        let error = of(&manifest, bytes).err().unwrap();
        assert!(
            matches!(error, ActivationError::NoMap { source: NoMap::Kernel { kernel: [4, 4], map: [4, 5] }, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_graph_that_turns_in_circles_ends() {
        let around = [node("Relu", &["b"], "a", Vec::new()), node("Relu", &["a"], "b", Vec::new())];
        let last = node("Relu", &["a"], "feature", Vec::new());
        let (manifest, bytes) = channels_last([around.to_vec(), vec![last]].concat());
        assert!(matches!(of(&manifest, bytes).err().unwrap(), ActivationError::NoMap { source: NoMap::End(_), .. }));
    }
}
