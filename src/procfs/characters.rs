//! Bytes as characters, for the crate `procfs`, which takes nothing but UTF-8: each byte stands for the character
//! with its number.

/// The characters that stand for bytes.
pub fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes that characters stand for.
pub fn bytes(characters: &str) -> Vec<u8> {
    let bytes = characters.chars().filter_map(|c| u8::try_from(c).ok());
    bytes.collect()
}
