//! Files of other kernels and of sandboxes: every row is read, and missing data is unknown.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as expected"
)]

use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::tests::{read_tcp, request, root as root_with};
use super::{ProcfsSource, Recorder};
use crate::fields::{Field, Value};
use crate::model::{Endpoint, Family, Protocol, Row, Socket, State, Table, Warning};
use crate::source::Source as _;
use crate::text::unix_name;

/// Describes a socket: state, ends, queues, user, inode, drops and timer.
fn told(socket: &Socket) -> String {
    let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let end = |end: &Endpoint| match end.ip {
        Some(ip) => format!("{ip}:{}", number(end.port)),
        None => format!("{}:{}", unix_name(&end.name), number(end.port)),
    };
    let mut text = format!("{} {}", socket.state, end(&socket.local));
    let (received, sent) = (number(socket.recv_queue), number(socket.send_queue));
    let drops = socket.memory().and_then(|memory| memory.drops);
    let inode = socket
        .inode
        .map_or_else(|| "-".to_owned(), |inode| inode.to_string());
    let _ = write!(text, " {} {received} {sent}", end(&socket.peer));
    let _ = write!(text, " {} {inode} {}", number(socket.uid), number(drops));
    if let Some(timer) = socket.timer {
        let _ = write!(text, " {} {}ms", timer.kind.name(), timer.expires_ms);
    }
    text
}

fn root(kernel: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/procfs");
    fixtures.join(kernel)
}

/// Every row of a kernel's files, and the warnings.
fn list(kernel: &str) -> (Vec<Socket>, Vec<Warning>) {
    let root = root(kernel);
    let mut source = ProcfsSource::new(&root, Recorder::default());
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    let has_file = |table: &Table| {
        table
            .proc_file()
            .is_some_and(|name| root.join(name).exists())
    };
    for table in Table::all().filter(has_file) {
        let mut keep = |socket: &Socket| {
            found.push(socket.clone());
            ControlFlow::Continue(())
        };
        let outcome = source.visit(table, &request(true), &mut keep).unwrap();
        warnings.extend(outcome.warnings);
    }
    (found, warnings)
}

#[test]
fn every_row_of_other_kernels_is_there() {
    for kernel in [
        "linux-2.6.18",
        "linux-2.6.32",
        "linux-3.10",
        "linux-6.1-32bit",
        "gvisor",
        "later",
    ] {
        let (found, warnings) = list(kernel);
        let found: Vec<String> = found.iter().map(told).collect();
        let found = found.join("\n") + "\n";
        let expected = root(kernel).join("expected");
        assert_eq!(found, fs::read_to_string(&expected).unwrap(), "{kernel}");
        assert_eq!(warnings, [], "{kernel}");
    }
}

#[test]
fn column_that_a_kernel_lacks_is_unknown() {
    let (found, _) = list("linux-2.6.18");
    let drops = Field::Memory
        .parts()
        .into_iter()
        .find(|part| part.own_name() == "drops");
    for socket in found
        .iter()
        .filter(|socket| socket.state != State::TimeWait)
    {
        let row = Row::bare(socket);
        let is_unknown = |field: Field| matches!(field.value(&row), Value::NotReported);
        let told = told(socket);
        let is_request = socket.state == State::SynRcvd;
        assert_eq!(is_unknown(drops.unwrap()), !is_request, "{told}");
        let lacks_inode = socket.protocol == Protocol::Netlink && socket.local.port != Some(0);
        assert_eq!(is_unknown(Field::Inode), lacks_inode, "{told}");
        assert_eq!(
            socket.may_be_held(),
            lacks_inode || socket.inode.is_some(),
            "{told}"
        );
    }
}

#[test]
fn file_that_is_cut_off_tells_no_wrong_row() {
    for kernel in ["linux-2.6.18", "linux-3.10", "gvisor"] {
        let text = fs::read_to_string(root(kernel).join("net/tcp")).unwrap();
        let whole = read_tcp(&text).0;
        for end in text.find('\n').unwrap() + 1..text.len() {
            let (rows, gaps) = read_tcp(text.get(..end).unwrap());
            let lines = text.get(..end).unwrap().lines().count() - 1;
            assert_eq!(rows + gaps.len(), lines, "{kernel}, {end} bytes");
            assert!(rows <= whole);
        }
    }
}

/// A line of `net/tcp` whose columns are numbers of the right kind, some of them odd.
fn line() -> impl Strategy<Value = String> {
    let hex = |digits: usize| prop::string::string_regex(&format!("[0-9A-F]{{{digits}}}")).unwrap();
    let ends = (hex(8), hex(4), hex(8), hex(4), hex(2));
    let queues = (hex(8), hex(8), hex(2), hex(8), hex(8));
    let user = (any::<i32>(), any::<i32>(), any::<u32>());
    let tail = prop::collection::vec("[0-9a-f(-]{1,16}", 0..9);
    (any::<u16>(), ends, queues, user, tail).prop_map(|(sl, e, q, u, tail)| {
        let (ends, queues) = (
            format!("{}:{} {}:{} {}", e.0, e.1, e.2, e.3, e.4),
            format!("{}:{} {}:{} {}", q.0, q.1, q.2, q.3, q.4),
        );
        let tail = tail.join(" ");
        format!("{sl:4}: {ends} {queues} {:5} {:8} {} {tail}", u.0, u.1, u.2)
    })
}

proptest! {
    #[test]
    fn no_line_vanishes(
        lines in prop::collection::vec(prop_oneof![line(), "[ -~]{0,40}", line().prop_map(|l| l.replace(':', " "))], 1..6),
        returns: bool,
    ) {
        let end = if returns { "\r\n" } else { "\n" };
        let text = ["  sl  local_address".to_owned()].into_iter().chain(lines.iter().cloned());
        let text = text.fold(String::new(), |text, line| text + &line + end);
        let root = root_with("tcp", &text);
        let mut rows = 0_u64;
        let mut count = |_: &Socket| {
            rows += 1;
            ControlFlow::Continue(())
        };
        let mut source = ProcfsSource::new(root.path(), Recorder::default());
        let table = Table::new(Protocol::Tcp, Family::Inet);
        let outcome = source.visit(table, &request(false), &mut count).unwrap();
        let told: u64 = outcome.warnings.iter().map(|warning| match warning {
            Warning::BadLines { more, .. } => 1 + more,
            other => panic!("{other}"),
        }).sum();
        prop_assert_eq!(rows + told, u64::try_from(lines.len()).unwrap());
    }
}
