//! `openmetrics` and `prometheus`: the counts as gauges, for time series databases.
//!
//! The number of series is bounded: every table, state and counter of at most [`NAMESPACES`] network
//! namespaces, the listeners that `--limit` allows, and the kinds of findings. Peers are never labels.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::iter;
use std::sync::Arc;

use crate::fields::{Datum, Field};
use crate::model::{
    Counter, Counts, FINDINGS, OwnedRow, ProcessStatus, Severity, StateCounts, Summary,
};
use crate::render::cell;
use crate::render::summary::Totals;
use crate::render::{Format, Metrics, digits};
use crate::text::{self, escape};

/// Namespaces with their own series: those with the most sockets.
const NAMESPACES: usize = 50;

/// Names and values of labels.
type Labels = Vec<(&'static str, String)>;

/// Samples of one family, one per line.
struct Family<'o> {
    out: &'o mut Vec<u8>,
    name: &'static str,
}

impl<'o> Family<'o> {
    fn begin(out: &'o mut Vec<u8>, name: &'static str, help: &str) -> Self {
        for text in ["# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n"] {
            out.extend_from_slice(text.as_bytes());
        }
        Self { out, name }
    }

    fn sample(&mut self, labels: &[(&str, impl AsRef<str>)], value: &dyn Display) {
        self.out.extend_from_slice(self.name.as_bytes());
        for (place, (name, value)) in labels.iter().enumerate() {
            let before = if place == 0 { "{" } else { "," };
            let value = value.as_ref().replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("{before}{name}=\"{value}\"");
            self.out.extend_from_slice(text.as_bytes());
        }
        if !labels.is_empty() {
            self.out.push(b'}');
        }
        let text = format!(" {value}\n");
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes the only sample, if its value is known.
    fn one(self, value: Option<impl Display>) {
        let mut family = self;
        if let Some(value) = value {
            family.sample(&[("", ""); 0], &value);
        }
    }
}

pub(super) fn write(out: &mut Vec<u8>, totals: &Totals, summary: &Summary) {
    let counts = &totals.counts;
    let labels_of = namespaces(totals);
    sockets(out, totals, &labels_of);
    let family = Family::begin(
        out,
        "lsock_half_closed_sockets",
        "TCP sockets with one direction shut.",
    );
    family.one(counts.half_closed());
    let family = Family::begin(
        out,
        "lsock_orphan_sockets",
        "TCP sockets closed by their programs, but not by the kernel.",
    );
    family.one(counts.orphans());
    let help = "Time until the last TCP socket in TIME_WAIT ends.";
    let family = Family::begin(out, "lsock_time_wait_longest_seconds", help);
    let none = counts.time_wait().filter(|count| *count == 0).map(|_| 0);
    family.one(
        counts
            .longest_time_wait_ms
            .or(none)
            .map(|ms| seconds(ms.into())),
    );
    let family = Family::begin(
        out,
        "lsock_listeners",
        "Sockets in LISTEN, including those without a queue below.",
    );
    family.one(Some(counts.listeners.count));
    listeners(out, totals);
    findings(out, totals);
    let counted = totals.findings.as_ref().map(|all| &*all.counters);
    counters(out, counted.unwrap_or_default(), labels_of);
    let help = "1 if everything requested was read, 0 if something is known to be missing.";
    let family = Family::begin(out, "lsock_complete", help);
    family.one(Some(u8::from(summary.is_complete())));
    let family = Family::begin(out, "lsock_scan_duration_seconds", "Duration of this scan.");
    let took = u64::try_from(totals.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    family.one(Some(format!(
        "{}.{:06}",
        took / 1_000_000,
        took % 1_000_000
    )));
    let mut family = Family::begin(out, "lsock_build_info", "The version that wrote this.");
    family.sample(&[("version", env!("CARGO_PKG_VERSION"))], &1);
    if totals.format == Format::Metrics(Metrics::OpenMetrics) {
        out.extend_from_slice(b"# EOF\n");
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// The labels of a network namespace, if there are several; those beyond the bound share one.
fn namespaces(totals: &Totals) -> impl Fn(Option<&[u8]>) -> Labels {
    let mut parts: Vec<_> = totals.parts.iter().collect();
    let total = |counts: &Counts| counts.tables.iter().map(StateCounts::total).sum::<u64>();
    parts.sort_by_key(|(_, counts)| Reverse(total(counts)));
    parts.truncate(NAMESPACES);
    let label = |(netns, _): &(Arc<[u8]>, _)| {
        let container = totals.containers.get(netns);
        let container = container.map(|name| ("container", escape(name).into_owned()));
        let labels = iter::once(("netns", escape(netns).into_owned())).chain(container);
        (Arc::clone(netns), labels.collect())
    };
    let known: HashMap<Arc<[u8]>, Labels> = parts.into_iter().map(label).collect();
    move |netns| {
        let labels = |netns| {
            let known = known.get(netns).cloned();
            known.unwrap_or_else(|| vec![("netns", "(others)".to_owned())])
        };
        netns.map(labels).unwrap_or_default()
    }
}

fn sockets(out: &mut Vec<u8>, totals: &Totals, labels_of: impl Fn(Option<&[u8]>) -> Labels) {
    let mut each: BTreeMap<Labels, Counts> = BTreeMap::new();
    for (netns, counts) in totals.each() {
        let known = each.entry(labels_of(netns));
        known.or_insert_with(|| Counts::new(0)).absorb(counts);
    }
    let help = "Sockets by protocol, family and state, of the 50 network namespaces with the most.";
    let mut family = Family::begin(out, "lsock_sockets", help);
    for (place, counts) in &each {
        for table in &counts.tables {
            for (state, _) in table.states() {
                // What the source does not list is not zero.
                let Some(count) = table.told(state) else {
                    continue;
                };
                if count == 0 && !table.table.protocol.states().contains(state) {
                    continue;
                }
                let [protocol, of] = [table.table.protocol.name(), table.table.family.name()];
                let labels = [("protocol", protocol), ("family", of)];
                let mut labels = labels
                    .map(|(name, value)| (name, value.to_owned()))
                    .to_vec();
                labels.push(("state", state.to_string()));
                labels.extend_from_slice(place);
                family.sample(&labels, &count);
            }
        }
    }
}

/// The labels of a listener. Several at the same port may have equal labels; then their queues are added.
fn labels(listener: &OwnedRow, has_netns: bool) -> Labels {
    let row = listener.row();
    let text = |field: Field| {
        let mut out = Vec::new();
        match field.get(&row) {
            Some(Datum::Number(number)) => digits::integer(&mut out, number),
            Some(Datum::Name(name)) => out.extend_from_slice(escape(name).as_bytes()),
            Some(Datum::Path(name)) => {
                let (first, rest) = text::unix_name_parts(name);
                out.extend_from_slice(first.as_bytes());
                out.extend_from_slice(escape(rest).as_bytes());
            }
            Some(value) => cell::literal(&mut out, &value),
            None => {}
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let mut names: Vec<_> = row
        .processes
        .unwrap_or_default()
        .iter()
        .map(|process| escape(process.name.as_deref().unwrap_or(b"?")).into_owned())
        .collect();
    names.dedup();
    if row.process_status.is_none_or(ProcessStatus::is_unknown) {
        names.push("?".to_owned());
    }
    let mut labels = vec![
        ("protocol", text(Field::Protocol)),
        ("address", text(Field::LocalAddress)),
        ("port", text(Field::LocalPort)),
        ("process", names.join(",")),
    ];
    if has_netns {
        labels.push(("netns", text(Field::Netns)));
    }
    if Field::Container.get(&row).is_some() {
        labels.push(("container", text(Field::Container)));
    }
    labels
}

fn listeners(out: &mut Vec<u8>, totals: &Totals) {
    let mut queues: BTreeMap<Labels, [Option<u64>; 2]> = BTreeMap::new();
    for listener in &totals.counts.listeners.fullest {
        let labels = labels(listener, !totals.parts.is_empty());
        let sums = queues.entry(labels).or_insert([Some(0); 2]);
        let socket = listener.socket();
        for (sum, queue) in sums.iter_mut().zip([socket.recv_queue, socket.send_queue]) {
            *sum = sum.zip(queue).map(|(sum, queue)| sum + u64::from(queue));
        }
    }
    let mut family = |name, help, place: usize| {
        let mut family = Family::begin(out, name, help);
        for (labels, sums) in &queues {
            if let Some(Some(sum)) = sums.get(place) {
                family.sample(labels, sum);
            }
        }
    };
    let help = "Connections waiting for accept, for the listeners with the fullest queues (at most 20, or --limit).";
    family("lsock_listen_queue_length", help, 0);
    let help = "Maximum number of connections waiting for accept.";
    family("lsock_listen_queue_limit", help, 1);
}

fn findings(out: &mut Vec<u8>, totals: &Totals) {
    let Some(findings) = &totals.findings else {
        return;
    };
    let mut counts: BTreeMap<(&str, Severity), u64> = BTreeMap::new();
    for kind in FINDINGS
        .iter()
        .filter(|kind| findings.checked.contains(kind.name))
    {
        let is_told = !findings.not_checked.iter().any(|of| of.kind == kind.name);
        let levels = kind.levels.iter().filter(|_| is_told);
        counts.extend(levels.map(|(severity, _)| ((kind.name, *severity), 0)));
    }
    for finding in &findings.found {
        *counts.entry((finding.kind, finding.severity)).or_default() += 1;
    }
    let mut family = Family::begin(
        out,
        "lsock_finding",
        "Findings by kind and severity, see lsock -s.",
    );
    for ((kind, severity), count) in counts {
        family.sample(&[("kind", kind), ("severity", severity.name())], &count);
    }
    let help = "Sockets that could not be checked for a finding.";
    let mut family = Family::begin(out, "lsock_finding_not_checked", help);
    for of in &findings.not_checked {
        family.sample(&[("kind", of.kind)], &of.sockets);
    }
}

fn counters(out: &mut Vec<u8>, counters: &[Counter], labels_of: impl Fn(Option<&[u8]>) -> Labels) {
    let mut sums: BTreeMap<&str, (&str, BTreeMap<Labels, u64>)> = BTreeMap::new();
    for counter in counters {
        let (_, sums) = sums
            .entry(counter.name)
            .or_insert((counter.help, BTreeMap::new()));
        if let Some(value) = counter.value {
            *sums.entry(labels_of(counter.netns.as_deref())).or_default() += value;
        }
    }
    for (name, (help, sums)) in sums {
        let mut family = Family::begin(out, name, help);
        for (labels, sum) in sums {
            family.sample(&labels, &sum);
        }
    }
}
