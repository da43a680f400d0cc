//! Listeners of IPv6 that take IPv4 too, and those that do not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::sockopt;
use serde_json::{Value, json};

use crate::scene::expected::local_address;
use crate::scene::tcp;
use crate::support::{Run, fresh, list, lsock};

const ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A listener on `[::]`, and its port.
fn listener(is_v6only: bool) -> (OwnedFd, u16) {
    let socket = tcp::socket(ANY).unwrap();
    sockopt::set_ipv6_v6only(&socket, is_v6only).unwrap();
    rustix::net::bind(&socket, &SocketAddr::new(ANY, 0)).unwrap();
    rustix::net::listen(&socket, 5).unwrap();
    let port = local_address(&socket).unwrap().port();
    (socket, port)
}

fn ports(words: &[&str]) -> Vec<u16> {
    let rows = list(words);
    let ports = rows.iter().map(|row| row["local_port"].as_u64().unwrap());
    ports.map(|port| u16::try_from(port).unwrap()).collect()
}

fn status(words: &[&str]) -> Option<i32> {
    lsock(words).status
}

#[test]
fn field_says_whether_ipv4_is_taken_too() {
    let Some(_namespace) = fresh() else { return };
    let (_both, both_port) = listener(false);
    let (_only, only_port) = listener(true);
    let v4 = tcp::listener(IpAddr::V4(Ipv4Addr::LOCALHOST), 5).unwrap();
    let of = |port: u16| {
        let rows = list(&["-tln", &format!("sport = {port}")]);
        (rows[0]["local_address"].clone(), rows[0]["v6only"].clone())
    };
    assert_eq!(of(both_port), (json!("::"), json!(false)));
    assert_eq!(of(only_port), (json!("::"), json!(true)));
    let v4_port = local_address(&v4).unwrap().port();
    assert_eq!(of(v4_port), (json!("127.0.0.1"), Value::Null));
    let text = lsock(["-tlnH", "--sort", "-v6only", "--columns", "local,v6only"]).done();
    let lines = text.lines().into_iter().map(str::split_whitespace);
    let lines: Vec<Vec<&str>> = lines.map(Iterator::collect).collect();
    let local = [format!("[::]:{only_port}"), format!("*:{both_port}")];
    assert_eq!(lines[0], [&local[0], "true"]);
    assert_eq!(lines[1], [&local[1], "false"]);
    assert_eq!(ports(&["-tln", "v6only = false"]), [both_port]);
    assert_eq!(ports(&["-tln", "v6only = true"]), [only_port]);
}

#[test]
fn address_of_every_ipv4_address_is_met_where_ipv4_is_taken() {
    let Some(_namespace) = fresh() else { return };
    let (_both, both_port) = listener(false);
    let (_only, only_port) = listener(true);
    for host in ["src 0.0.0.0", "src 0/0", "src *", "src 0.0.0.0/1"] {
        let found = ports(&["-tln", host]);
        assert!(found.contains(&both_port), "{host}");
        // `*` means every address there is.
        assert_eq!(found.contains(&only_port), host == "src *", "{host}");
    }
    assert_eq!(ports(&["-tln", "not src 0/0"]), [only_port]);
    assert_eq!(status(&["-tlq", "--expect", "0", "src 0.0.0.0"]), Some(1));
    // The files of the kernel do not tell.
    let run = lsock(["-tlq", "--expect", "0", "--source", "procfs", "src 0.0.0.0"]);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("v6only"), "{run:?}");
}

/// A listener at an IPv4-mapped address, and its port.
fn mapped(ip: Ipv4Addr) -> (OwnedFd, u16) {
    let socket = tcp::socket(ANY).unwrap();
    sockopt::set_ipv6_v6only(&socket, false).unwrap();
    let address = SocketAddr::new(ip.to_ipv6_mapped().into(), 0);
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::listen(&socket, 5).unwrap();
    let port = local_address(&socket).unwrap().port();
    (socket, port)
}

#[test]
fn listener_at_a_mapped_address_speaks_ipv4_alone() {
    let Some(_namespace) = fresh() else { return };
    for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
        let (_held, port) = mapped(ip);
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap_err();
        assert_eq!(ports(&["-tln", "src 0/0"]), [port]);
        let of = format!("sport = {port}");
        for more in [
            &["-tlq"][..],
            &["-tlsq", "--expect", "1"],
            &["-tlqn", "--wait", "0"],
        ] {
            let with = |version| status(&[more, &[version, &of]].concat());
            assert_eq!(
                (with("-4"), with("-6")),
                (Some(0), Some(1)),
                "{ip} {more:?}"
            );
            let procfs = |version| status(&[more, &[version, "--source", "procfs", &of]].concat());
            assert_eq!(
                (procfs("-4"), procfs("-6")),
                (Some(0), Some(1)),
                "{ip} {more:?}"
            );
        }
        let wait = lsock(["-tln6", "--wait", "0", &of]);
        assert!(wait.stderr.contains("over IPv4 only"), "{wait:?}");
    }
}

#[test]
fn summaries_and_recordings_are_checked_over_ipv4_as_listings_are() {
    let Some(_namespace) = fresh() else { return };
    let (_both, both_port) = listener(false);
    let (_only, only_port) = listener(true);
    let folder = tempfile::TempDir::new().unwrap();
    let tape = folder.path().join("tape");
    let tape = tape.to_str().unwrap();
    list(&["-tan", "-D", tape]);
    for (port, found) in [(both_port, "1"), (only_port, "0")] {
        let of = format!("sport = {port}");
        for more in [
            &["-ts4q"][..],
            &["-ta4q", "--replay", tape],
            &["-ts4q", "--replay", tape],
        ] {
            let words = [more, &["--expect", found, &of]].concat();
            assert_eq!(status(&words), Some(0), "{words:?}");
        }
        let words = ["-ts4q", "--source", "procfs", "--expect", found, &of];
        assert_eq!(status(&words), Some(2), "the files do not tell");
    }
}

#[test]
fn closest_to_what_is_waited_for_may_be_a_wildcard() {
    let Some(_namespace) = fresh() else { return };
    let (_both, port) = listener(false);
    let of = format!("src 127.0.0.1:{port}");
    let run = lsock(["-tln", "--wait", "0", &of]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("on every address (*)"), "{run:?}");
}

#[test]
fn check_over_ipv4_counts_listeners_that_take_it() {
    let Some(_namespace) = fresh() else { return };
    let (_both, both_port) = listener(false);
    let (_only, only_port) = listener(true);
    TcpStream::connect((Ipv4Addr::LOCALHOST, both_port)).unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, only_port)).unwrap_err();
    let of = |port: u16| format!("sport = {port}");
    let check = |port: u16| status(&["-tlq4", &of(port)]);
    assert_eq!((check(both_port), check(only_port)), (Some(0), Some(1)));
    let wait = |port: u16| -> Run { lsock(["-tln4", "--wait", "0.1s", &of(port)]) };
    assert_eq!(wait(both_port).status, Some(0));
    let only = wait(only_port);
    assert_eq!(only.status, Some(1));
    assert!(only.stderr.contains("over IPv6 only"), "{only:?}");
    let unknown = lsock(["-tln4", "--source", "procfs", "--wait", "0", &of(only_port)]);
    assert_eq!(unknown.status, Some(2), "{unknown:?}");
    assert!(!unknown.stderr.contains("IPv6 only"), "{unknown:?}");
    // A listing shows what the option names.
    assert_eq!(ports(&["-tln4"]), [0; 0]);
}
