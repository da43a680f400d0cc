//! Sockets that are easily shown wrong.

use std::collections::{BTreeSet, HashSet};
use std::io;

use serde_json::Value;

use crate::scene::tcp::{listeners, options, states};
use crate::scene::{Expected, Held, V4, V6, datagram, link, mptcp, or_skip, tcp, unix};
use crate::support::{
    bytes_of, command, fields, fresh, is_of, list, lsock, run, shown, skip, stage,
};

/// The row of that socket of the scene, among those that `lsock <words>` lists.
fn row_of(held: &Held, what: &str, words: &[&str]) -> Value {
    let expected = held.the(what);
    let rows = list(words);
    let mut found = rows.iter().filter(|row| is_of(row, expected));
    let row = found.next().unwrap_or_else(|| panic!("{what}: {rows:#?}"));
    assert_eq!(found.next(), None);
    row.clone()
}

/// The only line of `lsock -n <words>` that ends a word with this port, in words.
fn line_of(held: &Held, what: &str, words: &[&str]) -> Vec<String> {
    let port = held.the(what).local().port();
    let run = lsock([&["-n"], words].concat()).clean();
    let own = |line: &&str| {
        let local = line.split_whitespace().nth(4);
        local.is_some_and(|word| word.ends_with(&format!(":{port}")))
    };
    let lines: Vec<&str> = run.lines().into_iter().filter(own).collect();
    let [line] = lines[..] else {
        panic!("{what}: {lines:#?}");
    };
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn ipv4_mapped_connection_stays_ipv6() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::mapped().unwrap();
    let row = row_of(&held, "mapped server", &["-t"]);
    assert_eq!(row["family"], "inet6");
    assert_eq!(row["local_address"], "::ffff:127.0.0.1");
    assert_eq!(row["peer_address"], "::ffff:127.0.0.1");
}

#[test]
fn ipv4_mapped_address_stands_in_brackets_in_text() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::mapped().unwrap();
    let expected = held.the("mapped server");
    let line = line_of(&held, "mapped server", &["-t6"]);
    let ends = [expected.local(), expected.peer()].map(|end| end.port());
    assert_eq!(
        line[4..],
        ends.map(|port| format!("[::ffff:127.0.0.1]:{port}"))
    );
}

#[test]
fn listeners_on_any_ipv6_address_are_told_apart_by_whether_they_take_ipv4() {
    let Some(_namespace) = fresh() else { return };
    let mut held = listeners::mapped().unwrap();
    held.absorb(listeners::v6only().unwrap());
    for (what, host) in [("dual-stack listener", "*"), ("IPv6-only listener", "[::]")] {
        let port = held.the(what).local().port();
        let line = line_of(&held, what, &["-tl"]);
        assert_eq!(line[4..], [format!("{host}:{port}"), "[::]:*".to_owned()]);
        assert_eq!(row_of(&held, what, &["-tl"])["local_address"], "::");
    }
}

#[test]
fn full_accept_queue_is_one_more_than_its_limit() {
    let Some(_namespace) = fresh() else { return };
    for ip in [V4, V6] {
        let held = listeners::full_queue(ip, 3).unwrap();
        let row = row_of(&held, "full accept queue", &["-tl"]);
        assert_eq!(
            (&row["recv_queue"], &row["send_queue"]),
            (&4.into(), &3.into())
        );
        let line = line_of(&held, "full accept queue", &["-tl"]);
        assert_eq!(line[..4], ["tcp", "LISTEN", "4", "3"]);
    }
}

#[test]
fn bytes_that_are_not_read_are_counted() {
    let Some(_namespace) = fresh() else { return };
    let held = options::unread(V4, 1_234).unwrap();
    assert_eq!(row_of(&held, "unread bytes", &["-t"])["recv_queue"], 1_234);
}

#[test]
fn both_queues_together_hold_what_was_written() {
    let Some(_namespace) = fresh() else { return };
    let held = options::unsent(V6).unwrap();
    let sent = row_of(&held, "unsent bytes", &["-t"])["send_queue"].as_u64();
    let received = row_of(&held, "peer of unsent bytes", &["-t"])["recv_queue"].as_u64();
    // What is under way between the two is counted at both ends.
    assert!(sent.unwrap() + received.unwrap() >= options::written_by_unsent());
}

#[test]
fn nobody_has_the_socket_that_is_not_accepted_or_that_was_left() {
    let Some(_namespace) = fresh() else { return };
    let left = [
        (states::pending(V4), "not accepted"),
        (states::orphan(V4), "orphan"),
        (states::time_wait(V4), "TIME_WAIT"),
        (states::syn_rcvd(V4), "SYN_RCVD"),
    ];
    for (held, what) in left {
        let row = row_of(&held.unwrap(), what, &["-t"]);
        assert_eq!(
            (&row["inode"], &row["uid"]),
            (&Value::Null, &Value::Null),
            "{row:#}"
        );
    }
}

#[test]
fn udp_lite_is_listed_with_udp_under_its_own_name() {
    let Some(_namespace) = fresh() else { return };
    for ip in [V4, V6] {
        let Some(held) = or_skip("UDP-Lite", datagram::udplite(ip)) else {
            return;
        };
        let row = row_of(&held, "UDP-Lite bound", &["-ua"]);
        assert_eq!(row["protocol"], "udplite");
        assert_eq!(list(&["-A", "udp", "-a"]), Vec::<Value>::new());
    }
}

#[test]
fn mptcp_sockets_are_listed_beside_their_subflows() {
    let Some(_namespace) = fresh() else { return };
    let Some(held) = or_skip("MPTCP", mptcp::connection(V4)) else {
        return;
    };
    let inodes = |rows: Vec<Value>| -> HashSet<u64> {
        rows.iter()
            .filter_map(|row| row["inode"].as_u64())
            .collect()
    };
    let above = list(&["-Ma"]);
    assert!(above.iter().all(|row| row["protocol"] == "mptcp"));
    assert_eq!(above.len(), held.expected.len());
    assert_eq!(inodes(above), inodes(list(&["-ta"])));
}

#[test]
fn token_of_an_mptcp_connection_finds_its_subflows_and_no_others() {
    let Some(_namespace) = fresh() else { return };
    let Some(held) = or_skip("MPTCP", mptcp::connection(V4)) else {
        return;
    };
    for name in ["MPTCP client", "MPTCP server"] {
        let above = row_of(&held, name, &["-Mi"]);
        let filter = format!("token_loc = {}", above["mptcp_info"]["token"]);
        let subflows = list(&["-ti", &filter]);
        assert_eq!(subflows.len(), 1, "{subflows:#?}");
        for key in [
            "inode",
            "local_address",
            "local_port",
            "peer_address",
            "peer_port",
        ] {
            assert_eq!(subflows[0][key], above[key], "{name}: {key}");
        }
        assert_ne!(subflows[0]["cookie"], above["cookie"], "{name}");
        assert_eq!(subflows[0]["ulp"], "mptcp", "{name}");
    }
}

#[test]
fn send_rate_is_that_of_ss() {
    let Some(_namespace) = fresh() else { return };
    let pair = tcp::pair(V4).unwrap();
    let port = pair.client.local_addr().unwrap().port();
    let ends = format!("sport = {port}");
    let row = list(&["-tni", &ends]).remove(0);
    let text = run(command("ss").args(["-tniH", &ends])).done();
    let text = text.text();
    let mut words = text.split_whitespace().skip_while(|word| *word != "send");
    let bits: f64 = words
        .nth(1)
        .unwrap()
        .trim_end_matches("bps")
        .parse()
        .unwrap();
    let own = row["tcp_info"]["send_rate"].as_f64().unwrap();
    assert!((bits - own * 8.0).abs() <= 8.0, "{bits} and {own}: {text}");
    let filter = format!("{ends} and send_rate > {}", own - 1.0);
    assert_eq!(list(&["-tni", &filter]).len(), 1, "{filter}");
}

#[test]
fn mptcp_info_is_not_taken_for_tcp_info() {
    let Some(_namespace) = fresh() else { return };
    let Some(held) = or_skip("MPTCP", mptcp::connection(V4)) else {
        return;
    };
    let row = row_of(&held, "MPTCP client", &["-Mi"]);
    assert!(row["mptcp_info"]["token"].is_u64(), "{row:#}");
    assert_eq!(row["tcp_info"], Value::Null);
}

#[test]
fn netlink_port_ids_are_not_negative() {
    let Some(_namespace) = fresh() else { return };
    let held = link::netlink().unwrap();
    // The kernel gives the second socket of a process a number above those of processes.
    let high = |e: &&Expected| e.port_id.is_some_and(|id| id > i32::MAX.unsigned_abs());
    let Some(expected) = held.expected.iter().find(high) else {
        skip(format_args!("no port id above 2,147,483,647: {held:#?}"));
        return;
    };
    for words in [&["--netlink"][..], &["--netlink", "--source", "procfs"]] {
        let row = row_of(&held, expected.what, words);
        assert_eq!(row["local_port"], Value::from(expected.port_id));
    }
}

#[test]
fn netlink_socket_in_groups_is_listed_once() {
    let Some(_namespace) = fresh() else { return };
    let held = link::netlink().unwrap();
    for expected in &held.expected {
        let rows = list(&["--netlink", "-a"]);
        let found = rows.iter().filter(|row| is_of(row, expected));
        assert_eq!(found.count(), 1, "{}", expected.what);
    }
}

#[test]
fn netlink_sockets_of_the_kernel_have_no_process() {
    let Some(_namespace) = fresh() else { return };
    // In a group, but without a port ID, as those of the kernel.
    let (_own, inode) = link::netlink_without_port().unwrap();
    for words in [&["--netlink"][..], &["--netlink", "--source", "procfs"]] {
        let rows = lsock([&["-apj"], words].concat()).sockets();
        let of_kernel = rows
            .iter()
            .filter(|row| row["local_port"] == 0 && row["inode"] != inode);
        let statuses: BTreeSet<_> = of_kernel
            .map(|row| row["process_status"].to_string())
            .collect();
        assert_eq!(
            statuses,
            BTreeSet::from(["\"none\"".to_owned()]),
            "{words:?}"
        );
    }
    let rows = list(&["-ap", "--netlink", &format!("pid = {}", std::process::id())]);
    assert!(rows.iter().any(|row| row["inode"] == inode), "{rows:?}");
}

#[test]
fn packet_sockets_tell_their_ethertype() {
    let Some(_namespace) = fresh() else { return };
    let Some(held) = or_skip("packet sockets", link::packet()) else {
        return;
    };
    for expected in &held.expected {
        let row = row_of(&held, expected.what, &["-0"]);
        assert!(row["local_port"].is_u64());
        for (key, value) in fields(expected) {
            // Whether something arrived since is not known.
            assert!(key == "recv_queue" || row[key] == value, "{key}: {row:#}");
        }
    }
}

/// Sockets with unix names that break terminals and line formats.
fn hostile() -> io::Result<Held> {
    let mut held = unix::names::all()?;
    held.absorb(unix::states::all()?);
    Ok(held)
}

const TEXTS: &[&str] = &["plain", "table", "csv", "ndjson", "json"];

#[test]
fn no_format_lets_a_control_character_of_a_name_through() {
    let Some(_namespace) = fresh() else { return };
    let _held = hostile().unwrap();
    for format in TEXTS {
        let run = lsock(["-xa", "--format", format]).clean();
        let text = run.text().replace("\r\n", "\n");
        let raw = |c: &char| {
            let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            (c.is_control() && *c != '\n') || turns
        };
        assert_eq!(text.chars().find(raw), None, "{format}: {text:?}");
    }
}

#[test]
fn one_unix_socket_is_one_line() {
    let Some(_namespace) = fresh() else { return };
    let held = hostile().unwrap();
    for format in ["plain", "table", "csv", "ndjson"] {
        let run = lsock(["-xaH", "--format", format]).clean();
        assert_eq!(
            run.lines().len(),
            held.expected.len(),
            "{format}: {}",
            run.text()
        );
    }
}

#[test]
fn unix_name_can_be_read_back_from_json_and_plain() {
    let Some(_namespace) = fresh() else { return };
    let held = hostile().unwrap();
    let rows = list(&["-xa"]);
    let plain = lsock(["-xaH", "--columns", "local_address"]).clean();
    let words: HashSet<Vec<u8>> = plain.lines().iter().map(|word| bytes_of(word)).collect();
    for expected in &held.expected {
        let name = expected.name.as_deref().unwrap();
        let mut found = rows.iter().filter(|row| is_of(row, expected));
        let row = found.next().unwrap();
        assert_eq!(row["local_address"], shown(name));
        if let Some(text) = row["local_address"].as_str() {
            assert_eq!(bytes_of(text), name, "{text}");
            assert!(words.contains(name), "{text}");
        }
    }
}

#[test]
fn plain_lines_all_have_the_same_number_of_words() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    for words in [&["-A", "all"][..], &["-A", "all", "-eo"], &["-neo"]] {
        let run = lsock([words, &["-a"]].concat()).clean();
        let counts: HashSet<usize> = run
            .lines()
            .iter()
            .map(|line| line.split(' ').filter(|word| !word.is_empty()).count())
            .collect();
        assert_eq!(counts.len(), 1, "{words:?}: {counts:?}\n{}", run.text());
    }
}
