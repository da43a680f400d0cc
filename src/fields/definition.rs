//! What is said of a field.

use super::Field;
use super::cost::Cost;
use crate::model::{Table, Unit};

/// Everything that is said of one field.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is so or not by itself")]
pub struct Definition {
    /// Its name, within its structure if it is a part of one.
    pub(super) name: &'static str,
    /// The familiar short name that columns have too.
    pub(super) short: Option<&'static str>,
    /// Further words for it in filters.
    pub(super) aliases: &'static [&'static str],
    /// Its header in CSV, where that is not its full name.
    pub(super) csv: Option<&'static str>,
    /// Its title in text, where that is not its name in capitals.
    pub(super) title: Option<&'static str>,
    /// Its width in `plain`, which never depends on what is listed. With the columns shown by default
    /// an IPv4 listing is 80 wide.
    pub(super) width: usize,
    /// True if its cells end at the right edge, as numbers do.
    pub(super) is_right: bool,
    /// True if it is text of any length that may be broken over lines: never an address or a number.
    pub(super) wraps: bool,
    /// The words it can hold, where they are few.
    pub(super) words: &'static [&'static str],
    /// What its number counts.
    pub(super) unit: Option<Unit>,
    /// What must be looked up for it.
    pub(super) cost: Cost,
    /// True for the tables whose sockets can have it.
    pub(super) applies: fn(Table) -> bool,
    /// True for the tables of which `/proc/net` reports it.
    pub(super) in_procfs: fn(Field, Table) -> bool,
    /// True if the kernel reports it to everybody; `SO_MARK` needs `CAP_NET_ADMIN`.
    pub(super) privileged: bool,
    /// True if every recording holds it.
    pub(super) recorded: bool,
    /// True if events carry it.
    pub(super) in_events: bool,
    /// True if the kernel keeps it of a connection whose full socket is gone or not there yet.
    pub(super) is_kept: bool,
}

impl Definition {
    /// A field of every socket, which every source reports, for nothing.
    pub(super) const fn new(name: &'static str, width: usize) -> Self {
        Self {
            name,
            short: None,
            aliases: &[],
            csv: None,
            title: None,
            width,
            is_right: false,
            wraps: false,
            words: &[],
            unit: None,
            cost: Cost::Free,
            applies: |_| true,
            in_procfs: |_, _| true,
            privileged: false,
            recorded: true,
            in_events: true,
            is_kept: false,
        }
    }

    /// A count, or a number that names something.
    pub(super) const fn number(name: &'static str, width: usize) -> Self {
        let plain = Self::new(name, width).counts(Unit::Count);
        Self {
            is_right: true,
            ..plain
        }
    }

    /// One word of few.
    pub(super) const fn word(
        name: &'static str,
        width: usize,
        words: &'static [&'static str],
    ) -> Self {
        Self {
            words,
            ..Self::new(name, width)
        }
    }

    pub(super) const fn short(self, short: &'static str, title: &'static str) -> Self {
        Self {
            short: Some(short),
            title: Some(title),
            ..self
        }
    }

    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn csv(self, header: &'static str) -> Self {
        Self {
            csv: Some(header),
            ..self
        }
    }

    pub(super) const fn counts(self, unit: Unit) -> Self {
        Self {
            unit: Some(unit),
            ..self
        }
    }

    pub(super) const fn wraps(self) -> Self {
        Self {
            wraps: true,
            ..self
        }
    }

    pub(super) const fn right(self) -> Self {
        Self {
            is_right: true,
            ..self
        }
    }

    pub(super) const fn costs(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    /// Of these tables only.
    pub(super) const fn of(self, applies: fn(Table) -> bool) -> Self {
        Self { applies, ..self }
    }

    /// Reported by `/proc/net` of these tables only.
    pub(super) const fn in_procfs(self, of: fn(Field, Table) -> bool) -> Self {
        Self {
            in_procfs: of,
            ..self
        }
    }

    /// Never reported by `/proc/net`.
    pub(super) const fn netlink_only(self) -> Self {
        self.in_procfs(|_, _| false)
    }

    /// In a recording only where whoever made it asked for it, or could look it up.
    pub(super) const fn optional(self) -> Self {
        Self {
            recorded: false,
            ..self
        }
    }

    pub(super) const fn privileged(self) -> Self {
        Self {
            privileged: true,
            ..self
        }
    }

    pub(super) const fn not_in_events(self) -> Self {
        Self {
            in_events: false,
            ..self
        }
    }

    pub(super) const fn kept(self) -> Self {
        Self {
            is_kept: true,
            ..self
        }
    }

    /// Its width in `plain`.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// True if its cells end at the right edge.
    pub const fn is_right(&self) -> bool {
        self.is_right
    }

    /// True if it is text of any length that may be broken over lines.
    pub const fn is_free_text(&self) -> bool {
        self.wraps
    }
}
