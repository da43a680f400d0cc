//! What is wrong, in words, and the command that lists the sockets.

use anstyle::{AnsiColor, Style};

use crate::model::{Finding, Severity};
use crate::text::push_wrapped;

use super::super::Color;

/// Lines in a pipe.
const USUAL: usize = 80;
/// Lines are no longer, however wide the terminal is,
const WIDEST: usize = 100;
/// and no shorter.
const NARROWEST: usize = 40;
/// Where the words begin.
const INDENT: usize = 9;
/// So many of one kind and severity are told in full.
const TOLD: usize = 5;

/// Writes them, if there are any.
pub(super) fn write(out: &mut Vec<u8>, findings: &[Finding], color: Color, width: Option<u16>) {
    let width = width.map_or(USUAL, usize::from);
    let width = width.clamp(NARROWEST, WIDEST);
    let alike = findings.chunk_by(|a, b| (a.kind, a.severity) == (b.kind, b.severity));
    for alike in alike {
        let (told, others) = alike.split_at(alike.len().min(TOLD));
        for finding in told {
            write_one(out, finding, color, width);
        }
        if let [first, ..] = others {
            let sockets: u64 = others.iter().map(|finding| finding.count).sum();
            let (count, kind) = (others.len(), first.kind);
            let text = format!(
                "\n{:INDENT$}and {count} more of {kind}, of {sockets} sockets: see -j\n",
                ""
            );
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn write_one(out: &mut Vec<u8>, finding: &Finding, color: Color, width: usize) {
    let style = color.style(style_of(finding.severity));
    let severity = finding.severity.name();
    let gap = " ".repeat(INDENT.saturating_sub(severity.len()));
    let mut text = format!("\n{style}{severity}{style:#}{gap}");
    push_wrapped(&mut text, &finding.text, INDENT, width);
    // In one piece, to be copied into a shell.
    let quoted = finding.sockets.replace('\'', r"'\''");
    let command = format!("\n{:INDENT$}lsock -ap '{quoted}'\n", "");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(command.as_bytes());
}

const fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Info => Style::new().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Critical => AnsiColor::Red.on_default().bold(),
    }
}
