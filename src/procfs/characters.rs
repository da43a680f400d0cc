//! Bytes as characters, for the crate `procfs`, which accepts only UTF-8: each byte becomes the character with its
//! number.

/// Encodes bytes as characters.
pub fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Decodes characters to bytes.
pub fn bytes(characters: &str) -> Vec<u8> {
    let bytes = characters.chars().filter_map(|c| u8::try_from(c).ok());
    bytes.collect()
}
