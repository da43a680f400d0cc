//! What is wrong, found in the sockets.

mod group;
mod measure;
mod table;

use std::fmt;
use std::sync::LazyLock;

pub use group::{Found, Group, GroupBy, Held, Key, Who, by_process};
pub use measure::Limits;
pub use table::{Definition, FINDINGS, Kind, Measure};

/// How grave a finding is; a graver one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; it may be meant so.
    Info,
    /// Something does not go as it should, or soon will not.
    Warning,
    /// Connections fail, or are about to.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// From how much on there is a finding, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// What it is of.
    pub kind: Kind,
    /// How grave it is from there on.
    pub severity: Severity,
    /// So much or more.
    pub least: u64,
    /// Of what.
    pub unit: &'static str,
    /// Why so much, and not less.
    pub reason: &'static str,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = FINDINGS.iter();
        let own = all.find(|finding| finding.kind == self);
        own.map_or("unknown", |finding| finding.name)
    }
}

/// All thresholds.
pub static THRESHOLDS: LazyLock<Vec<Threshold>> = LazyLock::new(|| {
    let of = |finding: &Definition| {
        let (kind, unit) = (finding.kind, finding.unit);
        let levels = finding.levels.iter();
        levels.map(move |&(severity, least, reason)| Threshold {
            kind,
            severity,
            least,
            unit,
            reason,
        })
    };
    FINDINGS.iter().flat_map(of).collect()
});

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// How grave it is.
    pub severity: Severity,
    /// How many sockets it is about.
    pub count: u64,
    /// A filter that lists exactly these, with `-a`.
    pub sockets: String,
    /// Numbers, processes and what to do, in a sentence or two; clean text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::{FINDINGS, Kind, Severity, THRESHOLDS};

    #[test]
    fn a_threshold_is_reached_at_its_number() {
        for threshold in THRESHOLDS.iter() {
            let below = threshold.least - 1;
            let (kind, severity) = (threshold.kind, threshold.severity);
            for finding in FINDINGS.iter().filter(|finding| finding.kind == kind) {
                let reached = finding.severity(threshold.least);
                assert_eq!(reached, Some(severity), "{threshold:?}");
                assert!(finding.severity(below) < Some(severity), "{threshold:?}");
            }
        }
    }

    #[test]
    fn graver_is_greater_and_more() {
        assert!(Severity::ALL.is_sorted());
        let grave = |kind: Kind| THRESHOLDS.iter().filter(move |t| t.kind == kind);
        for threshold in THRESHOLDS.iter() {
            let mut same = grave(threshold.kind);
            assert!(same.all(|other| {
                (other.severity > threshold.severity) == (other.least > threshold.least)
            }));
        }
    }
}
