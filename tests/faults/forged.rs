//! Answers that the kernel did not send.

use std::net::TcpListener;

use lsock::model::{Family, Protocol, Table};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::*;
use crate::recording::{DONE, Message, SOCKET, fixture};
use crate::support::Child;

const LISTENERS: [&str; 3] = ["-tlnj4", "--columns", "state,local_address,local_port"];

/// A listener that there is not, and the end of the list; under the number that recordings have.
fn forged() -> Vec<u8> {
    let table = Table::new(Protocol::Tcp, Family::Inet);
    let sequence = lsock::wire::tag(table);
    let row = fixture("tcp4.bin").remove(0);
    let messages = [
        Message::new(SOCKET, sequence, row.payload()),
        Message::new(DONE, sequence, &0_i32.to_ne_bytes()),
    ];
    messages.map(|message| message.0).concat()
}

/// The process that `strace` runs.
fn traced_by(strace: &Child) -> Option<u32> {
    let id = strace.pid();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    children.ok()?.split_whitespace().next()?.parse().ok()
}

/// Sends it to the port of the program, which is the number of its process, once it has one.
fn forge(strace: &Child) {
    let socket = Socket::new(NETLINK_SOCK_DIAG).unwrap();
    let forged = forged();
    until("the port of the program", || {
        let port = traced_by(strace)?;
        socket.send_to(&forged, &SocketAddr::new(port, 0), 0).ok()
    });
}

#[test]
fn answers_of_others_than_the_kernel_are_dropped_and_told() {
    let Some(_namespace) = straced() else { return };
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let undisturbed = lsock(LISTENERS);
    assert_eq!(undisturbed.rows().len(), 1, "{undisturbed:?}");
    for (words, status) in [(&LISTENERS[..], 2), (&["-tlq", "--expect", "1"], 2)] {
        // The port is there from the first request on; its answer is read later.
        let delay = ["-einject=sendto:delay_exit=1s:when=1", "-o/dev/null"];
        let mut strace = strace(&delay);
        let strace = Child::piped(strace.args(words));
        forge(&strace);
        let run = strace.end();
        assert_eq!(run.status, Some(status), "{run:?}");
        let told = "dropped 1 answer that the kernel did not send";
        assert!(run.stderr.contains(told), "{run:?}");
        if words == LISTENERS {
            assert_eq!(run.rows(), undisturbed.rows());
            assert_eq!(run.document()["summary"]["complete"], false);
        }
    }
}
