#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

mod inet;
mod others;
mod robust;
mod samples;

use self::samples::Sample;
use super::decode_line;
use crate::error::Malformed;
use crate::model::{Family, Protocol, Socket, Table};

/// Decodes a line.
fn decoded(table: Table, line: &[u8]) -> Result<Socket, Malformed> {
    let mut socket = Socket::new(Protocol::Mptcp, Family::Inet);
    decode_line(table, line, &mut socket).map(|()| socket)
}

/// Decodes a sample.
fn row((table, line): Sample) -> Socket {
    decoded(table, line).unwrap()
}

/// Decodes a sample whose only `from` is replaced.
fn changed((table, line): Sample, from: &str, to: &str) -> Result<Socket, Malformed> {
    let text = std::str::from_utf8(line).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {text:?}");
    decoded(table, text.replacen(from, to, 1).as_bytes())
}

/// The error for a changed sample.
fn refusal(sample: Sample, from: &str, to: &str) -> String {
    changed(sample, from, to).unwrap_err()
}
