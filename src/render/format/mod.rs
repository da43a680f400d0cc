//! A folder for each format.

pub(super) mod csv;
pub(super) mod json;
pub(super) mod ndjson;
pub(super) mod plain;
pub(super) mod table;
