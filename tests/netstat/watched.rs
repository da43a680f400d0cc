//! On a terminal, and again and again.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use rustix::net::{SocketAddrUnix, SocketType};

use super::stage::needed;
use crate::program::{LSOCK, command, fresh};
use crate::scene::{V4, tcp};

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
    let mut netstat = command(Path::new(LSOCK));
    let piped = netstat.arg0("netstat").arg("-xa").output().unwrap();
    let raw = [b" @", NAME, b"\n"].concat();
    assert!(piped.stdout.ends_with(&raw), "{piped:?}");
    if needed("script").is_none() {
        return;
    }
    for line in [
        format!("exec -a netstat {LSOCK} -xa"),
        format!("{LSOCK} -xa --format netstat"),
    ] {
        let mut script = command(Path::new("script"));
        script
            .args(["-qec", &line, "/dev/null"])
            .env("SHELL", "/bin/bash");
        let shown = script.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(shown.stdout).unwrap();
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
    let mut netstat = command(Path::new(LSOCK));
    netstat
        .arg0("netstat")
        .args(["-tlnc"])
        .stdout(Stdio::piped());
    let mut child = netstat.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    let banner = "Active Internet connections (only servers)";
    assert_eq!(next(), banner);
    assert!(next().starts_with("Proto "));
    let _listener = tcp::listener(V4, 1).unwrap();
    assert_eq!(next(), banner);
    assert!(next().starts_with("Proto "));
    // Rounds may have begun before the listener was there.
    let seen = (0..100).any(|_| next().ends_with("LISTEN     "));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen);
}

#[test]
fn reader_that_goes_away_ends_it_quietly() {
    let Some(_namespace) = fresh() else { return };
    let mut netstat = command(Path::new(LSOCK));
    netstat.arg0("netstat").arg("-tac");
    let mut child = netstat
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().is_some());
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &[][..])
    );
}
