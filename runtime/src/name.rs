//! Names that people give to tasks, sources, devices, groups and keys. Knows nothing of what is called so.

/// Whether it is one, and can stand in a topic and in a file's name: 1 to 64 of a-z, 0-9 and -.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
