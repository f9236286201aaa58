//! What a signer says of a head: whose it is, for what, how new, until when, and exactly which bytes. Knows no signature.
//!
//! | field | type | what |
//! |---|---|---|
//! | `version` | 1 | version of this table |
//! | `device` | text | where the head is in service |
//! | `task` | text | for which task |
//! | `backbone` | 32 bytes | id of the backbone whose features it reads |
//! | `generation` | uint | its number there, for people |
//! | `sequence` | uint | which move of that task's pointer put it in service: of two, the larger is the newer |
//! | `issued` | 0(text) | when it was signed, RFC 3339 |
//! | `expires` | 0(text) | until when it may be taken in |
//! | `head` | 32 bytes | SHA-256 of the head file |
//! | `bytes` | uint | size of the head file |
//! | `self_test` | f32 array | what it answers, see [`super::self_test`] |
//! | `samples` | bytes or null | marks of what it was fitted on, see [`Marks`]; null in a manifest |
//!
//! Other fields than these are refused: another table is another version.

use ciborium::Value;
use jiff::{Span, Timestamp};

use super::refusal::Refusal;
use super::self_test::SelfTest;
use crate::head_file::{HeadFile, MAX_BYTES};
use crate::store::{Digest, Generation, Marks};

/// Version of the table.
const VERSION: u64 = 1;
/// RFC 8949 and RFC 8746.
const TIME: u64 = 0;
const F32_LE: u64 = 85;
/// Bytes of a name at most.
const NAME_BYTES: usize = 200;
/// Numbers of a self-test at most.
const SELF_TEST: usize = 1024;

/// What is said of a head.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Where it is in service.
    pub device: String,
    /// For which task.
    pub task: String,
    /// Id of the backbone whose features it reads.
    pub backbone_id: [u8; 32],
    /// Its number there.
    pub generation: Generation,
    /// Of two of one signer and task, the larger is the newer.
    pub sequence: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// Until when it may be taken in.
    pub expires: Timestamp,
    /// SHA-256 of the head file.
    pub head: Digest,
    /// Size of the head file.
    pub bytes: u64,
    /// What it answers.
    pub self_test: SelfTest,
    /// What it was fitted on, where that is said.
    pub samples: Option<Marks>,
}

/// Whose head it is and how new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The device.
    pub device: String,
    /// Its generation there.
    pub generation: Generation,
    /// The move of the pointer that put it in service.
    pub sequence: u64,
    /// When it is signed.
    pub now: Timestamp,
    /// For how many days it may be taken in.
    pub days: u32,
    /// What it was fitted on.
    pub samples: Option<Marks>,
}

impl Statement {
    /// What is to be said of a head and its file's bytes. A time that no calendar has becomes the last it has.
    pub fn new(issue: Issue, file: &HeadFile, bytes: &[u8]) -> Self {
        let Issue { device, generation, sequence, now, days, samples } = issue;
        Self {
            device,
            task: file.task.clone(),
            backbone_id: file.backbone_id,
            generation,
            sequence,
            issued: now,
            expires: now.checked_add(Span::new().hours(i64::from(days.min(36_500)) * 24)).unwrap_or(Timestamp::MAX),
            head: Digest::of(bytes),
            bytes: bytes.len() as u64,
            self_test: SelfTest::of(&file.head),
            samples,
        }
    }

    /// As a manifest says it.
    pub(super) fn without_samples(&self) -> Self {
        Self { samples: None, ..self.clone() }
    }

    pub(super) fn to_value(&self) -> Value {
        let Self {
            device,
            task,
            backbone_id,
            generation,
            sequence,
            issued,
            expires,
            head,
            bytes,
            self_test: SelfTest(answers),
            samples,
        } = self;
        let time = |time: &Timestamp| Value::Tag(TIME, Box::new(Value::Text(time.to_string())));
        let number = |number: u64| Value::Integer(number.into());
        let answers = answers.iter().flat_map(|p| p.to_le_bytes()).collect();
        let fields = [
            ("version", number(VERSION)),
            ("device", Value::Text(device.clone())),
            ("task", Value::Text(task.clone())),
            ("backbone", Value::Bytes(backbone_id.to_vec())),
            ("generation", number(generation.0.into())),
            ("sequence", number(*sequence)),
            ("issued", time(issued)),
            ("expires", time(expires)),
            ("head", Value::Bytes(head.0.to_vec())),
            ("bytes", number(*bytes)),
            ("self_test", Value::Tag(F32_LE, Box::new(Value::Bytes(answers)))),
            ("samples", samples.as_ref().map_or(Value::Null, |marks| Value::Bytes(marks.to_bytes()))),
        ];
        Value::Map(fields.map(|(name, value)| (Value::Text(name.to_owned()), value)).to_vec())
    }

    pub(super) fn from_value(value: Value) -> Result<Self, Refusal> {
        let mut fields = Fields::of(value)?;
        let version: u64 = fields.number("version")?;
        if version != VERSION {
            return Err(Refusal::malformed(format!(
                "its statement has version {version}, and this version of acclimate reads {VERSION}"
            )));
        }
        let statement = Self {
            device: fields.name("device")?,
            task: fields.name("task")?,
            backbone_id: fields.digest("backbone")?,
            generation: Generation(fields.number("generation")?),
            // What the store can count to.
            sequence: fields.number::<u64>("sequence").and_then(|n| {
                if i64::try_from(n).is_ok() { Ok(n) } else { Err(wrong("sequence", "a number below 2^63")) }
            })?,
            issued: fields.time("issued")?,
            expires: fields.time("expires")?,
            head: Digest(fields.digest("head")?),
            bytes: fields.number("bytes")?,
            self_test: fields.self_test()?,
            samples: fields.samples()?,
        };
        fields.finish()?;
        Ok(statement)
    }

    /// That its head is not larger than any that is read.
    pub(super) fn check_size(&self) -> Result<(), Refusal> {
        let most = MAX_BYTES as u64;
        if self.bytes > most { Err(Refusal::TooLarge { bytes: self.bytes, most }) } else { Ok(()) }
    }
}

fn wrong(field: &str, expected: &str) -> Refusal {
    Refusal::malformed(format!("`{field}` of its statement is not {expected}"))
}

/// What is left of a map with text for keys.
pub(super) struct Fields(Vec<(Value, Value)>);

impl Fields {
    pub(super) fn of(value: Value) -> Result<Self, Refusal> {
        value.into_map().map(Self).map_err(|_| Refusal::malformed("its statement is not a map"))
    }

    fn take(&mut self, name: &str) -> Result<Value, Refusal> {
        let at = self.0.iter().position(|(key, _)| key.as_text() == Some(name));
        at.map(|at| self.0.swap_remove(at).1).ok_or_else(|| wrong(name, "there"))
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self, name: &str) -> Result<T, Refusal> {
        let number = self.take(name)?.into_integer().ok().and_then(|number| u64::try_from(number).ok());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| wrong(name, "an unsigned integer that fits"))
    }

    fn name(&mut self, name: &str) -> Result<String, Refusal> {
        let text = self.take(name)?.into_text().ok();
        let fits = |text: &String| (1..=NAME_BYTES).contains(&text.len()) && !text.contains(char::is_control);
        text.filter(fits).ok_or_else(|| wrong(name, "a name of 1 to 200 bytes"))
    }

    pub(super) fn bytes(&mut self, name: &str) -> Result<Vec<u8>, Refusal> {
        self.take(name)?.into_bytes().map_err(|_| wrong(name, "bytes"))
    }

    pub(super) fn digest(&mut self, name: &str) -> Result<[u8; 32], Refusal> {
        self.bytes(name)?.try_into().map_err(|_| wrong(name, "32 bytes"))
    }

    fn time(&mut self, name: &str) -> Result<Timestamp, Refusal> {
        let text = match self.take(name)? {
            Value::Tag(TIME, text) => text.into_text().ok(),
            _ => None,
        };
        text.and_then(|text| text.parse().ok()).ok_or_else(|| wrong(name, "an RFC 3339 time under tag 0"))
    }

    fn self_test(&mut self) -> Result<SelfTest, Refusal> {
        let bytes = match self.take("self_test")? {
            Value::Tag(F32_LE, bytes) => bytes.into_bytes().ok(),
            _ => None,
        };
        let numbers = bytes.filter(|bytes| bytes.len() % 4 == 0 && bytes.len() <= 4 * SELF_TEST);
        let numbers = numbers.ok_or_else(|| wrong("self_test", "an array of at most 1,024 f32 (tag 85)"))?;
        Ok(SelfTest(numbers.as_chunks::<4>().0.iter().map(|&p| f32::from_le_bytes(p)).collect()))
    }

    fn samples(&mut self) -> Result<Option<Marks>, Refusal> {
        match self.take("samples")? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => {
                let marks = Marks::from_bytes(&bytes);
                marks.map(Some).ok_or_else(|| wrong("samples", "four bytes a sample, ascending"))
            }
            _ => Err(wrong("samples", "bytes or null")),
        }
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => {
                Err(Refusal::malformed(format!("its statement has a field {key:?} that this version does not know")))
            }
        }
    }
}
