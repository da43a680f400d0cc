//! Reads netlink dumps.

use std::fmt::{self, Display, Formatter};
use std::io;

use rustix::io::Errno;

use crate::model::{Cause, Family, Protocol, Source as Kind, Table};
use crate::source::channel::{Batch, OTHER_REPLY, REPEATS};
use crate::source::decoder::Decoder;
use crate::source::unix_names::UnixNames;
use crate::source::{Request, Visitor};
use crate::wire::{self, Body, DumpParams, Messages};

const CHANGED: &str = "the table changed while it was read (NLM_F_DUMP_INTR)";
const OVERRUN: &str = "the receive buffer overran (ENOBUFS)";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dump {
    /// A table.
    Table(Table),
    /// TCP over both IP versions.
    Tcp,
}

impl Display for Dump {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("TCP sockets"),
            Self::Table(_) => self.table().fmt(f),
        }
    }
}

impl Dump {
    /// The table, or the first of two.
    pub(super) const fn table(self) -> Table {
        match self {
            Self::Table(table) => table,
            Self::Tcp => Table::new(Protocol::Tcp, Family::Inet),
        }
    }

    pub(super) fn request(self, params: DumpParams<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Table(table) => wire::dump_request(table, params),
            Self::Tcp => Some(wire::both_request(params)),
        }
    }
}

pub(super) enum End {
    /// Complete.
    Whole,
    /// The visitor wanted no more.
    Stopped,
    /// The kernel does not list this table; nothing was lent.
    Refused(io::Error),
    /// Replies were lost.
    Disturbed(Cause),
}

pub(super) struct Reader<'r> {
    pub(super) dump: Dump,
    /// The sequence number of the request.
    pub(super) sequence: u32,
    interrupted: bool,
    /// How often the dump may still be repeated.
    pub(super) repeats: u32,
    pub(super) decoder: Decoder<'r>,
}

impl<'r> Reader<'r> {
    /// For the replies to `request`; names unix peers from `names`.
    pub(super) fn new(
        dump: Dump,
        request: &'r Request,
        visitor: &'r mut dyn Visitor,
        names: Option<UnixNames>,
    ) -> Self {
        Self {
            dump,
            sequence: 0,
            interrupted: false,
            repeats: REPEATS,
            decoder: Decoder::new(Kind::Netlink, dump.table(), request, visitor, names),
        }
    }

    /// Reads a datagram; `Some` if the dump is over.
    pub(super) fn read(&mut self, datagram: &[u8]) -> Option<End> {
        for message in Messages::new(datagram) {
            let message = match message {
                Ok(message) => message,
                Err(error) => {
                    self.decoder.count(0, error);
                    continue;
                }
            };
            if message.sequence != self.sequence {
                return Some(End::Disturbed(OTHER_REPLY.into()));
            }
            self.interrupted |= message.interrupted;
            match message.body {
                Body::Socket(payload) => {
                    if self.decoder.take(payload).is_break() {
                        return Some(End::Stopped);
                    }
                }
                Body::Done(code) | Body::Error(code) if code > 0 => return Some(self.failed(code)),
                Body::Done(_) if self.interrupted => {
                    return Some(End::Disturbed(CHANGED.into()));
                }
                Body::Done(_) => return Some(End::Whole),
                Body::Error(_)
                | Body::Connection(_)
                | Body::ProcLine(_)
                | Body::Note(_)
                | Body::Other => {}
            }
        }
        None
    }

    fn failed(&self, code: i32) -> End {
        let cause = io::Error::from_raw_os_error(code);
        if self.decoder.has_any() {
            End::Disturbed(format!("the kernel aborted the dump: {}", Cause::from(cause)).into())
        } else {
            End::Refused(cause)
        }
    }

    /// Prepares to repeat the dump; false if something of it was shown.
    pub(super) fn restart(&mut self) -> bool {
        let is_forgotten = self.decoder.lent == 0 || self.decoder.visitor.rewind();
        if is_forgotten {
            self.repeats -= 1;
            self.interrupted = false;
            self.decoder.restart();
        }
        is_forgotten
    }
}

/// Why the start of a dump is useless, if it is.
pub(super) fn flaw(first: &mut Batch) -> Option<Cause> {
    match first.failure.take() {
        Some(error) => Some(disturbance(error)),
        None => first
            .received()
            .any(wire::is_interrupted)
            .then(|| CHANGED.into()),
    }
}

pub(super) fn disturbance(error: io::Error) -> Cause {
    if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) {
        OVERRUN.into()
    } else {
        format!("receiving failed: {}", Cause::from(error)).into()
    }
}
