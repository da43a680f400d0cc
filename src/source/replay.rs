//! Reads tables from a recording: raw netlink messages of several dumps.

mod reading;

use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::reading::{Bytes, Flaw, next_message};
use super::decoder::Decoder;
use super::namespaces::each;
use super::note::Note;
use super::unix_names::UnixNames;
use super::{Outcome, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Cause, Protocol, RecordedName, Source as Kind, StateSet, Table, Warning};
use crate::netns::{Namespace, Namespaces};
use crate::text::escape_path;
use crate::wire::{self, Body, Message};

/// Reads tables from a recording of `ss -D` or `lsock -D`.
///
/// The file is read once when opened, to learn what it holds, and then table by table.
pub struct ReplaySource {
    path: PathBuf,
    file: BufReader<Box<dyn Bytes>>,
    /// Its tables, also empty ones, in order.
    tables: Vec<Table>,
    /// Positions of consecutive messages of one table.
    segments: Vec<(Of, Range<u64>)>,
    /// Notes about tables: why there are no sockets, or which states are listed.
    notes: Vec<(Of, Note)>,
    /// Its network namespaces, in order.
    namespaces: Vec<Arc<Namespace>>,
    /// Inode number of the namespace of the messages being read.
    netns: Option<u32>,
    names: Vec<RecordedName>,
    /// The first error in the file, until reported.
    flaw: Option<Error>,
}

/// A table in a network namespace, if one is recorded, by inode number.
type Of = (Option<u32>, Table);

impl ReplaySource {
    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or does not begin with a netlink message.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = reading::open(path).map_err(|cause| Error::file("open", path, cause))?;
        let mut replay = Self {
            path: path.to_owned(),
            file,
            tables: Vec::new(),
            segments: Vec::new(),
            notes: Vec::new(),
            namespaces: Vec::new(),
            netns: None,
            names: Vec::new(),
            flaw: None,
        };
        replay.learn()?;
        Ok(replay)
    }

    /// The recorded tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    fn learn(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        // The dump whose end has not been read yet.
        let mut open = None;
        let (mut at, mut has_end, mut is_ended) = (0, false, false);
        loop {
            match next_message(&mut self.file, &mut bytes) {
                Ok(Some((length, message))) => {
                    has_end |= wire::has_end(message.sequence);
                    is_ended = message.body == Body::Note(Note::END);
                    self.note(&message, &mut open, at..at + length);
                    at += length;
                }
                Ok(None) => break,
                Err(Flaw::Io(cause)) => return Err(Error::file("read", &self.path, cause)),
                Err(flaw @ Flaw::OtherOrder) if at == 0 => {
                    return Err(self.malformed(flaw.to_string()));
                }
                Err(flaw) if self.tables.is_empty() && self.flaw.is_none() => {
                    return Err(self.malformed(format!(
                        "byte {at}: {flaw}; not a recording of netlink messages"
                    )));
                }
                Err(flaw) => {
                    self.note_flaw(format!("byte {at}: {flaw}"));
                    break;
                }
            }
        }
        if self.tables.is_empty() {
            let nothing = match at {
                0 => "holds no netlink messages",
                _ => "holds no dump",
            };
            let flaw = self.flaw.take();
            return Err(flaw.unwrap_or_else(|| self.malformed(nothing)));
        }
        if open.is_some() {
            self.note_flaw("ends in the middle of a dump");
        } else if has_end && !is_ended {
            self.note_flaw("its end is missing");
        }
        Ok(())
    }

    fn malformed(&self, reason: impl Into<String>) -> Error {
        Error::Unusable(format!("{}: {}", escape_path(&self.path), reason.into()))
    }

    fn note_flaw(&mut self, reason: impl Into<String>) {
        if self.flaw.is_none() {
            self.flaw = Some(self.malformed(reason));
        }
    }

    fn told_flaw(&mut self) -> Option<Warning> {
        self.flaw.take().map(|flaw| Warning::Failed(flaw.into()))
    }

    fn note(&mut self, message: &Message<'_>, open: &mut Option<Table>, place: Range<u64>) {
        let asked = wire::table_of(message.sequence);
        if asked.is_none() && wire::is_ours(message.sequence) {
            self.note_flaw(format!(
                "holds a table that this version does not know (sequence number {:#x})",
                message.sequence
            ));
            return;
        }
        if message.interrupted {
            self.note_flaw("a table changed while it was recorded (NLM_F_DUMP_INTR)");
        }
        match message.body {
            // The kernel marks SCTP endpoints as part of a dump, but not associations.
            Body::Socket(payload)
                if message.multi || asked.is_some_and(|of| of.protocol == Protocol::Sctp) =>
            {
                if let Some(table) = asked.or_else(|| wire::table_of_reply(payload)) {
                    if message.is_of_both {
                        // The IP versions may alternate.
                        let of_either = open.take_if(|open| open.protocol == table.protocol);
                        *open = of_either.map(|_| table).or(*open);
                        Protocol::Tcp.tables().for_each(|table| self.hold(table));
                    }
                    self.note_row(table, open, place);
                }
            }
            Body::ProcLine(_) => {
                if let Some(table) = asked {
                    self.note_row(table, open, place);
                }
            }
            Body::Done(code) if code <= 0 => {
                let ended = open.take();
                self.note_end(asked, ended);
                match asked.or(ended) {
                    Some(table) => {
                        self.hold(table);
                        self.enter(table, place);
                    }
                    // `ss -D` dumps only TCP; an IP version without sockets leaves only this.
                    None => Protocol::Tcp.tables().for_each(|table| self.hold(table)),
                }
            }
            Body::Note(text) => match (Note::read(text), asked) {
                (Some(Note::Name(name)), _) => self.names.push(name),
                (Some(Note::Netns(inode, name)), _) => {
                    self.netns = Some(inode);
                    if !self.namespaces.iter().any(|known| known.inode == inode) {
                        let namespace = Namespace::recorded(name.into(), inode);
                        self.namespaces.push(Arc::new(namespace));
                    }
                }
                (Some(Note::End) | None, _) | (_, None) => {}
                (Some(note), Some(table)) => {
                    self.hold(table);
                    self.notes.push(((self.netns, table), note));
                }
            },
            // A refusal, or the reply to another request, which is no part of a dump.
            Body::Error(_) if !message.multi => {}
            Body::Done(code) | Body::Error(code) => {
                let broke_off = open.take().is_some();
                if broke_off || asked.is_none() {
                    let cause = Cause::from(io::Error::from_raw_os_error(code));
                    let did = if broke_off { "aborted" } else { "refused" };
                    self.note_flaw(format!("the kernel {did} a dump: {cause}"));
                }
            }
            Body::Socket(_) | Body::Connection(_) | Body::Other => {}
        }
    }

    fn note_row(&mut self, table: Table, open: &mut Option<Table>, place: Range<u64>) {
        self.note_end(Some(table), open.replace(table));
        self.hold(table);
        self.enter(table, place);
    }

    fn hold(&mut self, table: Table) {
        if !self.tables.contains(&table) {
            self.tables.push(table);
        }
    }

    /// Records the position of a message of a table.
    fn enter(&mut self, table: Table, place: Range<u64>) {
        let of = (self.netns, table);
        match self.segments.last_mut() {
            Some((known, last)) if *known == of && last.end == place.start => last.end = place.end,
            _ => self.segments.push((of, place)),
        }
    }

    /// Notes an error if a message about one table comes during the dump of another.
    fn note_end(&mut self, table: Option<Table>, open: Option<Table>) {
        if let (Some(table), Some(open)) = (table, open)
            && table != open
        {
            self.note_flaw(format!("breaks off in the middle of the {open}"));
        }
    }

    /// The names of all unix sockets, including those requested outside the dump.
    fn unix_names(&mut self) -> Option<UnixNames> {
        let mut names = UnixNames::default();
        let mut bytes = Vec::new();
        self.file.rewind().ok()?;
        // Errors in the file are known already.
        while let Ok(Some((_, message))) = next_message(&mut self.file, &mut bytes) {
            if let Some(payload) = message.socket()
                && wire::table_of_reply(payload).is_some_and(|t| t.protocol == Protocol::Unix)
            {
                names.add(payload);
            }
        }
        Some(names)
    }

    fn play(&mut self, table: Table, decoder: &mut Decoder<'_>) -> Result<(), Flaw> {
        let mut bytes = Vec::new();
        let segments = self.segments.iter();
        let wanted = (decoder.request.netns, table);
        for (_, place) in segments.filter(|(of, _)| *of == wanted) {
            self.file.seek(SeekFrom::Start(place.start))?;
            let mut at = place.start;
            while at < place.end {
                // The file was longer when opened.
                let Some((length, message)) = next_message(&mut self.file, &mut bytes)? else {
                    return Err(Flaw::Bytes("cut while it was read".to_owned()));
                };
                at += length;
                let flow = match message.body {
                    Body::Socket(payload) => decoder.lend(payload),
                    Body::ProcLine(line) if decoder.read_line(0, Ok(line)) => {
                        decoder.lend_scratch()
                    }
                    _ => continue,
                };
                if flow.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Plays a table of one namespace.
    fn visit_one(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let wanted = (request.netns, table);
        let notes = self.notes.iter().filter(|(of, _)| *of == wanted);
        let (mut listed, mut is_narrowed) = (None, false);
        for (_, note) in notes {
            match note {
                Note::None(reason) => {
                    let mut outcome = Outcome::absent(reason.clone().into());
                    outcome.warnings.extend(self.told_flaw());
                    return Ok(outcome);
                }
                Note::States(states) => listed = Some(*states),
                Note::Narrowed(ports, program) => {
                    is_narrowed |= !request.narrow.is_within(*ports, program);
                }
                Note::Name(_) | Note::Netns(..) | Note::End => {}
            }
        }
        if !self.tables.contains(&table) {
            let why = format!("{}: holds no {table}", escape_path(&self.path));
            let mut outcome = Outcome::failed(why.into());
            outcome.warnings.extend(self.told_flaw());
            return Ok(outcome);
        }
        let mut outcome = Outcome::complete(Kind::Replay);
        let gaps = &mut outcome.warnings;
        let path = escape_path(&self.path).into_owned();
        if is_narrowed {
            gaps.push(Warning::failed(format!(
                "{path}: has no {table} but those that the filter of the recording wants"
            )));
        }
        let peers = table.protocol == Protocol::Unix && request.extensions.unix_peers;
        let names = if peers { self.unix_names() } else { None };
        let mut decoder = Decoder::new(Kind::Replay, table, request, visitor, names);
        match self.play(table, &mut decoder) {
            Ok(()) => {}
            Err(Flaw::Io(cause)) if decoder.lent == 0 => {
                return Err(Error::file("read", &self.path, cause));
            }
            Err(flaw) => gaps.push(Warning::Failed(self.malformed(flaw.to_string()).into())),
        }
        gaps.extend(decoder.warnings(&format!("{path}: {table}")));
        outcome.is_narrowed = is_narrowed;
        outcome.is_scope_unknown = listed.is_none();
        outcome.unlisted = match listed {
            _ if is_narrowed => request.states,
            Some(StateSet::EMPTY) => request.states,
            Some(listed) => request.unlisted(table, listed.complement()),
            // Recordings of other programs may lack BOUND.
            None => decoder.unlisted(),
        };
        outcome.warnings.extend(self.told_flaw());
        Ok(outcome)
    }
}

impl Source for ReplaySource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        if self.namespaces.is_empty() {
            return self.visit_one(table, request, visitor);
        }
        let namespaces = self.namespaces.clone().into_iter().map(|one| ((), one));
        Ok(each(
            namespaces,
            request,
            visitor,
            |(), request, visitor| {
                let played = self.visit_one(table, request, visitor);
                played.unwrap_or_else(|error| Outcome::failed(error.into()))
            },
        ))
    }

    fn namespaces(&self) -> Namespaces {
        let each = self.namespaces.iter();
        each.map(|one| (one.inode, (Arc::clone(one), None)))
            .collect()
    }

    fn names(&mut self) -> Vec<RecordedName> {
        mem::take(&mut self.names)
    }
}
