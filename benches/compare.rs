//! The load scene and the comparison.
fn main() {}
