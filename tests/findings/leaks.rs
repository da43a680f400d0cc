//! Sockets that a process holds and that no table has.

use std::process::Command;
use std::time::Duration;

use rustix::net::sockopt;

use super::{findings, kinds};
use crate::scene::expected::local_address;
use crate::scene::holder::{descriptors_of, find_program};
use crate::scene::{V4, tcp};
use crate::support::{Child, fresh, lsock, skip, until};

/// Opens so many sockets of TCP, over both versions of IP, and of UDP, binds one, and connects ten more
/// to a port.
const SCRIPT: &str = r"
    use Socket;
    my ($tcp, $udp, $port) = @ARGV;
    my @all;
    sub one { socket(my $socket, $_[0], $_[1], 0) or die; push @all, $socket; $socket }
    one(($_ % 2 ? PF_INET : PF_INET6), SOCK_STREAM) for 1 .. $tcp;
    one(PF_INET, SOCK_DGRAM) for 1 .. $udp;
    bind(one(PF_INET, SOCK_STREAM), pack_sockaddr_in(0, INADDR_LOOPBACK)) or die;
    for (1 .. 10) {
        connect(one(PF_INET, SOCK_STREAM), pack_sockaddr_in($port, INADDR_LOOPBACK)) or die;
    }
    sleep 600;
";

/// A process of this namespace that has these sockets; its peer has reset so many of its ten connections.
fn leaking(tcp: usize, udp: usize, reset: usize) -> Option<(Child, Vec<impl Sized>)> {
    if let Err(error) = find_program("perl") {
        skip(error);
        return None;
    }
    let listener = tcp::listener(V4, 128).unwrap();
    let port = local_address(&listener).unwrap().port().to_string();
    let numbers = [tcp.to_string(), udp.to_string(), port];
    let mut command = Command::new("perl");
    command.args(["-e", SCRIPT]).args(numbers);
    let child = Child::start(&mut command);
    let mut peers: Vec<_> = (0..10).map(|_| tcp::accept(&listener).unwrap()).collect();
    for peer in peers.drain(..reset) {
        sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    }
    until("all sockets are open", || {
        let held = descriptors_of(child.pid()).unwrap().into_iter();
        let sockets = held.filter(|(_, link)| link.to_string_lossy().starts_with("socket:"));
        (sockets.count() == tcp + udp + 11).then_some(())
    });
    Some((child, peers))
}

#[test]
fn sockets_in_no_table_are_a_leak_from_twenty_on() {
    let Some(_namespace) = fresh() else { return };
    let Some(_healthy) = leaking(9, 30, 10) else {
        return;
    };
    assert_eq!(kinds(&["-A", "all"]), [""; 0]);
    let Some((child, _peers)) = leaking(14, 0, 6) else {
        return;
    };
    let found = findings(&["-A", "all"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["kind"], &found[0]["severity"], &found[0]["count"]),
        (&"in_no_table".into(), &"warning".into(), &20.into())
    );
    let text = found[0]["text"].as_str().unwrap();
    let told = format!(
        "perl[{}] holds 20 TCP sockets that are in no table",
        child.pid()
    );
    assert!(text.starts_with(&told), "{text}");
    assert_eq!(kinds(&["-u"]), [""; 0]);
}

#[test]
fn process_that_is_asked_for_is_told_what_it_holds_beside_its_rows() {
    let Some(_namespace) = fresh() else { return };
    let Some((child, _peers)) = leaking(0, 0, 0) else {
        return;
    };
    let filter = format!("pid = {}", child.pid());
    let document = lsock(["-apj", &filter]).clean().document();
    assert_eq!(document["summary"]["in_no_table"], 0);
    assert_eq!(document["summary"]["matched"], 11);
    let Some((child, _peers)) = leaking(2, 1, 1) else {
        return;
    };
    let pid = child.pid();
    let filter = format!("pid = {pid}");
    let run = lsock(["-apj", &filter]);
    let told = format!(
        "lsock: warning: 3 TCP sockets of process {pid} are in no table: never bound, or reset\n\
         lsock: warning: 1 UDP socket of process {pid} is in no table: never bound, or reset\n"
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), told.as_str()));
    let summary = &run.document()["summary"];
    assert_eq!(
        (&summary["in_no_table"], &summary["complete"]),
        (&4.into(), &true.into())
    );
    // Not all that is listed of it, or of tables that do not have such.
    for words in [
        &["-tpj", &filter][..],
        &["-axj", &filter],
        &["-tpj", "--limit", "1", &filter],
    ] {
        let document = lsock(words).clean().document();
        let count = document["summary"].get("in_no_table");
        assert!(
            count.is_none_or(|count| *count == 0),
            "{words:?}: {document}"
        );
    }
    let part = format!("{filter} and sport > 0");
    let document = lsock(["-apj", &part]).clean().document();
    assert_eq!(document["summary"].get("in_no_table"), None);
}

#[test]
fn sockets_of_another_namespace_are_not_taken_for_lost_ones() {
    let Some(_namespace) = fresh() else { return };
    let Some((child, _peers)) = leaking(25, 0, 0) else {
        return;
    };
    let filter = format!("pid = {}", child.pid());
    let Some(_other) = fresh() else { return };
    let document = lsock(["-apj", &filter]).clean().document();
    assert_eq!(document["summary"]["in_no_table"], 0);
    assert_eq!(kinds(&["-t"]), [""; 0]);
}
