//! The name `netstat`: its lines, messages and exit statuses.

use std::io;

use super::*;
use crate::mode::fake::netstat_once;
use crate::model::Warning;

/// Called so, with these words.
fn netstat(words: &[&str], look: Look) -> Run {
    let words = [&["netstat"], words].concat();
    match cli::parse(words.iter().map(Into::into), Terminal::default()).unwrap() {
        Command::Netstat(netstat) => netstat_once(&netstat, look),
        other => panic!("{words:?}: {other:?}"),
    }
}

fn absent() -> crate::model::Cause {
    Error::NotInProc(TCP).into()
}

#[test]
fn sockets_are_listed_below_their_banner() {
    let run = netstat(&["-ltn"], look(listeners(2)));
    assert_eq!(run.told(), (0, ""));
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "Active Internet connections (only servers)");
    assert!(lines[2].starts_with("tcp        0      0 127.0.0.1:1 "));
}

#[test]
fn protocol_that_was_named_and_does_not_exist_fails_the_run() {
    let run = netstat(&["-tan"], look(listeners(1)).lacks(TCP, absent()));
    let message = "lsock: no support for `AF INET (tcp)' on this system.\n";
    assert_eq!(run.told(), (1, message));
    let run = netstat(&["-tan"], look(listeners(1)).lacks(TCP6, absent()));
    assert_eq!((run.told(), run.lines()), ((0, ""), 3));
}

#[test]
fn table_that_cannot_be_read_makes_the_list_incomplete() {
    let refused = || Error::file("read", "/proc/net/tcp6", io::ErrorKind::PermissionDenied);
    let run = netstat(&["-tan"], look(listeners(1)).fails(TCP6, refused));
    assert_eq!((run.status(), run.lines()), (2, 3));
    let message = "lsock: incomplete list: cannot read /proc/net/tcp6: permission denied\n";
    assert_eq!(run.messages, message);
}

#[test]
fn lines_that_are_no_sockets_are_an_old_story() {
    let bogus = Warning::BadLines {
        path: "/proc/net/udplite".into(),
        line: 2,
        first: "not a number".into(),
        more: 1,
    };
    let udplite = Table::new(Protocol::UdpLite, Family::Inet);
    let run = netstat(&["-Uan"], look([]).warns(udplite, bogus));
    let line = "warning, got bogus udp line.\n";
    assert_eq!(run.told(), (0, line.repeat(2).as_str()));
}
