//! Values as JSON. Key fragments and the words of the vocabulary are written literally; every text from
//! outside goes through `serde_json`.

use crate::fields::{Datum, Field};
use crate::model::{EventSummary, Process, Row, Source, State, Summary, Timer, Warning};
use crate::render::cell;
use crate::render::style::Style;
use crate::render::{Envelope, digits};
use crate::text;

/// A value that stands alone, not in a column of a row.
pub(in crate::render) trait Scalar {
    fn write(self, out: &mut Vec<u8>);
}

impl Scalar for bool {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

impl Scalar for u64 {
    fn write(self, out: &mut Vec<u8>) {
        digits::integer(out, self);
    }
}

impl Scalar for u32 {
    fn write(self, out: &mut Vec<u8>) {
        digits::integer(out, self.into());
    }
}

impl Scalar for &str {
    fn write(self, out: &mut Vec<u8>) {
        string(out, self);
    }
}

impl Scalar for State {
    fn write(self, out: &mut Vec<u8>) {
        quoted(out, |out| cell::state(out, self));
    }
}

/// What is not known is `null`.
impl<T: Scalar> Scalar for Option<T> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Some(known) => known.write(out),
            None => null(out),
        }
    }
}

pub(in crate::render) fn member(out: &mut Vec<u8>, name: &str, value: impl Scalar) {
    key(out, name);
    value.write(out);
}

/// Writes the key of a member, and the comma before it.
pub(in crate::render) fn key(out: &mut Vec<u8>, name: &str) {
    separate(out);
    word(out, name);
    out.push(b':');
}

/// Writes the comma before a member, if it is not the first one.
pub(in crate::render) fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// Writes how every document begins: version, host and time.
pub(in crate::render) fn opening(out: &mut Vec<u8>, envelope: &Envelope) {
    let host = text::escape(envelope.host.as_bytes());
    let time = text::escape(envelope.time.as_bytes());
    out.push(b'{');
    member(out, "version", 1_u64);
    member(out, "host", &*host);
    member(out, "time", &*time);
}

/// Writes a text, quoted and escaped by `serde_json`.
fn string(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    // A vector takes everything and a text can always be serialised: this cannot fail.
    let _ = serde_json::to_writer(&mut *out, text);
    if text.chars().any(|c| c.is_control() || text::is_hidden(c)) {
        let quoted = out.split_off(start);
        for c in String::from_utf8_lossy(&quoted).chars() {
            character(out, c);
        }
    }
}

/// Writes a character; one that does not show, where a text still has it, as `\uHHHH`.
fn character(out: &mut Vec<u8>, c: char) {
    if c.is_control() || text::is_hidden(c) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    } else {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Writes a word of the vocabulary: letters, digits and underscores.
fn word(out: &mut Vec<u8>, word: &str) {
    quoted(out, |out| out.extend_from_slice(word.as_bytes()));
}

pub(in crate::render) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Writes what is made of hexadecimal digits, dots, colons, letters and brackets alone.
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

pub(in crate::render) fn value(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    value: Option<Datum<'_>>,
    row: &Row<'_>,
) {
    let Some(value) = value else {
        return null(out);
    };
    match value {
        Datum::Number(known) => digits::integer(out, known),
        Datum::Word(known) => word(out, known),
        Datum::State(state) => quoted(out, |out| cell::state(out, state)),
        Datum::Flag(is_set) => out.extend_from_slice(Datum::flag(is_set).as_bytes()),
        Datum::Hex(id) => quoted(out, |out| digits::hex(out, id)),
        Datum::Index(index) => quoted(out, |out| digits::integer(out, index.into())),
        Datum::Ip(address) => quoted(out, |out| digits::ip(out, address)),
        Datum::Name(name) => string(out, &text::escape(name)),
        Datum::Path(name) => path(out, scratch, name),
        Datum::Timer(known) => timer(out, known),
        Datum::Numbers(list) => {
            out.push(b'[');
            cell::integers(out, list, b',');
            out.push(b']');
        }
        Datum::Processes(list) => processes(out, list, &PROCESS),
        Datum::Info(info) => {
            numbers(out, info.values().map(|(field, value)| (field.name, value)));
        }
        Datum::Memory(memory) => {
            let fields = memory.fields().into_iter();
            numbers(
                out,
                fields.map(|(name, value)| (name, value.map(u64::from))),
            );
        }
        Datum::End(side) => {
            scratch.clear();
            Style::TEXT.cell(scratch, side.column(), row);
            match &**scratch {
                b"-" => null(out),
                cell => string(out, &String::from_utf8_lossy(cell)),
            }
        }
    }
}

fn path(out: &mut Vec<u8>, scratch: &mut Vec<u8>, name: &[u8]) {
    let (first, rest) = text::unix_name_parts(name);
    let rest = text::escape(rest);
    if first.is_empty() {
        return string(out, &rest);
    }
    scratch.clear();
    scratch.extend_from_slice(first.as_bytes());
    scratch.extend_from_slice(rest.as_bytes());
    string(out, &String::from_utf8_lossy(scratch));
}

fn timer(out: &mut Vec<u8>, timer: Timer) {
    out.extend_from_slice(b"{\"kind\":");
    word(out, timer.kind.name());
    out.extend_from_slice(b",\"expires_ms\":");
    digits::integer(out, timer.expires_ms.into());
    out.extend_from_slice(b",\"retransmits\":");
    digits::integer(out, timer.retransmits.into());
    out.push(b'}');
}

/// Every part of a process, with the literal text before it.
const PROCESS: [(Field, &str); 5] = [
    (Field::Pid, "{\"pid\":"),
    (Field::Process, ",\"name\":"),
    (Field::Command, ",\"command\":"),
    (Field::ProcessUser, ",\"user\":"),
    (Field::Fd, ",\"fds\":"),
];

fn processes(out: &mut Vec<u8>, list: &[Process], parts: &[(Field, impl AsRef<str>)]) {
    out.push(b'[');
    for (index, process) in list.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        for (part, key) in parts {
            out.extend_from_slice(key.as_ref().as_bytes());
            match part {
                Field::Pid => digits::integer(out, process.pid.into()),
                Field::Fd => {
                    out.push(b'[');
                    cell::integers(out, &process.fds, b',');
                    out.push(b']');
                }
                other => match other.text_of(process) {
                    Some(known) => string(out, &text::escape(known)),
                    None => null(out),
                },
            }
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// Writes some parts of a structure, as in the whole of it.
pub(super) fn parts(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    structure: Datum<'_>,
    parts: &[(Field, String)],
    row: &Row<'_>,
) {
    if let Datum::Processes(list) = structure {
        return processes(out, list, parts);
    }
    for (part, key) in parts {
        out.extend_from_slice(key.as_bytes());
        value(out, scratch, part.get(row), row);
    }
    out.push(b'}');
}

fn numbers(out: &mut Vec<u8>, fields: impl Iterator<Item = (&'static str, Option<u64>)>) {
    let mut before = b'{';
    for (name, value) in fields {
        out.push(before);
        word(out, name);
        out.push(b':');
        value.write(out);
        before = b',';
    }
    out.push(b'}');
}

pub(in crate::render) fn summary(out: &mut Vec<u8>, summary: &Summary) {
    out.push(b'{');
    member(out, "matched", summary.matched);
    member(out, "complete", summary.is_complete());
    member(out, "limited", summary.limited);
    key(out, "sources");
    out.push(b'[');
    for origin in &summary.sources {
        let reason = origin.reason.as_ref().map(ToString::to_string);
        separate(out);
        out.push(b'{');
        member(out, "protocol", origin.table.protocol.name());
        member(out, "family", origin.table.family.name());
        member(out, "source", origin.source.map(Source::name));
        member(out, "reason", reason.as_deref());
        if let Some(netns) = &origin.netns {
            member(out, "netns", &*netns.name);
        }
        out.push(b'}');
    }
    out.push(b']');
    if let Some(count) = summary.in_no_table {
        member(out, "in_no_table", count);
    }
    warnings(out, &summary.diagnostics.warnings);
    out.push(b'}');
}

pub(in crate::render) fn event_summary(out: &mut Vec<u8>, summary: &EventSummary) {
    out.push(b'{');
    member(out, "matched", summary.matched);
    member(out, "lost", summary.lost);
    member(out, "sampled", summary.sampled);
    member(out, "complete", summary.diagnostics.is_complete());
    warnings(out, &summary.diagnostics.warnings);
    out.push(b'}');
}

fn warnings(out: &mut Vec<u8>, warnings: &[Warning]) {
    key(out, "warnings");
    out.push(b'[');
    for warning in warnings {
        separate(out);
        string(out, &warning.to_string());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::string;

    #[test]
    fn text_that_nobody_escaped_is_ascii_and_comes_back() {
        let text = "a\u{1b}\u{7f}\u{9b}\u{61c}\u{200b}\u{e0041}é\"\\\n";
        let mut out = b"[".to_vec();
        string(&mut out, text);
        let written = String::from_utf8_lossy(&out);
        assert_eq!(
            written,
            r#"["a\u001b\u007f\u009b\u061c\u200b\udb40\udc41é\"\\\n""#
        );
        let back: Option<String> = written
            .get(1..)
            .and_then(|json| serde_json::from_str(json).ok());
        assert_eq!(back.as_deref(), Some(text));
    }
}
