//! `--sort` and `--limit`.

use std::net::IpAddr;

use lsock::render::Field;
use serde_json::Value;

use crate::scene::unix;
use crate::support::{bytes_of, fresh, list, lsock, stage};

/// What a row is ordered by; the variants in their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Ip(IpAddr),
    Path(Vec<u8>),
    Text(Vec<u8>),
}

/// `None` = unknown.
fn key_of(column: Field, row: &Value) -> Option<Key> {
    let value = &row[column.own_name()];
    match column {
        Field::Timer => value["expires_ms"].as_u64().map(Key::Number),
        Field::Cookie => {
            let cookie = value.as_str()?;
            Some(Key::Number(cookie.parse().unwrap()))
        }
        Field::Processes => {
            let first = value.as_array()?.first()?;
            Some(Key::Text(bytes_of(first["name"].as_str()?)))
        }
        Field::LocalAddress | Field::PeerAddress => {
            let text = value.as_str()?;
            Some(match text.parse() {
                Ok(ip) => Key::Ip(ip),
                Err(_) if row["family"] == "unix" => Key::Path(bytes_of(text)),
                Err(_) => Key::Text(bytes_of(text)),
            })
        }
        _ if value.is_u64() => value.as_u64().map(Key::Number),
        _ => value.as_str().map(|text| Key::Text(bytes_of(text))),
    }
}

/// Known keys in order, then the unknown.
fn assert_sorted(column: Field, rows: &[Value], descending: bool) {
    let keys: Vec<Option<Key>> = rows.iter().map(|row| key_of(column, row)).collect();
    let known = keys.iter().take_while(|key| key.is_some()).count();
    let unknown_last = keys[known..].iter().all(Option::is_none);
    let in_order = if descending {
        keys[..known].iter().rev().is_sorted()
    } else {
        keys[..known].iter().is_sorted()
    };
    assert!(unknown_last && in_order, "{}: {keys:#?}", column.own_name());
}

/// Everything in this order.
fn sorted_by(key: &str) -> Vec<Value> {
    let run = lsock(["-a", "-A", "all", "--json", "--sort", key]);
    run.done().sockets()
}

#[test]
fn every_sortable_column_sorts() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let fields = Field::VOCABULARY.into_iter();
    for column in fields.filter(|column| column.is_sortable()) {
        let rows = sorted_by(column.own_name());
        assert!(rows.len() > 100);
        assert_sorted(column, &rows, false);
    }
}

#[test]
fn every_sortable_column_sorts_downwards_with_unknown_last() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let fields = Field::VOCABULARY.into_iter();
    for column in fields.filter(|column| column.is_sortable()) {
        let key = format!("-{}", column.own_name());
        let rows = sorted_by(&key);
        assert_sorted(column, &rows, true);
    }
}

#[test]
fn second_key_orders_what_the_first_leaves_equal() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-ta", "--sort", "state,-local_port"]);
    assert_sorted(Field::State, &rows, false);
    for same in rows.chunk_by(|a, b| a["state"] == b["state"]) {
        assert_sorted(Field::LocalPort, same, true);
    }
}

#[test]
fn combined_column_sorts_by_address_then_port() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-ta", "--sort", "local"]);
    assert_sorted(Field::LocalAddress, &rows, false);
    for same in rows.chunk_by(|a, b| a["local_address"] == b["local_address"]) {
        assert_sorted(Field::LocalPort, same, false);
    }
}

#[test]
fn structure_cannot_be_sorted_by() {
    for field in ["tcp_info", "mptcp_info", "memory"] {
        let run = lsock(["--sort", field]);
        assert_eq!((run.status, run.stdout.len()), (Some(2), 0));
        assert!(
            run.stderr.starts_with(&format!("lsock: \"{field}\"")),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn limit_shows_so_many_and_says_that_there_are_more() {
    let Some(_namespace) = fresh() else { return };
    let held = unix::states::all().unwrap();
    let total = held.expected.len();
    for (limit, shown, limited) in [
        (0, 0, true),
        (3, 3, true),
        (total - 1, total - 1, true),
        (total, total, false),
        (total + 1, total, false),
    ] {
        let run = lsock(["-xa", "--json", "--limit", &limit.to_string()]).clean();
        let summary = &run.document()["summary"];
        assert_eq!(run.sockets().len(), shown, "{limit}");
        assert_eq!(summary["limited"], limited, "{limit}");
        assert_eq!(summary["matched"], shown, "{limit}");
    }
}

#[test]
fn limit_takes_the_first_of_the_sorted() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    let all = list(&["-xa", "--sort", "-inode"]);
    let first = list(&["-xa", "--sort", "-inode", "--limit", "5"]);
    assert_eq!(first, all[..5]);
}

#[test]
fn limit_counts_sockets_in_every_format() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    for format in ["plain", "table", "csv", "ndjson"] {
        let run = lsock(["-xaH", "--limit", "4", "--format", format]).clean();
        assert_eq!(run.lines().len(), 4, "{format}");
    }
}
