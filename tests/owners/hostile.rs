//! Owners whose name breaks parsers and terminals.

use std::os::fd::{AsFd, OwnedFd};

use super::listed;
use crate::scene::holder::{HOSTILE_NAME, Holder};
use crate::scene::{V4, tcp};
use crate::support::{fresh, lsock, shown};

/// A child with a name that breaks parsers, holding the only listener here.
fn hostile() -> (OwnedFd, Holder) {
    let listener = tcp::listener(V4, 1).unwrap();
    let child = Holder::named(HOSTILE_NAME, &[listener.as_fd()]).unwrap();
    (listener, child)
}

#[test]
fn hostile_process_name_is_escaped_in_json() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, child) = hostile();
    let rows = listed(&["-tl"]);
    let processes = rows[0]["processes"].as_array().unwrap();
    let named = processes
        .iter()
        .find(|process| process["pid"] == child.pid())
        .unwrap();
    assert_eq!(named["name"], shown(&HOSTILE_NAME[..15]));
}

#[test]
fn hostile_process_name_reaches_no_format_raw() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, child) = hostile();
    for format in ["plain", "table", "csv", "json", "ndjson"] {
        let run = lsock(["-tlpe", "--format", format]).done();
        let text = run.text().replace("\r\n", "\n");
        let raw = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(raw, None, "{format}: {text:?}");
        assert!(text.contains(&child.pid().to_string()), "{format}: {text}");
        let lines = match format {
            "ndjson" => 1,
            "json" => 3,
            _ => 2,
        };
        assert_eq!(text.lines().count(), lines, "{format}: {text}");
    }
}

#[test]
fn hostile_process_name_is_one_word_with_one_pid_in_plain() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, child) = hostile();
    let run = lsock(["-tlpnH"]).done();
    let words: Vec<&str> = run.text().split_whitespace().collect();
    assert_eq!(words.len(), 7, "{words:?}");
    let own = format!("\\x20(b\\x0a\\x1b\\x5b31m\"xy\\xc3[{}]", child.pid());
    assert!(words[6].contains(&own), "{} has no {own}", words[6]);
    assert_eq!(words[6].matches('[').count(), words[6].split(',').count());
}
