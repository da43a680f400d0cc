//! Exit statuses.

/// The result of a run; of several results the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Success: everything requested was reported.
    Done,
    /// A check failed: `--expect`, `-q`, `--wait`, `--fail-on`. As `netstat`: this system lacks what was requested by
    /// name.
    Failed,
    /// A usage error, an unreadable source, a list known to be incomplete, or an undecidable check.
    Trouble,
    /// As `netstat`: an option that it does not have.
    Misused,
    /// A signal of this number ended a wait.
    Interrupted(u8),
}

impl Verdict {
    /// One of each; of signals that of Ctrl-C.
    pub const EACH: [Self; 4] = [
        Self::Done,
        Self::Failed,
        Self::Trouble,
        Self::Interrupted(2),
    ];

    /// The exit status: 0 to 3; after a signal the one that shells use.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Trouble => 2,
            Self::Misused => 3,
            Self::Interrupted(signal) => 128_u8.saturating_add(signal),
        }
    }
}
