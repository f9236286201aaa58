//! Hugging Face's `preprocessor_config.json` and `config.json` as a manifest and labels.
//!
//! Knows the keys of their image processors, of both generations (a `size` that is a number, or an object). Invariant: what
//! a manifest cannot say exactly is refused, or said in a comment of what is written.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Map, Value};

use crate::{
    classifier::numbered,
    inspect::{Guess, Inspection, feature_lines, guess, head_lines, string},
    manifest::Layout,
};

/// From this size on `ConvNeXt`'s processor stretches instead of cropping.
const CONVNEXT_WHOLE: u32 = 384;

/// What `rescale_factor` is where nobody says.
const PER_BYTE: f64 = 1.0 / 255.0;

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum HuggingFaceError {
    /// Not JSON, or no object.
    #[error("{file} is no JSON object")]
    Json {
        /// Which of the two.
        file: &'static str,
        /// Why.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// A key has a value that no processor has.
    #[error("preprocessor_config.json: \"{key}\" is {found}, expected {expected}")]
    Key {
        /// The key.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// It prepares no pictures.
    #[error("preprocessor_config.json is of {found}, which prepares no pictures: only those of pictures are read")]
    NotPictures {
        /// The processor.
        found: String,
    },
    /// The model takes no pictures.
    #[error("the model takes no pictures: {reason}")]
    Model {
        /// Why.
        reason: String,
    },
    /// Model and configuration are of different sizes.
    #[error(
        "preprocessor_config.json makes pictures of {configured:?}, the model takes {model:?} (height, width): they belong to \
         different models"
    )]
    Size {
        /// By the configuration.
        configured: [u32; 2],
        /// By the model file.
        model: [Option<u32>; 2],
    },
}

/// A manifest for the model that was inspected, prepared as its `preprocessor_config.json` says.
///
/// # Errors
/// The file is no JSON, is not of pictures, has values that it cannot have, or does not fit the model.
pub fn manifest_from_huggingface(
    preprocessor_config: &str,
    config: Option<&str>,
    inspection: &Inspection,
    name: &str,
) -> Result<String, HuggingFaceError> {
    let keys = Keys(object(preprocessor_config, "preprocessor_config.json")?);
    keys.check_kind()?;
    let guess = guess(&inspection.inputs).map_err(|reason| HuggingFaceError::Model { reason })?;
    let Guess::Image { layout, dtype, size: model, .. } = guess else {
        return Err(HuggingFaceError::Model { reason: "its input is a window of readings".to_owned() });
    };
    let shape = keys.shape(model)?;
    let fits = model.iter().zip(shape.size).all(|(model, size)| model.is_none_or(|model| model == size));
    if !fits {
        return Err(HuggingFaceError::Size { configured: shape.size, model });
    }
    let numbers = keys.numbers()?;
    let filter = keys.filter()?;
    let color = if keys.flag("do_flip_channel_order", false)? { "bgr" } else { "rgb" };

    let mut text = String::new();
    if let Some(config) = config {
        let keys = Keys(object(config, "config.json")?);
        let of = |key: &str| keys.0.get(key).and_then(Value::as_str).map(str::to_owned);
        let origin = of("_name_or_path").or_else(|| of("model_type")).unwrap_or_default();
        let _ = writeln!(text, "# From a Hugging Face folder: {}", origin.replace(char::is_control, " "));
    }
    text.push_str(&head_lines(inspection, name));
    let tensor = inspection.inputs.first().map_or("", |input| &input.name);
    let layout = if layout == Layout::Nhwc { "nhwc" } else { "nchw" };
    let [height, width] = shape.size;
    let _ = writeln!(
        text,
        "[input]\nkind = \"image\"\ntensor = {}\nlayout = \"{layout}\"\ndtype = \"{dtype}\"\ncolor = \"{color}\"\nrange = {}\n\
         mean = {}\nstd = {}\nsize = [{height}, {width}]",
        string(tensor),
        numbers.range,
        list(numbers.mean),
        list(numbers.std)
    );
    match shape.resize {
        Resizing::ShortestEdge(edge) => {
            let _ = writeln!(text, "resize = \"shortest-edge\"\nresize_to = {edge}\ncrop = \"center\"");
        }
        Resizing::Stretch => text.push_str("resize = \"stretch\"\n"),
    }
    for note in shape.note.into_iter().chain(filter.note) {
        let _ = writeln!(text, "# {note}");
    }
    let _ = writeln!(text, "interpolation = \"{}\"", filter.word);
    if filter.points {
        text.push_str("antialias = false\n");
    }
    text.push_str(&feature_lines(&inspection.features));
    Ok(text)
}

/// The names of classes in a `config.json`, in order.
///
/// # Errors
/// The text is no JSON object.
pub fn labels_from_huggingface(config: &str) -> Result<Option<Vec<String>>, HuggingFaceError> {
    let config = object(config, "config.json")?;
    let names = config.get("id2label").and_then(Value::as_object).and_then(|labels| {
        let entry = |(number, name): (&String, &Value)| Some((number.parse().ok()?, name.as_str()?.to_owned()));
        numbered(labels.iter().map(entry).collect::<Option<BTreeMap<usize, String>>>()?)
    });
    Ok(names.filter(|names| !names.is_empty()))
}

fn object(text: &str, file: &'static str) -> Result<Map<String, Value>, HuggingFaceError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(HuggingFaceError::Json { file, source: None }),
        Err(source) => Err(HuggingFaceError::Json { file, source: Some(source) }),
    }
}

fn list(numbers: [f64; 3]) -> String {
    // As short as f32 keeps them: a manifest is f32.
    let words: Vec<String> = numbers.iter().map(|&number| (number as f32).to_string()).collect();
    format!("[{}]", words.join(", "))
}

/// How a picture comes to its size.
enum Resizing {
    ShortestEdge(u32),
    Stretch,
}

struct Shape {
    size: [u32; 2],
    resize: Resizing,
    note: Option<&'static str>,
}

/// `(pixel / 255 · range - mean) / std`
struct Numbers {
    range: u32,
    mean: [f64; 3],
    std: [f64; 3],
}

struct Filter {
    word: &'static str,
    points: bool,
    note: Option<&'static str>,
}

/// What a `size` may be.
#[derive(Clone, Copy)]
enum Size {
    Edge(u32),
    Number(u32),
    Sides([u32; 2]),
}

/// A configuration's keys.
struct Keys(Map<String, Value>);

impl Keys {
    fn refuse<T>(&self, key: &'static str, expected: &'static str) -> Result<T, HuggingFaceError> {
        let found = self.0.get(key).map_or_else(|| "absent".to_owned(), Value::to_string);
        Err(HuggingFaceError::Key { key, expected, found: found.chars().take(80).collect() })
    }

    fn kind(&self) -> &str {
        let of = |key| self.0.get(key).and_then(Value::as_str);
        of("image_processor_type").or_else(|| of("feature_extractor_type")).unwrap_or_default()
    }

    fn check_kind(&self) -> Result<(), HuggingFaceError> {
        let sound = ["sampling_rate", "feature_size"].iter().any(|&key| self.0.contains_key(key));
        let found =
            if self.kind().is_empty() { "a processor without a name".to_owned() } else { self.kind().to_owned() };
        if sound { Err(HuggingFaceError::NotPictures { found }) } else { Ok(()) }
    }

    fn flag(&self, key: &'static str, default: bool) -> Result<bool, HuggingFaceError> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => self.refuse(key, "true or false"),
        }
    }

    fn number(&self, key: &'static str, default: f64) -> Result<f64, HuggingFaceError> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => match value.as_f64().filter(|number| number.is_finite() && *number > 0.0) {
                Some(number) => Ok(number),
                None => self.refuse(key, "a number above 0"),
            },
        }
    }

    fn size(&self, key: &'static str) -> Result<Option<Size>, HuggingFaceError> {
        let side = |value: &Value| value.as_u64().and_then(|side| u32::try_from(side).ok()).filter(|&side| side > 0);
        let Some(value) = self.0.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        let of = |name: &str| value.get(name).and_then(side);
        let pair = || match value.as_array()?.as_slice() {
            [height, width] => Some(Size::Sides([side(height)?, side(width)?])),
            _ => None,
        };
        let found = side(value)
            .map(Size::Number)
            .or_else(|| of("height").zip(of("width")).map(|(height, width)| Size::Sides([height, width])))
            .or_else(|| of("shortest_edge").map(Size::Edge))
            .or_else(pair);
        match found {
            Some(size) => Ok(Some(size)),
            None => self.refuse(key, "a number, {\"height\", \"width\"} or {\"shortest_edge\"}"),
        }
    }

    /// The tensor's sides, and the way there.
    fn shape(&self, model: [Option<u32>; 2]) -> Result<Shape, HuggingFaceError> {
        let exact = |size, resize| Ok(Shape { size, resize, note: None });
        let size = self.size("size")?;
        let square = |side| [side, side];
        let Some(size) = size.filter(|_| self.flag("do_resize", true).unwrap_or(true)) else {
            self.flag("do_resize", true)?;
            let size = Guess::sides(model);
            let note = Some("the original takes pictures of this size only and resizes none");
            return Ok(Shape { size, resize: Resizing::Stretch, note });
        };
        if self.kind().starts_with("ConvNext") || (self.0.contains_key("crop_pct") && !self.0.contains_key("crop_size"))
        {
            let (Size::Edge(side) | Size::Number(side) | Size::Sides([side, _])) = size;
            let share = self.number("crop_pct", 224.0 / 256.0)?;
            if side >= CONVNEXT_WHOLE || share >= 1.0 {
                return exact(square(side), Resizing::Stretch);
            }
            return exact(square(side), Resizing::ShortestEdge((f64::from(side) / share) as u32));
        }
        let crop =
            if self.flag("do_center_crop", self.0.contains_key("crop_size"))? { self.size("crop_size")? } else { None };
        let crop = crop.map(|crop| match crop {
            Size::Edge(side) | Size::Number(side) => square(side),
            Size::Sides(sides) => sides,
        });
        match (size, crop) {
            (Size::Edge(edge), Some(crop)) => exact(crop, Resizing::ShortestEdge(edge)),
            (Size::Edge(edge), None) => Ok(Shape {
                size: square(edge),
                resize: Resizing::ShortestEdge(edge),
                note: Some(
                    "the original keeps all of an oblong picture, which a tensor of one size cannot: its middle",
                ),
            }),
            (Size::Sides(sides), Some(crop)) if sides == crop => exact(crop, Resizing::Stretch),
            (Size::Number(side), Some(crop)) if square(side) == crop => exact(crop, Resizing::ShortestEdge(side)),
            (Size::Number(side), Some(crop)) => Ok(Shape {
                size: crop,
                resize: Resizing::ShortestEdge(side),
                note: Some("a guess: some processors of this kind stretch to a square before the crop"),
            }),
            (Size::Sides([height, width]), Some(crop)) => Ok(Shape {
                size: crop,
                resize: Resizing::ShortestEdge(height.min(width)),
                note: Some("the original stretches before the crop, which a manifest cannot say: the aspect is kept"),
            }),
            (Size::Sides(sides), None) => exact(sides, Resizing::Stretch),
            (Size::Number(side), None) => exact(square(side), Resizing::Stretch),
        }
    }

    /// What pixels become: rescaled, shifted, normalised, in one.
    fn numbers(&self) -> Result<Numbers, HuggingFaceError> {
        let factor = if self.flag("do_rescale", true)? { self.number("rescale_factor", PER_BYTE)? } else { 1.0 };
        let shift = if self.flag("rescale_offset", false)? { 1.0 } else { 0.0 };
        let (mean, std) = if self.flag("do_normalize", self.0.contains_key("image_mean"))? {
            (self.channels("image_mean", |_| true)?, self.channels("image_std", |std| std > 0.0)?)
        } else {
            ([0.0; 3], [1.0; 3])
        };
        let mean = mean.map(|mean| mean + shift);
        let is = |wanted: f64| (factor / wanted - 1.0).abs() < 1e-4;
        if is(PER_BYTE) {
            return Ok(Numbers { range: 1, mean, std });
        }
        // (pixel · factor - mean) / std = (pixel - mean / factor) / (std / factor)
        Ok(Numbers { range: 255, mean: mean.map(|mean| mean / factor), std: std.map(|std| std / factor) })
    }

    fn channels(&self, key: &'static str, fits: impl Fn(f64) -> bool) -> Result<[f64; 3], HuggingFaceError> {
        let number = |value: &Value| value.as_f64().filter(|&number| number.is_finite() && fits(number));
        let found = match self.0.get(key) {
            Some(Value::Array(array)) => match array.as_slice() {
                [first, second, third] => number(first).zip(number(second)).zip(number(third)),
                _ => None,
            },
            Some(value) => number(value).map(|one| ((one, one), one)),
            None => None,
        };
        match found {
            Some(((first, second), third)) => Ok([first, second, third]),
            None => self.refuse(key, "three numbers, those of image_std above 0"),
        }
    }

    /// The numbers are those of Pillow's filters.
    fn filter(&self) -> Result<Filter, HuggingFaceError> {
        let exact = |word| Filter { word, points: false, note: None };
        match self.0.get("resample").filter(|value| !value.is_null()) {
            None => Ok(exact("bilinear")),
            Some(value) => match value.as_u64() {
                Some(0) => Ok(Filter {
                    word: "bilinear",
                    points: true,
                    note: Some(
                        "the original takes the nearest pixel, which a manifest cannot say: two by two, as near as can be",
                    ),
                }),
                Some(1) => Ok(exact("lanczos")),
                Some(2) => Ok(exact("bilinear")),
                Some(3) => Ok(exact("bicubic")),
                Some(4 | 5) => Ok(Filter {
                    word: "bilinear",
                    points: false,
                    note: Some("the original's filter (box or Hamming) is none of a manifest's: the most alike"),
                }),
                _ => self.refuse("resample", "0 to 5, a filter of Pillow"),
            },
        }
    }
}
