//! Values of grouping fields, in each format.

use std::net::IpAddr;

use crate::fields::{Datum, Shape, Value};
use crate::model::{Process, Row};
use crate::render::style::Style;
use crate::render::{Field, cell, digits};
use crate::text::{self, escape};

/// A value that a group has in common.
#[derive(Debug, Clone)]
pub(super) struct Common {
    /// In text formats.
    pub(super) shown: String,
    /// In CSV.
    pub(super) plain: String,
    /// False if absent or unknown.
    pub(super) is_known: bool,
    /// The value for sorting, if numeric.
    pub(super) number: Option<u128>,
}

/// The title of a sum, which no other column has.
pub(super) fn title(field: Field) -> String {
    let short = matches!(field, Field::RecvQueue | Field::SendQueue).then(|| field.title());
    short.unwrap_or_else(|| field.own_name().to_ascii_uppercase())
}

/// The name of a column in JSON and CSV.
pub(super) fn name(field: Field) -> String {
    field.label().replace('.', "_")
}

/// The value of a row, or of one of its processes.
pub(super) fn datum<'a>(
    field: Field,
    row: &Row<'a>,
    process: Option<&'a Process>,
) -> Option<Datum<'a>> {
    match process {
        Some(process) if field.structure() == Some(Field::Processes) => field.of_process(process),
        _ => field.get(row),
    }
}

/// A value as text in CSV.
fn plain(datum: Option<Datum<'_>>, row: &Row<'_>, field: Field) -> String {
    let mut out = Vec::new();
    match datum {
        // Without a name.
        None if field == Field::User => {
            if let Some(uid) = row.socket.uid {
                digits::integer(&mut out, uid.into());
            }
        }
        None | Some(Datum::Processes([])) => {}
        Some(Datum::Name(name)) => out.extend_from_slice(escape(name).as_bytes()),
        Some(Datum::Path(name)) => {
            let (first, rest) = text::unix_name_parts(name);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(escape(rest).as_bytes());
        }
        Some(Datum::Numbers(list)) => cell::integers(&mut out, list, b','),
        Some(
            Datum::Processes(_)
            | Datum::End(_)
            | Datum::Timer(_)
            | Datum::Info(_)
            | Datum::Memory(_),
        ) => {
            Style::TEXT.cell(&mut out, field, row);
        }
        Some(value) => cell::literal(&mut out, &value),
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `[]` = known to have no processes, as in rows.
const NONE: &str = "[]";

/// True if the text is `-` rather than `?`.
fn is_none(field: Field, datum: Option<Datum<'_>>, row: &Row<'_>) -> bool {
    match datum {
        Some(Datum::Processes([])) => true,
        None => field.is_of_owners() && matches!(field.value(row), Value::Absent),
        _ => false,
    }
}

pub(super) fn value(field: Field, datum: Option<Datum<'_>>, row: &Row<'_>) -> serde_json::Value {
    match datum {
        _ if is_none(field, datum, row) => Vec::<u8>::new().into(),
        None if field == Field::User && row.socket.uid.is_some() => plain(None, row, field).into(),
        None => serde_json::Value::Null,
        Some(Datum::Number(number)) if field.shape() != Shape::Wide => number.into(),
        Some(Datum::Flag(is_set)) => is_set.into(),
        other => plain(other, row, field).into(),
    }
}

pub(super) fn common(field: Field, row: &Row<'_>, process: Option<&Process>) -> Common {
    let datum = datum(field, row, process);
    let is_none = is_none(field, datum, row);
    let plain = match plain(datum, row, field) {
        _ if is_none => NONE.to_owned(),
        // A program may have this name.
        text if text == NONE => r"\x5b]".to_owned(),
        text => text,
    };
    let number = match datum {
        Some(Datum::Number(number) | Datum::Id(number)) => Some(number.into()),
        Some(Datum::Ip(IpAddr::V4(ip))) => Some(u32::from(ip).into()),
        Some(Datum::Ip(IpAddr::V6(ip))) => Some(ip.into()),
        _ => None,
    };
    Common {
        shown: shown(field, row, process),
        is_known: (datum.is_some() || !plain.is_empty()) && !is_none,
        plain,
        number,
    }
}

/// A value as text in text formats.
pub(super) fn shown(field: Field, row: &Row<'_>, process: Option<&Process>) -> String {
    let Some(process) = process.filter(|_| field.structure() == Some(Field::Processes)) else {
        return Style::WORD.text(field, row);
    };
    let mut out = Vec::new();
    match field.of_process(process) {
        Some(Datum::Name(name)) => Style::WORD.lone_name(&mut out, name),
        Some(other) => out.extend_from_slice(plain(Some(other), row, field).as_bytes()),
        None => out.push(b'?'),
    }
    String::from_utf8_lossy(&out).into_owned()
}
