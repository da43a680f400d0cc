//! `-q`: nothing but the exit status, and no more work than that takes.

use super::*;
use crate::faults::connections_of;

#[test]
fn something_is_0_and_nothing_is_1_without_a_word() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    for words in [&["-tlq"][..], &["-taq"], &["-lq"], &["-tlpq"], &["-tlqj"]] {
        for (expression, status) in [(at(port), 0), (at(port - 1), 1)] {
            let attempt = lsock([words, &[&expression]].concat());
            assert_eq!(told(&attempt), (Some(status), ""), "{words:?} {expression}");
            assert_eq!(lines(&attempt), [""; 0], "{words:?}");
        }
    }
}

#[test]
fn count_is_answered_without_a_word() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = [V4, V4].map(|ip| tcp::listener(ip, 1).unwrap());
    for (count, status) in [
        ("2", 0),
        ("..1", 1),
        ("0", 1),
        ("3..", 1),
        ("1..", 0),
        ("0..", 0),
    ] {
        let attempt = lsock(["-tlq", "--expect", count]);
        assert_eq!(told(&attempt), (Some(status), ""), "{count}");
        assert_eq!(lines(&attempt), [""; 0], "{count}");
    }
}

#[test]
fn summary_that_is_not_shown_is_checked() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    for (words, status) in [
        (&["-stq", "--expect", "1"][..], 0),
        (&["-stq", "--expect", "0"], 1),
        (&["-stq", "--fail-on", "info"], 0),
    ] {
        let attempt = lsock(words);
        assert_eq!(told(&attempt), (Some(status), ""), "{words:?}");
        assert_eq!(lines(&attempt), [""; 0], "{words:?}");
    }
}

#[test]
fn what_explains_a_status_of_2_is_said() {
    for (words, message) in [
        (
            &["-q", "--replay", "/nonexistent"][..],
            "lsock: cannot open /nonexistent: ",
        ),
        (
            &["-tq", "--source", "procfs", "rtt > 1ms"],
            "lsock: incomplete list: ",
        ),
    ] {
        let namespace = fresh();
        let _sockets = tcp::states::established(V4).unwrap();
        let attempt = lsock(words);
        assert_eq!(attempt.status, Some(2), "{attempt:?}");
        assert!(attempt.stderr.starts_with(message), "{attempt:?}");
        assert_eq!(lines(&attempt), [""; 0], "{words:?}");
        drop(namespace);
    }
}

/// Datagrams that were received from netlink, and tables that were asked for.
fn datagrams(words: &[&str]) -> (usize, usize) {
    (calls("recvfrom", words), calls("sendto", words))
}

#[test]
fn first_match_ends_the_dump_and_leaves_the_other_tables_alone() {
    let Some(_namespace) = straced() else { return };
    let _connections = connections_of(1_200);
    let (all, tables) = datagrams(&["-tuan"]);
    assert!(all > 12 && tables >= 4, "{all} of {tables} tables");
    assert_eq!(datagrams(&["-tuaq"]), (1, 1), "of {all} datagrams");
    let (none, asked) = datagrams(&["-tuaq", "sport = 1"]);
    assert_eq!(asked, tables, "{none}");
    assert_eq!(datagrams(&["-tuaq", "--expect", "0"]), (1, 1));
    assert_eq!(datagrams(&["-tuanH", "--limit", "1"]), (1, 1));
}

#[test]
fn processes_are_looked_at_only_where_the_filter_asks_for_them() {
    let Some(_namespace) = straced() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    let links = |words: &[&str]| calls("readlinkat", words);
    assert_eq!(links(&["-tlpq"]), 0);
    let pid = format!("pid = {}", std::process::id());
    assert!(links(&["-tlq", &pid]) > 0);
}
