//! Tests with golden files; `LSOCK_BLESS=1` rewrites them.

use std::fs;
use std::path::Path;

use super::{ALL, layout, render, scene};
use crate::render::{Color, Extras, Field, Format, HeaderLine, Layout};

fn compare(file: &str, format: Format, layout: Layout) {
    compare_text(file, &render(format, layout, &scene::rows()));
}

/// Compares a text with a file.
pub(super) fn compare_text(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/render")
        .join(file);
    if std::env::var_os("LSOCK_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{file} differs; LSOCK_BLESS=1 rewrites it");
}

#[test]
fn plain() {
    compare("plain.txt", Format::Plain, layout(Format::Plain, &[]));
}

#[test]
fn plain_with_everything() {
    compare("plain-all.txt", Format::Plain, layout(Format::Plain, &ALL));
}

#[test]
fn plain_with_details_on_the_same_line() {
    let mut layout = layout(Format::Plain, &[Extras::INFO, Extras::MEMORY]);
    layout.one_line = true;
    layout.header = HeaderLine::Hidden;
    compare("plain-oneline.txt", Format::Plain, layout);
}

#[test]
fn plain_with_every_column() {
    let mut layout = layout(Format::Plain, &[]);
    layout.columns = Field::VOCABULARY
        .into_iter()
        .chain(Field::COMBINED)
        .collect();
    compare("plain-columns.txt", Format::Plain, layout);
}

#[test]
fn table() {
    compare("table.txt", Format::Table, layout(Format::Table, &[]));
}

#[test]
fn table_with_everything_at_200_columns() {
    let mut layout = layout(Format::Table, &ALL);
    layout.width = Some(200);
    compare("table-all-200.txt", Format::Table, layout);
}

#[test]
fn processes_wrap_at_50_columns() {
    let mut layout = layout(Format::Table, &[Extras::PROCESSES, Extras::EXTENDED]);
    layout.columns = vec![
        Field::Protocol,
        Field::State,
        Field::LocalPort,
        Field::Processes,
    ];
    layout.width = Some(50);
    compare("table-wrapped-50.txt", Format::Table, layout);
}

#[test]
fn table_in_colour() {
    let mut layout = layout(Format::Table, &[]);
    layout.color = Color::Always;
    compare("table-colour.txt", Format::Table, layout);
}

#[test]
fn json() {
    compare("listing.json", Format::Json, layout(Format::Json, &ALL));
}

#[test]
fn ndjson_with_chosen_columns() {
    let mut layout = layout(Format::Ndjson, &[]);
    layout.columns = vec![Field::Local, Field::Peer, Field::State, Field::Cookie];
    compare("chosen.ndjson", Format::Ndjson, layout);
}

#[test]
fn csv() {
    compare("listing.csv", Format::Csv, layout(Format::Csv, &[]));
}

#[test]
fn csv_with_everything() {
    compare("listing-all.csv", Format::Csv, layout(Format::Csv, &ALL));
}
