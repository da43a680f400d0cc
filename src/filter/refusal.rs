//! Why a word is not the value it should be.

use super::Expr;

/// What a value makes of a test.
pub(super) type Compared = Result<Expr, Refusal>;

/// The place is told by whoever read the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Something else was expected.
    Expected(String),
    /// It could be a value, but is none.
    Because(String),
}

/// What was expected.
pub(super) fn expected<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Expected(what.into()))
}
