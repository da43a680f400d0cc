//! Where `ss` gives another answer, and ours is the right one. Each comment says what `ss` 6.1 does.

use serde_json::Value;

use super::limits::{or_of_ports, ports};
use crate::scene::expected::local_address;
use crate::scene::tcp::{self, states};
use crate::scene::{V4, V6};
use crate::support::{close, fresh, list, lsock, skip, stage};

fn ports_of(rows: &[Value], key: &str) -> Vec<u64> {
    let mut ports: Vec<u64> = rows.iter().filter_map(|row| row[key].as_u64()).collect();
    ports.sort_unstable();
    ports
}

/// `ss` gives `and` and `or` the same precedence: it reads (A or B) and C, and shows nothing.
#[test]
fn and_binds_before_or() {
    let Some(_namespace) = fresh() else { return };
    let one = tcp::listener(V4, 1).unwrap();
    let two = tcp::listener(V4, 1).unwrap();
    let (one, two) = (local_address(&one).unwrap(), local_address(&two).unwrap());
    let (a, b) = (one.port(), two.port());
    let rows = list(&[
        "-tl",
        &format!("sport = :{a} or sport = :{b} and dport = :1"),
    ]);
    assert_eq!(ports_of(&rows, "local_port"), [u64::from(a)]);
    let rows = list(&[
        "-tl",
        &format!("dport = :1 and sport = :{b} or sport = :{a}"),
    ]);
    assert_eq!(ports_of(&rows, "local_port"), [u64::from(a)]);
}

/// `ss -4 -6` shows the version that is named last.
#[test]
fn both_ip_versions_beside_a_filter_are_both() {
    let Some(_namespace) = fresh() else { return };
    let (four, six) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V6, 1).unwrap());
    for flags in [["-4", "-6"], ["-6", "-4"]] {
        let rows = list(&[&flags[..], &["-t", "state listen"]].concat());
        assert_eq!(rows.len(), 2, "{flags:?}");
        let rows = list(&[&flags[..], &["-tl", "sport > 0"]].concat());
        assert_eq!(rows.len(), 2, "{flags:?}");
    }
    close((four, six));
}

/// `ss` says `an inet prefix is expected rather than ":"`.
#[test]
fn ipv6_address_needs_no_brackets() {
    let Some(_namespace) = fresh() else { return };
    let (four, six) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V6, 1).unwrap());
    let rows = list(&["-tl", "src ::1"]);
    let port = local_address(&six).unwrap().port();
    assert_eq!(ports_of(&rows, "local_port"), [u64::from(port)]);
    close(four);
}

/// `ss` takes every port for this one.
#[test]
fn star_before_a_port_is_any_address_and_this_port() {
    let Some(_namespace) = fresh() else { return };
    let (four, six) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V6, 1).unwrap());
    let port = local_address(&four).unwrap().port();
    let rows = list(&["-tl", &format!("sport = *:{port}")]);
    assert_eq!(ports_of(&rows, "local_port"), [u64::from(port)]);
    close(six);
}

/// `ss` takes the lack of a peer for port 0, which is below every other.
#[test]
fn socket_without_a_peer_has_no_port_there() {
    let Some(_namespace) = fresh() else { return };
    let _held = states::established(V4).unwrap();
    assert_eq!(list(&["-ta", "dport <= 65535"]).len(), 2);
    assert_eq!(list(&["-ta", "dport < 1"]).len(), 0);
    assert_eq!(list(&["-ta", "dport = none"]).len(), 1);
}

/// `ss` says `"/10" does not look like a port`.
#[test]
fn ipv6_prefix_may_stand_behind_brackets() {
    let Some(_namespace) = fresh() else { return };
    let held = states::established(V6).unwrap();
    let rows = list(&["-t", "dst [::]/64"]);
    assert_eq!(rows.len(), held.expected.len() - 1);
}

/// `ss` allows a state at the begin only: it takes this one for a host.
#[test]
fn state_may_stand_anywhere() {
    let Some(_namespace) = fresh() else { return };
    let held = states::established(V4).unwrap();
    let rows = list(&["-t", "sport > 0 and not state listen"]);
    assert_eq!(rows.len(), held.expected.len() - 1);
}

/// `ss` takes `/` for a directory of the file system, and finds no cgroup in it.
#[test]
fn root_of_the_cgroups_is_a_cgroup() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let all = list(&["-tane"]);
    let wanted = all.iter().filter(|row| row["cgroup"] == "/").count();
    if wanted == 0 {
        skip("no socket of the root cgroup");
        return;
    }
    assert_eq!(list(&["-tan", "cgroup = /"]).len(), wanted);
    assert_eq!(list(&["-tan", "cgroup /"]).len(), wanted);
}

/// `ss` builds a program that does not fit into a message, and reads `/proc/net/tcp` instead
/// without a word.
#[test]
fn thousands_of_ports_do_not_change_the_source() {
    let Some(_namespace) = fresh() else { return };
    let held = states::established(V4).unwrap();
    let listener = held.the("listener of ESTABLISHED").local().port();
    let mut ports = ports(5_000, listener);
    ports.push(listener);
    let run = lsock(["-tanj", &or_of_ports(&ports)]).clean();
    let document = run.document();
    for source in document["summary"]["sources"].as_array().unwrap() {
        assert_eq!(source["source"], "netlink", "{source}");
    }
    // The listener and the end that was accepted.
    let listener = u64::from(listener);
    assert_eq!(ports_of(&run.sockets(), "local_port"), [listener, listener]);
}
