//! `ndjson`: one object a line.

mod changes;
pub(in crate::render) mod counts;

pub use changes::Changes;
