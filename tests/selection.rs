//! Which sockets the flags choose.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scene::Scene;
use crate::support::{fresh, list, lists_bound, lsock, stage};

/// The different values of a key.
fn values(rows: &[Value], key: &str) -> BTreeSet<String> {
    let text = |row: &Value| row[key].as_str().unwrap().to_owned();
    rows.iter().map(text).collect()
}

/// The same values as the scene has of its sockets that fit.
fn known<'s>(
    scene: &'s Scene,
    fits: impl Fn(&str, &str) -> bool,
    value: impl Fn(&'s crate::scene::Expected) -> &'s str,
) -> BTreeSet<String> {
    let sockets = scene.expected.iter();
    sockets
        .filter(|expected| fits(expected.protocol, expected.state))
        .map(|expected| value(expected).to_owned())
        .collect()
}

fn is_idle(state: &str) -> bool {
    matches!(state, "LISTEN" | "BOUND" | "UNCONN")
}

#[test]
fn all_shows_every_state_of_tcp() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let mut states = known(&scene, |protocol, _| protocol == "tcp", |e| e.state);
    assert_eq!(states.len(), 11);
    states.retain(|state| lists_bound() || *state != "BOUND");
    assert_eq!(values(&list(&["-ta"]), "state"), states);
}

#[test]
fn neither_shows_what_is_connected_or_connecting() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    for (flag, protocol) in [
        ("-t", "tcp"),
        ("-x", "unix"),
        ("-u", "udp"),
        ("-w", "raw"),
        ("-M", "mptcp"),
    ] {
        let fits = |of: &str, state: &str| of == protocol && !is_idle(state);
        let states = known(&scene, fits, |e| e.state);
        assert_eq!(values(&list(&[flag]), "state"), states, "{flag}");
    }
}

#[test]
fn listening_shows_listeners_of_tcp_mptcp_and_unix() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    for (flag, protocol) in [("-tl", "tcp"), ("-xl", "unix"), ("-Ml", "mptcp")] {
        let listens = |of: &str, state: &str| of == protocol && state == "LISTEN";
        let expected = scene.expected.iter();
        let count = expected.filter(|e| listens(e.protocol, e.state)).count();
        let mut rows = list(&[flag]);
        assert!(rows.iter().all(|row| row["state"] == "LISTEN"), "{flag}");
        if protocol == "tcp" {
            // The listeners below MPTCP.
            rows.truncate(rows.len() - list(&["-Ml"]).len());
        }
        assert_eq!(rows.len(), count, "{flag}");
    }
}

#[test]
fn listening_shows_unconnected_datagram_and_raw_sockets() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    for (flag, protocols) in [("-ul", ["udp", "udplite"]), ("-wl", ["raw", "icmp"])] {
        let rows = list(&[flag]);
        assert!(rows.iter().all(|row| row["state"] == "UNCONN"), "{flag}");
        let waits = |of: &str, state: &str| protocols.contains(&of) && state == "UNCONN";
        let expected = scene.expected.iter();
        let count = expected.filter(|e| waits(e.protocol, e.state)).count();
        assert_eq!(rows.len(), count, "{flag}");
    }
}

#[test]
fn three_choices_of_tcp_make_up_the_whole() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let count = |words: &[&str]| list(words).len();
    let all = list(&["-ta"]);
    let bound = all.iter().filter(|row| row["state"] == "BOUND").count();
    assert_eq!(count(&["-t"]) + count(&["-tl"]) + bound, all.len());
}

#[test]
fn all_wins_over_listening() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    assert_eq!(list(&["-tal"]).len(), list(&["-ta"]).len());
    assert_eq!(list(&["-tla"]).len(), list(&["-ta"]).len());
}

#[test]
fn packet_and_netlink_sockets_are_shown_without_all() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    for flag in ["-0", "--netlink"] {
        let rows = list(&[flag]);
        assert!(!rows.is_empty(), "{flag}");
        assert_eq!(list(&[flag, "-a"]).len(), rows.len(), "{flag}");
        assert_eq!(list(&[flag, "-l"]).len(), rows.len(), "{flag}");
    }
}

#[test]
fn each_flag_shows_its_protocols_and_no_other() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    for (words, protocols) in [
        (&["-t"][..], &["tcp"][..]),
        (&["-u"], &["udp", "udplite"]),
        (&["-w"], &["raw", "icmp"]),
        (&["-x"], &["unix"]),
        (&["-0"], &["packet"]),
        (&["--netlink"], &["netlink"]),
        (&["-M"], &["mptcp"]),
        (&["-tu"], &["tcp", "udp", "udplite"]),
        (&["-tx0"], &["tcp", "unix", "packet"]),
        (&[], &["tcp", "udp", "udplite", "raw", "icmp"]),
    ] {
        let fits = |of: &str, _: &str| protocols.contains(&of);
        let wanted = known(&scene, fits, |e| e.protocol);
        let rows = list(&[words, &["-a"]].concat());
        assert_eq!(values(&rows, "protocol"), wanted, "{words:?}");
    }
}

#[test]
fn each_family_word_shows_its_protocols_and_no_other() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    for word in [
        "tcp",
        "udp",
        "udplite",
        "raw",
        "icmp",
        "unix",
        "packet",
        "netlink",
        "mptcp",
        "tcp,udp",
        "unix,netlink,raw",
    ] {
        let fits = |of: &str, _: &str| word.split(',').any(|word| word == of);
        let wanted = known(&scene, fits, |e| e.protocol);
        let rows = list(&["-A", word, "-a"]);
        assert_eq!(values(&rows, "protocol"), wanted, "{word}");
    }
}

#[test]
fn family_all_is_every_protocol() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-A", "all", "-a"]);
    let wanted = known(&scene, |_, _| true, |e| e.protocol);
    assert_eq!(values(&rows, "protocol"), wanted);
}

#[test]
fn ip_versions_narrow_and_both_are_both() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let of = |words: &[&str]| values(&list(&[words, &["-ta"]].concat()), "family").into_iter();
    assert_eq!(of(&["-4"]).collect::<Vec<_>>(), ["inet"]);
    assert_eq!(of(&["-6"]).collect::<Vec<_>>(), ["inet6"]);
    assert_eq!(of(&["-4", "-6"]).collect::<Vec<_>>(), ["inet", "inet6"]);
    assert_eq!(of(&["-6", "-4"]).collect::<Vec<_>>(), ["inet", "inet6"]);
    assert_eq!(of(&["-A", "inet"]).collect::<Vec<_>>(), ["inet"]);
    assert_eq!(of(&["-A", "inet6"]).collect::<Vec<_>>(), ["inet6"]);
}

#[test]
fn both_ip_versions_are_the_same_as_none() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    assert_eq!(list(&["-46a"]).len(), list(&["-a"]).len());
    let halves = list(&["-4a"]).len() + list(&["-6a"]).len();
    assert_eq!(halves, list(&["-a"]).len());
}

#[test]
fn ip_version_beside_unix_leaves_unix_sockets_in() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-tx6a"]);
    let families: Vec<_> = values(&rows, "family").into_iter().collect();
    assert_eq!(families, ["inet6", "unix"]);
}

#[test]
fn unknown_family_is_a_usage_error_without_data() {
    let Some(_namespace) = fresh() else { return };
    let run = lsock(["-A", "tcp,ipx"]);
    assert_eq!((run.status, run.stdout.len()), (Some(2), 0));
    assert!(run.stderr.starts_with("lsock: "), "{}", run.stderr);
    assert!(run.stderr.contains("ipx"), "{}", run.stderr);
}

/// Protocols and types of what is listed.
fn kinds(words: &[&str]) -> BTreeSet<(String, String)> {
    let rows = list(words);
    let kind = |row: &Value| row["type"].as_str().unwrap_or_default().to_owned();
    let of = rows
        .iter()
        .map(|row| (row["protocol"].as_str().unwrap().to_owned(), kind(row)));
    of.collect()
}

#[test]
fn names_of_ss_choose_types() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let unix = |types: &[&str]| -> BTreeSet<_> {
        let of = types
            .iter()
            .map(|kind| ("unix".to_owned(), (*kind).to_owned()));
        of.collect()
    };
    let every = kinds(&["-xa"]);
    assert_eq!(every, unix(&["stream", "dgram", "seqpacket"]));
    for (words, types) in [
        (&["-aA", "unix_stream"][..], &["stream"][..]),
        (&["-aA", "u_str,u_dgr"], &["stream", "dgram"]),
        (&["-aA", "unix,!unix_stream"], &["dgram", "seqpacket"]),
        (&["-af", "unix"], &["stream", "dgram", "seqpacket"]),
        (&["-xaA", "u_seq"], &["stream", "dgram", "seqpacket"]),
        (&["-xaA", "!u_seq"], &["stream", "dgram"]),
        (
            &["-a", "--query=u_seq", "--socket", "u_dgr"],
            &["dgram", "seqpacket"],
        ),
    ] {
        assert_eq!(kinds(words), unix(types), "{words:?}");
    }
    assert_eq!(kinds(&["-af", "link"]), kinds(&["-0a"]));
    let mut rest = kinds(&["-aA", "all"]);
    rest.retain(|(protocol, _)| !["tcp", "unix"].contains(&protocol.as_str()));
    assert_eq!(kinds(&["-aA", "all,!tcp,!unix"]), rest);
    let mut usual = kinds(&["-a"]);
    usual.retain(|(protocol, _)| protocol != "udp");
    assert_eq!(kinds(&["-aA", "!udp"]), usual);
    assert_eq!(list(&["-taf", "inet6"]).len(), list(&["-ta6"]).len());
    assert_eq!(list(&["-taA", "!inet6"]).len(), list(&["-ta4"]).len());
}

#[test]
fn filter_in_a_file_follows_that_of_the_words() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filter");
    std::fs::write(
        &path,
        "  # a remark\nstate listen\n\n  or state bound # no\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let said = lsock(["-taF", path]);
    assert_eq!(said.status, Some(2), "{said:?}");
    std::fs::write(path, "  # a remark\nstate listen\n\n  or state syn-sent\n").unwrap();
    let idle = known(&scene, |protocol, _| protocol == "tcp", |e| e.state);
    let idle: BTreeSet<_> = idle
        .into_iter()
        .filter(|state| ["LISTEN", "SYN_SENT"].contains(&state.as_str()))
        .collect();
    assert_eq!(values(&list(&["-taF", path]), "state"), idle);
    let said = list(&["-taF", path, "not"]);
    assert!(said.iter().all(|row| row["state"] != "LISTEN"));
    assert!(!said.is_empty());
}

#[test]
fn queues_are_left_out() {
    let Some(_namespace) = fresh() else { return };
    let said = lsock(["-taQ"]).clean();
    assert_eq!(
        said.lines()[0].split_whitespace().collect::<Vec<_>>(),
        ["PROTO", "STATE", "LOCAL", "PEER"]
    );
}
