//! The lines of `ss` of iproute2 6.1, byte for byte.
//!
//! Cells are buffered until all column widths are known, or the buffer is full, as in `ss`.

mod address;
mod details;
mod tcp;
mod template;

use std::io::{self, Write as _};
use std::ops::ControlFlow;

use crate::model::{OtherState, Protocol, Row, Socket, SocketType, State, Summary};

use self::template::put;
use super::out::Out;
use super::{HeaderLine, Sink, digits};

/// A set of options with one letter each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Letters(u128);

impl Letters {
    /// Adds a letter.
    #[must_use]
    pub const fn with(self, letter: u8) -> Self {
        Self(self.0 | 1 << (letter & 0x7f))
    }

    /// True if it is in the set.
    pub const fn has(self, letter: u8) -> bool {
        self.0 & 1 << (letter & 0x7f) != 0
    }
}

/// Options of the `ss` format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SsLayout {
    /// The options of `ss`; those without a letter have a sign: `@` `--tos`, `/` `--cgroup`, `#`
    /// `--inet-sockopt`.
    pub options: Letters,
    /// True if the column `Netid` is shown.
    pub shows_netid: bool,
    /// True if the column `State` is shown.
    pub shows_state: bool,
    /// The width of the terminal, which the lines fill; `None` = not a terminal.
    pub width: Option<u16>,
}

impl SsLayout {
    const fn has(&self, letter: u8) -> bool {
        self.options.has(letter)
    }
}

const COLUMNS: usize = 9;
const HEADER: [&str; COLUMNS] = [
    "Netid",
    "State",
    "Recv-Q",
    "Send-Q",
    "Local Address:",
    "Port",
    "Peer Address:",
    "Port",
    "Process",
];
/// Columns preceded by a blank.
const PARTED: [bool; COLUMNS] = [false, true, true, true, true, false, true, false, false];
/// Right-aligned columns.
const RIGHT: [bool; COLUMNS] = [false, false, false, false, true, false, true, false, false];
/// Bytes of cells that are buffered: the four chunks that `ss` fills before it writes.
const HELD: usize = 4 << 20;

pub(super) struct Ss<'w> {
    out: Out<'w>,
    layout: SsLayout,
    cells: Vec<u8>,
    /// The end of each cell, row by row; cells of hidden columns are empty.
    ends: Vec<usize>,
    longest: [usize; COLUMNS],
    /// The length of the last cell of the last row, which only counts if another row follows.
    last: usize,
}

impl<'w> Ss<'w> {
    pub(super) fn new(layout: SsLayout, header: HeaderLine, out: Out<'w>) -> Self {
        let mut ss = Self {
            out,
            layout,
            cells: Vec::new(),
            ends: Vec::new(),
            longest: [0; COLUMNS],
            last: 0,
        };
        if header.is_shown() {
            for title in HEADER {
                ss.cell(|out| out.extend_from_slice(title.as_bytes()));
            }
            ss.close();
        }
        ss
    }

    /// Writes the next cell.
    fn cell(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let (start, column) = (self.cells.len(), self.ends.len() % COLUMNS);
        if is_shown(self.layout, column) {
            write(&mut self.cells);
        }
        self.ends.push(self.cells.len());
        let length = self.cells.len() - start;
        if let Some(longest) = self
            .longest
            .get_mut(column)
            .filter(|_| column + 1 < COLUMNS)
        {
            *longest = length.max(*longest);
        } else {
            self.last = length;
        }
    }

    /// Starts another row.
    fn close(&mut self) {
        if let Some(longest) = self.longest.last_mut() {
            *longest = self.last.max(*longest);
        }
    }

    /// The width of each column, including the blank before it; 0 = not shown.
    fn widths(&self) -> [usize; COLUMNS] {
        let screen = self.layout.width.map_or(usize::MAX, usize::from);
        let mut widths = self.longest;
        let mut is_first = true;
        for (width, is_parted) in widths.iter_mut().zip(PARTED) {
            if *width > 0 && !is_first {
                *width += usize::from(is_parted);
            }
            *width = screen.min(*width);
            is_first &= *width == 0;
        }
        if self.layout.width.is_some() {
            spread(&mut widths, screen);
        }
        widths
    }

    /// Writes the buffered cells.
    fn render(&mut self) {
        let (widths, mut start) = (self.widths(), 0);
        for row in self.ends.chunks(COLUMNS) {
            let line = self.out.buffer.len();
            for (column, end) in row.iter().enumerate() {
                let cell = self.cells.get(start..*end).unwrap_or_default();
                start = *end;
                if !is_shown(self.layout, column) {
                    continue;
                }
                let width = widths.get(column).copied().unwrap_or_default();
                let out = &mut self.out.buffer;
                let is = |set: [bool; COLUMNS]| set.get(column).is_some_and(|is| *is);
                let before = usize::from(is(PARTED) && out.len() > line);
                let rest = width.saturating_sub(before + cell.len());
                let (left, right) = if is(RIGHT) { (rest, 0) } else { (0, rest) };
                digits::blanks(out, before + left);
                out.extend_from_slice(cell);
                digits::blanks(out, right);
            }
            self.out.buffer.push(b'\n');
        }
        self.cells.clear();
        self.ends.clear();
        self.last = 0;
    }
}

const fn is_shown(layout: SsLayout, column: usize) -> bool {
    match column {
        0 => layout.shows_netid,
        1 => layout.shows_state,
        2 | 3 => !layout.has(b'Q'),
        _ => true,
    }
}

/// Distributes columns over as few lines of the screen as possible, and spreads them over each.
fn spread(widths: &mut [usize; COLUMNS], screen: usize) {
    let (mut begin, mut column, mut length, mut count) = (0, 0, 0, 0);
    while let Some(width) = widths.get(column).copied() {
        if width == 0 {
            column += 1;
            continue;
        }
        count += 1;
        length += width;
        let is_last = widths.iter().skip(column + 1).all(|width| *width == 0);
        if !is_last && length < screen {
            column += 1;
            continue;
        }
        if length > screen {
            // It belongs to the next line.
            length -= width;
            count -= 1;
            column -= 1;
        }
        let rest = screen.saturating_sub(length);
        let mut more = rest % count;
        let line = widths.get_mut(begin..=column).unwrap_or_default();
        for width in line.iter_mut().rev().filter(|width| **width > 0) {
            *width += rest / count + usize::from(more > 0);
            more = more.saturating_sub(1);
        }
        column += 1;
        (begin, length, count) = (column, 0, 0);
    }
}

impl Sink for Ss<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        // Of sockets to destroy, `ss` shows those destroyed.
        if row.result.is_some_and(|result| result != "destroyed") {
            return Ok(ControlFlow::Continue(()));
        }
        self.close();
        let (layout, socket) = (self.layout, row.socket);
        // An association after its socket has the same name.
        let (name, begin) = match socket.kind {
            Some(SocketType::Association) => ("", "`- "),
            _ => (netid(row), ""),
        };
        self.cell(|out| out.extend_from_slice(name.as_bytes()));
        self.cell(|out| put!(out, "{begin}{}", state(socket)));
        let sent = socket
            .send_queue
            .filter(|_| socket.protocol != Protocol::Packet);
        for queue in [socket.recv_queue, sent] {
            let queue = queue.unwrap_or_default().cast_signed();
            self.cell(|out| out.extend_from_slice(format!("{queue:<6}").as_bytes()));
        }
        let ends = address::ends(&layout, row);
        for (address, port) in &ends {
            self.cell(|out| out.extend_from_slice(address));
            self.cell(|out| out.extend_from_slice(port));
        }
        self.cell(|out| details::write(out, &layout, row));
        if self.cells.len() + 2 * self.ends.len() > HELD {
            self.close();
            self.render();
        }
        self.out.row_done()
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        self.render();
        self.out.finish()
    }
}

/// The name of a kind of socket in `ss`; raw ones are always `raw`.
fn netid(row: &Row<'_>) -> &'static str {
    match (row.socket.protocol, row.socket.kind) {
        (Protocol::Unix, Some(SocketType::Stream)) => "u_str",
        (Protocol::Unix, Some(SocketType::Seqpacket)) => "u_seq",
        (Protocol::Unix, _) => "u_dgr",
        (Protocol::Packet, Some(SocketType::Raw)) => "p_raw",
        (Protocol::Packet, _) => "p_dgr",
        (Protocol::Netlink, _) => "nl",
        (Protocol::Vsock, Some(SocketType::Stream)) => "v_str",
        (Protocol::Vsock, Some(SocketType::Dgram)) => "v_dgr",
        (Protocol::Vsock, _) => "???",
        (other, _) => other.name(),
    }
}

/// The state of sockets that have one.
fn state(socket: &Socket) -> &'static str {
    if matches!(socket.protocol, Protocol::Netlink | Protocol::Packet) {
        return "UNCONN";
    }
    match socket.state {
        State::Established => "ESTAB",
        State::SynSent => "SYN-SENT",
        State::SynRcvd => "SYN-RECV",
        State::FinWait1 => "FIN-WAIT-1",
        State::FinWait2 => "FIN-WAIT-2",
        State::TimeWait => "TIME-WAIT",
        State::CloseWait => "CLOSE-WAIT",
        State::LastAck => "LAST-ACK",
        State::Closed | State::Bound | State::Unconn => "UNCONN",
        // Of an association.
        State::Other(OtherState::ShutdownAckSent) => "ACK_SENT",
        State::Listen | State::Closing | State::Other(_) | State::Unknown(_) => socket.state.name(),
    }
}
