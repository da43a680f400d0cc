//! What became of a socket between two rounds of looking.

use std::sync::Arc;

use super::{OwnedRow, State};

/// What is to be said of a socket, compared with the round before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it is where it was.
    None,
    /// It is listed for the first time, and nobody knows since when it is there: in the first round.
    Found,
    /// It was not there.
    New,
    /// It was in this state; or in the same one, and has other ends now.
    Changed(State),
    /// It is not listed any more: closed, or no longer what is asked for.
    Gone,
}

impl Change {
    /// The word for it in every format that has one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Found => None,
            Self::New => Some("new"),
            Self::Changed(_) => Some("changed"),
            Self::Gone => Some("gone"),
        }
    }

    /// The state it left, where it did.
    pub const fn old_state(self) -> Option<State> {
        match self {
            Self::Changed(old) => Some(old),
            Self::None | Self::Found | Self::New | Self::Gone => None,
        }
    }
}

/// A row of a round, and what became of its socket since the round before.
#[derive(Debug, Clone)]
pub struct ChangedRow {
    /// The socket as it is now, or was last.
    pub row: Arc<OwnedRow>,
    /// What became of it.
    pub change: Change,
}
