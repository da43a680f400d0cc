//! The filter language: parsing, compilation for the kernel, and evaluation.
//!
//! [`parse`] reads a text into an [`Expr`], a tree of [`Test`]s under `and`, `or` and `not`.
//! [`Expr::for_table`] reduces it for one kernel table, [`Narrow`] is the part that the kernel can test, and
//! [`Rule::decide`] tests every received socket in full: results never depend on the kernel's part.
//!
//! One rule holds for every field: a known absence satisfies only `!=`; an unknown value satisfies neither
//! `=` nor `!=`. `not` inverts the answer of a whole test or expression.

mod bounds;
mod bytecode;
mod display;
mod ends;
mod error;
mod expr;
#[cfg(test)]
mod expr_samples;
mod hosts;
mod lexer;
mod matcher;
mod names;
mod narrow;
mod number;
mod parser;
mod pattern;
mod ports;
mod residual;
#[cfg(test)]
mod samples;
mod subject;
mod tree;
mod value;
mod words;

pub use crate::fields::{Field, Side};
pub use bytecode::{Check, Operation};
pub use error::FilterError;
pub use expr::{Expr, Op, Operand, PortItem, Prefix, Test, speaks};
pub use matcher::Decision;
pub use names::{Names, Resolved};
pub use narrow::{Exact, Narrow};
pub use number::duration;
pub use parser::{parse, parse_for};
pub use pattern::{Case, Pattern};
pub use residual::Rule;
pub use subject::names as words;
pub use tree::Tree;
