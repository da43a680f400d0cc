//! Every socket of the scene is listed once, as what it is, over netlink and from `/proc/net`.

use std::collections::HashSet;

use serde_json::Value;

use crate::scene::{Expected, unix};
use crate::support::{differences, fresh, is_of, list, lists_bound, lsock, skip, stage};

const EVERYTHING: &[&str] = &["-a", "-A", "all"];

/// What no file of `/proc/net` tells.
const UNKNOWN_TO_PROC: &[&str] = &["cookie", "shutdown", "cgroup", "mark", "peer_inode"];

/// Every one of `expected` has exactly one row, and that agrees.
fn all_are_listed(rows: &[Value], expected: &[&Expected], unknown: fn(&Expected) -> Vec<&str>) {
    for expected in expected {
        let found: Vec<&Value> = rows.iter().filter(|row| is_of(row, expected)).collect();
        let [row] = found[..] else {
            panic!("{expected:#?}\nis listed {} times: {found:#?}", found.len());
        };
        let wrong = differences(row, expected, &unknown(expected));
        assert!(wrong.is_empty(), "{wrong:#?}\nin {row:#}\nof {expected:#?}");
    }
}

/// Rows of sockets that the scene did not open, but for those of the kernel and of `lsock`.
fn strangers<'r>(rows: &'r [Value], expected: &[Expected]) -> Vec<&'r Value> {
    let is_known = |row: &Value| {
        let of_kernel = row["local_port"] == 0;
        let own = row["local_address"] == "sock_diag";
        row["protocol"] == "netlink" && (of_kernel || own)
            || expected
                .iter()
                .any(|expected| is_of(row, expected) || is_of(row, &carrier(expected)))
    };
    rows.iter().filter(|row| !is_known(row)).collect()
}

/// The TCP socket that carries an MPTCP one has its addresses and its inode.
fn carrier(expected: &Expected) -> Expected {
    let protocol = match expected.protocol {
        "mptcp" => "tcp",
        other => other,
    };
    Expected {
        protocol,
        ..expected.clone()
    }
}

#[test]
fn every_socket_is_listed_once_as_it_is() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(EVERYTHING);
    let mut expected: Vec<&Expected> = scene.expected.iter().collect();
    expected.retain(|expected| lists_bound() || expected.state != "BOUND");
    all_are_listed(&rows, &expected, |expected| {
        // These two are read from /proc/net where the kernel has no other way.
        match expected.protocol {
            "raw" | "icmp" => vec!["shutdown"],
            _ => Vec::new(),
        }
    });
}

#[test]
fn nothing_is_listed_that_is_not_there() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(EVERYTHING);
    assert_eq!(strangers(&rows, &scene.expected), Vec::<&Value>::new());
}

#[test]
fn no_cookie_is_listed_twice() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(EVERYTHING);
    let mut seen = HashSet::new();
    for row in rows.iter().filter(|row| row["cookie"].is_string()) {
        // An MPTCP socket and the TCP socket below it have cookies of their own.
        assert!(seen.insert(row["cookie"].clone()), "{row:#}");
    }
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn whole_list_is_complete_and_says_so() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let run = lsock([EVERYTHING, &["--json"]].concat()).clean();
    let document = run.document();
    assert_eq!(document["summary"]["complete"], true);
    assert_eq!(document["summary"]["limited"], false);
    assert_eq!(document["summary"]["warnings"], Value::Array(Vec::new()));
    assert_eq!(document["summary"]["matched"], run.sockets().len());
}

#[test]
fn empty_namespace_gives_an_empty_list_without_complaint() {
    let Some(_namespace) = fresh() else {
        return;
    };
    let run = lsock(["-a", "--json"]).clean();
    assert_eq!(run.sockets(), Vec::<Value>::new());
    assert_eq!(run.document()["summary"]["complete"], true);
}

#[test]
fn socket_with_an_inode_belongs_to_who_made_it() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let uid = nix::unistd::Uid::effective().as_raw();
    for row in list(&["-a", "-A", "inet,inet6,unix"]) {
        let wanted = row["inode"].as_u64().map(|_| uid);
        assert_eq!(row["uid"], Value::from(wanted), "{row:#}");
    }
}

#[test]
fn proc_lists_every_internet_socket_but_bound_ones() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["--source", "procfs", "-a"]);
    let expected: Vec<&Expected> = scene.expected.iter().filter(|e| is_in_proc(e)).collect();
    all_are_listed(&rows, &expected, unknown_to_proc);
    assert_eq!(strangers(&rows, &scene.expected), Vec::<&Value>::new());
}

#[test]
fn proc_lists_packet_and_netlink_sockets() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["--source", "procfs", "-0", "--netlink", "-a"]);
    let others = |expected: &&Expected| matches!(expected.protocol, "packet" | "netlink");
    let expected: Vec<&Expected> = scene.expected.iter().filter(others).collect();
    assert!(!expected.is_empty());
    all_are_listed(&rows, &expected, unknown_to_proc);
    assert_eq!(strangers(&rows, &scene.expected), Vec::<&Value>::new());
}

fn is_in_proc(expected: &Expected) -> bool {
    expected.local.is_some() && expected.state != "BOUND" && expected.protocol != "mptcp"
}

fn unknown_to_proc(expected: &Expected) -> Vec<&str> {
    let mut keys = UNKNOWN_TO_PROC.to_vec();
    if expected.state == "LISTEN" {
        keys.push("send_queue");
    }
    if expected.local.is_some() {
        keys.push("interface");
    }
    keys
}

#[test]
fn what_proc_cannot_know_is_null() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    for row in list(&["--source", "procfs", "-a"]) {
        for key in UNKNOWN_TO_PROC {
            assert!(row[key].is_null(), "{key} of {row:#}");
        }
        let listens = row["state"] == "LISTEN";
        assert_eq!(row["send_queue"].is_null(), listens, "{row:#}");
    }
}

#[test]
fn netlink_and_proc_agree_where_both_know() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let words = &["-a", "-A", "inet,inet6,packet"][..];
    let mut told = list(words);
    // That file has no bound sockets, and nobody tells more of these two.
    told.retain(|row| row["state"] != "BOUND");
    let read = list(&[words, &["--source", "procfs"]].concat());
    assert_eq!(told.len(), read.len());
    for row in &told {
        let of_row = |other: &&Value| {
            let keys = ["protocol", "family", "inode", "local_address", "local_port"];
            let peer = ["peer_address", "peer_port"];
            keys.iter().chain(&peer).all(|key| other[key] == row[key])
        };
        let found: Vec<&Value> = read.iter().filter(of_row).collect();
        let [other] = found[..] else {
            panic!("{row:#}\nstands {} times in /proc/net", found.len());
        };
        for (key, value) in row.as_object().unwrap() {
            let (mut one, mut two) = (value, &other[key]);
            if key == "timer" {
                // The time goes on between the two.
                (one, two) = (&one["kind"], &two["kind"]);
            }
            if key == "recv_queue" && matches!(row["protocol"].as_str(), Some("packet" | "raw")) {
                // What other sockets send arrives here too.
                continue;
            }
            let agree = one.is_null() || two.is_null() || one == two;
            assert!(agree, "{key}: {row:#}\n{other:#}");
        }
        assert_eq!(
            row["timer"].is_null(),
            other["timer"].is_null(),
            "{row:#}\n{other:#}"
        );
    }
}

#[test]
fn source_netlink_lists_raw_sockets_or_says_that_it_cannot() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let run = lsock(["--source", "netlink", "-w", "-a", "--json"]);
    let raw: Vec<&Expected> = scene
        .expected
        .iter()
        .filter(|e| e.protocol == "raw")
        .collect();
    let summary = &run.document()["summary"];
    if run.status == Some(0) {
        all_are_listed(&run.sockets(), &raw, |_| Vec::new());
        assert_eq!(summary["complete"], true);
        return;
    }
    skip("this kernel does not list raw sockets over netlink");
    assert_eq!(run.status, Some(2));
    assert_eq!(run.sockets(), Vec::<Value>::new());
    assert_eq!(summary["complete"], false);
    for (line, family) in run.stderr.lines().zip(["IPv4", "IPv6"]) {
        let beginning = format!("lsock: netlink: cannot list {family} raw sockets: ");
        assert!(line.starts_with(&beginning), "{line}");
    }
    assert_eq!(run.stderr.lines().count(), 2);
}

#[test]
fn summary_names_the_source_of_each_table() {
    let Some(_namespace) = fresh() else {
        return;
    };
    let document = lsock(["-a", "--json"]).clean().document();
    for source in document["summary"]["sources"].as_array().unwrap() {
        let by_netlink = source["source"] == "netlink";
        assert_eq!(source["reason"].is_null(), by_netlink, "{source}");
        if matches!(source["protocol"].as_str(), Some("tcp" | "udp")) {
            assert!(by_netlink, "{source}");
        }
    }
}

#[test]
fn proc_lists_every_unix_socket_without_what_only_netlink_tells() {
    let Some(_namespace) = fresh() else {
        return;
    };
    let held = unix::states::all().unwrap();
    let mut rows = list(&["--source", "procfs", "-xa"]);
    // The ends that wait for `accept` have no inode; netlink does not list them at all.
    rows.retain(|row| !row["inode"].is_null());
    let expected: Vec<&Expected> = held.expected.iter().collect();
    all_are_listed(&rows, &expected, |_| {
        let ends = ["peer_address", "peer_inode"];
        [UNKNOWN_TO_PROC, &["recv_queue", "send_queue"], &ends].concat()
    });
    assert_eq!(rows.len(), expected.len());
}

#[test]
fn newline_in_a_unix_name_makes_no_row_of_the_proc_list() {
    let Some(_namespace) = fresh() else {
        return;
    };
    let held = unix::names::files().unwrap();
    let run = lsock(["--source", "procfs", "-xa", "--json"]);
    assert_eq!(run.status, Some(2));
    let beginning = "lsock: incomplete list: /proc/net/unix:";
    assert!(run.stderr.starts_with(beginning), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
    assert_eq!(run.document()["summary"]["complete"], false);
    let inodes: HashSet<_> = held.expected.iter().map(|e| e.inode).collect();
    let rows = run.sockets();
    let listed: HashSet<_> = rows.iter().map(|row| row["inode"].as_u64()).collect();
    assert_eq!((listed, rows.len()), (inodes, held.expected.len()));
}
