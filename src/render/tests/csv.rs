//! Tests that read CSV back field by field.

use std::collections::HashMap;

use csv::ReaderBuilder;

use super::{ALL, layout, render, scene};
use crate::model::Structure;
use crate::render::{Extras, Field, Format, HeaderLine};
use crate::text;

fn records(extras: &[Extras]) -> Vec<HashMap<String, String>> {
    let text = render(Format::Csv, layout(Format::Csv, extras), &scene::rows());
    let mut reader = ReaderBuilder::new()
        .flexible(false)
        .from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_record_has_every_field() {
    assert_eq!(records(&[]).len(), scene::rows().len());
    assert_eq!(records(&[])[0].len(), 54 - 7 + 3 + 8 + 3);
    let infos = Structure::ALL.map(|structure| structure.fields().len());
    let infos: usize = infos.into_iter().sum();
    assert_eq!(records(&ALL)[0].len(), 54 - 7 + 3 + 8 + 3 + 9 + infos);
}

#[test]
fn fields_are_read_back() {
    let records = records(&ALL);
    let is = |row: usize, field: &str, value: &str| assert_eq!(records[row][field], value);
    is(0, "state", "LISTEN");
    is(0, "pids", "[812,813,814]");
    is(0, "fds", "[[6,7],[6],[]]");
    is(0, "cgroup", "/system.slice/nginx web.service");
    is(0, "timer_kind", "");
    is(1, "timer_expires_ms", "7140000");
    is(1, "memory_rmem_alloc", "0");
    is(1, "memory_sndbuf", "");
    is(1, "tcp_info_ato", "0");
    is(1, "tcp_info_rto", "5");
    is(1, "process_status", "none");
    is(2, "tcp_info_bytes_acked", "");
    is(2, "process_status", "unreadable");
    is(12, "local_address", "");
}

#[test]
fn hostile_names_come_back_byte_for_byte() {
    let records = records(&[]);
    assert_eq!(
        text::unescape(&records[15]["local_address"]),
        scene::HOSTILE
    );
    let names: Vec<_> = records[0]["process_names"].split(';').collect();
    assert_eq!(names.len(), 3);
    assert_eq!(text::unescape(names[2]), scene::HOSTILE);
}

#[test]
fn lines_end_in_cr_lf_and_the_header_can_be_left_out() {
    let mut layout = layout(Format::Csv, &[]);
    layout.columns = vec![Field::Local, Field::Peer];
    layout.header = HeaderLine::Hidden;
    let text = render(Format::Csv, layout, &scene::rows());
    assert!(text.starts_with("0.0.0.0:http,0.0.0.0:*\r\n"), "{text}");
    assert_eq!(text.matches("\r\n").count(), scene::rows().len());
    assert_eq!(text.matches('\n').count(), scene::rows().len());
}

#[test]
fn only_fields_that_need_quotes_have_them() {
    let chosen = |columns: &[Field]| crate::render::Layout {
        columns: columns.to_vec(),
        header: HeaderLine::Hidden,
        ..layout(Format::Csv, &[])
    };
    let mut socket =
        crate::model::Socket::new(crate::model::Protocol::Unix, crate::model::Family::Unix);
    for (name, written) in [
        ("", "\"\""),
        ("/a b;c", "/a b;c"),
        ("/a,b", "\"/a,b\""),
        ("/\"a\"", "\"/\"\"a\"\"\""),
        ("/a\nb", "/a\\x0ab"),
    ] {
        socket.local.set_name(name.as_bytes());
        let row = crate::model::OwnedRow::keep(&crate::model::Row::bare(&socket));
        let text = render(Format::Csv, chosen(&[Field::LocalAddress]), &[row]);
        assert_eq!(text, format!("{written}\r\n"));
    }
}
