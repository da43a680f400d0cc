//! Values as JSON. Key fragments and the words of the vocabulary are written literally; every text from
//! outside goes through `serde_json`.

use crate::model::{EventSummary, Info, Memory, Origin, Process, Row, Summary, Timer, Warning};
use crate::render::cell;
use crate::render::style::Style;
use crate::render::value::{Datum, path_parts};
use crate::render::{Envelope, digits};
use crate::text;

/// Writes how every document begins: version, host and time.
pub(in crate::render) fn opening(out: &mut Vec<u8>, envelope: &Envelope) {
    out.extend_from_slice(b"{\"version\":1,\"host\":");
    string(out, &text::escape(envelope.host.as_bytes()));
    out.extend_from_slice(b",\"time\":");
    string(out, &text::escape(envelope.time.as_bytes()));
}

/// Writes a text, quoted and escaped by `serde_json`.
pub(in crate::render) fn string(out: &mut Vec<u8>, text: &str) {
    // A vector takes everything and a text can always be serialised: this cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Writes a word of the vocabulary: letters, digits and underscores.
pub(in crate::render) fn word(out: &mut Vec<u8>, word: &str) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

pub(in crate::render) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

pub(in crate::render) fn number(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => digits::integer(out, number),
        None => null(out),
    }
}

/// Writes what is made of hexadecimal digits, dots, colons, letters and brackets alone.
pub(in crate::render) fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
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
        Datum::Hex(id) => quoted(out, |out| digits::hex(out, id)),
        Datum::Index(index) => quoted(out, |out| digits::integer(out, index.into())),
        Datum::Ip(address) => quoted(out, |out| digits::ip(out, address)),
        Datum::Name(name) => string(out, &text::escape(name)),
        Datum::Path(name) => path(out, scratch, name),
        Datum::Timer(known) => timer(out, known),
        Datum::Processes(list) => processes(out, list),
        Datum::Info(known) => info(out, known),
        Datum::Memory(known) => memory(out, known),
        Datum::End(side) => {
            scratch.clear();
            Style::QUOTED.cell(scratch, side.column(), row);
            match &**scratch {
                b"-" => null(out),
                cell => string(out, &String::from_utf8_lossy(cell)),
            }
        }
    }
}

fn path(out: &mut Vec<u8>, scratch: &mut Vec<u8>, name: &[u8]) {
    let (first, rest) = path_parts(name);
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

fn processes(out: &mut Vec<u8>, list: &[Process]) {
    out.push(b'[');
    for (index, process) in list.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"pid\":");
        digits::integer(out, process.pid.into());
        out.extend_from_slice(b",\"name\":");
        string(out, &text::escape(&process.name));
        out.extend_from_slice(b",\"command\":");
        string(out, &text::escape(&process.command));
        out.extend_from_slice(b",\"user\":");
        match &process.user {
            Some(user) => string(out, &text::escape(user.as_bytes())),
            None => null(out),
        }
        out.extend_from_slice(b",\"fds\":[");
        cell::integers(out, &process.fds, b',');
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
}

fn info(out: &mut Vec<u8>, info: &Info) {
    let fields = info.values().map(|(field, value)| (field.name, value));
    numbers(out, fields);
}

fn memory(out: &mut Vec<u8>, memory: &Memory) {
    let fields = memory.fields().into_iter();
    numbers(
        out,
        fields.map(|(name, value)| (name, value.map(u64::from))),
    );
}

/// Writes an object of numbers.
fn numbers(out: &mut Vec<u8>, fields: impl Iterator<Item = (&'static str, Option<u64>)>) {
    let mut before = b'{';
    for (name, value) in fields {
        out.push(before);
        word(out, name);
        out.push(b':');
        number(out, value);
        before = b',';
    }
    out.push(b'}');
}

pub(in crate::render) fn summary(out: &mut Vec<u8>, summary: &Summary) {
    out.extend_from_slice(b"{\"matched\":");
    digits::integer(out, summary.matched);
    out.extend_from_slice(b",\"complete\":");
    out.extend_from_slice(boolean(summary.diagnostics.is_complete()));
    out.extend_from_slice(b",\"limited\":");
    out.extend_from_slice(boolean(summary.limited));
    out.extend_from_slice(b",\"sources\":[");
    for (index, source) in summary.sources.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        origin(out, source);
    }
    out.extend_from_slice(b"],\"warnings\":");
    strings(out, &summary.diagnostics.warnings);
    out.push(b'}');
}

/// The same at the end of a watch.
pub(in crate::render) fn event_summary(out: &mut Vec<u8>, summary: &EventSummary) {
    out.extend_from_slice(b"{\"matched\":");
    digits::integer(out, summary.matched);
    out.extend_from_slice(b",\"lost\":");
    digits::integer(out, summary.lost);
    out.extend_from_slice(b",\"sampled\":");
    out.extend_from_slice(boolean(summary.sampled));
    out.extend_from_slice(b",\"complete\":");
    out.extend_from_slice(boolean(summary.diagnostics.is_complete()));
    out.extend_from_slice(b",\"warnings\":");
    strings(out, &summary.diagnostics.warnings);
    out.push(b'}');
}

fn strings(out: &mut Vec<u8>, texts: &[Warning]) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, &text.to_string());
    }
    out.push(b']');
}

fn origin(out: &mut Vec<u8>, origin: &Origin) {
    out.extend_from_slice(b"{\"protocol\":");
    word(out, origin.table.protocol.name());
    out.extend_from_slice(b",\"family\":");
    word(out, origin.table.family.name());
    out.extend_from_slice(b",\"source\":");
    match origin.source {
        Some(source) => word(out, source.name()),
        None => null(out),
    }
    out.extend_from_slice(b",\"reason\":");
    match &origin.reason {
        Some(reason) => string(out, &reason.to_string()),
        None => null(out),
    }
    out.push(b'}');
}

pub(in crate::render) const fn boolean(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}
