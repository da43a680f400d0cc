//! How a run ends: the only place that knows exit statuses.

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done, and everything asked for was told.
    Done,
    /// Usage, an unreadable source, or a list known to be incomplete.
    Trouble,
}

impl Verdict {
    /// The exit status: 0 or 2. (1 belongs to checks.)
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Trouble => 2,
        }
    }
}
