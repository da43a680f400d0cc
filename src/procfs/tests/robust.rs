//! Malformed lines.

use proptest::prelude::*;

use super::super::{bucket_of, is_header};
use super::samples::*;
use super::{decoded, row};
use crate::model::{Protocol, Socket, Table};

/// The index of the column that holds a byte; `None` between columns. A path and everything after it is
/// column 7.
fn column_of(line: &[u8], at: usize, table: Table) -> Option<usize> {
    let before = &line[..at];
    let begins = |i: &usize| before[*i] != b' ' && (*i == 0 || before[*i - 1] == b' ');
    let begun = (0..at).filter(begins).count();
    let inside = before.last().is_some_and(|byte| *byte != b' ');
    let column = if inside { begun - 1 } else { begun };
    if table.protocol == Protocol::Unix && column >= 7 {
        return Some(7);
    }
    (line[at] != b' ').then_some(column)
}

/// Columns of the local end, the peer, and the rest.
fn columns(table: Table) -> [&'static [usize]; 3] {
    match table.protocol {
        Protocol::Unix => [&[7], &[], &[3, 4, 5]],
        Protocol::Packet => [&[3], &[], &[2, 4]],
        Protocol::Netlink => [&[1, 2], &[], &[]],
        _ => [&[1], &[2], &[3]],
    }
}

fn assert_alike(was: &Socket, is: &Socket, changed: Option<usize>, what: &str) {
    let [local, peer, rest] = columns(Table {
        protocol: was.protocol,
        family: was.family,
    });
    let kept = |columns: &[usize]| changed.is_none_or(|column| !columns.contains(&column));
    if kept(local) {
        assert_eq!(was.local, is.local, "{what}");
    }
    if kept(peer) {
        assert_eq!(was.peer, is.peer, "{what}");
    }
    if kept(rest) {
        assert_eq!(was.state, is.state, "{what}");
        assert_eq!(was.kind, is.kind, "{what}");
        assert_eq!(was.interface, is.interface, "{what}");
    }
}

#[test]
fn changed_byte_changes_its_own_column_or_ends_the_row() {
    for sample in SAMPLES {
        let (table, line) = *sample;
        let was = row(*sample);
        for at in 0..line.len() {
            for byte in [0, 0xff, b' ', b'\n', b':', b'-'] {
                let mut bad = line.to_vec();
                bad[at] = byte;
                let what = format!("byte {at} of {:?}", line.escape_ascii().to_string());
                if let Ok(is) = decoded(table, &bad) {
                    // A minus belongs to the number after it.
                    let is_sign = byte == b'-' && line[at] == b' ' && at + 1 < line.len();
                    let at = if is_sign { at + 1 } else { at };
                    assert_alike(&was, &is, column_of(line, at, table), &what);
                }
            }
        }
    }
}

#[test]
fn nul_and_invalid_bytes_make_no_row_of_a_line_of_numbers() {
    let is_clean = |(table, _): &&Sample| table.protocol != Protocol::Unix;
    for (table, line) in SAMPLES.iter().filter(is_clean) {
        for at in 0..line.len() {
            for byte in [0, 0xff] {
                let mut bad = line.to_vec();
                bad[at] = byte;
                decoded(*table, &bad).unwrap_err();
            }
        }
    }
}

#[test]
fn prefix_is_refused_or_tells_the_truth() {
    for sample in SAMPLES {
        let (table, line) = *sample;
        let was = row(*sample);
        for end in 0..line.len() {
            let what = format!("{end} bytes of {:?}", line.escape_ascii().to_string());
            if let Ok(mut is) = decoded(table, &line[..end]) {
                if table.protocol == Protocol::Unix {
                    assert!(was.local.name.starts_with(&is.local.name), "{what}");
                    is.local.name.clone_from(&was.local.name);
                }
                assert_alike(&was, &is, None, &what);
            }
        }
    }
}

#[test]
fn one_socket_for_all_tables_keeps_nothing_of_the_last_line() {
    let mut socket = row(UNIX);
    for sample in SAMPLES.iter().chain(SAMPLES.iter().rev()) {
        super::decode_line(sample.0, sample.1, &mut socket).unwrap();
        let mut fresh = row(*sample);
        fresh.details.get_or_insert_default();
        let mut reused = socket.clone();
        reused.details.get_or_insert_default();
        assert_eq!(reused, fresh);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (table, _) in SAMPLES {
            prop_assert!(decoded(*table, &line).is_err());
            is_header(*table, &line);
        }
        bucket_of(&line);
    }

    #[test]
    fn random_columns_never_panic(line in "[0-9A-F:@ -]{0,20}( [0-9A-F:]{1,9}){0,20}") {
        for (table, _) in SAMPLES {
            let _ = decoded(*table, line.as_bytes());
        }
    }

    #[test]
    fn samples_cut_and_joined_never_panic(
        first in 0..SAMPLES.len(), second in 0..SAMPLES.len(), at in 0..200_usize, from in 0..200_usize,
    ) {
        let (table, line) = SAMPLES[first];
        let (_, other) = SAMPLES[second];
        let joined = [&line[..at.min(line.len())], &other[from.min(other.len())..]].concat();
        let _ = decoded(table, &joined);
    }
}
