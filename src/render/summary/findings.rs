//! Findings as text, with the commands that list their sockets.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use crate::model::{Counts, FINDINGS, Finding, Findings, Protocol, Severity};
use crate::text::{counted, enumeration, escape, push_wrapped};

use super::super::Color;
use super::Totals;

/// Width in a pipe.
const USUAL: usize = 80;
/// The greatest width, whatever the terminal has.
const WIDEST: usize = 100;
/// The smallest width.
const NARROWEST: usize = 40;
/// The column of the text.
const INDENT: usize = 9;
/// The most findings of one kind and severity that are written in full.
const TOLD: usize = 5;

/// Writes the findings; if there are none, what was checked, if that `is_complete`.
pub(super) fn write(
    out: &mut Vec<u8>,
    all: &Findings,
    totals: &Totals,
    color: Color,
    is_complete: bool,
) {
    let findings = &all.found;
    let width = width(totals);
    for (each, more) in by_kind(findings) {
        for finding in each {
            write_one(out, finding, color, width);
        }
        if let Some(text) = more {
            // Writing to a Vec cannot fail.
            let _ = writeln!(out, "\n{:INDENT$}{text}", "");
        }
    }
    match all.not_checked() {
        Some(text) => _ = writeln!(out, "\n{text}"),
        None if findings.is_empty() && is_complete => {
            if let Some(text) = none(all.checked.len(), &totals.counts) {
                let style = color.style(AnsiColor::Green.on_default().bold());
                let gap = INDENT - 2;
                let _ = writeln!(out, "\n{style}ok{style:#}{:gap$}{text}", "");
            }
        }
        None => {}
    }
}

/// Writes the first sentences of as many findings as fit these lines, most severe first, but of at least one.
/// Returns their number.
pub(super) fn facts(
    out: &mut Vec<u8>,
    all: &Findings,
    totals: &Totals,
    color: Color,
    lines: usize,
) -> usize {
    let (width, begin) = (width(totals), out.len());
    let mut shown = 0;
    for finding in &all.found {
        let end = out.len();
        write_words(out, finding, &finding.fact, color, width);
        let written = out.iter().skip(begin).filter(|byte| **byte == b'\n');
        if shown > 0 && written.count() > lines {
            out.truncate(end);
            break;
        }
        shown += 1;
    }
    shown
}

fn width(totals: &Totals) -> usize {
    let width = totals.layout.width.map_or(USUAL, usize::from);
    width.clamp(NARROWEST, WIDEST)
}

/// The findings written in full, by kind, and a line for the others.
pub(in crate::render) fn by_kind(
    findings: &[Finding],
) -> impl Iterator<Item = (&[Finding], Option<String>)> {
    let alike = findings.chunk_by(|a, b| (a.kind, a.severity) == (b.kind, b.severity));
    alike.map(|alike| {
        let (each, others) = alike.split_at(alike.len().min(TOLD));
        let sockets: u64 = others.iter().map(|finding| finding.count).sum();
        let (count, kind) = (others.len(), alike.first().map_or("", |first| first.kind));
        let more = format!("and {count} more of {kind}, of {sockets} sockets: see -j");
        (each, (count > 0).then_some(more))
    })
}

/// `17 checks of 312 tcp and 45 udp sockets found nothing wrong`; `None` = there was nothing to check.
pub(in crate::render) fn none(checks: usize, counts: &Counts) -> Option<String> {
    let is_read = |protocol: &Protocol| counts.of_protocol(*protocol).next().is_some();
    let checked = Protocol::ALL.into_iter().filter(|protocol| {
        is_read(protocol) && FINDINGS.iter().any(|f| f.protocols.contains(protocol))
    });
    let of = checked.map(|protocol| format!("{} {protocol}", counts.total(protocol)));
    let of: Vec<String> = of.collect();
    let (checks, sockets) = (counted(checks, "check"), enumeration(&of, "and"));
    (!of.is_empty()).then(|| format!("{checks} of {sockets} sockets found nothing wrong"))
}

/// The text with the namespace, and the command that lists the sockets.
pub(in crate::render) fn told(finding: &Finding) -> (String, String) {
    let mut options = String::new();
    // In one piece, for copying into a shell.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    if let Some(netns) = &finding.netns {
        // A comma separates names.
        let name = escape(netns).replace(',', r"\x2c");
        options = format!(" -N {}", quoted(&name));
    }
    let sockets = quoted(&finding.sockets);
    let command = format!("lsock{options} -ap {sockets}");
    (in_netns(finding, &finding.text), command)
}

/// A text about a finding, with its namespace.
fn in_netns(finding: &Finding, words: &str) -> String {
    let netns = finding.netns.as_ref();
    let netns = netns.map(|netns| format!("{}: ", escape(netns)));
    netns.unwrap_or_default() + words
}

fn write_one(out: &mut Vec<u8>, finding: &Finding, color: Color, width: usize) {
    out.push(b'\n');
    write_words(out, finding, &finding.text, color, width);
    let _ = writeln!(out, "{:INDENT$}{}", "", told(finding).1);
}

fn write_words(out: &mut Vec<u8>, finding: &Finding, words: &str, color: Color, width: usize) {
    let style = color.style(style_of(finding.severity));
    let severity = finding.severity.name();
    let gap = " ".repeat(INDENT.saturating_sub(severity.len()));
    let mut text = format!("{style}{severity}{style:#}{gap}");
    push_wrapped(&mut text, &in_netns(finding, words), INDENT, width);
    let _ = writeln!(out, "{text}");
}

pub(in crate::render) const fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Info => AnsiColor::Blue.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Critical => AnsiColor::Red.on_default().bold(),
    }
}
