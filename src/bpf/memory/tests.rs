#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::{BUSY, Content, Counter, DISCARDED, Description, HEADER, Mapping, Numbers, RingBuffer};
use crate::bpf::Map;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::ProtFlags;
use rustix::param::page_size;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// A file in place of a kernel map.
fn memory(length: usize) -> File {
    let file = memfd_create("map", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, length.try_into().unwrap()).unwrap();
    File::from(file)
}

fn map(file: &File, size: usize) -> Map {
    Map {
        descriptor: file.try_clone().unwrap().into(),
        size,
    }
}

/// Writes to a ring buffer of one page as BPF programs do.
struct Writer {
    file: File,
    position: usize,
}

impl Writer {
    fn new() -> (Self, RingBuffer) {
        let file = memory(4 * page_size());
        let ring = RingBuffer::of(map(&file, page_size())).unwrap();
        (Self { file, position: 0 }, ring)
    }

    /// Writes at both addresses where the kernel maps the same bytes.
    fn write_at(&self, position: usize, bytes: &[u8]) {
        for (byte, at) in bytes.iter().zip(position..) {
            let at = at % page_size();
            for page in [2, 3] {
                let place = page * page_size() + at;
                let place = u64::try_from(place).unwrap();
                self.file.write_all_at(&[*byte], place).unwrap();
            }
        }
    }

    fn header(&self, position: usize, length: usize, flags: u32) {
        let length = u32::try_from(length).unwrap() | flags;
        self.write_at(position, &length.to_ne_bytes());
    }

    /// Writes a record and returns its start.
    fn record(&mut self, bytes: &[u8], flags: u32) -> usize {
        let begin = self.position;
        self.header(begin, bytes.len(), flags);
        self.write_at(begin + HEADER, bytes);
        self.position += (HEADER + bytes.len()).next_multiple_of(HEADER);
        let place = u64::try_from(page_size()).unwrap();
        let position = self.position.to_ne_bytes();
        self.file.write_all_at(&position, place).unwrap();
        begin
    }
}

fn drained(ring: &mut RingBuffer) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let flow = ring.drain(|record| {
        records.push(record.to_vec());
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    records
}

#[test]
fn records_are_lent_in_order_and_once() {
    let (mut writer, mut ring) = Writer::new();
    assert_eq!(drained(&mut ring), Vec::<Vec<u8>>::new());
    writer.record(b"one", 0);
    writer.record(b"given up", DISCARDED);
    writer.record(b"three, longer", 0);
    let expected = [&b"one"[..], b"three, longer"];
    assert_eq!(drained(&mut ring), expected);
    assert_eq!(drained(&mut ring), Vec::<Vec<u8>>::new());
}

#[test]
fn record_still_written_to_holds_back_what_follows() {
    let (mut writer, mut ring) = Writer::new();
    writer.record(b"one", 0);
    let busy = writer.record(b"two", BUSY);
    writer.record(b"three", 0);
    assert_eq!(drained(&mut ring), [b"one"]);
    writer.header(busy, 3, 0);
    assert_eq!(drained(&mut ring), [&b"two"[..], b"three"]);
}

#[test]
fn record_over_the_edge_is_in_one_piece() {
    let (mut writer, mut ring) = Writer::new();
    let long = vec![7; page_size() / 4];
    for round in 0..100 {
        let record = [&[round], &*long].concat();
        writer.record(&record, 0);
        assert_eq!(drained(&mut ring), [record], "{round}");
    }
}

#[test]
fn who_breaks_off_gets_the_rest_later() {
    let (mut writer, mut ring) = Writer::new();
    writer.record(b"one", 0);
    writer.record(b"two", 0);
    let mut count = 0;
    let flow = ring.drain(|_| {
        count += 1;
        ControlFlow::Break(())
    });
    assert_eq!((flow, count), (ControlFlow::Break(()), 1));
    assert_eq!(drained(&mut ring), [b"two"]);
}

#[test]
fn length_beyond_the_memory_is_not_followed() {
    let (mut writer, mut ring) = Writer::new();
    let begin = writer.record(b"one", 0);
    writer.header(begin, 3 * page_size(), 0);
    assert_eq!(drained(&mut ring), Vec::<Vec<u8>>::new());
}

#[test]
fn nothing_is_lent_from_outside_a_mapping() {
    let mapping = Mapping::new(
        memory(64),
        [0, 64],
        ProtFlags::READ,
        super::MapFlags::SHARED,
    )
    .unwrap();
    assert_eq!(mapping.bytes(60, 4).map(<[u8]>::len), Some(4));
    for (offset, length) in [(61, 4), (65, 0), (usize::MAX, 2), (0, usize::MAX)] {
        assert_eq!(mapping.bytes(offset, length), None, "{offset}");
    }
    let is_lent = |offset| mapping.atomic::<AtomicU64>(offset).is_some();
    assert_eq!(
        [0, 56, 4, 57, 64, usize::MAX].map(is_lent),
        [true, true, false, false, false, false]
    );
}

#[test]
fn counter_is_read_as_it_stands() {
    let file = memory(page_size());
    let counter = Counter::of(&map(&file, 8)).unwrap();
    assert_eq!(counter.get(), 0);
    file.write_all_at(&7_u64.to_ne_bytes(), 0).unwrap();
    assert_eq!(counter.get(), 7);
}

#[test]
fn file_that_somebody_may_change_is_read_and_not_mapped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmlinux");
    fs::write(&path, b"not of the kernel").unwrap();
    let description = Description::open(&path).unwrap();
    assert!(matches!(description.0, Content::Read(_)));
    assert_eq!(description.bytes(), b"not of the kernel");
}

#[test]
fn description_of_this_kernel_is_whole() {
    let path = Path::new(crate::bpf::BTF);
    let Ok(bytes) = fs::read(path) else {
        crate::skip::skip("this kernel does not describe its types");
        return;
    };
    assert!(Description::open(path).unwrap().bytes() == bytes);
}

#[test]
fn numbers_are_changed_from_both_sides() {
    let file = memory(page_size());
    let numbers = Numbers::of(&map(&file, 24)).unwrap();
    file.write_all_at(&7_u64.to_ne_bytes(), 16).unwrap();
    numbers.set(1, 5);
    assert_eq!([0, 1, 2].map(|place| numbers.get(place)), [0, 5, 7]);
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, 8).unwrap();
    assert_eq!(u64::from_ne_bytes(bytes), 5);
    numbers.set(usize::MAX, 1);
    assert_eq!(numbers.get(page_size()), 0);
}
