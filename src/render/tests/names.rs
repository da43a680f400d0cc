//! Names of any bytes, in every format.

use proptest::prelude::*;

use super::{ALL, layout, render, scene};
use crate::model::{Fact, OwnedRow, Place, ProcessStatus, Row};
use crate::render::{Field, Format, HeaderLine};
use crate::text;

/// Bytes that matter to some format, more often than others.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b" ,;\"\\\n-*?@[]{}:%\0"[..])
    ];
    proptest::collection::vec(byte, 0..12)
}

fn row(name: &[u8], text: &str) -> OwnedRow {
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
        let page = render(Format::Plain, layout, &[row(&name, &text)]);
        prop_assert_eq!(page.lines().count(), 1);
        prop_assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
        let words: Vec<_> = page.split_whitespace().collect();
        prop_assert_eq!(words.len(), 51);
        if name.is_empty() {
            prop_assert_eq!(words[49], "*");
        } else {
            prop_assert_eq!(unix_name(words[49]), name);
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
        let record = reader.records().next().unwrap().unwrap();
        prop_assert_eq!(unix_name(&record[6]), &*name);
        let names: Vec<_> = record[32].split(';').map(text::unescape).collect();
        prop_assert_eq!(names, [&*name, &*name]);
        prop_assert_eq!(text::unescape(&record[12]), text.as_bytes());
    }
}
