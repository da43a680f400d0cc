//! Values as JSON. Keys and words of the vocabulary are written literally; text from outside is written by
//! `serde_json`.

use serde_json::Value;

use crate::fields::{Datum, Field};
use crate::model::{EventSummary, Row, Source, Summary, Warning};
use crate::render::cell;
use crate::render::style::Style;
use crate::render::told::Member;
use crate::render::{Envelope, digits};
use crate::text;

/// Writes a member; unknown is `null`.
pub(in crate::render) fn member(out: &mut Vec<u8>, name: &str, value: impl Into<Value>) {
    key(out, name);
    match value.into() {
        Value::String(text) => string(out, &text),
        // Writing to a vector cannot fail.
        other => drop(serde_json::to_writer(out, &other)),
    }
}

/// Writes a member that is an array of objects, with a line feed or nothing before each and at the end.
pub(in crate::render) fn objects<T>(
    out: &mut Vec<u8>,
    name: &str,
    line_feed: &str,
    of: impl IntoIterator<Item = T>,
    mut members: impl FnMut(&mut Vec<u8>, T),
) {
    key(out, name);
    out.push(b'[');
    for object in of {
        separate(out);
        out.extend_from_slice(line_feed.as_bytes());
        out.push(b'{');
        members(out, object);
        out.push(b'}');
    }
    if out.last() != Some(&b'[') {
        out.extend_from_slice(line_feed.as_bytes());
    }
    out.push(b']');
}

/// Writes the key of a member, after a comma if needed.
pub(in crate::render) fn key(out: &mut Vec<u8>, name: &str) {
    separate(out);
    word(out, name);
    out.push(b':');
}

/// Writes members that are already formatted.
pub(in crate::render) fn members(out: &mut Vec<u8>, written: &[u8]) {
    if !written.is_empty() {
        separate(out);
        out.extend_from_slice(written);
    }
}

/// Writes the comma before a member, unless it is the first.
pub(in crate::render) fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// Writes the start of every document: version, host and time.
pub(in crate::render) fn opening(out: &mut Vec<u8>, envelope: &Envelope) {
    out.push(b'{');
    member(out, "version", 2);
    member(out, "host", text::escape(envelope.host.as_bytes()));
    member(out, "time", text::escape(envelope.time.as_bytes()));
    if let Some(stamp) = &envelope.stamp {
        member(out, "boot_id", stamp.boot_id.clone());
    }
}

/// Writes a text, quoted and escaped by `serde_json`; invisible characters that it leaves become `\uHHHH`.
fn string(out: &mut Vec<u8>, text: &str) {
    let is_shown = |c: char| !c.is_control() && !text::is_hidden(c);
    if text.chars().all(is_shown) {
        return drop(serde_json::to_writer(out, text));
    }
    for c in serde_json::to_string(text).unwrap_or_default().chars() {
        if is_shown(c) {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
}

/// Writes a word of the vocabulary: letters, digits and underscores.
fn word(out: &mut Vec<u8>, word: &str) {
    quoted(out, |out| out.extend_from_slice(word.as_bytes()));
}

/// Writes text that consists of digits, dots, colons, letters and brackets.
#[inline]
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// Writes the value of a member.
#[inline]
pub(super) fn value(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    known: Option<Datum<'_>>,
    member: &Member,
    row: &Row<'_>,
) {
    match &known {
        Some(Datum::Number(number)) => digits::integer(out, *number),
        Some(known) => other_value(out, scratch, known, member, row),
        None => out.extend_from_slice(b"null"),
    }
}

#[inline(never)]
fn other_value(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    known: &Datum<'_>,
    member: &Member,
    row: &Row<'_>,
) {
    match *known {
        Datum::Number(_) | Datum::Flag(_) => cell::literal(out, known),
        Datum::Word(_) | Datum::State(_) | Datum::Id(_) | Datum::Index(_) | Datum::Ip(_) => {
            quoted(out, |out| cell::literal(out, known));
        }
        Datum::Name(name) if text::is_plain(name) => {
            quoted(out, |out| out.extend_from_slice(name));
        }
        Datum::Name(name) => string(out, &text::escape(name)),
        Datum::Path(name) => path(out, scratch, name),
        Datum::List(list) => {
            for (index, word) in list.split(|byte| *byte == b',').enumerate() {
                out.extend_from_slice(if index == 0 { b"[\"" } else { b"\",\"" });
                out.extend_from_slice(word);
            }
            out.extend_from_slice(b"\"]");
        }
        Datum::Numbers(list) => {
            out.push(b'[');
            cell::integers(out, list, b',');
            out.push(b']');
        }
        Datum::End(side) => {
            scratch.clear();
            Style::TEXT.cell(scratch, side.column(), row);
            match &**scratch {
                b"-" => out.extend_from_slice(b"null"),
                cell => string(out, &String::from_utf8_lossy(cell)),
            }
        }
        structure => self::structure(out, scratch, structure, member, row),
    }
}

/// Writes the objects of a structure.
#[inline(never)]
fn structure(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    structure: Datum<'_>,
    member: &Member,
    row: &Row<'_>,
) {
    if let Datum::Processes(list) = structure {
        out.push(b'[');
        for (index, process) in list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            for part in &member.parts {
                part.key.write(out);
                value(out, scratch, part.column.of_process(process), part, row);
            }
            out.push(b'}');
        }
        return out.push(b']');
    }
    for part in &member.parts {
        part.key.write(out);
        match (structure, part.column) {
            // Kept here because there are many.
            (Datum::Info(info), Field::InfoPart(field)) => match info.get(field) {
                Some(number) if field.is_wide => {
                    quoted(out, |out| digits::integer(out, number));
                }
                Some(number) => digits::integer(out, number),
                None => out.extend_from_slice(b"null"),
            },
            (_, column) => value(out, scratch, column.get(row), part, row),
        }
    }
    out.push(b'}');
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

/// The name of a network namespace, as in the field.
pub(in crate::render) fn netns(out: &mut Vec<u8>, name: &[u8]) {
    member(out, "netns", &*text::escape(name));
}

pub(in crate::render) fn summary(out: &mut Vec<u8>, summary: &Summary) {
    out.push(b'{');
    member(out, "matched", summary.matched);
    member(out, "complete", summary.is_complete());
    member(out, "limited", summary.limited);
    objects(out, "sources", "", &summary.sources, |out, origin| {
        member(out, "protocol", origin.table.protocol.name());
        member(out, "family", origin.table.family.name());
        member(out, "source", origin.source.map(Source::name));
        member(
            out,
            "reason",
            origin.reason.as_ref().map(ToString::to_string),
        );
        if let Some(netns) = &origin.netns {
            self::netns(out, &netns.name);
        }
    });
    if let Some(count) = summary.in_no_table {
        member(out, "in_no_table", count);
    }
    if summary.is_unsearched {
        key(out, "not_searched");
        out.extend_from_slice(br#"["descriptor","socket"]"#);
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
