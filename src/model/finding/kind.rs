//! Definition of a kind of finding: filters, thresholds, grouping and measures.

use super::super::{Counts, Protocol, Socket};
use super::Severity;
use super::group::{Group, GroupBy};
use super::limits::Limits;

/// Number of sockets listed, and the filter; `None` = no finding.
type Listing = fn(&Group<'_>, &dyn Limits) -> Option<(u64, String)>;

/// A kind of finding. In its filters, `{group}` stands for the group's filter and `{ports}` for that of the
/// ephemeral ports.
#[derive(Debug)]
pub struct FindingKind {
    pub name: &'static str,
    /// Each severity with its threshold.
    pub levels: &'static [(Severity, u64)],
    /// The protocols searched, each separately.
    pub protocols: &'static [Protocol],
    /// Selects the sockets to examine, if the filter alone does not narrow them.
    pub among: &'static str,
    /// Selects the sockets of the finding; printed as the command that lists them.
    pub filter: &'static str,
    /// A further condition on a socket; `None` = its source does not report what is needed.
    pub passes: fn(&Socket) -> Option<bool>,
    /// How sockets are grouped.
    pub group_by: GroupBy,
    /// True if the sockets are kept with their processes; false if they are only counted.
    pub keeps: bool,
    /// True if it is about descriptors whose sockets are in no table; then filters select nothing.
    pub is_of_descriptors: bool,
    /// True if it is only about connections that [may be stuck](Socket::may_be_stuck).
    pub is_of_stuck: bool,
    /// Selects related sockets, which show the processes concerned; empty = the group's own sockets do.
    pub related: &'static str,
    /// The file below `/proc` with the limit or counter. Without it, the kind is skipped.
    pub file: &'static str,
    /// False if the counts of all sockets and the kernel's limits rule it out.
    pub is_possible: fn(&Counts, &dyn Limits) -> bool,
    /// The value compared with the thresholds; `None` = the number of sockets.
    pub measure: Option<fn(&Group<'_>, &dyn Limits) -> u64>,
    /// The number of sockets in a group that could not be checked, and the highest value that they may have.
    pub untold: fn(&Group<'_>, &dyn Limits) -> [u64; 2],
    /// Another number of sockets and filter to print, if not those above.
    pub listed: Option<Listing>,
}

impl FindingKind {
    /// The values that most kinds share.
    pub(super) const USUAL: Self = Self {
        name: "",
        levels: &[(Severity::Warning, 1)],
        protocols: &[Protocol::Tcp],
        among: "",
        filter: "",
        passes: |_| Some(true),
        group_by: GroupBy::Nothing,
        keeps: true,
        is_of_descriptors: false,
        is_of_stuck: false,
        related: "",
        file: "",
        is_possible: |_, _| true,
        measure: None,
        untold: |_, _| [0; 2],
        listed: None,
    };

    /// The severity of this amount; `None` = no finding.
    pub fn severity(&self, amount: u64) -> Option<Severity> {
        let reached = self.levels.iter().filter(|level| amount >= level.1);
        reached.map(|level| level.0).max()
    }

    /// The lowest threshold.
    pub fn least(&self) -> u64 {
        let least = self.levels.iter().map(|level| level.1).min();
        least.unwrap_or(u64::MAX)
    }

    /// The smallest number of sockets that can be a finding.
    pub fn fewest(&self) -> u64 {
        self.measure.map_or_else(|| self.least(), |_| 1)
    }

    /// The value compared with the thresholds.
    pub fn amount(&self, group: &Group<'_>, limits: &dyn Limits) -> u64 {
        let measure = self.measure;
        measure.map_or(group.count, |measure| measure(group, limits))
    }
}
