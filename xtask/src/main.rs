//! The tasks behind the README commands.
fn main() {}
