//! Which of two rows comes first.

use std::cmp::Ordering;

use crate::model::{Endpoint, Process, Row, State};

use crate::fields::{Datum, Side};

use super::Field;

/// Compares two rows by a column: numbers and addresses by their value, text by its bytes. Unknown
/// comes last, descending or not.
pub(super) fn compare(column: Field, descending: bool, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let turn = |order: Ordering| if descending { order.reverse() } else { order };
    match (known(column, a), known(column, b)) {
        (Some(Datum::End(side)), Some(Datum::End(_))) => ends(side, descending, a, b),
        (Some(a), Some(b)) => turn(values(&a, &b)),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

/// An empty list of processes counts as unknown: there is nothing to compare.
fn known<'a>(column: Field, row: &Row<'a>) -> Option<Datum<'a>> {
    let value = column.get(row);
    value.filter(|value| !matches!(value, Datum::Processes([])))
}

fn values(a: &Datum<'_>, b: &Datum<'_>) -> Ordering {
    match (a, b) {
        (Datum::Number(a), Datum::Number(b)) | (Datum::Hex(a), Datum::Hex(b)) => a.cmp(b),
        (Datum::Word(a), Datum::Word(b)) => a.cmp(b),
        (Datum::State(a), Datum::State(b)) => states(*a, *b),
        (Datum::Index(a), Datum::Index(b)) => a.cmp(b),
        (Datum::Ip(a), Datum::Ip(b)) => a.cmp(b),
        (Datum::Name(a), Datum::Name(b)) | (Datum::Path(a), Datum::Path(b)) => a.cmp(b),
        (Datum::Timer(a), Datum::Timer(b)) => a.expires_ms.cmp(&b.expires_ms),
        (Datum::Processes(a), Datum::Processes(b)) => first(a).cmp(&first(b)),
        // Addresses of different families; an interface without a name.
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn states(a: State, b: State) -> Ordering {
    a.name().cmp(b.name()).then(a.cmp(&b))
}

/// Processes are compared by the first one: its name, then its number.
fn first(processes: &[Process]) -> Option<(&[u8], u32)> {
    processes.first().map(|first| (&*first.name, first.pid))
}

/// Addresses of inet and inet6 first, then unix, then others.
const fn rank(value: &Datum<'_>) -> u8 {
    match value {
        Datum::Ip(_) => 0,
        Datum::Path(_) => 1,
        Datum::Name(_) => 2,
        _ => 3,
    }
}

/// By address, then by port; an end without an address after all that have one.
fn ends(side: Side, descending: bool, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let (address, port) = match side {
        Side::Local => (Field::LocalAddress, Field::LocalPort),
        Side::Peer => (Field::PeerAddress, Field::PeerPort),
    };
    let unknown = |row: &Row<'_>| *side.of(row) == Endpoint::default();
    unknown(a)
        .cmp(&unknown(b))
        .then_with(|| compare(address, descending, a, b))
        .then_with(|| compare(port, descending, a, b))
}
