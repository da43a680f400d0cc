//! Fields as columns.

pub use crate::fields::Field as Column;
