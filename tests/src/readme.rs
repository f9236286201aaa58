//! What the README says, for tests that do it.

/// The first block of a language in a section.
///
/// # Panics
/// When there is none.
pub fn block(section: &str, language: &str) -> String {
    let text = std::fs::read_to_string(crate::checkout().join("README.md")).expect("there is a README");
    let (_, section_text) = text.split_once(&format!("\n## {section}\n")).expect("a section of this name");
    let section_text = section_text.split_once("\n## ").map_or(section_text, |(section, _)| section);
    let (_, block) = section_text.split_once(&format!("\n```{language}\n")).expect("a block of this language");
    block.split_once("\n```").expect("a block ends").0.to_owned() + "\n"
}
