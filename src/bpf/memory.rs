//! Memory shared with the kernel: BTF, ring buffers, counters.
//!
//! This and `syscall` hold the only unsafe code of the program. It is sound because:
//!
//! - A [`Mapping`] has its own address range, chosen by the kernel, and exists until it is dropped. Borrows of it
//!   end before that and lie within it: [`Mapping::bytes`] checks both ends, [`Mapping::atomic`] the alignment, too.
//! - Whatever may change while mapped is accessed only through atomics: the two positions of a ring buffer, the
//!   headers of its records, a counter.
//! - Borrowed bytes do not change during the borrow. The kernel never changes its BTF while it runs; files outside
//!   sysfs are read, not mapped. A record of a ring buffer belongs to its reader from the moment its header marks it
//!   as written until the consumer position passes it
//!   ([BPF ring buffer](https://docs.kernel.org/bpf/ringbuf.html)), and is borrowed only in between. Only we have the
//!   map's descriptor, so nobody else moves that position.

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
/// Bytes of a record's header: its length, and four more.
const HEADER: usize = 8;
/// `BPF_RINGBUF_BUSY_BIT` in the length: the record is being written.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: the record has no content.
const DISCARDED: u32 = 1 << 30;

/// A file or map in our memory.
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
        // SAFETY: the kernel chooses an unused address range.
        let start = unsafe { mmap(anywhere, length, protection, flags, file, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// The address of these bytes; `None` if they are outside.
    fn within(&self, offset: usize, length: usize) -> Option<NonNull<u8>> {
        let is_within = offset.checked_add(length)? <= self.length;
        // SAFETY: the result is within the mapping.
        is_within.then(|| unsafe { self.start.add(offset) })
    }

    /// Bytes that do not change while borrowed; `None` if they are outside.
    fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        let start = self.within(offset, length)?;
        // SAFETY: the bytes exist, and the module's text says why they do not change.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), length) })
    }

    /// A number that may change; `None` if it is outside or not aligned.
    fn atomic<T: Atomic>(&self, offset: usize) -> Option<&T> {
        let number = self.within(offset, size_of::<T>())?.cast::<T>();
        if !number.is_aligned() {
            return None;
        }
        // SAFETY: the number exists and is aligned, and any bytes are valid. In a read-only mapping it is only
        // loaded, with the ordering that read-only memory allows (`Relaxed`).
        Some(unsafe { number.as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nothing borrows it any more. If unmapping fails, it stays.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// Numbers that two sides may read and write concurrently.
///
/// # Safety
///
/// Any bytes are a valid number, and it changes only through atomic instructions.
unsafe trait Atomic {}
// SAFETY: an atomic number.
unsafe impl Atomic for AtomicU32 {}
// SAFETY: an atomic number.
unsafe impl Atomic for AtomicU64 {}
// SAFETY: an atomic number.
unsafe impl Atomic for AtomicUsize {}

/// A file with BTF.
#[derive(Debug)]
pub(super) struct Description(Content);

#[derive(Debug)]
enum Content {
    /// The running kernel's.
    Mapped(Mapping),
    /// Another file, or that of a kernel that cannot map its own (before 6.16).
    Read(Vec<u8>),
}

impl Description {
    /// Maps or reads the file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if fstatfs(&file)?.f_type == SYSFS
            // The kernel allows no shared mapping of this file.
            && let Ok(mapping) =
                Mapping::new(&file, [0, length], ProtFlags::READ, MapFlags::PRIVATE)
        {
            return Ok(Self(Content::Mapped(mapping)));
        }
        let mut bytes = Vec::with_capacity(length);
        file.read_to_end(&mut bytes)?;
        Ok(Self(Content::Read(bytes)))
    }

    /// The whole content.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(mapping) => mapping.bytes(0, mapping.length).unwrap_or_default(),
            Content::Read(bytes) => bytes,
        }
    }
}

/// Eight-byte numbers that BPF programs and lsock change: a map of one value, or of eight-byte values.
#[derive(Debug)]
pub struct Numbers(Mapping);

impl Numbers {
    /// Maps a map.
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

    /// Sets all numbers to zero.
    pub fn reset(&self) {
        (0..self.0.length / 8).for_each(|place| self.set(place, 0));
    }

    /// The number at this index; 0 after the last.
    pub fn get(&self, place: usize) -> u64 {
        let number = self.at(place);
        number.map_or(0, |number| number.load(Ordering::Relaxed))
    }

    /// Sets the number at this index, if it exists.
    pub fn set(&self, place: usize, to: u64) {
        if let Some(number) = self.at(place) {
            number.store(to, Ordering::Relaxed);
        }
    }

    fn at(&self, place: usize) -> Option<&AtomicU64> {
        self.0.atomic(place.checked_mul(8)?)
    }
}

/// A number that BPF programs increment, from zero.
#[derive(Debug)]
pub struct Counter(Mapping);

impl Counter {
    /// Maps a map of one number.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn of(map: &Map) -> Result<Self, Error> {
        let mapping = Mapping::new(map, [0, page_size()], ProtFlags::READ, MapFlags::SHARED);
        mapping.map(Self).map_err(refused("share a map"))
    }

    /// The current value.
    pub fn get(&self) -> u64 {
        let number: Option<&AtomicU64> = self.0.atomic(0);
        number.map_or(0, |number| number.load(Ordering::Relaxed))
    }
}

/// Records that BPF programs write and lsock reads, in the order in which their writing began.
#[derive(Debug)]
pub struct RingBuffer {
    map: Map,
    /// A page that begins with the consumer position.
    reader: Mapping,
    /// A page that begins with the producer position, then the records, mapped twice so that each is contiguous.
    writer: Mapping,
    size: usize,
}

impl RingBuffer {
    /// Maps a ring buffer.
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

    /// Lends every record written before this call, and frees its space once taken.
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

    /// The record at a position with its length; without bytes if it was discarded. `None` if it is being written.
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
    /// Readable when there is a record.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

#[cfg(test)]
mod tests;
