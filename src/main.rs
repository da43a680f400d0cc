//! The `lsock` command.
#![forbid(unsafe_code)]
fn main() {}
