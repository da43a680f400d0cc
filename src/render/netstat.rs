//! The lines of `netstat` of net-tools 2.10, byte for byte.
//!
//! It truncates IPv6 addresses, cuts names of unix sockets at their first blank, and shows one process per
//! socket. Other formats show everything.

mod address;
mod internet;
mod sctp;
mod unix;

use std::borrow::Cow;
use std::io;
use std::ops::ControlFlow;

use crate::model::{Process, Protocol, Row, Selection, Summary};
use crate::text::escape;

pub(super) use address::ipv6;

use super::out::Out;
use super::{Extras, HeaderLine, Sink, digits};

/// Options of the `netstat` format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetstatLayout {
    /// The selection named in banners.
    pub selection: Selection,
    /// Banners and titles.
    pub header: HeaderLine,
    /// Sections that have a banner even without rows.
    pub sections: &'static [Section],
    /// [`Extras::EXTENDED`] adds user and inode, [`Extras::PROCESSES`] a process, [`Extras::TIMERS`] the
    /// timer; others have no effect.
    pub extras: Extras,
    /// True if host names replace addresses where known; the unspecified IPv6 address is then `[::]`.
    pub names_hosts: bool,
    /// True if long addresses are truncated; a truncated IPv6 address may look like another.
    pub cuts_addresses: bool,
    /// True if names with special characters are escaped, for a terminal; readers of a pipe may expect the
    /// bytes of `netstat`.
    pub escapes_names: bool,
}

/// Rows below one banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// TCP, SCTP, UDP, UDP-Lite and raw sockets.
    Internet,
    /// Unix sockets.
    Unix,
}

impl NetstatLayout {
    /// Writes at most `most` bytes of a name.
    fn name(&self, out: &mut Vec<u8>, most: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        write(out);
        out.truncate(start + most);
        let name = out.get(start..).unwrap_or_default();
        if self.escapes_names
            && let Cow::Owned(clean) = escape(name)
        {
            out.truncate(start);
            out.extend_from_slice(clean.as_bytes());
        }
    }
}

pub(super) struct Netstat<'w> {
    out: Out<'w>,
    layout: NetstatLayout,
    /// The current section.
    section: Option<Section>,
    /// Sections without their banner yet.
    due: &'static [Section],
}

impl<'w> Netstat<'w> {
    pub(super) const fn new(layout: NetstatLayout, out: Out<'w>) -> Self {
        Self {
            out,
            layout,
            section: None,
            due: layout.sections,
        }
    }

    /// Starts a section with its banner, after the banners due before it.
    fn begin(&mut self, section: Section) {
        self.section = Some(section);
        let place = self.due.iter().position(|due| *due == section);
        let (begun, behind) = self.due.split_at(place.map_or(0, |place| place + 1));
        self.due = behind;
        for before in begun {
            self.banner(*before);
        }
        if place.is_none() {
            self.banner(section);
        }
    }

    fn banner(&mut self, section: Section) {
        if self.layout.header == HeaderLine::Hidden {
            return;
        }
        let (what, titles): (_, &[Title]) = match section {
            Section::Internet => ("Active Internet connections", &internet::TITLES),
            Section::Unix => ("Active UNIX domain sockets", &unix::TITLES),
        };
        let listed = match self.layout.selection {
            Selection::Connected => "w/o servers",
            Selection::Listening => "only servers",
            Selection::All => "servers and established",
        };
        let out = &mut self.out.buffer;
        out.extend_from_slice(format!("{what} ({listed})\n").as_bytes());
        for (title, extras) in titles {
            if extras.is_none_or(|extras| self.layout.extras.has(extras)) {
                out.extend_from_slice(title.as_bytes());
            }
        }
        out.push(b'\n');
    }
}

impl Sink for Netstat<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let section = match row.socket.protocol {
            Protocol::Unix => Section::Unix,
            _ => Section::Internet,
        };
        if self.section != Some(section) {
            self.begin(section);
        }
        let out = &mut self.out.buffer;
        match section {
            Section::Internet if row.socket.protocol == Protocol::Sctp => {
                sctp::row(out, &self.layout, row);
            }
            Section::Internet => internet::row(out, &self.layout, row),
            Section::Unix => unix::row(out, &self.layout, row),
        }
        self.out.row_done()
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        for empty in std::mem::take(&mut self.due) {
            self.banner(*empty);
        }
        self.out.finish()
    }
}

/// Writes a text padded to a width.
fn padded(out: &mut Vec<u8>, width: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let end = out.len() + width;
    write(out);
    digits::blanks(out, end.saturating_sub(out.len()));
}

fn program(out: &mut Vec<u8>, layout: &NetstatLayout, row: &Row<'_>) {
    if layout.extras.has(Extras::PROCESSES) {
        out.push(b' ');
        let first = row.processes.unwrap_or_default().first();
        padded(out, PROGRAM_WIDTH, |out| match first {
            Some(process) => layout.name(out, PROGRAM_WIDTH - 1, |out| name(out, process)),
            None => out.push(b'-'),
        });
    }
}

/// Titles, and the option they need.
type Title = (&'static str, Option<Extras>);

const PROGRAM_TITLE: Title = (" PID/Program name    ", Some(Extras::PROCESSES));
/// Width of `PID/Program name`; its text is at least one byte shorter.
const PROGRAM_WIDTH: usize = 20;
/// How much `netstat` reads of a command line.
const COMMAND_READ: usize = 511;

/// The process id and the name the program was called by, without its directory.
fn name(out: &mut Vec<u8>, process: &Process) {
    let command = process.command.as_deref().unwrap_or_default();
    let called = command.get(..process.called).unwrap_or_default();
    let called = called.get(..COMMAND_READ).unwrap_or(called);
    let base = match called {
        [b'/', ..] => called.rsplit(|byte| *byte == b'/').next(),
        _ => None,
    };
    digits::integer(out, process.pid.into());
    out.push(b'/');
    out.extend_from_slice(base.unwrap_or(called));
}
