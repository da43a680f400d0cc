//! What a listing shows beyond the plain row, and the columns that follow from it.

use super::{Field, Format};

/// One thing that adds columns or lines to a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// Unix sockets are asked for.
    Unix,
    /// Packet sockets are asked for.
    Packet,
    /// `-e`: user, inode, half-close, interface, mark, cgroup; descriptors beside the processes.
    Extended,
    /// `-o`: timers.
    Timers,
    /// `-i`: `tcp_info` and its like.
    Info,
    /// `-m`: memory.
    Memory,
    /// `-p`: processes.
    Processes,
}

impl Extra {
    const fn bit(self) -> u8 {
        1 << match self {
            Self::Unix => 0,
            Self::Packet => 1,
            Self::Extended => 2,
            Self::Timers => 3,
            Self::Info => 4,
            Self::Memory => 5,
            Self::Processes => 6,
        }
    }
}

/// A set of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras(u8);

impl Extras {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, extra: Extra) -> Self {
        Self(self.0 | extra.bit())
    }

    /// Is it in the set?
    pub const fn has(self, extra: Extra) -> bool {
        self.0 & extra.bit() != 0
    }

    /// Does it ask for lines of details?
    pub(super) const fn has_lines(self) -> bool {
        self.has(Extra::Info) || self.has(Extra::Memory)
    }
}

impl FromIterator<Extra> for Extras {
    fn from_iter<I: IntoIterator<Item = Extra>>(extras: I) -> Self {
        extras.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The columns of a listing for which none were chosen.
pub fn default_columns(format: Format, extras: Extras) -> Vec<Field> {
    (format.definition().columns)(extras)
}

/// What `table` and `plain` show.
pub(super) fn text_columns(extras: Extras) -> Vec<Field> {
    let unix = extras.has(Extra::Unix);
    let extended = extras.has(Extra::Extended);
    let columns = [
        (Field::Protocol, true),
        (Field::Type, unix || extras.has(Extra::Packet)),
        (Field::State, true),
        (Field::RecvQueue, true),
        (Field::SendQueue, true),
        (Field::Local, true),
        (Field::Peer, true),
        (Field::Inode, unix),
        (Field::PeerInode, unix),
        (Field::User, extended),
        (Field::Inode, extended && !unix),
        (Field::Cookie, extended),
        (Field::Shutdown, extended),
        (Field::Interface, extended),
        (Field::Mark, extended),
        (Field::Cgroup, extended),
        (Field::Timer, extras.has(Extra::Timers)),
        (Field::Processes, extras.has(Extra::Processes)),
    ];
    let shown = columns.into_iter().filter(|(_, is_shown)| *is_shown);
    shown.map(|(column, _)| column).collect()
}
