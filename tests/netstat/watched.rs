//! On a terminal, and again and again.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;

use rustix::net::{SocketAddrUnix, SocketType};

use crate::scene::{V4, tcp};
use crate::support::{Child, LSOCK, command, fresh, needed, program, run};

/// An abstract name with an escape sequence in it; nothing of it is a blank.
const NAME: &[u8] = b"lsock-\x1b[31m\xff-red";

fn hostile() -> std::os::fd::OwnedFd {
    let socket = crate::scene::unix::socket(SocketType::DGRAM).unwrap();
    let address = SocketAddrUnix::new_abstract_name(NAME).unwrap();
    rustix::net::bind(&socket, &address).unwrap();
    socket
}

#[test]
fn names_are_raw_in_a_pipe_and_escaped_on_a_terminal() {
    let Some(_namespace) = fresh() else { return };
    let _socket = hostile();
    let mut netstat = program();
    let piped = run(netstat.arg0("netstat").arg("-xa"));
    let raw = [b" @", NAME, b"\n"].concat();
    assert!(piped.stdout.ends_with(&raw), "{piped:?}");
    if needed("script").is_none() {
        return;
    }
    for line in [
        format!("exec -a netstat {LSOCK} -xa"),
        format!("{LSOCK} -xa --format netstat"),
    ] {
        let mut script = command("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .env("SHELL", "/bin/bash");
        let shown = run(&mut script);
        let text = shown.text();
        assert!(
            text.contains(" @lsock-\\x1b[31m\\xff-red\r\n"),
            "{line}: {text:?}"
        );
        let controls = text.chars().filter(|c| c.is_control());
        assert!(controls.clone().all(|c| c == '\r' || c == '\n'), "{text:?}");
    }
}

#[test]
fn continuous_listing_goes_on_and_sees_what_is_new() {
    let Some(_namespace) = fresh() else { return };
    let mut netstat = Child::piped(program().arg0("netstat").arg("-tlnc"));
    let mut lines = BufReader::new(netstat.stdout()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    let banner = "Active Internet connections (only servers)";
    assert_eq!(next(), banner);
    assert!(next().starts_with("Proto "));
    let _listener = tcp::listener(V4, 1).unwrap();
    assert_eq!(next(), banner);
    assert!(next().starts_with("Proto "));
    // Rounds may have begun before the listener was there.
    assert!((0..100).any(|_| next().ends_with("LISTEN     ")));
}

#[test]
fn reader_that_goes_away_ends_it_quietly() {
    let Some(_namespace) = fresh() else { return };
    let mut netstat = Child::piped(program().arg0("netstat").arg("-tac"));
    let mut lines = BufReader::new(netstat.stdout()).lines();
    assert!(lines.next().is_some());
    drop(lines);
    netstat.end().clean();
}
