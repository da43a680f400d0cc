//! How a run ends: the only place that knows exit statuses.

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done, and everything asked for was told.
    Done,
    /// A check found what it was to find wrong: `--fail-on`.
    Failed,
    /// Usage, an unreadable source, or a list known to be incomplete.
    Trouble,
}

impl Verdict {
    /// The exit status: 0, 1 or 2.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Trouble => 2,
        }
    }
}
