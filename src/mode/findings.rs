//! What is wrong, found in the sockets that `-s` counts. The counts say what is worth a second look;
//! that one asks for few states, and tells of a finding what it says: numbers, processes, what to do.

mod closing;
mod limits;
mod listeners;
mod look;
mod opening;
mod ports;
mod queues;
mod stuck;
mod udp;
mod who;

use std::cmp::Reverse;

use crate::error::Error;
use crate::model::{Counts, Finding, Kind, Warning};
use crate::query::Query;
use look::Looker;

/// What was found; `None` = nothing can be, for the sockets are not those of this kernel now. Why
/// something may be missing is added to `gaps`.
///
/// # Errors
///
/// When no second look can be had.
pub(super) fn find(
    query: &Query,
    counts: &Counts,
    gaps: &mut Vec<Warning>,
) -> Result<Option<Vec<Finding>>, Error> {
    if !query.input.is_live() {
        return Ok(None);
    }
    let mut looker = Looker::new(query)?;
    let mut found = Vec::new();
    closing::find(&mut looker, counts, &mut found);
    opening::find(&mut looker, counts, &mut found);
    listeners::find(&mut looker, counts, &mut found);
    queues::find(&mut looker, counts, &mut found);
    ports::find(&mut looker, counts, &mut found);
    udp::find(&mut looker, counts, &mut found);
    found.sort_by_key(|finding| {
        (
            Reverse(finding.severity),
            finding.kind,
            Reverse(finding.count),
        )
    });
    gaps.extend(looker.into_gaps());
    Ok(Some(found))
}

/// A finding about so many sockets, if it is one: `amount` is what its threshold counts.
fn finding(
    kind: Kind,
    amount: u64,
    (count, sockets): (usize, String),
    text: impl FnOnce() -> String,
) -> Option<Finding> {
    Some(Finding {
        kind,
        severity: kind.severity(amount)?,
        count: u64::try_from(count).unwrap_or(u64::MAX),
        sockets,
        text: text(),
    })
}

/// `1 connection`, `2 connections`
fn number(count: usize, one: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {one}s")
    }
}

fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
