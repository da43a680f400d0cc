//! How a run ends: the only place that knows exit statuses.

/// What a run came to; of several the last one here is the word about all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Done, and everything asked for was told.
    Done,
    /// A check does not hold: `--expect`, `-q`, `--wait`, `--fail-on`.
    Failed,
    /// Usage, an unreadable source, a list known to be incomplete, or a check that cannot be answered.
    Trouble,
    /// A signal ended a wait; its number.
    Interrupted(u8),
}

impl Verdict {
    /// The exit status: 0, 1 or 2; of a signal that which shells tell of it.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Trouble => 2,
            Self::Interrupted(signal) => 128_u8.saturating_add(signal),
        }
    }
}
