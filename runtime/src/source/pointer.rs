//! Readings out of the JSON that a device publishes, by JSON pointers (RFC 6901). Pure; knows neither topic nor window.
//!
//! | at each pointer | what that is |
//! |---|---|
//! | a number, or true and false as 1 and 0 | one reading; every pointer is a channel of it |
//! | a list of them | one reading after the other; all lists are of one length |
//! | with one pointer: a list of lists | one reading after the other; each list is one with all its channels |

use serde_json::Value;

/// Readings of one message at most, and numbers.
const MAX_ROWS: usize = 1 << 16;
const MAX_NUMBERS: usize = 1 << 20;

/// Readings that follow each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    /// `[rows, channels]`.
    pub(super) numbers: Vec<f32>,
    pub(super) channels: usize,
}

/// Why a message has no readings.
#[derive(Debug, thiserror::Error)]
pub(super) enum PointerError {
    #[error("the message has nothing at `{pointer}`: expected a number, or a list of them")]
    Absent { pointer: String },
    #[error("the message is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("the message has {found} at `{pointer}`: expected a number, or a list of them")]
    Kind { pointer: String, found: &'static str },
    #[error("the message has {found} readings at `{pointer}` and {expected} before: expected lists of one length")]
    Ragged { pointer: String, found: usize, expected: usize },
    #[error("the message has {found} numbers: expected {MAX_NUMBERS} at most, in {MAX_ROWS} readings")]
    TooMany { found: usize },
}

/// The readings of a message.
pub(super) fn rows(payload: &[u8], pointers: &[String]) -> Result<Rows, PointerError> {
    let document: Value = serde_json::from_slice(payload).map_err(PointerError::Json)?;
    let at = |pointer: &String| {
        let absent = || PointerError::Absent { pointer: pointer.clone() };
        document.pointer(pointer).ok_or_else(absent)
    };
    if let [pointer] = pointers
        && let Value::Array(lists) = at(pointer)?
        && let Some(Value::Array(first)) = lists.first()
    {
        return matrix(pointer, lists, first.len());
    }
    let columns = pointers.iter().map(|pointer| column(pointer, at(pointer)?)).collect::<Result<Vec<_>, _>>()?;
    let length = columns.first().map_or(0, Vec::len);
    for (pointer, column) in pointers.iter().zip(&columns) {
        if column.len() != length {
            let pointer = pointer.clone();
            return Err(PointerError::Ragged { pointer, found: column.len(), expected: length });
        }
    }
    let found = length * columns.len();
    if length > MAX_ROWS || found > MAX_NUMBERS {
        return Err(PointerError::TooMany { found });
    }
    let numbers = (0..length).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Ok(Rows { numbers, channels: columns.len() })
}

/// One reading a list.
fn matrix(pointer: &str, lists: &[Value], channels: usize) -> Result<Rows, PointerError> {
    let found = lists.len() * channels;
    if lists.len() > MAX_ROWS || found > MAX_NUMBERS {
        return Err(PointerError::TooMany { found });
    }
    let mut numbers = Vec::with_capacity(found);
    for list in lists {
        let row = match list {
            Value::Array(_) => column(pointer, list)?,
            other => return Err(PointerError::Kind { pointer: pointer.to_owned(), found: kind(other) }),
        };
        if row.len() != channels {
            let pointer = pointer.to_owned();
            return Err(PointerError::Ragged { pointer, found: row.len(), expected: channels });
        }
        numbers.extend(row);
    }
    Ok(Rows { numbers, channels })
}

/// The numbers at a pointer.
fn column(pointer: &str, value: &Value) -> Result<Vec<f32>, PointerError> {
    let number = |value: &Value| {
        let number = value.as_f64().or_else(|| value.as_bool().map(|on| f64::from(u8::from(on))));
        // What overflows is none.
        let number = number.map(|number| number as f32).filter(|number| number.is_finite());
        number.ok_or_else(|| PointerError::Kind { pointer: pointer.to_owned(), found: kind(value) })
    };
    match value {
        Value::Array(list) if list.len() <= MAX_NUMBERS => list.iter().map(number).collect(),
        Value::Array(list) => Err(PointerError::TooMany { found: list.len() }),
        one => Ok(vec![number(one)?]),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
        Value::Number(_) => "a number that is too large",
        Value::Object(_) => "an object",
        Value::String(_) => "a text",
    }
}

/// Whether it is one: empty, or begins with `/`, with `~` only as `~0` and `~1`.
pub(crate) fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use proptest::prelude::*;

    use super::*;

    fn read(payload: &str, pointers: &[&str]) -> Result<(Vec<f32>, usize), String> {
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        rows(payload.as_bytes(), &pointers).map(|rows| (rows.numbers, rows.channels)).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_lists_and_lists_of_lists_are_readings() {
        let sensor = r#"{"temperature":21.5,"motion":true,"a/b":{"~x":[1,2,3]},"y":[4,5,6],"imu":[[1,2],[3,4]]}"#;
        assert_eq!(read(sensor, &["/temperature", "/motion"]), Ok((vec![21.5, 1.0], 2)));
        assert_eq!(read(sensor, &["/a~1b/~0x", "/y"]), Ok((vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0], 2)));
        assert_eq!(read(sensor, &["/imu"]), Ok((vec![1.0, 2.0, 3.0, 4.0], 2)));
        assert_eq!(read(sensor, &["/imu/1/0"]), Ok((vec![3.0], 1)));
        assert_eq!(read("7", &[""]), Ok((vec![7.0], 1)));
        assert_eq!(read("[]", &[""]), Ok((vec![], 1)));
    }

    #[test]
    fn what_is_no_reading_is_said_with_where_it_stands() {
        for (payload, pointers, words) in [
            ("{\"a\":1}", &["/b"][..], "nothing at `/b`"),
            ("{\"a\":\"1\"}", &["/a"], "a text at `/a`"),
            ("{\"a\":{}}", &["/a"], "an object at `/a`"),
            ("{\"a\":1e300}", &["/a"], "too large at `/a`"),
            ("{\"a\":[1,2],\"b\":3}", &["/a", "/b"], "1 readings at `/b` and 2 before"),
            ("{\"a\":[[1],[1,2]]}", &["/a"], "2 readings at `/a` and 1 before"),
            ("{\"a\":[[1],2]}", &["/a"], "a number"),
            ("{", &["/a"], "not JSON"),
        ] {
            let error = read(payload, pointers).unwrap_err();
            assert!(error.contains(words), "{payload}: {error}");
        }
    }

    #[test]
    fn a_pointer_is_as_rfc_6901_has_it() {
        assert!(["", "/", "/a/0", "/a~1b", "/~0"].iter().all(|text| is_pointer(text)));
        assert!(["a", "a/b", "/~", "/~2", "#/a"].iter().all(|text| !is_pointer(text)));
    }

    proptest! {
        #[test]
        fn whatever_is_published_is_readings_or_refused(text in ".{0,80}", pointer in "(/[a-z0-9~]{0,3}){0,3}") {
            if let Ok(rows) = rows(text.as_bytes(), &[pointer]) {
                prop_assert_eq!(rows.numbers.len() % rows.channels.max(1), 0);
                prop_assert!(rows.numbers.iter().all(|number| number.is_finite()));
            }
        }
    }
}
