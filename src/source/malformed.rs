//! Replies and lines that are no sockets.

use std::path::Path;

use crate::model::{Cause, Table, Warning};

/// How many there are, and what is wrong with the first.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    pub(super) count: u64,
    /// Its line, 0 if it has none, and what is wrong with it.
    first: Option<(u64, Cause)>,
}

impl Malformed {
    /// Counts one.
    pub(super) fn add(&mut self, line: u64, why: impl Into<Cause>) {
        self.first.get_or_insert_with(|| (line, why.into()));
        self.count += 1;
    }

    /// What to say about replies.
    pub(super) fn replies(&self, table: Option<Table>, path: Option<&Path>) -> Option<Warning> {
        let (_, first) = self.first.clone()?;
        Some(Warning::BadReplies {
            table,
            path: path.map(Path::to_owned),
            count: self.count,
            first,
        })
    }

    /// What to say about lines of a file.
    pub(super) fn lines(&self, path: &Path) -> Option<Warning> {
        let (line, first) = self.first.clone()?;
        Some(Warning::BadLines {
            path: path.to_owned(),
            line,
            first,
            more: self.count - 1,
        })
    }
}
