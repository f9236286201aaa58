//! Readings as text: one a line, its numbers separated by comma, semicolon, tab or space.
//!
//! Knows lines and fields. Semicolon and tab go before comma, so that a comma between them is a decimal mark.

use super::recording::{MAX_NUMBERS, RecordingError};

/// What stands between two numbers.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    Comma,
    Semicolon,
    Space,
    Tab,
}

impl Separator {
    fn of(line: &str) -> Self {
        if line.contains(';') {
            Self::Semicolon
        } else if line.contains('\t') {
            Self::Tab
        } else if line.contains(',') {
            Self::Comma
        } else {
            Self::Space
        }
    }

    fn fields(self, line: &str) -> Vec<&str> {
        let trim = |field| str::trim(field).trim_matches('"');
        match self {
            Self::Comma => line.split(',').map(trim).collect(),
            Self::Semicolon => line.split(';').map(trim).collect(),
            Self::Space => line.split_whitespace().map(trim).collect(),
            Self::Tab => line.split('\t').map(trim).collect(),
        }
    }

    fn number(self, field: &str) -> Option<f32> {
        match self {
            Self::Semicolon | Self::Tab if field.contains(',') => field.replacen(',', ".", 1).parse().ok(),
            _ => field.parse().ok(),
        }
    }
}

/// The numbers of a text, reading after reading. Lines that are empty or start with `#` count for nothing; the first of
/// the others may name the columns.
pub(super) fn read(bytes: &[u8], channels: usize) -> Result<Vec<f32>, RecordingError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RecordingError::NotText)?;
    if text.contains('\0') {
        return Err(RecordingError::NotText);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut numbers = Vec::new();
    let mut separator = None;
    for (place, (at, line)) in lines.enumerate() {
        let line = line.trim_matches(['\r', ' ']);
        let separator = *separator.get_or_insert_with(|| Separator::of(line));
        let fields = separator.fields(line);
        if place == 0 && fields.iter().any(|field| separator.number(field).is_none()) {
            if fields.len() != channels {
                let found = format!("{} columns ({})", fields.len(), shortened(&fields.join(", ")));
                return Err(RecordingError::Channels { expected: channels, found });
            }
            continue;
        }
        if fields.len() != channels {
            return Err(if numbers.is_empty() {
                RecordingError::Channels { expected: channels, found: format!("{} columns", fields.len()) }
            } else {
                RecordingError::Line { line: at + 1, expected: channels, found: fields.len() }
            });
        }
        for field in fields {
            let number = separator
                .number(field)
                .ok_or_else(|| RecordingError::Field { line: at + 1, found: shortened(field) })?;
            if numbers.len() == MAX_NUMBERS {
                return Err(RecordingError::TooLong);
            }
            numbers.push(number);
        }
    }
    Ok(numbers)
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    #[test]
    fn every_separator_is_read_with_and_without_names_of_columns() {
        let expected = Ok(vec![1.5, -2.0, 3.0, 4.0]);
        for text in [
            "1.5,-2\n3,4\n",
            "x,y\n1.5,-2\n3,4",
            "\u{feff}x;y\r\n1,5;-2\r\n3;4\r\n",
            "1.5 -2\n\n  3   4\n",
            "# made by hand\n\"x\"\t\"y\"\n1,5\t-2\n3\t4\n",
            "1.5, -2e0\n\"3\", 4\n",
        ] {
            assert_eq!(read(text.as_bytes(), 2), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let told = |text: &str| read(text.as_bytes(), 2).unwrap_err().to_string();
        assert!(told("time,x,y\n0,1,2\n").starts_with("the file has 3 columns (time, x, y), the backbone takes 2"));
        assert!(told("0,1,2\n").starts_with("the file has 3 columns, the backbone takes 2 channels"));
        assert_eq!(told("0,1\n2\n"), "line 2 has 1 numbers, the lines before it have 2");
        assert_eq!(told("x,y\n0,1\n2,-\n"), "line 3: expected a number, found \"-\"");
        assert_eq!(read(&[0xff, 0xd8, 0], 2), Err(RecordingError::NotText));
    }
}
