//! What a device is told. Knows nothing of how it is sent.

/// The longest name of a class that is sent, in bytes; what is longer is cut.
pub const MAX_CLASS: usize = 200;

/// One thing to tell a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A label of what it shows would help: somebody may press a button.
    LabelWanted,
    /// A line as it is, for devices that speak text.
    Line(String),
    /// What its readings are of.
    State {
        /// The class that is most likely.
        class: String,
        /// Its probability.
        confidence: f64,
        /// It is unlike everything learnt, whatever the class.
        unknown: bool,
    },
}

impl Answer {
    /// The line that a sketch reads: the class, `?` where what it gives is unlike everything learnt, `!` where a label is
    /// wanted; then `\n`.
    pub fn line(&self) -> String {
        match self {
            Self::LabelWanted => "!\n".to_owned(),
            Self::Line(line) => format!("{line}\n"),
            Self::State { unknown: true, .. } => "?\n".to_owned(),
            Self::State { class, .. } => format!("{}\n", cut(class)),
        }
    }
}

/// A class as a line can carry it.
fn cut(class: &str) -> String {
    let plain: String = class.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    plain[..plain.floor_char_boundary(MAX_CLASS)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line() {
        let state = |class: &str, unknown| Answer::State { class: class.to_owned(), confidence: 0.9, unknown }.line();
        assert_eq!((state("worn belt", false), state("worn belt", true)), ("worn belt\n".to_owned(), "?\n".to_owned()));
        assert_eq!(Answer::LabelWanted.line(), "!\n");
        assert_eq!(state("two\nlines", false), "two lines\n");
        let long = state(&"ä".repeat(500), false);
        assert!(long.len() <= MAX_CLASS + 1 && long.ends_with("ä\n"));
    }
}
