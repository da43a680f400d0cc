//! The expression language: which sockets are wanted.
//!
//! A text becomes an [`Expr`] ([`parse`]), a tree of [`Test`]s under `and`, `or` and `not`. For one
//! table of the kernel it is made smaller ([`Expr::for_table`]), what the kernel itself can leave out
//! is worked out ([`Narrow`]), and every socket that comes is tested in full ([`Rule::decide`]): results
//! never depend on the kernel's part.
//!
//! One rule for every field: what is known to be absent satisfies `!=` and nothing else; what is unknown
//! satisfies neither `=` nor `!=`. `not` turns the answer of a whole test or expression around.

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
