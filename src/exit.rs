//! How a run ends: the only place that knows exit statuses.

/// What a run came to; of several the last one here is the word about all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Done, and everything asked for was told.
    Done,
    /// A check does not hold: `--expect`, `-q`, `--wait`, `--fail-on`. Under the name `netstat`: this
    /// system does not have what was asked for by name.
    Failed,
    /// Usage, an unreadable source, a list known to be incomplete, or a check that cannot be answered.
    Trouble,
    /// An option that `netstat` does not have, under its name.
    Misused,
    /// A signal ended a wait; its number.
    Interrupted(u8),
}

impl Verdict {
    /// Each of them; of signals that of Ctrl-C.
    pub const EACH: [Self; 4] = [
        Self::Done,
        Self::Failed,
        Self::Trouble,
        Self::Interrupted(2),
    ];

    /// The exit status: 0, 1 or 2; of a signal that which shells tell of it.
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
