//! Findings: problems detected in the sockets.

mod group;
mod kind;
mod limits;
mod measure;
mod sentence;
mod table;

pub use group::{
    Found, Group, GroupBy, GroupKey, Holder, Ports, any_address, by_holders, by_process,
};
pub use kind::FindingKind;
pub use limits::{Limits, PortRange};
pub use table::FINDINGS;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::named;
use crate::text::counted;

named! {
    /// The severity of a finding, ascending.
    pub enum Severity {
        /// Worth knowing; may be intended.
        Info = "info",
        /// Something does not work as it should, or soon will not.
        Warning = "warning",
        /// Connections fail, or are about to.
        Critical = "critical",
    }
}

/// A problem that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of its [kind](FindingKind).
    pub kind: &'static str,
    pub severity: Severity,
    /// Number of sockets concerned.
    pub count: u64,
    /// A filter that lists exactly these sockets, with `-a`.
    pub sockets: String,
    /// Fact with numbers and processes, cause and remedy; escaped text.
    pub text: String,
    /// The first sentence of it.
    pub fact: String,
    /// The network namespace, if several were searched.
    pub netns: Option<Arc<[u8]>>,
}

/// The result of a search for findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The findings, most severe first.
    pub found: Vec<Finding>,
    /// What could not be checked.
    pub not_checked: Vec<NotChecked>,
    /// Names of the kinds that were searched for.
    pub checked: BTreeSet<&'static str>,
    /// Kernel counters, if requested.
    pub counters: Vec<Counter>,
}

/// A possible finding: the source does not report what it needs, or some processes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChecked {
    /// The name of its [kind](FindingKind).
    pub kind: &'static str,
    /// The highest severity it may have.
    pub severity: Severity,
    /// Number of sockets that could not be checked.
    pub sockets: u64,
}

/// A counter of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its name in the metrics format.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// `None` = not reported by the kernel.
    pub value: Option<u64>,
    /// The network namespace, if several were searched.
    pub netns: Option<Arc<[u8]>>,
}

impl Findings {
    /// Sorts by severity, most severe first, then by kind, then by number of sockets.
    pub fn sort(&mut self) {
        let place = |found: &Finding| FINDINGS.iter().position(|kind| kind.name == found.kind);
        self.found
            .sort_by_key(|found| (Reverse(found.severity), place(found), Reverse(found.count)));
    }

    /// Adds the findings of another network namespace.
    pub fn absorb(&mut self, netns: &Arc<[u8]>, other: Self) {
        let netns = || Some(Arc::clone(netns));
        let found = other.found.into_iter().map(|finding| Finding {
            netns: netns(),
            ..finding
        });
        self.found.extend(found);
        let counters = other.counters.into_iter().map(|counter| Counter {
            netns: netns(),
            ..counter
        });
        self.counters.extend(counters);
        for one in other.not_checked {
            self.doubt(one.kind, Some(one.severity), one.sockets);
        }
        self.checked.extend(other.checked);
    }

    /// Adds sockets that could not be checked for a kind of finding. Ignored without a severity.
    pub fn doubt(&mut self, kind: &'static str, severity: Option<Severity>, sockets: u64) {
        let Some(severity) = severity.filter(|_| sockets > 0) else {
            return;
        };
        let mut known = self.not_checked.iter_mut();
        if let Some(known) = known.find(|known| known.kind == kind) {
            known.sockets += sockets;
            known.severity = known.severity.max(severity);
        } else {
            self.not_checked.push(NotChecked {
                kind,
                severity,
                sockets,
            });
        }
    }

    /// `not checked: accept_queue of 2 sockets`; `None` = everything was checked.
    pub fn not_checked(&self) -> Option<String> {
        let each = self.not_checked.iter();
        let each = each.map(|one| format!("{} of {}", one.kind, counted(one.sockets, "socket")));
        let each: Vec<String> = each.collect();
        (!each.is_empty()).then(|| format!("not checked: {}", each.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, FINDINGS, Severity};

    #[test]
    fn a_threshold_is_reached_at_its_number() {
        for finding in FINDINGS {
            for &(severity, least) in finding.levels {
                let name = finding.name;
                assert_eq!(finding.severity(least), Some(severity), "{name}");
                assert!(finding.severity(least - 1) < Some(severity), "{name}");
            }
        }
    }

    #[test]
    fn graver_is_greater_and_more() {
        assert!(Severity::ALL.is_sorted());
        for finding in FINDINGS {
            let levels = finding.levels;
            assert!(!levels.is_empty(), "{}", finding.name);
            assert!(levels.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        }
    }

    #[test]
    fn every_finding_has_a_name_of_its_own() {
        let names: BTreeSet<_> = FINDINGS.iter().map(|finding| finding.name).collect();
        assert_eq!(names.len(), FINDINGS.len());
    }
}
