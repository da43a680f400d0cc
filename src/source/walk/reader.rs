//! Reads the program's records.

use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::thread;

use zerocopy::IntoBytes as _;

use super::Rows;
use super::record::{Head, Record, STRAYED, TABLE, Ticks};
use crate::source::decoder::Decoder;
use crate::wire;

/// Read at once: half of the kernel's buffer. Otherwise it would call the program until an element does not fit, and
/// once more for that.
const BUFFER: usize = 16 << 10;
/// Reads before one thread wakes the other, which costs as much as a read.
const READS: usize = 16;
/// One is filled, one is processed, one waits.
const PIECES: usize = 3;
/// Records that are taken together.
const TOGETHER: usize = 64;
/// Average of sockets in a bucket of a small table: the kernel gives up if one element has ten times as many.
const MOST_IN_BUCKET: u64 = 32;

const TOO_MANY: &str = "too many sockets in one bucket";

/// Records read together.
struct Piece<R> {
    records: Vec<R>,
    /// The number of valid records.
    filled: usize,
    /// Set if nothing follows, with the error if any.
    end: Option<io::Result<()>>,
}

impl<R: Record> Piece<R> {
    /// As [`BUFFER`], in whole records.
    const ROOM: usize = BUFFER / size_of::<R>() * size_of::<R>();

    fn new() -> Self {
        Self {
            records: vec![R::new_zeroed(); READS * Self::ROOM / size_of::<R>()],
            filled: 0,
            end: None,
        }
    }

    fn fill(&mut self, output: &mut impl Read) {
        let bytes = self.records.as_mut_bytes();
        let mut length = 0;
        self.end = loop {
            match bytes.get_mut(length..length + Self::ROOM) {
                None => break None,
                Some(room) => match output.read(room) {
                    Ok(0) => break Some(Ok(())),
                    Ok(more) => length += more,
                    Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                    Err(cause) if cause.kind() == ErrorKind::ArgumentListTooLong => {
                        break Some(Err(io::Error::new(cause.kind(), TOO_MANY)));
                    }
                    Err(cause) => break Some(Err(cause)),
                },
            }
        };
        self.filled = length / size_of::<R>();
        if length % size_of::<R>() != 0 {
            self.end = Some(Err(io::Error::other("truncated record")));
        }
    }

    /// Passes on the records; `Some` = nothing follows, or no more is wanted.
    fn give(
        &mut self,
        take: &mut impl FnMut(&[R]) -> io::Result<ControlFlow<()>>,
    ) -> Option<io::Result<()>> {
        let filled = self.records.get(..self.filled).unwrap_or_default();
        for records in filled.chunks(TOGETHER) {
            match take(records) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Some(Ok(())),
                Err(cause) => return Some(Err(cause)),
            }
        }
        self.end.take()
    }
}

/// Reads records up to the end, or until no more is wanted.
///
/// If there are many, a second thread reads ahead: the kernel collects sockets while others are written.
pub(super) fn records<R: Record>(
    mut output: impl Read + Send,
    mut take: impl FnMut(&[R]) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let mut piece = Piece::new();
    piece.fill(&mut output);
    if piece.end.is_some() {
        return piece.give(&mut take).unwrap_or(Ok(()));
    }
    let (full, taken) = sync_channel(PIECES);
    let (back, empty) = sync_channel(PIECES);
    // The closure owns both ends of this side: when it ends, the other thread does.
    thread::scope(move |scope| {
        let ahead = move || {
            while let Ok(mut piece) = empty.recv() {
                Piece::fill(&mut piece, &mut output);
                let is_last = piece.end.is_some();
                if full.send(piece).is_err() || is_last {
                    return;
                }
            }
        };
        thread::Builder::new().spawn_scoped(scope, ahead)?;
        for _ in 1..PIECES {
            // The channel has room for all of them.
            let _ = back.send(Piece::new());
        }
        loop {
            if let Some(end) = piece.give(&mut take) {
                return end;
            }
            let _ = back.send(piece);
            piece = taken.recv().map_err(io::Error::other)?;
        }
    })
}

/// Reads the records of a walk.
pub(super) struct Reader<'r> {
    pub(super) decoder: Decoder<'r>,
    rows: &'r Rows,
    pub(super) ticks: Ticks,
    /// True if the record about the table has come.
    is_begun: bool,
    /// True if some chain had the end of another.
    pub(super) is_astray: bool,
}

impl<'r> Reader<'r> {
    pub(super) fn new(decoder: Decoder<'r>, rows: &'r Rows) -> Self {
        Self {
            decoder,
            rows,
            ticks: Ticks::of_kernel(),
            is_begun: false,
            is_astray: false,
        }
    }

    /// Prepares to repeat the walk; false if something of it was shown.
    pub(super) fn restart(&mut self) -> bool {
        let is_taken_back = self.decoder.lent == 0 || self.decoder.visitor.rewind();
        (self.is_begun, self.is_astray) = (false, false);
        self.decoder.restart();
        is_taken_back
    }

    /// Reads up to the end, or until no more is wanted.
    pub(super) fn read<R: Record>(&mut self, output: impl Read + Send) -> io::Result<()> {
        records(output, |records: &[R]| {
            let mut inodes = [0; TOGETHER];
            for (inode, record) in inodes.iter_mut().zip(records) {
                *inode = record.inode();
            }
            self.decoder.visitor.announce(&inodes);
            for record in records {
                match record.head().family {
                    TABLE => self.begin(record.head())?,
                    STRAYED => self.is_astray = true,
                    _ if self.take(record).is_break() => return Ok(ControlFlow::Break(())),
                    _ => {}
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if self.is_begun {
            Ok(())
        } else {
            Err(io::Error::other("the program did not run"))
        }
    }

    /// Checks the record about the table, which comes first.
    fn begin(&mut self, head: &Head) -> io::Result<()> {
        self.is_begun = true;
        let buckets = u64::from(head.send_queue) + 1;
        // A per-namespace table has no sockets of other namespaces.
        if head.state != 0 && !self.rows.networks.is_empty() {
            return Err(io::Error::other("this namespace has a table of its own"));
        }
        if self.rows.sockets / buckets > MOST_IN_BUCKET {
            return Err(io::Error::other(TOO_MANY));
        }
        Ok(())
    }

    pub(super) fn take<R: Record>(&mut self, record: &R) -> ControlFlow<()> {
        let socket = &mut self.decoder.scratch;
        if !record.decode(self.ticks, socket) {
            let family = record.head().family;
            self.decoder.count(0, wire::other_family(family));
            return ControlFlow::Continue(());
        }
        let rows = self.rows;
        let was_lent = !rows.bound.is_empty()
            && socket
                .inode
                .is_some_and(|inode| rows.bound.contains_key(&inode));
        let netns = record.head().netns;
        let is_elsewhere = !rows.networks.is_empty()
            && socket.netns != Some(netns)
            && rows.networks.binary_search(&netns).is_err();
        if was_lent || is_elsewhere {
            return ControlFlow::Continue(());
        }
        if !rows.networks.is_empty() {
            socket.netns = Some(netns);
        }
        socket.clear_leftovers();
        self.decoder.lend_scratch()
    }
}
