//! Which of two rows comes first.

use std::cmp::Ordering;

use crate::model::{Endpoint, Process, Row, State};

use super::Column;
use super::value::{Side, Value};

/// Compares two rows by a column: numbers and addresses by their value, text by its bytes. Unknown
/// comes last, descending or not.
pub(super) fn compare(column: Column, descending: bool, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let turn = |order: Ordering| if descending { order.reverse() } else { order };
    match (Value::of(column, a), Value::of(column, b)) {
        (a, b) if is_unknown(&a) || is_unknown(&b) => is_unknown(&a).cmp(&is_unknown(&b)),
        (Value::End(side), Value::End(_)) => ends(side, descending, a, b),
        (a, b) => turn(values(&a, &b)),
    }
}

/// An empty list of processes counts as unknown: there is nothing to compare.
const fn is_unknown(value: &Value<'_>) -> bool {
    matches!(value, Value::Absent | Value::Processes([]))
}

fn values(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) | (Value::Hex(a), Value::Hex(b)) => a.cmp(b),
        (Value::Word(a), Value::Word(b)) => a.cmp(b),
        (Value::State(a), Value::State(b)) => states(*a, *b),
        (Value::Index(a), Value::Index(b)) => a.cmp(b),
        (Value::Ip(a), Value::Ip(b)) => a.cmp(b),
        (Value::Name(a), Value::Name(b)) | (Value::Path(a), Value::Path(b)) => a.cmp(b),
        (Value::Timer(a), Value::Timer(b)) => a.expires_ms.cmp(&b.expires_ms),
        (Value::Processes(a), Value::Processes(b)) => first(a).cmp(&first(b)),
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
const fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Ip(_) => 0,
        Value::Path(_) => 1,
        Value::Name(_) => 2,
        _ => 3,
    }
}

/// By address, then by port; an end without an address after all that have one.
fn ends(side: Side, descending: bool, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let (address, port) = match side {
        Side::Local => (Column::LocalAddress, Column::LocalPort),
        Side::Peer => (Column::PeerAddress, Column::PeerPort),
    };
    let unknown = |row: &Row<'_>| *side.of(row) == Endpoint::default();
    unknown(a)
        .cmp(&unknown(b))
        .then_with(|| compare(address, descending, a, b))
        .then_with(|| compare(port, descending, a, b))
}
