//! The order of rows.

use std::cmp::Ordering;

use crate::model::{Endpoint, Process, Row, State};

use crate::fields::{Datum, Side};

use super::Field;

/// The order in which rows are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Order {
    /// As they were read.
    #[default]
    Kernel,
    /// For people: listeners by port, then others by state and peer. A great many rows stay as read.
    Usual,
    /// By the first key, then by the second, and so on. Equal rows stay as read.
    Keys(Vec<SortKey>),
}

impl Order {
    /// The most rows that [`Usual`](Self::Usual) sorts, unless fewer are shown.
    pub const MOST: usize = 10_000;

    /// The sort keys; empty for the other orders.
    pub fn keys(&self) -> &[SortKey] {
        match self {
            Self::Keys(keys) => keys,
            Self::Kernel | Self::Usual => &[],
        }
    }

    /// Compares two rows.
    pub fn compare(&self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        match self {
            Self::Kernel => Ordering::Equal,
            Self::Keys(keys) => SortKey::compare_all(keys, a, b),
            Self::Usual => usual(a, b),
        }
    }
}

fn usual(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let by = |fields: &[Field]| {
        let orders = fields.iter().map(|column| {
            let descending = false;
            SortKey {
                column: *column,
                descending,
            }
            .compare(a, b)
        });
        orders.fold(Ordering::Equal, Ordering::then)
    };
    let kind = |row: &Row<'_>| {
        let state = row.socket.state;
        (row.socket.protocol, state != State::Listen, state)
    };
    let order = by(&[Field::NetnsInode]).then_with(|| kind(a).cmp(&kind(b)));
    order.then_with(|| match a.socket.state {
        State::Listen | State::Unconn | State::Bound => {
            by(&[Field::LocalPort, Field::LocalAddress])
        }
        _ => by(&[
            Field::PeerAddress,
            Field::PeerPort,
            Field::LocalAddress,
            Field::LocalPort,
        ]),
    })
}

/// A word of `--sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// What to compare.
    pub column: Field,
    /// True if the largest comes first. Unknown values always come last.
    pub descending: bool,
}

impl SortKey {
    /// The default direction of a column: queues descending, everything else ascending.
    pub const fn usual(column: Field) -> Self {
        let descending = matches!(column, Field::RecvQueue | Field::SendQueue);
        Self { column, descending }
    }

    /// Compares two rows by the first key in which they differ.
    pub fn compare_all(keys: &[Self], a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let mut orders = keys.iter().map(|key| key.compare(a, b));
        orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// Compares numbers and addresses by value, text by bytes.
    fn compare(self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        match (known(self.column, a), known(self.column, b)) {
            (Some(Datum::End(side)), Some(Datum::End(_))) => self.ends(side, a, b),
            (Some(a), Some(b)) if self.descending => values(&b, &a),
            (Some(a), Some(b)) => values(&a, &b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    }

    /// By address, then by port; ends without an address come last.
    fn ends(self, side: Side, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let unknown = |row: &Row<'_>| *side.of(row) == Endpoint::default();
        let keys = [side.address(), side.port()].map(|column| Self { column, ..self });
        let known = unknown(a).cmp(&unknown(b));
        known.then_with(|| Self::compare_all(&keys, a, b))
    }
}

/// The value to compare; of processes that of the first one. `None` = no value.
fn known<'a>(column: Field, row: &Row<'a>) -> Option<Datum<'a>> {
    let processes = match column.get(row)? {
        Datum::Processes(processes) => processes,
        value => return Some(value),
    };
    let first = processes.first()?;
    Some(match column.of_this_end() {
        Field::Pid => Datum::Number(first.pid.into()),
        Field::Fd => Datum::Number((*first.fds.first()?).into()),
        Field::Tid => Datum::Number((*first.tids.first()?).into()),
        part if part != Field::Processes => Datum::Name(column.text_of(first)?),
        _ => Datum::Processes(processes),
    })
}

fn values(a: &Datum<'_>, b: &Datum<'_>) -> Ordering {
    match (a, b) {
        (Datum::Number(a), Datum::Number(b)) | (Datum::Id(a), Datum::Id(b)) => a.cmp(b),
        (Datum::Word(a), Datum::Word(b)) => a.cmp(b),
        (Datum::State(a), Datum::State(b)) => a.name().cmp(b.name()).then(a.cmp(b)),
        (Datum::Flag(a), Datum::Flag(b)) => a.cmp(b),
        (Datum::Index(a), Datum::Index(b)) => a.cmp(b),
        (Datum::Ip(a), Datum::Ip(b)) => a.cmp(b),
        (Datum::Name(a), Datum::Name(b))
        | (Datum::Path(a), Datum::Path(b))
        | (Datum::List(a), Datum::List(b)) => a.cmp(b),
        (Datum::Timer(a), Datum::Timer(b)) => a.expires_ms.cmp(&b.expires_ms),
        (Datum::Processes(a), Datum::Processes(b)) => first(a).cmp(&first(b)),
        // Addresses of different families, or an interface without a name.
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

/// The name and pid of the first process, for comparison.
fn first(processes: &[Process]) -> Option<(Option<&[u8]>, u32)> {
    processes
        .first()
        .map(|first| (first.name.as_deref(), first.pid))
}

/// IP addresses first, then unix sockets, then others.
const fn rank(value: &Datum<'_>) -> u8 {
    match value {
        Datum::Ip(_) => 0,
        Datum::Path(_) => 1,
        Datum::Name(_) => 2,
        _ => 3,
    }
}
