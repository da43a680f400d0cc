//! The same sockets as `ss`, `netstat` and `/proc/net/unix` show, field by field.

mod timers;
mod unix;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde_json::Value;

use crate::support::{list, stage, tool};

/// One internet socket in words that all tools share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    protocol: String,
    state: String,
    recv_queue: u64,
    /// `None` of a listener where the tool has no limit of the queue.
    send_queue: Option<u64>,
    local: SocketAddr,
    peer: SocketAddr,
    /// Inode, cookie, half-close and mark, where the tool shows them.
    extended: Vec<String>,
}

/// What `lsock` says, without the states that `ss` and `netstat` never show.
fn ours(words: &[&str]) -> Vec<Line> {
    let rows = list(words);
    let rows = rows.iter().filter(|row| row["state"] != "BOUND");
    let mut lines: Vec<Line> = rows.map(line_of_row).collect();
    lines.sort();
    lines
}

fn ends_of_row(row: &Value) -> (SocketAddr, SocketAddr) {
    let end = |address: &str, port: &str| {
        let ip: IpAddr = row[address].as_str().unwrap().parse().unwrap();
        let port = row[port].as_u64().unwrap_or_default();
        SocketAddr::new(ip, u16::try_from(port).unwrap())
    };
    (
        end("local_address", "local_port"),
        end("peer_address", "peer_port"),
    )
}

fn line_of_row(row: &Value) -> Line {
    let (local, peer) = ends_of_row(row);
    let shutdown = match row["shutdown"].as_str() {
        None => "",
        Some("none") => "<->",
        Some("receive") => "-->",
        Some("send") => "<--",
        Some(_) => "---",
    };
    let mark = row["mark"].as_u64().filter(|mark| *mark != 0);
    Line {
        protocol: row["protocol"].as_str().unwrap().to_owned(),
        state: row["state"].as_str().unwrap().to_owned(),
        recv_queue: row["recv_queue"].as_u64().unwrap(),
        send_queue: row["send_queue"].as_u64(),
        local,
        peer,
        extended: vec![
            format!("ino:{}", row["inode"].as_u64().unwrap_or_default()),
            format!(
                "sk:{:x}",
                row["cookie"].as_str().unwrap().parse::<u64>().unwrap()
            ),
            mark.map(|mark| format!("fwmark:{mark:#x}"))
                .unwrap_or_default(),
            shutdown.to_owned(),
        ],
    }
}

/// What `ss <words>` says.
fn of_ss(words: &[&str]) -> Option<Vec<Line>> {
    let output = String::from_utf8(tool("ss", words)?).unwrap();
    let mut lines: Vec<Line> = output.lines().map(line_of_ss).collect();
    lines.sort();
    Some(lines)
}

fn line_of_ss(line: &str) -> Line {
    let word: Vec<&str> = line.split_whitespace().collect();
    let with = |beginning: &str| {
        let mut words = word.iter().filter(|word| word.starts_with(beginning));
        words.next().copied().unwrap_or_default().to_owned()
    };
    let arrows = ["<->", "-->", "<--", "---"];
    let arrow = word.iter().find(|word| arrows.contains(word));
    Line {
        protocol: word[0].to_owned(),
        state: state_of_ss(word[1]),
        recv_queue: word[2].parse().unwrap(),
        send_queue: Some(word[3].parse().unwrap()),
        local: end(word[4]),
        peer: end(word[5]),
        extended: vec![
            with("ino:"),
            with("sk:"),
            with("fwmark:"),
            arrow.copied().unwrap_or_default().to_owned(),
        ],
    }
}

pub fn state_of_ss(word: &str) -> String {
    match word {
        "ESTAB" => "ESTABLISHED".to_owned(),
        "SYN-RECV" => "SYN_RCVD".to_owned(),
        other => other.replace('-', "_"),
    }
}

/// `127.0.0.1%lo:80`, `[fe80::1]%veth:22`, `::1:22`, `0.0.0.0:*`; `*:80` is the `[::]` of both versions.
pub fn end(text: &str) -> SocketAddr {
    let (address, port) = text.rsplit_once(':').unwrap();
    let address = address.split('%').next().unwrap();
    let ip = match address.trim_matches(['[', ']']) {
        "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        other => other
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}")),
    };
    SocketAddr::new(ip, port.parse().unwrap_or_default())
}

fn without_extended(mut lines: Vec<Line>) -> Vec<Line> {
    for line in &mut lines {
        line.extended.clear();
    }
    lines.sort();
    lines
}

/// What one has and the other has not.
fn assert_same(ours: &[Line], theirs: &[Line]) {
    let (one, two): (BTreeSet<_>, BTreeSet<_>) = (ours.iter().collect(), theirs.iter().collect());
    assert!(
        ours == theirs,
        "only lsock: {:#?}\nonly the witness: {:#?}",
        one.difference(&two).collect::<Vec<_>>(),
        two.difference(&one).collect::<Vec<_>>()
    );
    assert!(!ours.is_empty());
}

#[test]
fn ss_shows_the_same_tcp_and_udp_sockets() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let Some(theirs) = of_ss(&["-tuanHeO"]) else {
        return;
    };
    assert_same(&ours(&["-A", "tcp,udp", "-a"]), &theirs);
}

#[test]
fn ss_shows_the_same_listeners() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let Some(theirs) = of_ss(&["-tulnH"]) else {
        return;
    };
    let ours = without_extended(ours(&["-A", "tcp,udp", "-l"]));
    assert_same(&ours, &without_extended(theirs));
}

#[test]
fn ss_shows_the_same_connections() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    // By itself it leaves SYN_RCVD and TIME_WAIT out.
    let Some(theirs) = of_ss(&["-tunHeO", "state", "connected"]) else {
        return;
    };
    assert_same(&ours(&["-A", "tcp,udp"]), &theirs);
}

#[test]
fn netstat_shows_the_same_tcp_and_udp_sockets() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let Some(output) = tool("netstat", &["-tuanW"]) else {
        return;
    };
    let output = String::from_utf8(output).unwrap();
    let mut theirs: Vec<Line> = output.lines().skip(2).map(line_of_netstat).collect();
    theirs.sort();
    let mut ours = without_extended(ours(&["-A", "tcp,udp", "-a"]));
    for line in &mut ours {
        // It reads /proc/net/tcp, which has no limit of the queue.
        line.send_queue = line.send_queue.filter(|_| line.state != "LISTEN");
        // It shows a mapped address as the IPv4 one within.
        for end in [&mut line.local, &mut line.peer] {
            end.set_ip(end.ip().to_canonical());
        }
    }
    ours.sort();
    assert_same(&ours, &theirs);
}

fn line_of_netstat(line: &str) -> Line {
    let word: Vec<&str> = line.split_whitespace().collect();
    let state = match word.get(5) {
        None => "UNCONN",
        Some(&"SYN_RECV") => "SYN_RCVD",
        Some(&"FIN_WAIT1") => "FIN_WAIT_1",
        Some(&"FIN_WAIT2") => "FIN_WAIT_2",
        Some(other) => other,
    };
    let send_queue = word[2].parse().unwrap();
    Line {
        protocol: word[0].trim_end_matches('6').to_owned(),
        state: state.to_owned(),
        recv_queue: word[1].parse().unwrap(),
        send_queue: Some(send_queue).filter(|_| state != "LISTEN"),
        local: end(word[3]),
        peer: end(word[4]),
        extended: Vec::new(),
    }
}
