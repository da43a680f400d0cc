//! What is wrong, found in the sockets that `-s` counts. The counts say which findings are possible;
//! one more walk through few states selects the sockets of all of these.

mod hunt;
mod limits;
mod look;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use crate::error::Error;
use crate::filter::Rule;
use crate::model::{Counts, FINDINGS, Finding, Limits, Protocol, Warning};
use crate::query::Query;
use hunt::Hunt;
use limits::Kernel;
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
    let found = find_in(&mut looker, counts, &Kernel);
    gaps.extend(looker.into_gaps());
    Ok(Some(found))
}

/// Sockets that can be gone through again.
trait Sockets {
    /// What the query selects of each table of a protocol.
    fn rules(&self, protocol: Protocol) -> Vec<Rule>;

    /// Goes through the tables of a protocol once, for all hunts.
    fn walk(&mut self, protocol: Protocol, hunts: &mut [Hunt]);

    /// A filter that lists, with `-a`, what is so of the sockets that the query selects.
    fn filter(&self, protocol: Protocol, own: &str) -> String;
}

/// The most severe first.
fn find_in(sockets: &mut dyn Sockets, counts: &Counts, limits: &dyn Limits) -> Vec<Finding> {
    let mut findings = Vec::new();
    for protocol in Protocol::ALL {
        let rules = sockets.rules(protocol);
        if rules.is_empty() {
            continue;
        }
        let of_protocol = FINDINGS.iter().filter(|f| f.protocols.contains(&protocol));
        let possible = of_protocol.filter(|f| (f.is_possible)(counts, limits));
        let hunts = possible.filter_map(|f| Hunt::new(f, &rules, limits));
        let mut hunts: Vec<Hunt> = hunts.filter(|hunt| hunt.is_possible(counts)).collect();
        walk(sockets, protocol, &mut hunts);
        let mut related: Vec<Hunt> = hunts
            .iter()
            .filter_map(|hunt| hunt.related(&rules, limits))
            .collect();
        walk(sockets, protocol, &mut related);
        for hunt in &hunts {
            for group in hunt.groups(&related) {
                let definition = hunt.definition;
                let Some(severity) = definition.severity(definition.amount(&group, limits)) else {
                    continue;
                };
                let (count, own) = match definition.listed {
                    Some(_) if group.related.is_empty() => continue,
                    Some(listed) => listed(&group),
                    None => (
                        group.count,
                        hunt::text(definition.filter, Some(&group.key), limits),
                    ),
                };
                findings.push(Finding {
                    kind: definition.name,
                    severity,
                    count,
                    sockets: sockets.filter(protocol, &own),
                    text: (definition.sentence)(&group, limits),
                });
            }
        }
    }
    let place = |found: &Finding| FINDINGS.iter().position(|kind| kind.name == found.kind);
    findings.sort_by_key(|found| (Reverse(found.severity), place(found), Reverse(found.count)));
    findings
}

fn walk(sockets: &mut dyn Sockets, protocol: Protocol, hunts: &mut [Hunt]) {
    if !hunts.is_empty() {
        sockets.walk(protocol, hunts);
    }
}
