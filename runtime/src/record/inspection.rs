//! What is in an ONNX file, as JSON and in words.

use std::fmt::Write as _;

use acclimate_backbone::{FeatureCandidate, Inspection, Port};
use serde::{Deserialize, Serialize};

/// What `model inspect` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InspectionRecord {
    /// Size of the file.
    pub bytes: u64,
    /// Version of the file format.
    pub ir_version: i64,
    /// What wrote the file.
    pub producer: String,
    /// Operator sets with their versions; the standard one is "".
    pub opsets: std::collections::BTreeMap<String, i64>,
    /// What it takes.
    pub inputs: Vec<PortRecord>,
    /// What it gives.
    pub outputs: Vec<PortRecord>,
    /// Numbers in its weights.
    pub parameters: u64,
    /// How often it uses each operator.
    pub operators: std::collections::BTreeMap<String, usize>,
    /// Tensors that are likely features, likeliest first.
    pub features: Vec<FeatureRecord>,
    /// The classifier that came with it.
    pub classifier: Option<ClassifierRecord>,
    /// Operators that tract has not; none where tract is not built in.
    pub lacking_in_tract: Option<Vec<String>>,
    /// A manifest to start from, TOML.
    pub manifest: String,
}

/// An input or output of a model.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct PortRecord {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub element: String,
    /// Its shape; symbolic dimensions by name.
    pub shape: Vec<String>,
}

/// A tensor that may be the feature.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FeatureRecord {
    /// Its name.
    pub tensor: String,
    /// How it is pooled.
    pub pool: String,
    /// Components of the feature.
    pub dim: usize,
    /// Why it is likely.
    pub because: String,
}

/// The classifier that came with a model.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ClassifierRecord {
    /// Its operator.
    pub operator: String,
    /// The constant with its weights.
    pub weight: String,
    /// The constants with its bias.
    pub bias: Option<String>,
    /// Scores that it gives.
    pub classes: usize,
    /// Numbers that it takes.
    pub dim: usize,
    /// The classes' names, where the file tells them.
    pub names: Option<Vec<String>>,
    /// Why it cannot be kept behind the likeliest feature.
    pub refused: Option<String>,
}

impl InspectionRecord {
    /// Writes an inspection down.
    pub fn new(inspection: &Inspection, manifest: String) -> Self {
        let Inspection {
            bytes,
            sha256: _,
            ir_version,
            producer,
            opsets,
            inputs,
            outputs,
            parameters,
            operators,
            features,
            classifier,
            lacking_in_tract,
        } = inspection.clone();
        let port = |port: Port| PortRecord { name: port.name, element: port.element, shape: port.shape };
        let feature = |f: FeatureCandidate| FeatureRecord {
            tensor: f.tensor,
            pool: f.pool.word().to_owned(),
            dim: f.dim,
            because: f.because,
        };
        let classifier = classifier.map(|layer| ClassifierRecord {
            operator: layer.operator,
            weight: layer.weight,
            bias: layer.bias,
            classes: layer.classes,
            dim: layer.dim,
            names: layer.names,
            refused: layer.refused,
        });
        Self {
            bytes,
            ir_version,
            producer,
            opsets: opsets.into_iter().collect(),
            inputs: inputs.into_iter().map(port).collect(),
            outputs: outputs.into_iter().map(port).collect(),
            parameters,
            operators,
            features: features.into_iter().map(feature).collect(),
            classifier,
            lacking_in_tract,
            manifest,
        }
    }

    /// The same for people; the manifest comes last, ready to be copied.
    pub fn words(&self) -> String {
        let mut words = format!("{} bytes, IR {}, made by {}", self.bytes, self.ir_version, self.producer);
        for (domain, version) in &self.opsets {
            let _ = write!(words, "\nopset       {} {version}", if domain.is_empty() { "ai.onnx" } else { domain });
        }
        for (what, ports) in [("input", &self.inputs), ("output", &self.outputs)] {
            for port in ports {
                let _ = write!(words, "\n{what:11} {}  {} [{}]", port.name, port.element, port.shape.join(", "));
            }
        }
        let operators: Vec<String> = self.operators.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let _ = write!(words, "\nparameters  {}\noperators   {}", self.parameters, operators.join(", "));
        for f in &self.features {
            let _ = write!(words, "\nfeature?    {}  {} numbers, pool {}: {}", f.tensor, f.dim, f.pool, f.because);
        }
        if let Some(c) = &self.classifier {
            let bias = c.bias.as_ref().map_or(String::new(), |bias| format!(", bias {bias}"));
            let _ =
                write!(words, "\nclassifier  {} {}{bias}: {} classes from {}", c.operator, c.weight, c.classes, c.dim);
            if c.names.is_some() {
                words.push_str(", named in the file");
            }
            if let Some(refused) = &c.refused {
                let _ = write!(words, "; cannot be kept: {refused}");
            }
        }
        match &self.lacking_in_tract {
            Some(lacking) if !lacking.is_empty() => {
                let _ = write!(words, "\ntract lacks {}: needs ONNX Runtime", lacking.join(", "));
            }
            _ => {}
        }
        let _ = write!(words, "\n\n{}", self.manifest.trim_end());
        words
    }
}
