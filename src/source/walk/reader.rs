//! Reads what the program writes.

use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;

use zerocopy::IntoBytes as _;

use super::Rows;
use super::record::{Head, Record, STRAYED, TABLE, Ticks};
use crate::source::decoder::Decoder;
use crate::wire;

/// The kernel never gives more at once.
const BUFFER: usize = 32 << 10;
/// Sockets in a bucket of a small table, on average: the kernel gives up where one element has ten times as
/// many.
const MOST_IN_BUCKET: u64 = 32;

const TOO_MANY: &str = "too many sockets in one bucket";

/// Reads records up to the end, or until no more is wanted.
pub(super) fn records<R: Record>(
    mut output: impl Read,
    mut take: impl FnMut(&R) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let mut buffer = vec![R::new_zeroed(); BUFFER / size_of::<R>()];
    loop {
        let length = match output.read(buffer.as_mut_bytes()) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) if cause.kind() == ErrorKind::ArgumentListTooLong => {
                return Err(io::Error::other(TOO_MANY));
            }
            Err(cause) => return Err(cause),
        };
        if length % size_of::<R>() != 0 {
            return Err(io::Error::other("a record is cut"));
        }
        let records = buffer.get(..length / size_of::<R>());
        for record in records.unwrap_or_default() {
            if take(record)?.is_break() {
                return Ok(());
            }
        }
    }
}

/// Reads the records of a walk.
pub(super) struct Reader<'r> {
    pub(super) decoder: Decoder<'r>,
    rows: &'r Rows,
    pub(super) ticks: Ticks,
    /// Has the table told of itself?
    is_begun: bool,
    /// The end of some chain was not its own.
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

    /// Makes ready for the same walk again; false if something of it was shown.
    pub(super) fn restart(&mut self) -> bool {
        let is_taken_back = self.decoder.lent == 0 || self.decoder.visitor.rewind();
        (self.is_begun, self.is_astray) = (false, false);
        self.decoder.restart();
        is_taken_back
    }

    /// Up to the end, or until no more is wanted.
    pub(super) fn read<R: Record>(&mut self, output: impl Read) -> io::Result<()> {
        records(output, |record: &R| {
            match record.head().family {
                TABLE => self.begin(record.head())?,
                STRAYED => self.is_astray = true,
                _ => return Ok(self.take(record)),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if self.is_begun {
            Ok(())
        } else {
            Err(io::Error::other("the program was not run"))
        }
    }

    /// What the table tells of itself comes first.
    fn begin(&mut self, head: &Head) -> io::Result<()> {
        self.is_begun = true;
        let buckets = u64::from(head.send_queue) + 1;
        // Other namespaces have no part in a table of one's own.
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
