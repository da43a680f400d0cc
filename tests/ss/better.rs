//! Where `ss` tells a falsehood, and the program under its name does not. Each comment says what `ss` 6.1 does.

use std::os::unix::process::CommandExt;

use rustix::net::{SocketAddrUnix, SocketType};

use crate::scene::{V4, V6, tcp, unix};
use crate::support::{Run, close, fresh, program, run};

fn ours(words: &[&str]) -> Run {
    run(program().arg0("/sbin/ss").args(words))
}

/// It lists the version that is named last.
#[test]
fn both_ip_versions_are_both() {
    let Some(_namespace) = fresh() else { return };
    let listeners = [V4, V6].map(|ip| tcp::listener(ip, 1).unwrap());
    for versions in ["-46", "-64"] {
        assert_eq!(
            ours(&[versions, "-tlnH"]).clean().lines().len(),
            2,
            "{versions}"
        );
    }
    close(listeners);
}

/// It reads `( A or B ) and C`.
#[test]
fn and_binds_before_or() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = crate::scene::expected::local_address(&listener)
        .unwrap()
        .port();
    let filter = format!("sport = :{port} or sport = :1 and dport = :2");
    assert_eq!(ours(&["-tlnH", &filter]).clean().lines().len(), 1);
}

/// It compares the numbers of inodes with the port.
#[test]
fn unix_sockets_have_no_ports() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    assert_eq!(ours(&["-xaH", "sport > 1"]).clean().text(), "");
    assert_ne!(ours(&["-xaH", "not", "sport > 1"]).clean().text(), "");
}

/// It writes the bytes of names as they are, to terminals too.
#[test]
fn names_with_control_characters_are_one_line() {
    let Some(_namespace) = fresh() else { return };
    let socket = unix::socket(SocketType::DGRAM).unwrap();
    let name = SocketAddrUnix::new_abstract_name(b"a\n\x1b[31m \\x").unwrap();
    rustix::net::bind(&socket, &name).unwrap();
    let clean = unix::socket(SocketType::DGRAM).unwrap();
    let name = SocketAddrUnix::new_abstract_name(b"dash\\x2d b\xc3\xa4").unwrap();
    rustix::net::bind(&clean, &name).unwrap();
    let said = ours(&["-xaH"]).clean();
    assert_eq!(said.lines().len(), 2, "{said:?}");
    assert!(said.text().contains(r" @a\x0a\x1b[31m \\x "), "{said:?}");
    assert!(said.text().contains(" @dash\\x2d b\u{e4} "), "{said:?}");
}

/// It lists a netlink socket once for each of its groups, and raw and datagram packet sockets for either.
#[test]
fn each_socket_is_listed_once_and_for_its_type() {
    let Some(_namespace) = fresh() else { return };
    let _netlink = crate::scene::link::netlink().unwrap();
    let said = ours(&["-A", "netlink", "-aH"]).clean();
    let mut lines: Vec<&str> = said.lines();
    lines.retain(|line| line.contains(" rtnl:") || line.contains(" uevent:"));
    let count = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), count, "{said:?}");
    if let Ok(_packet) = crate::scene::link::packet() {
        for (words, name) in [("packet_raw", "p_raw"), ("p_dgr", "p_dgr")] {
            let said = ours(&["-A", words, "-aH"]).clean();
            assert_eq!(said.lines().len(), 1, "{said:?}");
            assert!(!said.text().contains(name), "one table, one name: {said:?}");
        }
        let said = ours(&["-0H"]).clean();
        assert!(
            said.text().starts_with("p_") && said.lines().len() == 2,
            "{said:?}"
        );
    }
}

/// It calls them `???`, or by their IP protocol, where the kernel has `raw_diag`.
#[test]
fn raw_sockets_are_called_raw() {
    let Some(_namespace) = fresh() else { return };
    let Some(_held) = crate::scene::or_skip("raw", crate::scene::datagram::raw(V4)) else {
        return;
    };
    let said = ours(&["-wuaH"]).clean();
    assert!(said.text().starts_with("raw "), "{said:?}");
}

/// It calls seconds milliseconds, `timer:(keepalive,1.234ms,0)`.
#[test]
fn seconds_are_seconds() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::time_wait(V4).unwrap();
    let said = ours(&["-taoH", "state", "time-wait"]).clean();
    let found = said.text().split_once("timer:(timewait,");
    let (_, timer) = found.unwrap_or_else(|| panic!("{said:?}"));
    let (time, _) = timer.split_once(',').unwrap();
    assert!(time.ends_with("sec") || time == "1min", "{time}");
}

/// It ends with 255, or with 0 and a list that does not hold what was asked for.
#[test]
fn mistakes_are_told_and_end_with_2() {
    for (words, told) in [
        (&["-q"][..], "ss: invalid option -- 'q'"),
        (&["--nothing"], "ss: unrecognized option '--nothing'"),
        (&["-f"], "ss: option requires an argument -- 'f'"),
        (&["-f", "bogus"], "ss: \"bogus\" is invalid family"),
        (
            &["-A", "tcp,bogus"],
            "ss: \"bogus\" is illegal socket table id",
        ),
        (&["-F", "a", "-F", "b"], "ss: More than one filter file"),
        (&["state", "bogus"], "ss: filter: "),
        (&["-t", "bogus"], "ss: filter: "),
    ] {
        let said = ours(words);
        assert_eq!((said.status, said.text()), (Some(2), ""), "{words:?}");
        assert!(said.stderr.starts_with(told), "{words:?}: {said:?}");
    }
}

#[test]
fn help_and_version_are_our_own() {
    for (words, part) in [
        (&["-h"][..], "usage: ss "),
        (&["--help", "-q"], "lsock --help"),
        (&["-f", "help"], "usage: ss "),
        (&["-V"], concat!("lsock ", env!("CARGO_PKG_VERSION"))),
    ] {
        let said = ours(words).clean();
        assert!(said.text().contains(part), "{words:?}: {said:?}");
        assert!(said.lines().iter().all(|line| line.len() <= 80), "{said:?}");
    }
    for name in ["ss2", "xss", "ss/lsock", "SS"] {
        let said = run(program().arg0(name).arg("-V"));
        assert_eq!(
            said.text(),
            concat!("lsock ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}
