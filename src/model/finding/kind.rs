//! What makes a finding.

use super::super::{Counts, Protocol, Socket};
use super::Severity;
use super::group::{Group, GroupBy};
use super::limits::Limits;

/// How many sockets a filter lists, and this filter; `None` = it is no finding after all.
type Listing = fn(&Group<'_>, &dyn Limits) -> Option<(u64, String)>;

/// What makes a finding. In its filters, `{group}` stands for the filter of the group, `{ports}` for
/// that of the ports that the kernel chooses from.
#[derive(Debug)]
pub struct FindingKind {
    /// Its name.
    pub name: &'static str,
    /// Each severity, and the least that has it.
    pub levels: &'static [(Severity, u64)],
    /// The protocols that it is looked for in, each by itself.
    pub protocols: &'static [Protocol],
    /// Selects the sockets to look at, where the filter alone does not narrow them.
    pub among: &'static str,
    /// Selects the sockets of the finding; printed as the command that lists them.
    pub filter: &'static str,
    /// What else must be true of a socket; `None` = its source does not tell.
    pub passes: fn(&Socket) -> Option<bool>,
    /// How they are grouped.
    pub group_by: GroupBy,
    /// True if the sockets are kept, with their processes, and not just counted.
    pub keeps: bool,
    /// True if it is about descriptors whose sockets are in no table; the filters select nothing then.
    pub is_of_descriptors: bool,
    /// Selects the sockets that tell which processes are concerned; empty = those of the group do.
    pub related: &'static str,
    /// The file below `/proc` that has its limit or counter: without it, it is not looked for.
    pub file: &'static str,
    /// True if it can be, by the counts of all sockets and the limits of the kernel.
    pub is_possible: fn(&Counts, &dyn Limits) -> bool,
    /// What is compared with the thresholds; `None` = the number of sockets.
    pub measure: Option<fn(&Group<'_>, &dyn Limits) -> u64>,
    /// In how many sockets of a group there may be a graver finding, for what decides is not told, and what
    /// may be compared with the thresholds then.
    pub untold: fn(&Group<'_>, &dyn Limits) -> [u64; 2],
    /// How many sockets the filter lists that is printed, and this filter, where it is not the one above.
    pub listed: Option<Listing>,
}

impl FindingKind {
    /// What most have in common.
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
        related: "",
        file: "",
        is_possible: |_, _| true,
        measure: None,
        untold: |_, _| [0; 2],
        listed: None,
    };

    /// How severe so much of it is; `None` = it is no finding.
    pub fn severity(&self, amount: u64) -> Option<Severity> {
        let reached = self.levels.iter().filter(|level| amount >= level.1);
        reached.map(|level| level.0).max()
    }

    /// The lowest threshold.
    pub fn least(&self) -> u64 {
        let least = self.levels.iter().map(|level| level.1).min();
        least.unwrap_or(u64::MAX)
    }

    /// The fewest sockets that can be a finding.
    pub fn fewest(&self) -> u64 {
        self.measure.map_or_else(|| self.least(), |_| 1)
    }

    /// What is compared with the thresholds.
    pub fn amount(&self, group: &Group<'_>, limits: &dyn Limits) -> u64 {
        let measure = self.measure;
        measure.map_or(group.count, |measure| measure(group, limits))
    }
}
