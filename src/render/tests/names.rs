//! Tests of names of any bytes, in every format.

use std::collections::HashMap;

use proptest::prelude::*;

use super::events::{self, End};
use super::{ALL, Page, envelope, layout, render, scene};
use crate::model::State::{Closed, Established, SynSent};
use crate::model::{Fact, OwnedRow, Place, ProcessStatus, Row};
use crate::render::{Extras, Field, Format, Grouping, HeaderLine, event_sink};
use crate::text;

/// Any bytes, with a preference for those that are special in some format.
pub(super) fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b" ,;\"\\\n-*?@[]{}:%\0"[..])
    ];
    proptest::collection::vec(byte, 0..12)
}

pub(super) fn row(name: &[u8], text: &str) -> OwnedRow {
    let mut socket = scene::unix(name, name);
    socket.details_mut().congestion = name.to_vec();
    let mut place = Place::default();
    place.add(Fact::Container, Some(name));
    place.add(Fact::Unit, Some(text));
    let owners = [scene::process(7, name, &[3]), scene::process(8, name, &[])];
    OwnedRow::keep(&Row {
        interface: Some(text),
        user: Some(text),
        cgroup: Some(name),
        netns: Some(name),
        processes: Some(&owners),
        process_status: Some(ProcessStatus::Found),
        place: Some(&place),
        ..Row::bare(&socket)
    })
}

/// The output for two events of a connection of a container with this name, with every extended column.
pub(super) fn written(format: Format, grouping: Grouping, name: &[u8]) -> String {
    let (page, mut place) = (Page::default(), Place::default());
    for fact in [Fact::Container, Fact::Image, Fact::Pod, Fact::Unit] {
        place.add(fact, Some(name));
    }
    let extras = Extras::EXTENDED.with(Extras::PROCESSES);
    let mut layout = events::layout();
    layout.header = HeaderLine::Hidden;
    layout.columns = format.event_columns(extras);
    let out = Box::new(page.clone());
    let mut sink = event_sink(format, grouping, layout, &envelope(), out);
    let end = End::new(1, ("192.0.2.10", 51_234), ("192.0.2.1", Some(8_080))).held_by(name);
    for (at, old, new) in [(0, Closed, SynSent), (9, SynSent, Established)] {
        let told = end.step(at, old, new);
        let row = Row {
            processes: told.processes.as_deref(),
            process_status: Some(ProcessStatus::Found),
            place: Some(&place),
            made_in: Some(name),
            cgroup: Some(name),
            ..Row::bare(&told.event.socket)
        };
        sink.event(&told.event, &row, true).unwrap();
    }
    sink.write_pairs().unwrap();
    sink.finish(&events::summary()).unwrap();
    page.text()
}

/// The bytes of a unix name as the kernel holds it.
fn unix_name(cell: &str) -> Vec<u8> {
    match cell.strip_prefix('@') {
        Some(rest) => [&[0], &*text::unescape(rest)].concat(),
        None => text::unescape(cell),
    }
}

proptest! {
    #[test]
    fn plain_is_one_line_of_as_many_words_and_the_name_comes_back(name in name(), text: String) {
        let mut layout = layout(Format::Plain, &[]);
        layout.header = HeaderLine::Hidden;
        layout.columns = Field::VOCABULARY.into_iter().chain(Field::COMBINED).collect();
        let columns = layout.columns.len();
        let page = render(Format::Plain, layout, &[row(&name, &text)]);
        prop_assert_eq!(page.lines().count(), 1);
        prop_assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
        let words: Vec<_> = page.split_whitespace().collect();
        prop_assert_eq!(words.len(), columns);
        // The local and peer endpoints come last.
        let local = words[columns - Field::COMBINED.len()];
        if name.is_empty() {
            prop_assert_eq!(local, "*");
        } else {
            prop_assert_eq!(unix_name(local), name);
        }
    }

    #[test]
    fn a_table_is_a_line_a_socket(name in name(), text: String) {
        let mut layout = layout(Format::Table, &ALL);
        layout.extras = [].into_iter().collect();
        let rows = [row(&name, &text), row(&name, &text)];
        let page = render(Format::Table, layout, &rows);
        prop_assert_eq!(page.lines().count(), 3);
        prop_assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn a_container_of_any_name_adds_no_line_to_events_and_no_word(name in name()) {
        let lines = |format, grouping, name: &[u8]| {
            let page = written(format, grouping, name);
            assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
            page.lines().map(|line| line.split_whitespace().count()).collect::<Vec<_>>()
        };
        for format in [Format::Table, Format::Plain] {
            prop_assert_eq!(lines(format, Grouping::Connection, &name).len(), 1);
            // Each has its own line there, and long ones leave no room for an address.
            prop_assert!(lines(format, Grouping::Pair, &name).len() >= 10);
        }
        let words = lines(Format::Plain, Grouping::None, b"web");
        prop_assert_eq!(lines(Format::Plain, Grouping::None, &name), words);
    }

    #[test]
    fn json_and_csv_of_events_give_the_bytes_of_a_container_back(name in name()) {
        let mut place = Place::default();
        place.add(Fact::Container, Some(&name));
        // Commas separate several.
        let expected = place.get(Fact::Container).unwrap();
        for (grouping, at) in [
            (Grouping::None, ""),
            (Grouping::Connection, ""),
            (Grouping::Pair, "/client"),
        ] {
            let page = written(Format::Ndjson, grouping, &name);
            let object: serde_json::Value = serde_json::from_str(page.lines().next().unwrap()).unwrap();
            for key in ["container", "image", "unit"] {
                let told = object.pointer(&format!("{at}/{key}")).and_then(|told| told.as_str());
                prop_assert_eq!(text::unescape(told.unwrap()), expected);
            }
        }
        for format in [Format::Csv, Format::CsvSafe] {
            let page = written(format, Grouping::None, &name);
            prop_assert_eq!(page.matches('\n').count(), 2);
            let mut reader = ::csv::ReaderBuilder::new();
            let mut reader = reader.has_headers(false).from_reader(page.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            let told = record[28].strip_prefix('\'').filter(|_| format == Format::CsvSafe);
            let told = text::unescape(told.unwrap_or(&record[28]));
            prop_assert_eq!(&*told, expected);
        }
    }

    #[test]
    fn json_and_csv_give_the_bytes_back(name in name(), text: String) {
        let rows = [row(&name, &text)];
        let page = render(Format::Ndjson, layout(Format::Ndjson, &ALL), &rows);
        let object: serde_json::Value = serde_json::from_str(&page).unwrap();
        let process = object["processes"][1]["name"].as_str().unwrap();
        prop_assert_eq!(text::unescape(process), &*name);
        let local = object["local_address"].as_str().unwrap_or_default();
        prop_assert_eq!(unix_name(local), &*name);
        let page = render(Format::Csv, layout(Format::Csv, &[]), &rows);
        let mut reader = ::csv::Reader::from_reader(page.as_bytes());
        let record: HashMap<String, String> = reader.deserialize().next().unwrap().unwrap();
        prop_assert_eq!(unix_name(&record["local_address"]), &*name);
        let names = record["process_names"].split(';').map(text::unescape);
        prop_assert_eq!(names.collect::<Vec<_>>(), [&*name, &*name]);
        prop_assert_eq!(text::unescape(&record["user"]), text.as_bytes());
    }
}
