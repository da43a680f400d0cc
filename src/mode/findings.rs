//! What is wrong, found in the sockets that `-s` counts. The counts say which findings are possible;
//! one more walk through few states selects the sockets of all of these.

mod hunt;
mod limits;
mod look;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use crate::error::Error;
use crate::mode::sources::Open;
use crate::model::{Counts, FINDINGS, Finding, Limits, Protocol, Warning};
use crate::query::Query;
use hunt::Hunt;
use limits::Kernel;
use look::Looker;

/// What was found; `None` = nothing can be, for the sockets are not those of this kernel now. Why
/// something may be missing is added to `gaps`.
pub(super) fn find(
    query: &Query,
    open: Open<'_>,
    counts: &Counts,
    gaps: &mut Vec<Warning>,
) -> Result<Option<Vec<Finding>>, Error> {
    if !query.input.is_live() {
        return Ok(None);
    }
    let mut looker = Looker::new(query, open)?;
    let found = find_in(&mut looker, counts, &Kernel);
    gaps.extend(looker.into_gaps());
    Ok(Some(found))
}

/// The most severe first.
fn find_in(looker: &mut Looker<'_>, counts: &Counts, limits: &dyn Limits) -> Vec<Finding> {
    let mut findings = Vec::new();
    for protocol in Protocol::ALL {
        let rules = looker.rules(protocol);
        if rules.is_empty() {
            continue;
        }
        let of_protocol = FINDINGS.iter().filter(|f| f.protocols.contains(&protocol));
        let possible = of_protocol.filter(|f| (f.is_possible)(counts, limits));
        let hunts = possible.filter_map(|f| Hunt::new(f, &rules, limits));
        let mut hunts: Vec<Hunt> = hunts.filter(|hunt| hunt.is_possible(counts)).collect();
        looker.walk(&rules, &mut hunts);
        let mut related: Vec<Hunt> = hunts
            .iter()
            .filter_map(|hunt| hunt.related(&rules, limits))
            .collect();
        looker.walk(&rules, &mut related);
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
                    sockets: looker.filter(protocol, &own),
                    text: (definition.sentence)(&group, limits),
                });
            }
        }
    }
    let place = |found: &Finding| FINDINGS.iter().position(|kind| kind.name == found.kind);
    findings.sort_by_key(|found| (Reverse(found.severity), place(found), Reverse(found.count)));
    findings
}
