//! Rust text with comments and the insides of strings blanked out, line by line. A scanner, not a parser: it knows enough
//! of the lexical grammar to tell code from words about code.

/// The text with every comment and string content replaced by spaces; line numbers stay.
pub(super) fn only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = match bytes[at] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment(rest),
            b'"' => string(rest),
            b'r' if !out.ends_with(is_word) => raw_string(rest),
            b'\'' => character(rest),
            _ => 0,
        };
        if skipped > 0 {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at += skipped;
        } else {
            let next = rest.chars().next().unwrap_or(' ');
            out.push(next);
            at += next.len_utf8();
        }
    }
    out
}

/// Whether a line of code has the word, not as part of a longer name.
pub(super) fn has(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = word.starts_with(is_word) && line[..at].ends_with(is_word);
        let after = word.ends_with(is_word) && line[at + word.len()..].starts_with(is_word);
        !before && !after
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text.as_bytes()[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text.as_bytes()[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|&byte| byte == b'#').count();
    if text.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// A character literal; a lifetime is code.
fn character(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match inside.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(0, |at| if at == 0 { 4 } else { at + 3 }),
        Some(_) => inside.next().filter(|&(_, c)| c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_go_and_code_stays() {
        for (text, kept) in [
            ("a // b\nc", "a     \nc"),
            ("a /* /* b */ \n */ c", "a             \n    c"),
            (r#"f("x \" y") + 1"#, "f(        ) + 1"),
            (r##"f(r#"x " y"#) + r"##, "f(          ) + r"),
            ("g('\"', '\\'', '\\n', 'é')", "g(   ,     ,     ,    )"),
            ("fn h<'a>(x: &'a str)", "fn h<'a>(x: &'a str)"),
            ("for (\"", "for ( "),
        ] {
            assert_eq!(only(text).split_whitespace().collect::<Vec<_>>(), kept.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_word_is_not_a_part_of_a_longer_one() {
        assert!(has("x = unsafe {", "unsafe"));
        assert!(!has("unsafe_code", "unsafe"));
        assert!(has("a.await?", ".await"));
        assert!(!has("Instantiate", "Instant"));
    }
}
