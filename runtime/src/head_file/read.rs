//! Bytes → head: the tables of the parent module, field by field. Nothing here trusts the bytes; a failure names the
//! field, what belongs there and what is there.

use acclimate_trainer::domain::Nuisance;
use acclimate_trainer::{
    COVERAGES, Conformal, Decision, Evaluation, Form, Head, Kernel, Measure, Novelty, Quantisation, Stored,
};
use ciborium::Value;
use ndarray::{Array1, Array2};

use super::{
    Adjustment, F32_LE, F64_LE, FORMAT, Fixed, HeadFile, HeadFileError, MAX_BYTES, OLDEST, Provenance, ROW_MAJOR,
    SELF_DESCRIBED, U8, U64_LE,
};
use crate::cbor;

pub(super) fn head_file(bytes: &[u8]) -> Result<HeadFile, HeadFileError> {
    if bytes.len() > MAX_BYTES {
        return Err(HeadFileError::TooLarge { found: bytes.len() });
    }
    let value = cbor::read(bytes).map_err(HeadFileError::Cbor)?;
    let Value::Tag(SELF_DESCRIBED, inner) = value else { return Err(HeadFileError::NotAHead) };
    let Value::Map(entries) = *inner else { return Err(HeadFileError::NotAHead) };
    let mut fields = Fields { format: FORMAT, path: String::new(), entries };

    // First: with another format nothing else can be relied on.
    let format = fields.take("format")?.uint()?;
    if !(OLDEST..=FORMAT).contains(&format) {
        return Err(HeadFileError::Format { found: format });
    }
    fields.format = format;
    let form = if format > 1 && fields.has("kernel") {
        Form::Kernel(kernel(fields.take("kernel")?)?)
    } else {
        Form::linear(fields.take("weights")?.f32_matrix()?, Array1::from(fields.take("bias")?.f32s()?))
    };
    let classes = fields.take("classes")?.list(Field::text)?;
    let file = HeadFile {
        task: fields.take("task")?.text()?,
        backbone_id: fields.take("backbone")?.digest()?,
        head: Head {
            kind: fields
                .take("kind")?
                .parse("biased_ridge, discriminant, kernel, logistic, prototype, ridge or shipped")?,
            form,
            temperature: fields.take("temperature")?.float()?,
            lambda: fields.take("lambda")?.optional(Field::float)?,
            novelty: fields.take("novelty")?.optional(|field| novelty(field, format))?,
            conformal: if format < 2 { None } else { fields.take("conformal")?.optional(conformal)? },
        },
        decision: if format < 2 {
            Decision::default()
        } else {
            let read = |field| decision(field, classes.len());
            fields.take("decision")?.optional(read)?.unwrap_or_default()
        },
        provenance: provenance(fields.take("provenance")?, format)?,
        classes,
    };
    fields.finish()?;
    Ok(file)
}

fn decision(field: Field, classes: usize) -> Result<Decision, HeadFileError> {
    let path = field.path.clone();
    let mut fields = field.map()?;
    let costs = fields.take("costs")?.optional(Field::f64_matrix)?;
    let thresholds = fields.take("thresholds")?.optional(Field::f64s)?;
    fields.finish()?;
    Decision::new(classes, costs, thresholds).map_err(|error| HeadFileError::Field {
        field: path,
        expected: "a rule for answers".to_owned(),
        found: error.to_string(),
    })
}

fn fixed(field: Field) -> Result<Fixed, HeadFileError> {
    let mut fields = field.map()?;
    let fixed = Fixed {
        gamma: fields.take("gamma")?.optional(Field::float)?,
        lambda: fields.take("lambda")?.optional(Field::float)?,
        precision: fields.take("precision")?.optional(Field::float)?,
        weighting: fields.take("weighting")?.parse("auto, balanced or none")?,
    };
    fields.finish()?;
    Ok(fixed)
}

fn kernel(field: Field) -> Result<Kernel, HeadFileError> {
    let mut fields = field.map()?;
    let quantisation = fields.take("quantisation")?.optional(quantisation)?;
    let support = fields.take("support")?;
    let support = match quantisation {
        Some(quantisation) => {
            let codes = support.matrix(Field::u8s)?;
            let (n, dim) = codes.dim();
            let decoded = quantisation.decode(codes.as_slice().unwrap_or_default());
            Array2::from_shape_vec((n, dim), decoded).unwrap_or_default()
        }
        None => support.f32_matrix()?,
    };
    let kernel = Kernel {
        support,
        quantisation,
        coefficients: fields.take("coefficients")?.f32_matrix()?,
        bias: Array1::from(fields.take("bias")?.f32s()?),
        gamma: fields.take("gamma")?.float()?,
    };
    fields.finish()?;
    Ok(kernel)
}

fn quantisation(field: Field) -> Result<Quantisation, HeadFileError> {
    let mut fields = field.map()?;
    let scale = fields.take("full_scale")?;
    let (path, found) = (scale.path.clone(), describe(&scale.value));
    let (full_scale, signed) = (scale.float()? as f32, fields.take("signed")?.bool()?);
    fields.finish()?;
    Quantisation::new(full_scale, signed).map_err(|_| HeadFileError::Field {
        field: path,
        expected: "a finite number above 0".to_owned(),
        found,
    })
}

fn novelty(field: Field, format: u64) -> Result<Novelty, HeadFileError> {
    let mut fields = field.map()?;
    let means = fields.take("means")?;
    let measure = if format < 2 {
        Measure::Means { means: means.f32_matrix()? }
    } else {
        let samples = fields.take("samples")?;
        match (means.value.is_null(), samples.value.is_null()) {
            (false, true) => Measure::Means { means: means.f32_matrix()? },
            (true, false) => Measure::Samples(stored(samples)?),
            _ => return Err(samples.wrong("a value where `means` is null, and there only")),
        }
    };
    let novelty = Novelty {
        measure,
        threshold: fields.take("threshold")?.float()? as f32,
        false_unknown_rate: fields.take("false_unknown_rate")?.float()?,
    };
    fields.finish()?;
    Ok(novelty)
}

fn stored(field: Field) -> Result<Stored, HeadFileError> {
    let mut fields = field.map()?;
    let stored = Stored {
        codes: fields.take("codes")?.matrix(Field::u8s)?,
        quantisation: Quantisation {
            full_scale: fields.take("full_scale")?.float()? as f32,
            signed: fields.take("signed")?.bool()?,
        },
        coefficients: fields.take("coefficients")?.f32_matrix()?,
        gamma: fields.take("gamma")?.float()? as f32,
        units: fields.take("units")?.exactly()?,
    };
    fields.finish()?;
    Ok(stored)
}

fn conformal(field: Field) -> Result<Conformal, HeadFileError> {
    Ok(Conformal { thresholds: field.exactly::<{ COVERAGES - 1 }>()?.to_vec() })
}

fn provenance(field: Field, format: u64) -> Result<Provenance, HeadFileError> {
    let mut fields = field.map()?;
    let provenance = Provenance {
        adjusted: match format {
            ..3 => None,
            3 => Some(adjustment(fields.take("adjusted")?)?),
            4.. => fields.take("adjusted")?.optional(adjustment)?,
        },
        counts: fields.take("counts")?.list(Field::uint)?,
        device: fields.take("device")?.text()?,
        evaluation: fields.take("evaluation")?.optional(evaluation)?,
        extractor: fields.take("extractor")?.text()?,
        fixed: if format < 2 { Fixed::default() } else { fields.take("fixed")?.optional(fixed)?.unwrap_or_default() },
        nuisance: if format < 4 { None } else { Some(nuisance(fields.take("nuisance")?)?) },
        parent: fields.take("parent")?.optional(Field::narrow)?,
        statistics: fields.take("statistics")?.optional(Field::digest)?,
        time: fields.take("time")?.tagged(0, "an RFC 3339 time under tag 0")?.parse("an RFC 3339 time")?,
        unproved: fields.take("unproved")?.bool()?,
    };
    fields.finish()?;
    Ok(provenance)
}

fn nuisance(field: Field) -> Result<Nuisance, HeadFileError> {
    let wrong = field.wrong("1 to 4 orthonormal directions, fewer than a feature has components");
    Nuisance::restored(field.f32_matrix()?).ok_or(wrong)
}

fn adjustment(field: Field) -> Result<Adjustment, HeadFileError> {
    let mut fields = field.map()?;
    let adjustment = Adjustment {
        samples: fields.take("samples")?.uint()?,
        groups: fields.take("groups")?.uint()?,
        p: fields.take("p")?.float()?,
        shift: fields.take("shift")?.f32s()?,
    };
    fields.finish()?;
    Ok(adjustment)
}

fn evaluation(field: Field) -> Result<Evaluation, HeadFileError> {
    let mut fields = field.map()?;
    let interval = fields.take("accuracy_interval")?;
    let (path, found) = (interval.path.clone(), describe(&interval.value));
    let accuracy_interval = match interval.list(Field::float)?[..] {
        [low, high] => (low, high),
        _ => return Err(HeadFileError::Field { field: path, expected: "two numbers".to_owned(), found }),
    };
    let evaluation = Evaluation {
        samples: fields.take("samples")?.narrow()?,
        groups: fields.take("groups")?.narrow()?,
        ungrouped: fields.take("ungrouped")?.bool()?,
        accuracy: fields.take("accuracy")?.float()?,
        accuracy_interval,
        balanced_accuracy: fields.take("balanced_accuracy")?.float()?,
        macro_f1: fields.take("macro_f1")?.float()?,
        log_loss: fields.take("log_loss")?.float()?,
        ece: fields.take("ece")?.float()?,
        confusion: fields.take("confusion")?.u64_matrix()?,
    };
    fields.finish()?;
    Ok(evaluation)
}

/// What is left of a map.
struct Fields {
    format: u64,
    path: String,
    entries: Vec<(Value, Value)>,
}

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.as_text() == Some(name))
    }

    fn take(&mut self, name: &str) -> Result<Field, HeadFileError> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        match self.entries.iter().position(|(key, _)| key.as_text() == Some(name)) {
            Some(at) => Ok(Field { format: self.format, path, value: self.entries.swap_remove(at).1 }),
            None => {
                Err(HeadFileError::Field { field: path, expected: "a value".to_owned(), found: "missing".to_owned() })
            }
        }
    }

    /// Nothing may be left.
    fn finish(self) -> Result<(), HeadFileError> {
        let Some((key, value)) = self.entries.first() else { return Ok(()) };
        let (map, found) = (if self.path.is_empty() { "the file" } else { &self.path }, describe(value));
        let field =
            format!("{map}.{}", key.as_text().map_or_else(|| describe(key), |name| name.chars().take(80).collect()));
        Err(HeadFileError::Field { field, expected: format!("no such field in format {}", self.format), found })
    }
}

/// A value and where it stands.
struct Field {
    format: u64,
    path: String,
    value: Value,
}

impl Field {
    fn wrong(&self, expected: &str) -> HeadFileError {
        HeadFileError::Field { field: self.path.clone(), expected: expected.to_owned(), found: describe(&self.value) }
    }

    fn optional<T>(self, read: impl FnOnce(Self) -> Result<T, HeadFileError>) -> Result<Option<T>, HeadFileError> {
        if self.value.is_null() { Ok(None) } else { read(self).map(Some) }
    }

    fn map(self) -> Result<Fields, HeadFileError> {
        match self.value {
            Value::Map(entries) => Ok(Fields { format: self.format, path: self.path, entries }),
            _ => Err(self.wrong("a map")),
        }
    }

    fn list<T>(self, read: impl Fn(Self) -> Result<T, HeadFileError>) -> Result<Vec<T>, HeadFileError> {
        match self.value {
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(i, value)| read(Self { format: self.format, path: format!("{}[{i}]", self.path), value }))
                .collect(),
            _ => Err(self.wrong("an array")),
        }
    }

    fn tagged(self, tag: u64, expected: &str) -> Result<Self, HeadFileError> {
        match self.value {
            Value::Tag(found, inner) if found == tag => {
                Ok(Self { format: self.format, path: self.path, value: *inner })
            }
            _ => Err(self.wrong(expected)),
        }
    }

    fn uint(self) -> Result<u64, HeadFileError> {
        self.narrow()
    }

    /// An unsigned integer of any width.
    fn narrow<T: TryFrom<u64>>(self) -> Result<T, HeadFileError> {
        let number = self.value.as_integer().and_then(|number| u64::try_from(number).ok());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| self.wrong("an unsigned integer that fits"))
    }

    fn float(self) -> Result<f64, HeadFileError> {
        self.value.as_float().ok_or_else(|| self.wrong("a floating-point number"))
    }

    fn bool(self) -> Result<bool, HeadFileError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    fn text(self) -> Result<String, HeadFileError> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong("text")),
        }
    }

    fn parse<T: std::str::FromStr>(self, expected: &str) -> Result<T, HeadFileError> {
        self.value.as_text().and_then(|text| text.parse().ok()).ok_or_else(|| self.wrong(expected))
    }

    fn digest(self) -> Result<[u8; 32], HeadFileError> {
        self.value.as_bytes().and_then(|bytes| bytes[..].try_into().ok()).ok_or_else(|| self.wrong("32 bytes"))
    }

    fn f32s(self) -> Result<Vec<f32>, HeadFileError> {
        self.numbers(F32_LE, "an array of f32 (tag 85)", f32::from_le_bytes)
    }

    fn f64s(self) -> Result<Vec<f64>, HeadFileError> {
        self.numbers(F64_LE, "an array of f64 (tag 86)", f64::from_le_bytes)
    }

    /// As many f32 as this.
    fn exactly<const N: usize>(self) -> Result<[f32; N], HeadFileError> {
        let wrong = self.wrong(&format!("{N} numbers"));
        self.f32s()?.try_into().map_err(|_| wrong)
    }

    fn u8s(self) -> Result<Vec<u8>, HeadFileError> {
        self.numbers(U8, "an array of u8 (tag 64)", u8::from_le_bytes)
    }

    fn u64s(self) -> Result<Vec<u64>, HeadFileError> {
        self.numbers(U64_LE, "an array of u64 (tag 71)", u64::from_le_bytes)
    }

    fn numbers<T, const N: usize>(
        self,
        tag: u64,
        expected: &str,
        from: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, HeadFileError> {
        let field = self.tagged(tag, expected)?;
        match field.value.as_bytes().map(|bytes| bytes.as_chunks::<N>()) {
            Some((numbers, [])) => Ok(numbers.iter().copied().map(from).collect()),
            _ => Err(field.wrong(&format!("bytes, {N} for each number"))),
        }
    }

    fn f32_matrix(self) -> Result<Array2<f32>, HeadFileError> {
        self.matrix(Self::f32s)
    }

    fn f64_matrix(self) -> Result<Array2<f64>, HeadFileError> {
        self.matrix(Self::f64s)
    }

    fn u64_matrix(self) -> Result<Array2<u64>, HeadFileError> {
        self.matrix(Self::u64s)
    }

    fn matrix<T>(self, read: impl FnOnce(Self) -> Result<Vec<T>, HeadFileError>) -> Result<Array2<T>, HeadFileError> {
        let field = self.tagged(ROW_MAJOR, "a matrix (tag 40)")?;
        let wrong = field.wrong("two dimensions and as many numbers");
        let path = field.path;
        let Value::Array(parts) = field.value else { return Err(wrong) };
        let Ok([dims, numbers]) = <[Value; 2]>::try_from(parts) else { return Err(wrong) };
        let format = field.format;
        let dims = Self { format, path: format!("{path}.dimensions"), value: dims }.list(Self::narrow::<usize>)?;
        let numbers = read(Self { format, path: path.clone(), value: numbers })?;
        let found = numbers.len();
        match dims[..] {
            // ndarray multiplies with overflow checked; it wants exactly as many numbers.
            [rows, columns] => Array2::from_shape_vec((rows, columns), numbers).map_err(|_| HeadFileError::Field {
                field: path,
                expected: format!("{rows} × {columns} numbers"),
                found: format!("{found} numbers"),
            }),
            _ => Err(wrong),
        }
    }
}

/// A value in a few words, whatever its size.
fn describe(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Bool(value) => value.to_string(),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Float(number) => format!("the float {number:e}"),
        Value::Integer(number) => format!("the integer {}", i128::from(*number)),
        Value::Map(entries) => format!("a map of {}", entries.len()),
        Value::Null => "null".to_owned(),
        Value::Tag(tag, inner) => match **inner {
            Value::Tag(..) => format!("tag {tag} on a tag"),
            ref inner => format!("tag {tag} on {}", describe(inner)),
        },
        Value::Text(text) => format!("{:?}", text.chars().take(80).collect::<String>()),
        _ => "of an unknown type".to_owned(),
    }
}
