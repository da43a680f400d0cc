//! Memory that the kernel shares with us: its description of types, ring buffers, counters.
//!
//! With `syscall` the only unsafe code of the program. What makes it sound:
//!
//! - A [`Mapping`] is a mapping of its own, at an address that the kernel chose, and is there until it is
//!   dropped. Whatever is lent of it, is lent for no longer, and lies within it: [`Mapping::bytes`]
//!   checks both ends, [`Mapping::atomic`] that it is aligned, too.
//! - What may change while it is mapped is read as an atomic number, and only so: the two positions of a
//!   ring buffer, the headers of its records, a counter.
//! - Borrowed bytes do not change during the borrow. The kernel never changes its BTF while it runs;
//!   files outside sysfs are read, not mapped. A record of a ring buffer belongs to its reader from the
//!   moment its header says that it is written until the consumer position is past it
//!   ([BPF ring buffer](https://docs.kernel.org/bpf/ringbuf.html)), and is borrowed only in between. The map's descriptor is ours alone, and so nobody else moves that position.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use rustix::fs::{FsWord, fstatfs};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::param::page_size;

use super::{Map, refused};
use crate::error::Error;

/// `SYSFS_MAGIC` (`include/uapi/linux/magic.h`).
const SYSFS: FsWord = 0x6265_6572;
/// Bytes of the header of a record: its length, and four more.
const HEADER: usize = 8;
/// `BPF_RINGBUF_BUSY_BIT`, in the length: it is still written to.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: there is nothing in it.
const DISCARDED: u32 = 1 << 30;

/// A file or a map in our memory.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(
        file: impl AsFd,
        [offset, length]: [usize; 2],
        protection: ProtFlags,
        flags: MapFlags,
    ) -> io::Result<Self> {
        let offset = u64::try_from(offset).map_err(io::Error::other)?;
        let anywhere = std::ptr::null_mut();
        // SAFETY: the kernel chooses the address, so that nothing else is there.
        let start = unsafe { mmap(anywhere, length, protection, flags, file, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// Where these bytes are, if they are within it.
    fn within(&self, offset: usize, length: usize) -> Option<NonNull<u8>> {
        let is_within = offset.checked_add(length)? <= self.length;
        // SAFETY: it is within the mapping.
        is_within.then(|| unsafe { self.start.add(offset) })
    }

    /// Bytes that do not change as long as they are lent; `None` = they are not within it.
    fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        let start = self.within(offset, length)?;
        // SAFETY: they are there, and the module's text says why they do not change.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), length) })
    }

    /// A number that may change; `None` = it is not within it, or not aligned.
    fn atomic<T: Atomic>(&self, offset: usize) -> Option<&T> {
        let number = self.within(offset, size_of::<T>())?.cast::<T>();
        if !number.is_aligned() {
            return None;
        }
        // SAFETY: it is there and aligned, and any bytes are such a number. Where the mapping may only be
        // read, it is only loaded, with the order that read-only memory allows (`Relaxed`).
        Some(unsafe { number.as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nothing of it is lent any more. What cannot be unmapped stays.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// The numbers that two may read and write at once.
///
/// # Safety
///
/// Any bytes are such a number, and it changes through atomic instructions only.
unsafe trait Atomic {}
// SAFETY: they are numbers, and atomic.
unsafe impl Atomic for AtomicU32 {}
// SAFETY: the same.
unsafe impl Atomic for AtomicU64 {}
// SAFETY: the same.
unsafe impl Atomic for AtomicUsize {}

/// A file that describes types.
#[derive(Debug)]
pub(super) struct Description(Content);

#[derive(Debug)]
enum Content {
    /// The kernel's own.
    Mapped(Mapping),
    /// Another file, or of a kernel that does not map its own (before 6.16).
    Read(Vec<u8>),
}

impl Description {
    /// Takes the file into memory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if fstatfs(&file)?.f_type == SYSFS
            // The kernel lends this file to no shared mapping.
            && let Ok(mapping) =
                Mapping::new(&file, [0, length], ProtFlags::READ, MapFlags::PRIVATE)
        {
            return Ok(Self(Content::Mapped(mapping)));
        }
        let mut bytes = Vec::with_capacity(length);
        file.read_to_end(&mut bytes)?;
        Ok(Self(Content::Read(bytes)))
    }

    /// The whole of it.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(mapping) => mapping.bytes(0, mapping.length).unwrap_or_default(),
            Content::Read(bytes) => bytes,
        }
    }
}

/// Numbers of eight bytes that programs and we change: a map of one value.
#[derive(Debug)]
pub struct Numbers(Mapping);

impl Numbers {
    /// Takes a map into memory.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn of(map: &Map) -> Result<Self, Error> {
        let length = map.size.next_multiple_of(page_size());
        let both = ProtFlags::READ | ProtFlags::WRITE;
        let mapping = Mapping::new(map, [0, length], both, MapFlags::SHARED);
        mapping.map(Self).map_err(refused("share a map"))
    }

    /// The number at this place; behind the last there are none.
    pub fn get(&self, place: usize) -> u64 {
        let number = self.at(place);
        number.map_or(0, |number| number.load(Ordering::Relaxed))
    }

    /// Sets the number at this place, if there is one.
    pub fn set(&self, place: usize, to: u64) {
        if let Some(number) = self.at(place) {
            number.store(to, Ordering::Relaxed);
        }
    }

    fn at(&self, place: usize) -> Option<&AtomicU64> {
        self.0.atomic(place.checked_mul(8)?)
    }
}

/// A number that programs count up, from zero.
#[derive(Debug)]
pub struct Counter(Mapping);

impl Counter {
    /// Takes a map of one number into memory.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn of(map: &Map) -> Result<Self, Error> {
        let mapping = Mapping::new(map, [0, page_size()], ProtFlags::READ, MapFlags::SHARED);
        mapping.map(Self).map_err(refused("share a map"))
    }

    /// How far it is.
    pub fn get(&self) -> u64 {
        let number: Option<&AtomicU64> = self.0.atomic(0);
        number.map_or(0, |number| number.load(Ordering::Relaxed))
    }
}

/// Records that programs write and we read, in the order in which they were begun.
#[derive(Debug)]
pub struct RingBuffer {
    map: Map,
    /// A page that begins with our position.
    reader: Mapping,
    /// A page that begins with the position of the programs, and the records twice: so each of them is in
    /// one piece.
    writer: Mapping,
    size: usize,
}

impl RingBuffer {
    /// Takes the map of a ring buffer into memory.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn of(map: Map) -> Result<Self, Error> {
        let (page, size) = (page_size(), map.size);
        let both = ProtFlags::READ | ProtFlags::WRITE;
        let view = |place, protection| {
            Mapping::new(&map, place, protection, MapFlags::SHARED).map_err(refused("share a map"))
        };
        Ok(Self {
            reader: view([0, page], both)?,
            writer: view([page, page + 2 * size], ProtFlags::READ)?,
            map,
            size,
        })
    }

    /// Lends every record that was written before this call; each makes room when it was taken.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        let position = |mapping| Mapping::atomic::<AtomicUsize>(mapping, 0);
        let (Some(reader), Some(writer)) = (position(&self.reader), position(&self.writer)) else {
            return ControlFlow::Continue(());
        };
        let [mut at, end] = [reader, writer].map(|position| position.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let mut flow = ControlFlow::Continue(());
        while at != end && flow.is_continue() {
            let Some((length, record)) = self.record(at) else {
                break;
            };
            flow = record.map_or(flow, &mut take);
            at = at.wrapping_add((length + HEADER).next_multiple_of(HEADER));
            reader.store(at, Ordering::Release);
        }
        flow
    }

    /// The record at a position, with its length; without its bytes if it was given up. `None` = it is
    /// still written to.
    fn record(&self, at: usize) -> Option<(usize, Option<&[u8]>)> {
        let start = page_size() + (at & (self.size - 1));
        let header: &AtomicU32 = self.writer.atomic(start)?;
        let header = header.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if header & BUSY != 0 {
            return None;
        }
        let length = usize::try_from(header & !DISCARDED).ok()?;
        let bytes = self.writer.bytes(start + HEADER, length)?;
        Some((length, Some(bytes).filter(|_| header & DISCARDED == 0)))
    }
}

impl AsFd for RingBuffer {
    /// What can be read when there is a record.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

#[cfg(test)]
mod tests;
