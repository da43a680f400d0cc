//! Tables from a recording: raw netlink messages, several dumps one after another.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::lender::Lender;
use super::unix_names::UnixNames;
use super::{Outcome, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Protocol, Source as Kind, Table};
use crate::wire::{self, Body, Message, Messages};

/// No message of a recording is longer; a greater length is no length.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Reads tables from a recording of `ss -D` or `lsock -D`.
///
/// The file is read once when it is opened, to learn what it holds, and then table by table.
#[derive(Debug)]
pub struct ReplaySource {
    path: PathBuf,
    file: BufReader<File>,
    /// The tables it holds, empty ones too, in their order.
    tables: Vec<Table>,
    /// Runs of messages of one table.
    segments: Vec<Segment>,
    /// Names of unix sockets, until they are used.
    names: Option<UnixNames>,
    /// What is wrong with the file, until it was told.
    flaw: Option<String>,
}

#[derive(Debug)]
struct Segment {
    table: Table,
    begin: u64,
    end: u64,
}

impl ReplaySource {
    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or its begin is no netlink message.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|cause| file_error("open", path, cause))?;
        let mut replay = Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(64 * 1024, file),
            tables: Vec::new(),
            segments: Vec::new(),
            names: None,
            flaw: None,
        };
        replay.learn()?;
        Ok(replay)
    }

    /// The tables it holds.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    fn learn(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        let mut names = UnixNames::new();
        let mut at = 0;
        let mut open = false;
        loop {
            let taken = match next_message(&mut self.file, &mut bytes) {
                Ok(taken) => taken,
                Err(Flaw::Io(cause)) => return Err(file_error("read", &self.path, cause)),
                Err(Flaw::Bytes(reason)) if self.tables.is_empty() => {
                    let reason =
                        format!("byte {at}: {reason}; not a recording of netlink messages");
                    return Err(Error::Malformed {
                        origin: self.path.display().to_string(),
                        reason,
                    });
                }
                Err(Flaw::Bytes(reason)) => {
                    self.flaw = Some(format!("{}: byte {at}: {reason}", self.path.display()));
                    break;
                }
            };
            let Some(length) = taken else { break };
            let end = at + length;
            open = self.note(&bytes, &mut names, at..end).unwrap_or(open);
            at = end;
        }
        if self.tables.is_empty() && self.flaw.is_none() {
            let reason = "holds no netlink messages".to_owned();
            return Err(Error::Malformed {
                origin: self.path.display().to_string(),
                reason,
            });
        }
        if open && self.flaw.is_none() {
            self.flaw = Some(format!(
                "{}: ends in the middle of a dump",
                self.path.display()
            ));
        }
        names.sort();
        self.names = Some(names);
        Ok(())
    }

    /// Enters one message; tells whether a dump is open behind it, `None` = as before.
    fn note(
        &mut self,
        bytes: &[u8],
        names: &mut UnixNames,
        place: std::ops::Range<u64>,
    ) -> Option<bool> {
        let message = Messages::new(bytes).next()?.ok()?;
        let asked = wire::table_of(message.sequence);
        let table = match message.body {
            Body::Socket(payload) => {
                let table = wire::table_of_reply(asked.map(|table| table.protocol), payload)?;
                if table.protocol == Protocol::Unix {
                    names.add(payload);
                }
                if !message.multi {
                    return None;
                }
                table
            }
            Body::ProcLine(_) => asked?,
            Body::Done(code) if code <= 0 => {
                self.tables
                    .extend(asked.filter(|table| !self.tables.contains(table)));
                return Some(false);
            }
            Body::Done(_) | Body::Error(_) => return Some(false),
            Body::Other => return None,
        };
        if !self.tables.contains(&table) {
            self.tables.push(table);
        }
        match self.segments.last_mut() {
            Some(last) if last.table == table && last.end == place.start => last.end = place.end,
            _ => self.segments.push(Segment {
                table,
                begin: place.start,
                end: place.end,
            }),
        }
        Some(true)
    }

    fn play(
        &mut self,
        table: Table,
        lender: &mut Lender<'_>,
        visitor: &mut Visitor<'_>,
    ) -> Result<(), Flaw> {
        let mut bytes = Vec::new();
        for segment in self
            .segments
            .iter()
            .filter(|segment| segment.table == table)
        {
            self.file.seek(SeekFrom::Start(segment.begin))?;
            let mut at = segment.begin;
            while at < segment.end {
                let Some(length) = next_message(&mut self.file, &mut bytes)? else {
                    break;
                };
                at += length;
                let flow = match Messages::new(&bytes).next() {
                    Some(Ok(Message {
                        body: Body::Socket(payload),
                        ..
                    })) => lender.lend(payload, visitor),
                    Some(Ok(Message {
                        body: Body::ProcLine(line),
                        ..
                    })) => lender.lend_line(table, line, visitor),
                    _ => continue,
                };
                if flow.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Source for ReplaySource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut Visitor<'_>,
    ) -> Result<Outcome, Error> {
        let path = self.path.display().to_string();
        let mut outcome = Outcome::complete(Kind::Replay);
        if !self.tables.contains(&table) {
            outcome.gaps.push(format!("{path}: holds no {table}"));
        }
        let names = if table.protocol == Protocol::Unix {
            self.names.take()
        } else {
            None
        };
        let mut lender = Lender::new(table.protocol, request, names);
        match self.play(table, &mut lender, visitor) {
            Ok(()) => {}
            Err(Flaw::Bytes(reason)) => outcome.gaps.push(format!("{path}: {reason}")),
            Err(Flaw::Io(cause)) if lender.lent == 0 => {
                return Err(file_error("read", &self.path, cause));
            }
            Err(Flaw::Io(cause)) => outcome.gaps.push(format!("{path}: {cause}")),
        }
        outcome.gaps.extend(
            lender
                .malformed
                .gap()
                .map(|gap| format!("{path}: {table}: {gap}")),
        );
        outcome.gaps.extend(self.flaw.take());
        Ok(outcome)
    }
}

/// Why a recording cannot be read on.
enum Flaw {
    Io(io::Error),
    Bytes(String),
}

impl From<io::Error> for Flaw {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

fn file_error(operation: &'static str, path: &Path, cause: io::Error) -> Error {
    Error::File {
        operation,
        path: path.to_owned(),
        cause,
    }
}

/// Reads the next message into `bytes`; `None` at the end. Gives the bytes taken from the file.
fn next_message(file: &mut BufReader<File>, bytes: &mut Vec<u8>) -> Result<Option<u64>, Flaw> {
    bytes.clear();
    take(file, Message::HEADER_LEN, bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let stated = Message::stated_len(bytes).map_err(|error| Flaw::Bytes(error.to_string()))?;
    if stated > MAX_MESSAGE {
        return Err(Flaw::Bytes(format!("a message of {stated} bytes")));
    }
    take(file, stated - Message::HEADER_LEN, bytes)?;
    if bytes.len() < stated {
        return Err(Flaw::Bytes(format!(
            "cut off in a message of {stated} bytes"
        )));
    }
    let known = Messages::new(bytes)
        .next()
        .is_some_and(|message| message.is_ok_and(|message| !matches!(message.body, Body::Other)));
    if !known {
        return Err(Flaw::Bytes("not a message of sock_diag".to_owned()));
    }
    let padded = stated.next_multiple_of(4);
    take(file, padded - stated, bytes)?;
    bytes.truncate(stated);
    Ok(Some(u64::try_from(padded).unwrap_or_default()))
}

/// Appends `count` bytes of the file, or fewer at its end.
fn take(file: &mut BufReader<File>, count: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut filled = bytes.len();
    bytes.resize(filled + count, 0);
    while let Some(free @ [_, ..]) = bytes.get_mut(filled..) {
        match file.read(free) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(())
}
