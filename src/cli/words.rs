//! Words that options take.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::model::{Family, Protocol};

/// A word of `-A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyWord {
    All,
    /// An IP version.
    Version(Family),
    Protocol(Protocol),
}

/// Every word of `-A`, in the order of the manual: MPTCP is the last.
static FAMILY_WORDS: LazyLock<Vec<FamilyWord>> = LazyLock::new(|| {
    let versions = [Family::Inet, Family::Inet6].map(FamilyWord::Version);
    let mut protocols = Protocol::ALL;
    protocols.sort_by_key(|protocol| *protocol == Protocol::Mptcp);
    let protocols = protocols.map(FamilyWord::Protocol);
    let words = [FamilyWord::All].into_iter().chain(versions);
    words.chain(protocols).collect()
});

impl ValueEnum for FamilyWord {
    fn value_variants<'a>() -> &'a [Self] {
        &FAMILY_WORDS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::All => "all",
            Self::Version(family) => family.name(),
            Self::Protocol(protocol) => protocol.name(),
        }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatWord {
    Table,
    Plain,
    Json,
    Ndjson,
    Csv,
    Netstat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWord {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SourceWord {
    Auto,
    Netlink,
    Procfs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OwnersWord {
    Auto,
    Proc,
    Bpf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SeverityWord {
    Info,
    Warning,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ByWord {
    Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShellWord {
    Bash,
    Zsh,
    Fish,
}
