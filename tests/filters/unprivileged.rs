//! What a user without rights can filter by, and what that user is told.

use crate::owners::nobody::Reachable;
use crate::scene::V4;
use crate::scene::expected::local_address;
use crate::scene::tcp;
use crate::support::fresh;

#[test]
fn marks_that_may_not_be_seen_make_an_incomplete_list_over_netlink() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    // Of the other one it cannot be told.
    let (listener, _other) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V4, 1).unwrap());
    let port = local_address(&listener).unwrap().port();
    let known = format!("fwmark = 5 or sport = {port}");
    for (expression, rows) in [("fwmark = 5", 0), (&known, 1)] {
        let run = lsock.run(&["-tlnj", expression]);
        assert_eq!(run.status, Some(2), "{expression}: {}", run.stderr);
        assert!(run.stderr.starts_with("lsock: "), "{}", run.stderr);
        assert!(run.stderr.contains("mark"), "{}", run.stderr);
        let document = run.document();
        assert_eq!(run.sockets().len(), rows, "{expression}");
        for source in document["summary"]["sources"].as_array().unwrap() {
            assert_eq!(source["source"], "netlink", "{expression}: {source}");
        }
    }
}

#[test]
fn everything_but_marks_and_owners_is_filtered_without_rights() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    for expression in [
        format!("sport = {port}"),
        "src 127/8 and state listen".to_owned(),
        "uid = 0 and inode > 0 and shutdown = none".to_owned(),
        "not dev lo".to_owned(),
    ] {
        let run = lsock.run(&["-tlnj", &expression]).clean();
        assert_eq!(run.sockets().len(), 1, "{expression}");
    }
}

#[test]
fn owner_that_cannot_be_read_is_unknown() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let count = |expression: &str| lsock.run(&["-tlnj", expression]).sockets().len();
    assert_eq!(count("pid = unknown"), 1);
    assert_eq!(count("process_status = unreadable"), 1);
    assert_eq!(count("pid = none"), 0);
}

#[test]
fn mark_that_may_not_be_seen_is_unknown_for_certain() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let run = lsock.run(&["-tlnj", "mark = unknown"]).clean();
    assert_eq!(run.sockets().len(), 1);
}

#[test]
fn mark_that_decides_nothing_may_stay_unknown() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    for (expression, rows) in [
        ("inode = none and fwmark = 5".to_owned(), 0),
        ("uid != 0 and fwmark = 5".to_owned(), 0),
        (format!("fwmark = 5 or sport = {port}"), 1),
    ] {
        let run = lsock.run(&["-tlnj", &expression]).clean();
        assert_eq!(run.sockets().len(), rows, "{expression}");
    }
}
