#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::program::{FUNCTION, Plan, Scope, WANTED, program};
use super::reader::Reader;
use super::record::{Detailed, Extent, Head, Record as _, STRAYED, TABLE, Ticks};
use super::{Bound, Rows, Use, Walk, WalkSource};
use crate::bpf::{BTF, Btf, Kernel};
use crate::error::Error;
use crate::filter::Narrow;
use crate::model::{Cause, Family, Protocol, Shutdown, Socket, State, StateSet, Table, TimerKind};
use crate::skip::skip;
use crate::source::checks::samples::heavy;
use crate::source::decoder::Decoder;
use crate::source::{Detail, Extensions, NetlinkSource, Outcome, Recorder, Request, Source as _};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::mem::offset_of;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;
use zerocopy::IntoBytes as _;

/// The kernel accepts each program, without a filter and with one nearly as heavy as it ever gets.
#[test]
fn this_kernel_takes_every_program() {
    let table = Table::new(Protocol::Tcp, Family::Inet6);
    let filters = [
        (StateSet::ALL, Narrow::default()),
        (
            StateSet::EMPTY.with(State::CloseWait),
            Narrow::of(&heavy().for_table(table)),
        ),
    ];
    for (states, narrow) in filters {
        for scope in [
            Scope::Own(None),
            Scope::Own(Some(Family::Inet)),
            Scope::Table,
        ] {
            for (detail, is_counted) in [
                (Detail::Line, false),
                (Detail::Usual, false),
                (Detail::Usual, true),
            ] {
                let narrowed = Request {
                    narrow: narrow.clone(),
                    ..request(states, detail)
                };
                let networks = if scope == Scope::Table {
                    &[7, 9][..]
                } else {
                    &[]
                };
                let counted = is_counted.then_some(networks);
                let load = || Walk::load(Path::new(BTF), scope, &narrowed, counted);
                // A signal interrupts the verifier, and other tests cause many.
                let is_over = |loaded: &Result<Walk, Error>| {
                    let text = loaded.as_ref().err().map(Error::chain);
                    !text.is_some_and(|text| text.contains("temporarily unavailable"))
                };
                let mut loads = (0..300).map(|turn| {
                    thread::sleep(Duration::from_millis(turn));
                    load()
                });
                if let Err(error) = loads.find(is_over).unwrap_or_else(load) {
                    let text = error.chain();
                    let is_denied =
                        text.contains("not permitted") || text.contains("of the expected type");
                    assert!(is_denied || text.contains("cannot read"), "{text}");
                    return skip(text);
                }
            }
        }
    }
}

#[test]
fn what_a_kernel_does_not_have_is_named() {
    let mut kernel = Kernel::new();
    kernel.function(FUNCTION);
    let pointer = kernel.pointer();
    let members = [("key", pointer, 0), ("value", pointer, 64)];
    kernel.structure("bpf_iter__bpf_map_elem", &members);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED).unwrap();
    let error = program(
        &btf,
        Plan {
            scope: Scope::Own(None),
            extent: Extent::Head,
            counts: None,
            lists: 0,
        },
        &request(StateSet::ALL, Detail::Line),
    )
    .unwrap_err();
    let text = "no bpf_iter__bpf_map_elem.meta of the expected type";
    assert_eq!(error, text);
}

#[test]
fn records_stand_as_the_program_writes_them() {
    assert_eq!((Extent::Head.bytes(), Extent::Detailed.bytes()), (56, 88));
    assert_eq!(offset_of!(Detailed, head), 0);
}

fn head() -> Head {
    let [mut local, mut peer] = [[0; 16]; 2];
    local[..4].copy_from_slice(&[127, 0, 0, 1]);
    peer[..4].copy_from_slice(&[127, 0, 0, 2]);
    Head {
        local,
        peer,
        local_port: 8_080,
        peer_port: [0x12, 0x34],
        family: 2,
        state: 1,
        recv_queue: -1,
        send_queue: 7,
        ..Head::default()
    }
}

#[test]
fn record_becomes_a_socket() {
    let record = Detailed {
        head: Head {
            timer: 1,
            retransmits: 3,
            interface: 4,
            ..head()
        },
        cgroup: 5,
        inode: 6,
        expires: -1,
        mark: 8,
        shutdown: 2,
        is_full: 1,
        ..Detailed::default()
    };
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet6);
    assert!(record.decode(Ticks::of_kernel(), &mut socket));
    assert_eq!(
        (socket.family, socket.state),
        (Family::Inet, State::Established)
    );
    // After a FIN that was read the kernel counts -1.
    assert_eq!((socket.recv_queue, socket.send_queue), (Some(0), Some(7)));
    assert_eq!(socket.local.ip, Some(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(
        (socket.local.port, socket.peer.port),
        (Some(8_080), Some(0x1234))
    );
    let timer = socket.timer.unwrap();
    assert_eq!(
        (timer.kind, timer.expires_ms, timer.retransmits),
        (TimerKind::Retransmit, 0, 3)
    );
    assert_eq!(
        (socket.uid, socket.inode, socket.cookie),
        (Some(0), Some(6), None)
    );
    assert_eq!((socket.mark, socket.cgroup_id), (Some(8), Some(5)));
    assert_eq!(
        (socket.interface, socket.shutdown),
        (Some(4), Some(Shutdown::Send))
    );

    let rest = Detailed {
        head: Head { state: 6, ..head() },
        cgroup: 5,
        ..Detailed::default()
    };
    assert!(rest.decode(Ticks::of_kernel(), &mut socket));
    assert_eq!((socket.uid, socket.inode, socket.timer), (None, None, None));
    assert_eq!((socket.cgroup_id, socket.shutdown), (None, None));
}

/// Yields these results in turn, then the end.
struct Output(VecDeque<io::Result<Vec<u8>>>);

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(next) = self.0.pop_front() else {
            return Ok(0);
        };
        let next = next?;
        buffer[..next.len()].copy_from_slice(&next);
        Ok(next.len())
    }
}

fn request(states: StateSet, detail: Detail) -> Request {
    Request {
        states,
        extensions: Extensions {
            detail,
            ..Extensions::default()
        },
        narrow: Narrow::default(),
        netns: None,
    }
}

fn of_table(mask: u32) -> Vec<u8> {
    let head = Head {
        family: TABLE,
        send_queue: mask,
        ..Head::default()
    };
    head.as_bytes().to_vec()
}

fn socket(port: u16) -> Vec<u8> {
    let head = Head {
        local_port: port,
        ..head()
    };
    head.as_bytes().to_vec()
}

/// The ports lent, the error, and whether a chain had a wrong end.
fn read(output: Vec<io::Result<Vec<u8>>>, rows: &Rows) -> (Vec<u32>, Option<String>, bool) {
    let mut ports = Vec::new();
    let request = request(StateSet::ALL, Detail::Line);
    let mut take = |socket: &Socket| {
        ports.extend(socket.local.port);
        ControlFlow::Continue(())
    };
    let table = Table::new(Protocol::Tcp, Family::Inet);
    let decoder = Decoder::new(crate::model::Source::Bpf, table, &request, &mut take, None);
    let mut reader = Reader::new(decoder, rows);
    let read = reader.read::<Head>(Output(output.into()));
    let is_astray = reader.is_astray;
    (ports, read.err().map(|cause| cause.to_string()), is_astray)
}

#[test]
fn what_is_read_is_lent() {
    let output = vec![
        Ok([of_table(0xffff), socket(1)].concat()),
        Err(io::ErrorKind::Interrupted.into()),
        Ok([socket(2), socket(3)].concat()),
    ];
    assert_eq!(read(output, &Rows::default()), (vec![1, 2, 3], None, false));
}

#[test]
fn what_goes_wrong_is_told() {
    let many = Rows {
        sockets: 100_000,
        ..Rows::default()
    };
    let stray = Head {
        family: STRAYED,
        ..Head::default()
    };
    let error = |code| Err(io::Error::from_raw_os_error(code));
    let begin = || Ok([of_table(0xffff), socket(1)].concat());
    let all = Rows::default();
    for (output, rows, ports, text, is_astray) in [
        (vec![], &all, vec![], Some("did not run"), false),
        (
            vec![begin(), Ok(socket(2)[..55].to_vec())],
            &all,
            vec![1],
            Some("truncated"),
            false,
        ),
        (
            vec![begin(), error(7)],
            &all,
            vec![1],
            Some("too many sockets"),
            false,
        ),
        (
            vec![begin(), error(11)],
            &all,
            vec![1],
            Some("os error 11"),
            false,
        ),
        (
            vec![Ok(of_table(15))],
            &many,
            vec![],
            Some("too many sockets"),
            false,
        ),
        (vec![begin()], &many, vec![1], None, false),
        (
            vec![begin(), Ok(stray.as_bytes().to_vec())],
            &all,
            vec![1],
            None,
            true,
        ),
    ] {
        let (lent, why, astray) = read(output, rows);
        assert_eq!((lent, astray), (ports, is_astray));
        let is_told = why
            .as_ref()
            .zip(text)
            .is_some_and(|(why, text)| why.contains(text));
        assert!(
            is_told || why.is_none() && text.is_none(),
            "{why:?} {text:?}"
        );
    }
}

#[test]
fn one_that_was_bound_is_not_lent_again() {
    let record = Detailed {
        head: head(),
        inode: 6,
        is_full: 1,
        ..Detailed::default()
    };
    let table = Detailed {
        head: Head {
            family: TABLE,
            ..Head::default()
        },
        ..Detailed::default()
    };
    let rows = Rows {
        bound: Bound::from([(6, 8_080)]),
        ..Rows::default()
    };
    for (rows, lent) in [(&rows, 0), (&Rows::default(), 1)] {
        let request = request(StateSet::ALL, Detail::Usual);
        let mut take = |_: &Socket| ControlFlow::Continue(());
        let of = Table::new(Protocol::Tcp, Family::Inet);
        let decoder = Decoder::new(crate::model::Source::Bpf, of, &request, &mut take, None);
        let mut reader = Reader::new(decoder, rows);
        let bytes = [table.as_bytes(), record.as_bytes()].concat();
        let output = Output([Ok(bytes)].into());
        assert!(reader.read::<Detailed>(output).is_ok());
        assert_eq!(reader.decoder.lent, lent);
    }
}

/// The result of a listing if the kernel has no BTF.
fn without_btf(usage: Use) -> Outcome {
    let mut source = WalkSource::new(NetlinkSource::new(Recorder::default()), usage);
    source.btf = "/nonexistent".into();
    let mut take = |_: &Socket| ControlFlow::Continue(());
    let request = request(StateSet::ALL, Detail::Line);
    source.visit_both(&request, &mut take).unwrap_or_default()
}

#[test]
fn kernel_without_a_description_of_its_types_is_told() {
    let told = without_btf(Use::Always)
        .reason
        .map(|cause| cause.to_string());
    let text = told.unwrap_or_default();
    // Without privileges there is no map either.
    let is_denied = text.contains("not permitted");
    assert!(is_denied || text.contains("/nonexistent"), "{text}");
    assert_eq!(without_btf(Use::Never).reason, None::<Cause>);
}
