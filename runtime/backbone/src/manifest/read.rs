//! Reading a manifest from TOML, collecting every mistake before giving up.
//!
//! Knows the tables and the rules of their keys; those of `[input]` lie with each kind of input.

use std::fmt;

use acclimate_trainer::Quantisation;
use toml::Table;

use super::{
    Classifier, FeatureTensor, Input, Manifest, ModelFile, Pool,
    image::read_image,
    keys::{Keys, quoted},
    signal::read_signal,
};

/// Longest feature: far above any backbone, far below an allocation that hurts.
const MAX_DIM: i64 = 1 << 20;

/// One mistake in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Dotted path, as `input.layout`.
    pub key: String,
    /// The rule.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.key, self.expected, self.found)
    }
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not TOML.
    #[error("the manifest is not valid TOML")]
    Syntax(#[source] toml::de::Error),
    /// Every mistake found.
    #[error("{} in the manifest: {}", Count(.0.len()), Lines(.0))]
    Mistakes(Vec<Mistake>),
}

struct Count(usize);
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} mistake{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

struct Lines<'a>(&'a [Mistake]);
impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Not TOML, or any key missing, unknown or outside its rule; all mistakes are listed at once.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let root: Table = text.parse().map_err(ManifestError::Syntax)?;
        let mut mistakes = Vec::new();
        let manifest = read_manifest(root, text, &mut mistakes);
        match manifest {
            Some(manifest) if mistakes.is_empty() => Ok(manifest),
            _ => Err(ManifestError::Mistakes(mistakes)),
        }
    }
}

fn read_manifest(root: Table, text: &str, mistakes: &mut Vec<Mistake>) -> Option<Manifest> {
    let mut root = Keys::new(root, mistakes);
    let name = root.string("name").filter(|name| {
        let fine = !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        root.rule(fine, "name", "letters, digits, '.', '_' and '-', not starting with '.'", quoted(name))
    });
    let licence = root.string("licence");
    let file = root.required("file", read_file);
    let input = root.required("input", read_input);
    let feature = root.required("feature", read_feature);
    let classifier = root.optional("classifier", read_classifier);
    root.finish();
    Some(Manifest {
        name: name?,
        licence: licence?,
        file: file?,
        input: input?,
        feature: feature?,
        classifier: classifier?,
        text: text.to_owned(),
    })
}

fn read_file(keys: &mut Keys<'_>) -> Option<ModelFile> {
    let name = keys.optional_string("name")?.filter(|name| {
        keys.rule(
            !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..",
            "name",
            "a file name without folders",
            quoted(name),
        )
    });
    let url = keys.optional_string("url")?;
    let sha256 = keys.string("sha256").and_then(|text| {
        let sum = parse_sha256(&text);
        keys.rule(sum.is_some(), "sha256", "64 hexadecimal digits", quoted(&text));
        sum
    });
    let bytes = keys.integer("bytes", 1..=i64::MAX);
    Some(ModelFile { name, url, sha256: sha256?, bytes: bytes?.unsigned_abs() })
}

fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut sum = [0; 32];
    for (byte, at) in sum.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(sum)
}

fn read_input(keys: &mut Keys<'_>) -> Option<Input> {
    let kind = keys.string("kind");
    match kind.as_deref() {
        Some("image") => return read_image(keys).map(Input::Image),
        Some("signal") => return read_signal(keys).map(Input::Signal),
        Some(other) => keys.mistake("kind", "\"image\" or \"signal\"", quoted(other)),
        None => {}
    }
    // Each kind has its own keys; judging them by the rules of another would only mislead.
    keys.table.clear();
    None
}

fn read_feature(keys: &mut Keys<'_>) -> Option<FeatureTensor> {
    let tensor = keys.string("tensor");
    let pool = keys.word("pool", Some(Pool::None), Pool::WORDS, Pool::from_word);
    let dim = keys.integer("dim", 1..=MAX_DIM).map(|dim| dim as usize);
    let bits = if keys.table.contains_key("bits") { keys.integer("bits", i64::MIN..=i64::MAX) } else { Some(8) };
    if let Some(bits) = bits {
        keys.rule(bits == 8, "bits", "8, the only width that this version stores", bits);
    }
    let signed = keys.boolean("signed", true);
    let full_scale = if keys.table.contains_key("full_scale") {
        keys.float("full_scale", "a number above 0 and at most 1", |scale| scale > 0.0 && scale <= 1.0).map(Some)
    } else {
        Some(None)
    };
    let (dim, signed) = (dim?, signed?);
    let quantisation = match full_scale? {
        Some(full_scale) => Quantisation { full_scale, signed },
        None => Quantisation::default_for(dim, signed),
    };
    Some(FeatureTensor { tensor: tensor?, pool: pool?, dim, quantisation })
}

fn read_classifier(keys: &mut Keys<'_>) -> Option<Classifier> {
    let weight = keys.optional_string("weight");
    let bias = keys.optional_string("bias");
    let labels = keys.optional_string("labels");
    Some(Classifier { weight: weight?, bias: bias?, labels: labels? })
}
