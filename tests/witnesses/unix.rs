//! Unix sockets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::state_of_ss;
use crate::scene::unix;
use crate::support::{fresh, list, tool};

#[test]
fn ss_shows_the_same_unix_sockets() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    let Some(output) = tool("ss", &["-xanHe"]) else {
        return;
    };
    let output = String::from_utf8(output).unwrap();
    let theirs: BTreeSet<Vec<String>> = output.lines().map(unix_line_of_ss).collect();
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let keys = [
        "type",
        "state",
        "recv_queue",
        "send_queue",
        "local_address",
        "inode",
        "peer_inode",
        "shutdown",
    ];
    let rows = list(&["-xa"]);
    let ours: BTreeSet<Vec<String>> = rows
        .iter()
        .map(|row| keys.iter().map(|key| text(&row[*key])).collect())
        .collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), rows.len());
}

fn unix_line_of_ss(line: &str) -> Vec<String> {
    let word: Vec<&str> = line.split_whitespace().collect();
    let kind = match word[0] {
        "u_str" => "stream",
        "u_dgr" => "dgram",
        "u_seq" => "seqpacket",
        other => other,
    };
    let shutdown = match word[8] {
        "<->" => "none",
        "-->" => "receive",
        "<--" => "send",
        _ => "both",
    };
    let named = |word: &str| if word == "*" { "-" } else { word }.to_owned();
    let inode = |word: &str| if word == "0" { "-" } else { word }.to_owned();
    // The seventh word is `*`: it never names the peer here.
    vec![
        kind.to_owned(),
        state_of_ss(word[1]),
        word[2].to_owned(),
        word[3].to_owned(),
        named(word[4]),
        inode(word[5]),
        inode(word[7]),
        shutdown.to_owned(),
    ]
}

#[test]
fn proc_net_unix_has_the_same_sockets() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    let text = std::fs::read_to_string("/proc/thread-self/net/unix").unwrap();
    // Type, is a listener, inode and name; the ends that wait for `accept` have no inode.
    let theirs: BTreeSet<(u16, bool, u64, String)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let word: Vec<&str> = line.split_whitespace().collect();
            let kind = u16::from_str_radix(word[4], 16).unwrap();
            let name = word.get(7).copied().unwrap_or_default().to_owned();
            (kind, word[3] == "00010000", word[6].parse().unwrap(), name)
        })
        .filter(|(_, _, inode, _)| *inode != 0)
        .collect();
    let ours: BTreeSet<(u16, bool, u64, String)> = list(&["-xa"])
        .iter()
        .map(|row| {
            let kind = match row["type"].as_str() {
                Some("stream") => 1,
                Some("dgram") => 2,
                _ => 5,
            };
            let name = row["local_address"].as_str().unwrap_or_default().to_owned();
            let listens = row["state"] == "LISTEN";
            (kind, listens, row["inode"].as_u64().unwrap(), name)
        })
        .collect();
    assert_eq!(ours, theirs);
}
