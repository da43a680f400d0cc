//! The scene holds what it says, by the word of witnesses other than `lsock`: `/proc/net`,
//! `/proc/PID/fd`, `ss` and the kernel's own `sock_diag`.

mod datagrams;
mod namespaces;
mod owners;
mod tcp;
mod unix;
mod whole;

use std::process::Command;

use crate::scene::witness::{self, NetRow};
use crate::scene::{Expected, Held};

/// The one row `/proc/net` has for this socket.
///
/// # Panics
///
/// When there is none, when there are two, and when the row says something else.
fn proc_row(expected: &Expected) -> NetRow {
    let mut rows = witness::rows_of(expected).unwrap();
    // Two sockets can share addresses and inode 0 only in different states.
    rows.retain(|row| row.state == witness::state_code(expected.state));
    assert_eq!(rows.len(), 1, "{expected:#?}\nstands in {rows:#?}");
    let row = rows.remove(0);
    if let Some(recv_queue) = expected.recv_queue {
        assert_eq!(row.recv_queue, recv_queue, "{expected:#?}");
    }
    match expected.send_queue {
        // The file has no backlog.
        Some(_) if expected.state == "LISTEN" => assert_eq!(row.send_queue, 0, "{expected:#?}"),
        Some(send_queue) => assert_eq!(row.send_queue, send_queue, "{expected:#?}"),
        None => {}
    }
    assert!(!expected.some_unread || row.recv_queue > 0, "{expected:#?}");
    assert!(!expected.some_unsent || row.send_queue > 0, "{expected:#?}");
    let timer = ["", "retransmit", "keepalive", "time_wait", "probe"][usize::from(row.timer)];
    assert!(
        expected.timer.is_none_or(|kind| kind == timer),
        "{timer}: {expected:#?}"
    );
    row
}

/// Every internet socket of `held` stands in `/proc/net` as expected.
fn proc_agrees(held: &[Expected]) {
    let inet = held.iter().filter(|e| e.family.starts_with("inet"));
    for expected in inet.filter(|e| e.state != "BOUND") {
        proc_row(expected);
    }
}

/// What `ss` prints with these flags, and nothing when there is no `ss` here.
fn ss(flags: &[&str]) -> Option<Vec<u8>> {
    match Command::new("ss").args(flags).output() {
        Ok(output) => {
            assert!(output.status.success(), "ss {flags:?}: {output:?}");
            Some(output.stdout)
        }
        Err(error) => {
            eprintln!("skipped: ss {flags:?}: {error}");
            None
        }
    }
}

/// Every socket of `held` with this protocol stands in the output of `ss <flags>`: state,
/// queues, addresses, inode, half-close.
fn ss_agrees(held: &[Expected], protocol: &str, flags: &[&str]) {
    let Some(output) = ss(flags) else { return };
    let output = String::from_utf8(output).unwrap();
    let known = held
        .iter()
        .filter(|e| e.protocol == protocol && e.state != "BOUND");
    for expected in known {
        let found = output.lines().any(|line| ss_line_is(line, expected));
        assert!(found, "{expected:#?}\nstands not in\n{output}");
    }
}

fn ss_line_is(line: &str, expected: &Expected) -> bool {
    let state = match expected.state {
        "ESTABLISHED" => "ESTAB".to_owned(),
        "SYN_RCVD" => "SYN-RECV".to_owned(),
        other => other.replace('_', "-"),
    };
    let field: Vec<&str> = line.split_whitespace().collect();
    let inode = expected
        .inode
        .filter(|&inode| inode > 0)
        .map(|inode| format!("ino:{inode}"));
    let shutdown = expected.shutdown.map(|shutdown| match shutdown {
        "none" => "<->",
        "receive" => "-->",
        "send" => "<--",
        _ => "---",
    });
    let number = |index: usize| field.get(index).and_then(|text| text.parse::<u64>().ok());
    field.first() == Some(&state.as_str())
        && expected
            .recv_queue
            .is_none_or(|queue| number(1) == Some(queue))
        && expected
            .send_queue
            .is_none_or(|queue| number(2) == Some(queue))
        && field
            .get(3)
            .is_some_and(|text| ss_address_is(text, expected))
        && inode.is_none_or(|inode| field.contains(&inode.as_str()))
        && shutdown.is_none_or(|shutdown| field.contains(&shutdown))
}

/// `ss` adds `%interface` to the address and writes `*` for the dual-stack `[::]`.
fn ss_address_is(text: &str, expected: &Expected) -> bool {
    let local = expected.local();
    let Some((address, port)) = text.rsplit_once(':') else {
        return false;
    };
    let (address, interface) = match address.trim_matches(['[', ']']).split_once('%') {
        Some((address, interface)) => (address, Some(interface.trim_end_matches(']'))),
        None => (address.trim_matches(['[', ']']), None),
    };
    let address = if address == "*" { "::" } else { address };
    port.parse() == Ok(local.port())
        && address.trim_end_matches(']').parse() == Ok(local.ip())
        && interface == expected.interface
}

/// Both witnesses for the TCP sockets of `held`.
fn tcp_agrees(held: &Held) {
    proc_agrees(&held.expected);
    ss_agrees(&held.expected, "tcp", &["-tanHeO"]);
}
