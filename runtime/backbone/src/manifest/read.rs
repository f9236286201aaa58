//! Reading a manifest from TOML, collecting every mistake before giving up.
//!
//! Knows the rules of each key and nothing else. Invariant: a key that nobody asked for is a mistake.

use std::fmt;

use acclimate_trainer::Quantisation;
use toml::{Table, Value};

use super::{
    Classifier, Color, Crop, Decode, ElementType, FeatureTensor, ImageInput, Interpolation, Layout, Manifest,
    ModelFile, Pool, Resize,
};

/// Longest side of an input tensor, and of the feature: far above any backbone, far below an allocation that hurts.
const MAX_SIDE: i64 = 4096;
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
    let mut root = Keys { prefix: String::new(), table: root, mistakes };
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

fn read_input(keys: &mut Keys<'_>) -> Option<ImageInput> {
    if let Some(kind) = keys.string("kind")
        && kind != "image"
    {
        keys.mistake("kind", "\"image\", the only kind of input that this version has", quoted(&kind));
        // The other kinds have other keys; judging them by the rules of images would only mislead.
        keys.table.clear();
        return None;
    }
    let tensor = keys.string("tensor");
    let layout = keys.word("layout", None, Layout::WORDS, Layout::from_word);
    let dtype = keys.word("dtype", Some(ElementType::F32), ElementType::WORDS, ElementType::from_word);
    let color = keys.word("color", Some(Color::Rgb), Color::WORDS, Color::from_word);
    let range = keys
        .float("range", "1 or 255", |range| (range - 1.0).abs() < f32::EPSILON || (range - 255.0).abs() < f32::EPSILON);
    let channels = if color == Some(Color::Gray) { 1 } else { 3 };
    let mean = keys.channels("mean", channels, 0.0, f32::is_finite, "finite numbers");
    let std = keys.channels("std", channels, 1.0, |std| std.is_finite() && std > 0.0, "numbers above 0");
    let size = keys.size();
    let resize = keys.word("resize", Some(Resize::ShortestEdge), Resize::WORDS, Resize::from_word);
    let shorter = size.map_or(1, |[height, width]| height.min(width));
    let longer = size.map_or(1, |[height, width]| height.max(width));
    let resize_to = if keys.table.contains_key("resize_to") {
        keys.integer("resize_to", 1..=MAX_SIDE).map(|side| side as u32)
    } else {
        Some(shorter)
    };
    let crop = keys.word(
        "crop",
        Some(if resize == Some(Resize::ShortestEdge) { Crop::Center } else { Crop::None }),
        Crop::WORDS,
        Crop::from_word,
    );
    if let (Some(resize), Some(resize_to), Some(crop)) = (resize, resize_to, crop) {
        if resize == Resize::ShortestEdge {
            keys.rule(
                resize_to >= longer,
                "resize_to",
                &format!("at least {longer}, the longer side of size, for resize = \"shortest-edge\""),
                resize_to,
            );
            keys.rule(
                crop == Crop::Center,
                "crop",
                "\"center\" after resize = \"shortest-edge\", or pictures come out in different sizes",
                quoted(crop.word()),
            );
        } else {
            keys.rule(
                crop == Crop::None,
                "crop",
                &format!("\"none\" after resize = \"{resize}\", which leaves nothing to crop"),
                quoted(crop.word()),
            );
        }
    }
    let interpolation =
        keys.word("interpolation", Some(Interpolation::Bilinear), Interpolation::WORDS, Interpolation::from_word);
    let antialias = keys.boolean("antialias", true);
    let pad_value = if keys.table.contains_key("pad_value") {
        keys.integer("pad_value", 0..=255).map(|value| value as u8)
    } else {
        Some(0)
    };
    let decode = keys.word("decode", Some(Decode::Full), Decode::WORDS, Decode::from_word);
    Some(ImageInput {
        tensor: tensor?,
        layout: layout?,
        dtype: dtype?,
        color: color?,
        range: range?,
        mean: mean?,
        std: std?,
        size: size?,
        resize: resize?,
        resize_to: resize_to?,
        crop: crop?,
        interpolation: interpolation?,
        antialias: antialias?,
        pad_value: pad_value?,
        decode: decode?,
    })
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
    let weight = keys.string("weight");
    let bias = keys.optional_string("bias");
    let labels = keys.optional_string("labels");
    Some(Classifier { weight: weight?, bias: bias?, labels: labels? })
}

/// The keys of one table that nobody has taken yet.
struct Keys<'m> {
    prefix: String,
    table: Table,
    mistakes: &'m mut Vec<Mistake>,
}

#[expect(clippy::option_option, reason = "the outer none is a mistake already told, the inner one an absent key")]
impl Keys<'_> {
    fn mistake(&mut self, key: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.mistakes.push(Mistake {
            key: format!("{}{key}", self.prefix),
            expected: expected.into(),
            found: found.into(),
        });
    }

    fn rule(&mut self, holds: bool, key: &str, expected: &str, found: impl fmt::Display) -> bool {
        if !holds {
            self.mistake(key, expected, found.to_string());
        }
        holds
    }

    fn take(&mut self, key: &str, expected: &str) -> Option<Value> {
        let value = self.table.remove(key);
        if value.is_none() {
            self.mistake(key, expected, "nothing");
        }
        value
    }

    fn wrong_type<T>(&mut self, key: &str, expected: &str, value: &Value) -> Option<T> {
        self.mistake(key, expected, describe(value));
        None
    }

    fn required<T>(&mut self, key: &str, read: impl FnOnce(&mut Keys<'_>) -> Option<T>) -> Option<T> {
        let value = self.take(key, "a table")?;
        self.section(key, value, read)
    }

    /// `Some(None)`: absent.
    fn optional<T>(&mut self, key: &str, read: impl FnOnce(&mut Keys<'_>) -> Option<T>) -> Option<Option<T>> {
        let Some(value) = self.table.remove(key) else { return Some(None) };
        self.section(key, value, read).map(Some)
    }

    fn section<T>(&mut self, key: &str, value: Value, read: impl FnOnce(&mut Keys<'_>) -> Option<T>) -> Option<T> {
        let Value::Table(table) = value else { return self.wrong_type(key, "a table", &value) };
        let mut keys = Keys { prefix: format!("{}{key}.", self.prefix), table, mistakes: self.mistakes };
        let section = read(&mut keys);
        keys.finish();
        section
    }

    fn string(&mut self, key: &str) -> Option<String> {
        match self.take(key, "a string")? {
            Value::String(text) if !text.is_empty() => Some(text),
            value => self.wrong_type(key, "a string that is not empty", &value),
        }
    }

    /// `Some(None)`: absent.
    fn optional_string(&mut self, key: &str) -> Option<Option<String>> {
        if self.table.contains_key(key) { self.string(key).map(Some) } else { Some(None) }
    }

    fn integer(&mut self, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = match (*range.start(), *range.end()) {
            (i64::MIN, _) => "an integer".to_owned(),
            (low, i64::MAX) => format!("an integer of at least {low}"),
            (low, high) => format!("an integer from {low} to {high}"),
        };
        match self.take(key, &expected)? {
            Value::Integer(value) if range.contains(&value) => Some(value),
            value => self.wrong_type(key, &expected, &value),
        }
    }

    fn float(&mut self, key: &str, expected: &str, fits: impl Fn(f32) -> bool) -> Option<f32> {
        let value = self.take(key, expected)?;
        match number(&value) {
            Some(number) if fits(number) => Some(number),
            _ => self.wrong_type(key, expected, &value),
        }
    }

    fn boolean(&mut self, key: &str, default: bool) -> Option<bool> {
        match self.table.remove(key) {
            None => Some(default),
            Some(Value::Boolean(value)) => Some(value),
            Some(value) => self.wrong_type(key, "true or false", &value),
        }
    }

    fn word<T>(&mut self, key: &str, default: Option<T>, words: &[&str], parse: fn(&str) -> Option<T>) -> Option<T> {
        let expected = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" or ");
        if default.is_some() && !self.table.contains_key(key) {
            return default;
        }
        let value = self.take(key, &expected)?;
        match value.as_str().and_then(parse) {
            Some(word) => Some(word),
            None => self.wrong_type(key, &expected, &value),
        }
    }

    fn channels(
        &mut self,
        key: &str,
        channels: usize,
        default: f32,
        fits: impl Fn(f32) -> bool,
        what: &str,
    ) -> Option<[f32; 3]> {
        let Some(value) = self.table.remove(key) else { return Some([default; 3]) };
        let numbers = value
            .as_array()
            .filter(|array| array.len() == channels)
            .and_then(|array| array.iter().map(number).collect::<Option<Vec<_>>>());
        match numbers.as_deref() {
            Some(&[gray]) if fits(gray) => Some([gray; 3]),
            Some(&[first, second, third]) if [first, second, third].into_iter().all(fits) => {
                Some([first, second, third])
            }
            _ => self.wrong_type(key, &format!("an array of {channels} {what}, one per channel"), &value),
        }
    }

    fn size(&mut self) -> Option<[u32; 2]> {
        let expected = format!("[height, width], each an integer from 1 to {MAX_SIDE}");
        let value = self.take("size", &expected)?;
        let side =
            |value: &Value| value.as_integer().filter(|side| (1..=MAX_SIDE).contains(side)).map(|side| side as u32);
        match value.as_array().map(Vec::as_slice) {
            Some([height, width]) if side(height).is_some() && side(width).is_some() => {
                Some([side(height)?, side(width)?])
            }
            _ => self.wrong_type("size", &expected, &value),
        }
    }

    fn finish(mut self) {
        for key in std::mem::take(&mut self.table).keys() {
            self.mistake(key, "no such key", "it");
        }
    }
}

fn number(value: &Value) -> Option<f32> {
    match value {
        Value::Float(value) => Some(*value as f32),
        Value::Integer(value) => Some(*value as f32),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn describe(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 { format!("{}…", text.chars().take(80).collect::<String>()) } else { text }
}
