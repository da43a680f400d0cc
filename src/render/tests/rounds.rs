//! Tests of repeated listings, and changes between them.

use jiff::Timestamp;
use serde_json::Value;

use super::golden::compare_text;
use super::json::validator_of;
use super::{Arrangement, Page, RowBuffer, envelope, feed, layout, scene};
use crate::model::{Change, State};
use crate::render::{
    Changes, Envelope, Field, Format, HeaderLine, Layout, Repetition, Summing, sink,
};

/// Two rounds; the second is a second later and has one row less.
fn rounds(format: Format, layout: &Layout) -> String {
    let page = Page::default();
    let rows = scene::rows();
    for (repetition, time, count) in [
        (Repetition::First, "2026-01-02T03:04:05.000001Z", 2),
        (Repetition::Later, "2026-01-02T03:04:06.000002Z", 1),
    ] {
        let envelope = Envelope {
            time: time.to_owned(),
            repetition,
            ..envelope()
        };
        let out = Box::new(page.clone());
        let writer = sink(format, layout.clone(), &envelope, out);
        let mut buffer = RowBuffer::new(writer, Arrangement::default());
        feed(&mut buffer, &rows[..count], &scene::summary()).unwrap();
    }
    page.text()
}

fn chosen(format: Format) -> Layout {
    let mut layout = layout(format, &[]);
    layout.columns = vec![Field::Protocol, Field::State, Field::Local];
    layout
}

#[test]
fn rounds_of_text_begin_with_their_time() {
    for (format, file) in [
        (Format::Plain, "rounds-plain.txt"),
        (Format::Table, "rounds-table.txt"),
    ] {
        compare_text(file, &rounds(format, &chosen(format)));
    }
}

#[test]
fn without_titles_the_time_is_told_all_the_same() {
    let mut layout = chosen(Format::Plain);
    layout.header = HeaderLine::Hidden;
    let text = rounds(Format::Plain, &layout);
    let words = text.lines().map(|line| line.split_whitespace().count());
    assert_eq!(words.collect::<Vec<_>>(), [1, 3, 3, 1, 3], "{text}");
}

#[test]
fn rounds_of_csv_are_one_table_with_the_time_first() {
    let text = rounds(Format::Csv, &chosen(Format::Csv));
    compare_text("rounds.csv", &text);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(&reader.headers().unwrap()[0], "time");
    let times = reader.records().map(|record| record.unwrap()[0].to_owned());
    let times: Vec<_> = times.collect();
    assert_eq!(
        (times.len(), times[0] == times[1], times[1] == times[2]),
        (3, true, false)
    );
}

#[test]
fn a_round_of_json_is_a_document_on_one_line() {
    let layout = layout(Format::Json, &super::ALL);
    let text = rounds(Format::Json, &layout);
    assert_eq!(text.lines().count(), 2, "{text}");
    for (line, count) in text.lines().zip([2, 1]) {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(validator_of("").is_valid(&document), "{line}");
        assert_eq!(document["sockets"].as_array().unwrap().len(), count);
    }
    // Only line feeds between values were omitted.
    let whole = super::render(Format::Json, layout, &scene::rows()[..1]);
    let whole = whole
        .replace('\n', "")
        .replace("03:04:05Z", "03:04:06.000002Z");
    assert_eq!(text.lines().nth(1), Some(&*whole));
}

#[test]
fn counts_of_json_are_one_line_too() {
    let page = Page::default();
    let envelope = Envelope {
        repetition: Repetition::First,
        ..envelope()
    };
    let (layout, out) = (layout(Format::Json, &[]), Box::new(page.clone()));
    let mut summing = Summing::new(Format::Json, layout, None, envelope, out);
    feed(&mut summing, &scene::rows()[..1], &scene::summary()).unwrap();
    let text = page.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(validator_of("").is_valid(&serde_json::from_str(&text).unwrap()));
}

#[test]
fn counts_of_csv_and_ndjson_begin_with_time_and_host() {
    for (format, expected) in [
        (
            Format::Csv,
            "time,host,protocol,family,state,count\r\n2,H,tcp,inet,LISTEN,1\r\n",
        ),
        (
            Format::Ndjson,
            "{\"time\":\"2\",\"host\":\"H\",\"protocol\":\"tcp\",\"family\":\"inet\",\"state\":\"LISTEN\",\"count\":1}\n",
        ),
    ] {
        let mut told = String::new();
        for repetition in [Repetition::First, Repetition::Later] {
            let page = Page::default();
            let (time, host) = ("2".to_owned(), "H".to_owned());
            let envelope = Envelope {
                host,
                time,
                repetition,
                ..envelope()
            };
            let (layout, out) = (layout(format, &[]), Box::new(page.clone()));
            let mut summing = Summing::new(format, layout, None, envelope, out);
            feed(&mut summing, &scene::rows()[..1], &scene::summary()).unwrap();
            told.push_str(&page.text());
        }
        let (_, row) = expected
            .trim_end()
            .rsplit_once('\n')
            .unwrap_or(("", expected.trim_end()));
        assert_eq!(
            told,
            format!("{expected}{row}{}", &expected[expected.trim_end().len()..])
        );
    }
}

fn changes(layout: &Layout) -> String {
    let page = Page::default();
    let mut changes = Changes::new(layout, &envelope(), Box::new(page.clone()));
    let told = [
        Change::Found,
        Change::New,
        Change::Changed(State::SynRcvd),
        Change::Changed(State::Unknown(14)),
        Change::Gone,
    ];
    let time = Timestamp::from_microsecond(1_767_323_045_000_001).unwrap();
    for (row, change) in scene::rows().iter().zip(told.into_iter().cycle()) {
        changes.change(time, change, &row.row()).unwrap();
    }
    changes.flush().unwrap();
    page.text()
}

#[test]
fn changes_are_what_the_schema_says() {
    let text = changes(&layout(Format::Ndjson, &super::ALL));
    assert_eq!(text.lines().count(), scene::rows().len());
    let validator = validator_of("change");
    for line in text.lines() {
        let change: Value = serde_json::from_str(line).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&change)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{line}");
    }
}

#[test]
fn changes_in_chosen_columns() {
    compare_text("changes.ndjson", &changes(&chosen(Format::Ndjson)));
}

#[test]
fn what_a_change_tells_of_a_socket_is_what_a_listing_tells() {
    let schema: Value = serde_json::from_str(crate::render::SCHEMA).unwrap();
    let required = |name: &str| {
        schema["$defs"][name]["required"]
            .as_array()
            .unwrap()
            .clone()
    };
    let own = ["time", "host", "change", "old_state"].map(Value::from);
    assert_eq!(required("change"), [&own[..], &required("socket")].concat());
}
