//! Warnings about what is missing from a table that was read.

use std::collections::BTreeSet;
use std::mem;

use crate::fields::{Cost, Field};
use crate::filter::{Expr, Rule};
use crate::model::{Protocol, Source as Kind, StateSet, Warning};
use crate::source::Outcome;

/// Warnings about tables of one namespace that were read together, each with true if it is a gap.
///
/// `unreported` = what the filter needs and the source does not report, `alone` = protocols named by
/// themselves.
pub fn gaps(
    rules: &[Rule],
    outcome: &mut Outcome,
    unreported: Vec<Warning>,
    filter: &Expr,
    alone: &BTreeSet<Protocol>,
) -> Vec<(bool, Warning)> {
    // The filter may have decided about sockets without names.
    let are_names_needed = filter.needs().contains(&Cost::UnixPeers);
    let needed = |warning: &Warning| {
        warning.is_gap() || are_names_needed && matches!(warning, Warning::UnnamedPeers(_))
    };
    let unlisted = unlisted(alone, rules, outcome);
    let warnings = mem::take(&mut outcome.warnings).into_iter();
    let warnings = warnings.chain(unreported);
    let warnings = warnings.map(|warning| (needed(&warning), warning));
    let netns = outcome.netns.as_ref().map(|netns| &netns.name);
    let all = warnings.chain(unlisted);
    all.map(|(is_gap, warning)| (is_gap, warning.within(netns)))
        .collect()
}

/// Warns that the filter depends on fields that a source does not report, or on unknown ephemeral ports.
pub fn missing_fields(rule: &Rule, source: Kind) -> impl Iterator<Item = Warning> + use<> {
    let lacks_range = rule.lacks_range();
    let missing = rule.missing(source);
    let capability = match *missing {
        [field] => field.capability(),
        _ => None,
    };
    let fields: Vec<String> = missing.into_iter().map(Field::name).collect();
    let unreported = (!lacks_range || !fields.is_empty()).then(|| {
        let why = match (source, capability) {
            (Kind::Netlink, Some(capability)) => {
                format!("which requires {capability}; run as root")
            }
            (Kind::Netlink | Kind::Bpf, _) => {
                "which the kernel does not report for every socket".to_owned()
            }
            (Kind::Procfs, _) => "which /proc/net does not contain".to_owned(),
            (Kind::Replay, _) => "which the recording does not contain".to_owned(),
        };
        // Only the addresses of some SMC sockets are missing from the kernel's report.
        let fields = match &*fields {
            [] => "addresses".to_owned(),
            fields => fields.join(", "),
        };
        let table = rule.table();
        Warning::failed(format!("{table}: the filter needs {fields}, {why}"))
    });
    let range = lacks_range.then(|| Warning::failed(NO_RANGE));
    unreported.into_iter().chain(range)
}

const NO_RANGE: &str = "autobound is unknown: the source has no sys/net/ipv4/ip_local_port_range";

/// The requested states that the source does not list; true if nothing else is requested of the table. A
/// protocol that was not named by itself, and that some sources do not support, is no gap.
fn unlisted(alone: &BTreeSet<Protocol>, rules: &[Rule], outcome: &Outcome) -> Vec<(bool, Warning)> {
    let states = outcome.unlisted;
    let is_some = states != StateSet::EMPTY && !outcome.is_narrowed;
    let source = outcome.source.filter(|_| is_some);
    let each = rules.iter().filter_map(|rule| {
        let (protocol, source) = (rule.table().protocol, source?);
        let is_everywhere = protocol.in_proc_net() && protocol.sock_diag().is_some();
        let is_missed = is_everywhere || alone.contains(&protocol);
        let is_gap = is_missed && rule.states().union(states) == states;
        let is_said = is_gap || !outcome.is_scope_unknown;
        let asked = rule.states().intersection(states);
        is_said.then(|| (is_gap, Warning::Unlisted(protocol, asked, source)))
    });
    each.collect()
}
