//! Timers of TCP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::{end, ends_of_row};
use crate::support::{list, stage, tool};

/// Both ends, and the timer of a line of `ss -o`: its kind and its milliseconds.
fn timers_of_ss() -> Option<BTreeMap<(SocketAddr, SocketAddr), (String, u64)>> {
    let output = String::from_utf8(tool("ss", &["-tanHoO"])?).unwrap();
    let timers = output.lines().filter_map(|line| {
        let word: Vec<&str> = line.split_whitespace().collect();
        let timer = word.iter().find_map(|word| word.strip_prefix("timer:("))?;
        let mut parts = timer.split(',');
        let kind = match parts.next()? {
            "on" => "retransmit",
            "timewait" => "time_wait",
            "persist" => "probe",
            other => other,
        };
        let ends = (end(word[3]), end(word[4]));
        Some((ends, (kind.to_owned(), milliseconds(parts.next()?))))
    });
    Some(timers.collect())
}

/// `9min58sec`, `59sec`, `040ms`, and `5.040ms` for what is above five seconds.
fn milliseconds(text: &str) -> u64 {
    let (minutes, rest) = text.split_once("min").unwrap_or(("0", text));
    let (seconds, rest) = match (rest.split_once("sec"), rest.split_once('.')) {
        (Some(parts), _) | (None, Some(parts)) => parts,
        (None, None) => ("0", rest),
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    (number(minutes) * 60 + number(seconds)) * 1_000 + number(rest.trim_end_matches("ms"))
}

#[test]
fn ss_shows_the_same_timers() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-ta"]);
    let Some(theirs) = timers_of_ss() else { return };
    let mut found = 0;
    for row in rows.iter().filter(|row| row["state"] != "BOUND") {
        let kind = theirs.get(&ends_of_row(row)).map(|(kind, _)| kind);
        assert_eq!(
            row["timer"]["kind"].as_str(),
            kind.map(String::as_str),
            "{row:#}"
        );
        found += usize::from(kind.is_some());
    }
    assert_eq!(found, theirs.len());
}

/// The rest of each `TIME_WAIT` is between what `ss` says before and what it says after.
fn time_wait_agrees(source: &str) {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let Some(before) = timers_of_ss() else { return };
    let rows = list(&["-ta", "--source", source]);
    let after = timers_of_ss().unwrap();
    let is_waiting = |row: &&Value| row["state"] == "TIME_WAIT";
    let waiting: Vec<&Value> = rows.iter().filter(is_waiting).collect();
    assert_eq!(waiting.len(), 2);
    for row in waiting {
        let left = row["timer"]["expires_ms"].as_u64().unwrap();
        let ends = ends_of_row(row);
        let ((_, most), (_, least)) = (&before[&ends], &after[&ends]);
        // It shows whole seconds, cut.
        let fits = (least.saturating_sub(1_000)..=most + 1_000).contains(&left);
        assert!(fits && left <= 60_000, "{left} is not in {least}..={most}");
    }
}

#[test]
fn time_wait_has_as_much_left_as_ss_says() {
    time_wait_agrees("netlink");
}

#[test]
fn time_wait_has_as_much_left_in_proc_as_ss_says() {
    time_wait_agrees("procfs");
}
