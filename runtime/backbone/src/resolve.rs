//! Completing a manifest that leaves tensors to be found: `tensor = "auto"` in `[input]` or `[feature]`.
//!
//! Knows TOML and what an inspection tells. Invariant: a resolved manifest names its tensors, in its text as well, so that
//! its backbone id says which they are; what does not fit the manifest's own numbers is refused, never adjusted.

use toml::{Table, Value};

use crate::{
    inspect::{Inspection, inspect},
    manifest::{Manifest, ManifestError},
    onnx::ModelError,
};

/// The word for a tensor that is to be found.
const AUTO: &str = "auto";

/// Why the tensors were not found.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No likely feature has the manifest's length.
    #[error(
        "the manifest wants a feature of {dim} numbers, and in the graph there is {}: name the tensor in [feature]",
        found(features)
    )]
    Feature {
        /// The manifest's length.
        dim: usize,
        /// Tensors found, each with its length.
        features: Vec<(String, usize)>,
    },
    /// There is not one input.
    #[error("the graph has {} inputs ({}), and the manifest does not say which: name the tensor in [input]", .0.len(), .0.join(", "))]
    Inputs(Vec<String>),
    /// The completed manifest does not hold together.
    #[error("the manifest cannot be completed")]
    Manifest(#[from] ManifestError),
    /// The file is refused.
    #[error("the model is refused")]
    Model(#[from] ModelError),
}

fn found(features: &[(String, usize)]) -> String {
    if features.is_empty() {
        return "no likely feature".to_owned();
    }
    features.iter().map(|(tensor, dim)| format!("{tensor} with {dim}")).collect::<Vec<_>>().join(", ")
}

impl Manifest {
    /// Whether it leaves tensors to be found.
    pub fn is_open(&self) -> bool {
        self.input.tensor() == AUTO || self.feature.tensor == AUTO
    }

    /// The manifest with its tensors found in the model it speaks of; itself where it names them.
    ///
    /// # Errors
    /// The file is refused, has no or several inputs, or no likely feature of the manifest's length.
    pub fn resolve(self, bytes: &[u8]) -> Result<Self, ResolveError> {
        if !self.is_open() {
            return Ok(self);
        }
        self.complete(&inspect(bytes)?)
    }

    fn complete(&self, inspection: &Inspection) -> Result<Self, ResolveError> {
        let mut root: Table = self.text.parse().map_err(ManifestError::Syntax)?;
        let mut set = |table: &str, key: &str, value: &str| {
            if let Some(Value::Table(table)) = root.get_mut(table) {
                table.insert(key.to_owned(), Value::from(value));
            }
        };
        if self.input.tensor() == AUTO {
            match inspection.inputs.as_slice() {
                [input] => set("input", "tensor", &input.name),
                inputs => return Err(ResolveError::Inputs(inputs.iter().map(|input| input.name.clone()).collect())),
            }
        }
        if self.feature.tensor == AUTO {
            let dim = self.feature.dim;
            let Some(feature) = inspection.features.iter().find(|feature| feature.dim == dim) else {
                let features = inspection.features.iter().map(|found| (found.tensor.clone(), found.dim)).collect();
                return Err(ResolveError::Feature { dim, features });
            };
            set("feature", "tensor", &feature.tensor);
            set("feature", "pool", feature.pool.word());
        }
        Ok(Self::parse(&root.to_string())?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;
    use crate::{BackboneId, builtin, manifest::Pool};

    /// A manifest of the built-in model that names neither tensor.
    fn open(dim: usize) -> Manifest {
        let text = builtin::MANIFEST.replace("tensor = \"picture\"", "tensor = \"auto\"");
        let text =
            text.replace("tensor = \"feature\"", "tensor = \"auto\"").replace("dim = 512", &format!("dim = {dim}"));
        Manifest::parse(&text).unwrap()
    }

    #[test]
    fn found_tensors_stand_in_the_text_and_in_the_id() {
        let mut inspection = inspect(builtin::MODEL).unwrap();
        inspection.features = vec![candidate("other", 7, Pool::None), candidate("feature", 512, Pool::Flatten)];
        let open = open(512);
        assert!(open.is_open());
        let resolved = open.complete(&inspection).unwrap();
        assert!(!resolved.is_open());
        assert_eq!(resolved.input.tensor(), "picture");
        assert_eq!((resolved.feature.tensor.as_str(), resolved.feature.pool), ("feature", Pool::Flatten));
        assert_eq!(Manifest::parse(&resolved.text).unwrap().feature, resolved.feature);
        assert_ne!(BackboneId::of(&resolved), BackboneId::of(&open));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut inspection = inspect(builtin::MODEL).unwrap();
        inspection.features = vec![candidate("feature", 512, Pool::None)];
        let error = open(100).complete(&inspection).unwrap_err();
        assert!(error.to_string().contains("a feature of 100 numbers, and in the graph there is feature with 512"));
        inspection.inputs.push(inspection.inputs[0].clone());
        let error = open(512).complete(&inspection).unwrap_err();
        assert!(error.to_string().contains("2 inputs (picture, picture)"), "{error}");
    }

    fn candidate(tensor: &str, dim: usize, pool: Pool) -> crate::FeatureCandidate {
        crate::FeatureCandidate { tensor: tensor.to_owned(), pool, dim, signed: true, because: String::new() }
    }
}
