#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Decoder, ProcfsSource};
use crate::error::Error;
use crate::model::{Family, Protocol, Socket, Source as Kind, State, StateSet, Table};
use crate::source::note::Note;
use crate::source::{Extensions, Outcome, Recorder, Request, Source as _};
use crate::wire::{Body, Messages};

const TCP: Table = Table::new(Protocol::Tcp, Family::Inet);
const UDP: Table = Table::new(Protocol::Udp, Family::Inet);
const ICMP: Table = Table::new(Protocol::Icmp, Family::Inet);
const ICMP6: Table = Table::new(Protocol::Icmp, Family::Inet6);
const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";
/// Another socket.
const OTHER: &str = "   2: 0100007F:C8A8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     \
                     0        0 21401 2 00000000c1dd5c5d 100 0 0 10 0                     \n";
const ROW: &str = "   1: 0100007F:C8A7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     \
                   0        0 21400 2 00000000c1dd5c5d 100 0 0 10 0                     \n";
const BAD: &str = "   2: 0100007F 00000000:0000 0A\n";

pub(super) fn request(memory: bool) -> Request {
    let extensions = Extensions {
        memory,
        ..Extensions::default()
    };
    Request {
        extensions,
        ..Request::plain(StateSet::ALL)
    }
}

fn sockets_of(
    source: &mut ProcfsSource,
    table: Table,
    memory: bool,
) -> Result<(Vec<Socket>, Outcome), Error> {
    let mut found = Vec::new();
    let outcome = source.visit(table, &request(memory), &mut |socket: &Socket| {
        found.push(socket.clone());
        ControlFlow::Continue(())
    })?;
    Ok((found, outcome))
}

/// A directory with one table file.
pub(super) fn root(name: &str, text: impl AsRef<[u8]>) -> TempDir {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("net")).unwrap();
    fs::write(root.path().join("net").join(name), text).unwrap();
    root
}

fn texts(outcome: Outcome) -> impl Iterator<Item = String> {
    let warnings = outcome.warnings.into_iter();
    warnings.map(|warning| warning.to_string())
}

/// The number of rows in `net/tcp` with this text, and its gaps without the directory.
pub(super) fn read_tcp(text: impl AsRef<[u8]>) -> (usize, Vec<String>) {
    let root = root("tcp", text);
    let (found, outcome) = sockets_of(
        &mut ProcfsSource::new(root.path(), Recorder::default()),
        TCP,
        false,
    )
    .unwrap();
    assert_eq!(outcome.source, Some(Kind::Procfs));
    let directory = format!("{}/", root.path().display());
    let gaps = texts(outcome).map(|gap| gap.replace(&directory, ""));
    (found.len(), gaps.collect())
}

#[test]
fn header_is_no_row_and_no_gap_but_where_it_is_cut() {
    assert_eq!(read_tcp(HEADER), (0, vec![]));
    let cut = "net/tcp:1: line: cut off".to_owned();
    assert_eq!(read_tcp(HEADER.trim_end()), (0, vec![cut]));
}

#[test]
fn file_without_a_header_loses_no_row() {
    assert_eq!(read_tcp([ROW, OTHER].concat()), (2, vec![]));
}

#[test]
fn last_row_may_lack_its_newline() {
    assert_eq!(read_tcp([HEADER, ROW.trim_end()].concat()), (1, vec![]));
}

#[test]
fn empty_file_is_a_gap() {
    let gap = "net/tcp: empty, not even a header".to_owned();
    assert_eq!(read_tcp(""), (0, vec![gap]));
}

#[test]
fn one_bad_line_is_named() {
    let gap = "net/tcp:3: local_address: \"0100007F\" has no port".to_owned();
    assert_eq!(
        read_tcp([HEADER, ROW, BAD, OTHER].concat()),
        (2, vec![gap.clone()])
    );
}

#[test]
fn further_bad_lines_are_counted() {
    let gap = "net/tcp:2: local_address: \"0100007F\" has no port (and 1 more line)".to_owned();
    assert_eq!(
        read_tcp([HEADER, BAD, ROW, "\n"].concat()),
        (1, vec![gap.clone()])
    );
    let gap = gap.replace("1 more line", "3 more lines");
    assert_eq!(
        read_tcp([HEADER, BAD, ROW, BAD, BAD, OTHER, "cut"].concat()),
        (2, vec![gap])
    );
}

#[test]
fn line_of_1_mib_is_counted_and_ends_nothing() {
    let long = format!("{}{}\n", ROW.trim_end(), " ".repeat(1 << 20));
    let gap = "net/tcp:2: line: longer than any that the kernel writes".to_owned();
    assert_eq!(
        read_tcp([HEADER, &long, ROW].concat()),
        (1, vec![gap.clone()])
    );
    assert_eq!(
        read_tcp([HEADER, &"x".repeat(1 << 20)].concat()),
        (0, vec![gap])
    );
}

#[test]
fn bytes_of_every_value_are_counted_not_shown() {
    let line: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let (rows, gaps) = read_tcp([HEADER.as_bytes(), &line, b"\n", ROW.as_bytes()].concat());
    assert_eq!((rows, gaps.len()), (1, 1));
    assert!(gaps[0].chars().all(|c| !c.is_control()));
}

#[test]
fn row_is_as_the_line_says() {
    let root = root("tcp", [HEADER, ROW].concat());
    let (found, outcome) = sockets_of(
        &mut ProcfsSource::new(root.path(), Recorder::default()),
        TCP,
        true,
    )
    .unwrap();
    assert_eq!(found[0].local.port, Some(0xc8a7));
    assert_eq!(found[0].inode, Some(21400));
    let expected = Outcome {
        unlisted: StateSet::EMPTY.with(State::Bound),
        ..Outcome::complete(Kind::Procfs)
    };
    assert_eq!(outcome, expected);
}

#[test]
fn drops_are_shown_only_when_memory_is_wanted() {
    let row = ROW.replace(" 100 0 0 10 0 ", " 7 ").replace(" 0A ", " 07 ");
    let root = root("udp", [HEADER, &row].concat());
    let mut source = ProcfsSource::new(root.path(), Recorder::default());
    let mut drops = |memory| {
        let (found, _) = sockets_of(&mut source, UDP, memory).unwrap();
        found[0].memory().map(|memory| memory.drops)
    };
    assert_eq!(drops(true), Some(Some(7)));
    assert_eq!(drops(false), None);
}

#[test]
fn visitor_ends_the_reading() {
    let root = root("tcp", [HEADER, ROW, OTHER, BAD].concat());
    let mut rows = 0;
    let mut visitor = |_: &Socket| {
        rows += 1;
        ControlFlow::Break(())
    };
    let mut source = ProcfsSource::new(root.path(), Recorder::default());
    let outcome = source.visit(TCP, &request(false), &mut visitor).unwrap();
    assert_eq!((rows, outcome.warnings.len()), (1, 0));
}

#[test]
fn recorder_keeps_every_line_of_a_socket_as_it_is() {
    let root = root("tcp", [HEADER, ROW, "cut"].concat());
    let file = root.path().join("recording");
    let recorder = Recorder::create(&file).unwrap();
    let mut source = ProcfsSource::new(root.path(), recorder.clone());
    sockets_of(&mut source, TCP, false).unwrap();
    recorder.finish().unwrap();
    let bytes = fs::read(file).unwrap();
    let bodies: Vec<Body<'_>> = Messages::new(&bytes)
        .map(|message| message.unwrap().body)
        .collect();
    let row = ROW.trim_end_matches('\n').as_bytes();
    let told = StateSet::ALL.without(State::Bound);
    let states = Note::States(told).write();
    assert_eq!(
        bodies,
        [
            Body::ProcLine(row),
            Body::ProcLine(b"cut"),
            Body::Done(0),
            Body::Note(&states),
            Body::Note(Note::END),
        ]
    );
}

#[test]
fn row_that_the_kernel_gives_twice_is_lent_once() {
    let root = root("tcp", [HEADER, ROW, OTHER, ROW, OTHER].concat());
    let mut source = ProcfsSource::new(root.path(), Recorder::default());
    let (found, outcome) = sockets_of(&mut source, TCP, false).unwrap();
    assert_eq!((found.len(), outcome.warnings.len()), (2, 0));
}

#[test]
fn missing_file_means_that_there_are_no_such_sockets() {
    let root = root("tcp", HEADER);
    let (found, outcome) = sockets_of(
        &mut ProcfsSource::new(root.path(), Recorder::default()),
        UDP,
        false,
    )
    .unwrap();
    assert_eq!((found.len(), outcome.source), (0, None));
    let path = root.path().join("net/udp");
    assert_eq!(
        outcome.reason,
        Some(format!("there is no {}", path.display()).into())
    );
}

#[test]
fn missing_directory_is_an_error() {
    let error = sockets_of(
        &mut ProcfsSource::new("/nowhere", Recorder::default()),
        TCP,
        false,
    )
    .unwrap_err();
    assert_eq!(
        error.chain(),
        "cannot open /nowhere/net/tcp: no such file or directory"
    );
}

#[test]
fn mptcp_cannot_be_told_where_the_kernel_speaks_it() {
    let root = root("tcp", HEADER);
    let table = Table {
        protocol: Protocol::Mptcp,
        ..TCP
    };
    let read = || {
        let mut source = ProcfsSource::new(root.path(), Recorder::default());
        sockets_of(&mut source, table, false).unwrap().1
    };
    let told = |outcome: Outcome| (outcome.source, outcome.unlisted);
    let untold = (Some(Kind::Procfs), request(false).states);
    assert_eq!(told(read()), untold, "nobody says that there are none");
    let protocols = root.path().join("net/protocols");
    fs::write(&protocols, "protocol size\nTCP 2304\nMPTCP 1936\n").unwrap();
    assert_eq!(told(read()), untold);
    fs::write(&protocols, "protocol size\nTCP 2304\n").unwrap();
    let none = read();
    let reason = "this kernel has no IPv4 MPTCP sockets".into();
    assert_eq!(none.reason.as_ref(), Some(&reason));
    assert_eq!(told(none), (None, StateSet::EMPTY));
}

#[test]
fn file_that_cannot_be_read_at_all_is_an_error() {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("net/tcp")).unwrap();
    let error = sockets_of(
        &mut ProcfsSource::new(root.path(), Recorder::default()),
        TCP,
        false,
    )
    .unwrap_err();
    assert!(error.chain().starts_with("cannot read "));
    assert!(error.chain().ends_with("net/tcp: is a directory"));
}

/// A file whose disk fails after the text.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.read(buffer)
    }
}

#[test]
fn error_in_the_middle_is_a_gap_behind_the_rows() {
    let text = [HEADER, ROW, BAD, OTHER].concat();
    let mut rows = 0;
    let request = request(false);
    let mut visitor = |_: &Socket| {
        rows += 1;
        ControlFlow::Continue(())
    };
    let decoder = Decoder::new(Kind::Procfs, TCP, &request, &mut visitor, None);
    let file = (PathBuf::from("/p/net/tcp"), Broken(text.as_bytes()));
    let outcome = ProcfsSource::new("/proc", Recorder::default()).read(decoder, file);
    assert_eq!(rows, 2);
    assert_eq!(
        texts(outcome.unwrap()).collect::<Vec<_>>(),
        [
            "/p/net/tcp:3: local_address: \"0100007F\" has no port",
            "cannot read /p/net/tcp: input/output error (after line 4)"
        ]
    );
}

/// Linux 6.18's list of one IPv6 and one IPv4 ping socket with the same identifier.
const PING: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   10: 0100007F:419B 0100007F:0000 01 00000000:00000000 00:00000000 00000000     0        0 21422 2 000000009e2e318f 0         
   60: 0100007F:004D 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21421 2 000000002a8b455b 0         
";
const PING6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   60: 00000000000000000000000001000000:004D 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21427 2 00000000d9ed93a3 0
   60: 00000000000000000000000000000000:004D 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21421 2 000000002a8b455b 0
";

#[test]
fn ping_socket_listed_under_both_families_has_the_right_one() {
    let root = root("icmp", PING);
    fs::write(root.path().join("net/icmp6"), PING6).unwrap();
    let mut source = ProcfsSource::new(root.path(), Recorder::default());
    let mut inodes = |table| {
        let (found, _) = sockets_of(&mut source, table, false).unwrap();
        found.iter().filter_map(|row| row.inode).collect::<Vec<_>>()
    };
    assert_eq!(inodes(ICMP), [21422, 21421]);
    assert_eq!(inodes(ICMP6), [21427]);
}

#[test]
fn a_missing_file_of_a_protocol_that_is_spoken_is_a_gap() {
    let root = root("protocols", "protocol size\nUDP 1344\nUDPv6 1472\n");
    let mut source = ProcfsSource::new(root.path(), Recorder::default());
    let mut read = |table| sockets_of(&mut source, table, false).unwrap().1;
    let (udp, tcp) = (read(UDP), read(TCP));
    assert_eq!((udp.source, tcp.source), (None, None));
    assert_eq!(texts(tcp).count(), 0);
    let file = root.path().join("net/udp");
    let gap = format!(
        "there is no {}: IPv4 UDP sockets cannot be listed",
        file.display()
    );
    assert_eq!(texts(udp).collect::<Vec<_>>(), [gap]);
}

#[test]
fn files_do_not_list_tcp_sockets_that_are_bound() {
    let root = root("tcp", HEADER);
    fs::write(root.path().join("net/udp"), HEADER).unwrap();
    let mut source = ProcfsSource::new(root.path(), Recorder::default());
    let mut unlisted = |table| sockets_of(&mut source, table, false).unwrap().1.unlisted;
    let bound = StateSet::EMPTY.with(State::Bound);
    assert_eq!([TCP, UDP].map(&mut unlisted), [bound, StateSet::EMPTY]);
    for table in Table::all().filter(|table| table.protocol != Protocol::Tcp) {
        assert_eq!(
            request(false).unlisted(table, bound),
            StateSet::EMPTY,
            "{table}"
        );
    }
}
