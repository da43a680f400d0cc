//! The scene holds what it says, by the word of witnesses other than `lsock`: `/proc/net`,
//! `/proc/PID/fd`, `ss` and the kernel's own `sock_diag`.

mod datagrams;
mod namespaces;
mod owners;
mod tcp;
mod unix;
mod whole;

use std::collections::BTreeMap;

use crate::scene::witness::{self, NetRow};
use crate::scene::{Expected, Held};
use crate::support::{tool, until_ok};

/// Repeats a look until it finds what it should, and tells what was wrong with the last one.
///
/// In a shared namespace one look proves nothing: the kernel hands out its tables piece by
/// piece, and while others open and close sockets it shows some twice and some not at all.
fn eventually<T>(look: impl FnMut() -> Result<T, String>) -> T {
    until_ok("agreement", look)
}

/// The one row `/proc/net` has for this socket.
///
/// # Panics
///
/// When there is none, when there are two, and when the row says something else.
fn proc_row(expected: &Expected) -> NetRow {
    eventually(|| row_among(&witness::proc_net(expected).unwrap(), expected))
}

fn row_among(rows: &[NetRow], expected: &Expected) -> Result<NetRow, String> {
    let found: Vec<&NetRow> = rows.iter().filter(|row| row.is_of(expected)).collect();
    let [row] = found[..] else {
        return Err(format!("{expected:#?}\nstands in {found:#?}\nof {rows:#?}"));
    };
    let send_queue = match expected.send_queue {
        // The file has no backlog.
        Some(_) if expected.state == "LISTEN" => Some(0),
        known => known,
    };
    let timer = ["", "retransmit", "keepalive", "time_wait", "probe"][usize::from(row.timer)];
    let agrees = row.state == witness::state_code(expected.state)
        && expected
            .recv_queue
            .is_none_or(|queue| row.recv_queue == queue)
        && send_queue.is_none_or(|queue| row.send_queue == queue)
        && (!expected.some_unread || row.recv_queue > 0)
        && (!expected.some_unsent || row.send_queue > 0)
        && expected.timer.is_none_or(|kind| kind == timer);
    if agrees {
        Ok(row.clone())
    } else {
        Err(format!("{expected:#?}\nstands as {row:#?}"))
    }
}

/// Every internet socket of `held` stands in `/proc/net` as expected.
fn proc_agrees(held: &[Expected]) {
    let mut files: BTreeMap<(&str, &str), Vec<&Expected>> = BTreeMap::new();
    for expected in held
        .iter()
        .filter(|e| e.family.starts_with("inet") && e.state != "BOUND")
    {
        files
            .entry((expected.protocol, expected.family))
            .or_default()
            .push(expected);
    }
    for known in files.values() {
        eventually(|| {
            let rows = witness::proc_net(known[0]).unwrap();
            known
                .iter()
                .try_for_each(|expected| row_among(&rows, expected).map(drop))
        });
    }
}

/// Every socket of `held` with this protocol stands in the output of `ss <flags>`: state,
/// queues, addresses, inode, half-close.
fn ss_agrees(held: &[Expected], protocol: &str, flags: &[&str]) {
    eventually(|| {
        let Some(output) = tool("ss", flags) else {
            return Ok(());
        };
        let output = String::from_utf8(output).unwrap();
        let mut known = held
            .iter()
            .filter(|e| e.protocol == protocol && e.state != "BOUND");
        match known.find(|expected| !output.lines().any(|line| ss_line_is(line, expected))) {
            Some(expected) => Err(format!("{expected:#?}\nstands not in\n{output}")),
            None => Ok(()),
        }
    });
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
