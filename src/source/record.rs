//! Recordings: the raw messages a listing read, as `ss -D` writes them.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Outcome;
use super::note::Note;
use crate::error::Error;
use crate::model::{Cause, Family, Protocol, RecordedName, Table};
use crate::wire;

/// Stands in notes that are about no table.
const NO_TABLE: Table = Table::new(Protocol::Tcp, Family::Inet);

/// Keeps what a listing reads; off by default. Clones write to the same file.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Option<Rc<RefCell<Recording>>>);

#[derive(Debug)]
struct Recording {
    path: PathBuf,
    file: BufWriter<File>,
    /// The first write that failed; nothing is written after it.
    failure: Option<io::Error>,
}

impl Recorder {
    /// Records into a new file.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|cause| Error::file("create", path, cause))?;
        let recording = Recording {
            path: path.to_owned(),
            file: BufWriter::new(file),
            failure: None,
        };
        Ok(Self(Some(Rc::new(RefCell::new(recording)))))
    }

    /// True if there is a file.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps the messages of a datagram about a table, under its number.
    pub(super) fn keep(&self, table: Table, datagram: &[u8]) {
        self.write(table, |tag| {
            let mut datagram = datagram.to_vec();
            wire::set_sequence(&mut datagram, tag);
            datagram
        });
    }

    /// Keeps that the kernel has no sockets of a table, which is what came of it.
    pub(super) fn none(&self, table: Table, reason: impl Into<Cause>) -> Outcome {
        let reason = reason.into();
        self.note(table, &Note::None(reason.to_string()));
        Outcome::absent(reason)
    }

    /// Keeps the name of a number, behind all dumps.
    pub fn keep_name(&self, name: RecordedName) {
        self.note(NO_TABLE, &Note::Name(name));
    }

    /// Keeps that what follows is of a network namespace.
    pub(super) fn keep_netns(&self, inode: u32, name: &[u8]) {
        self.note(NO_TABLE, &Note::Netns(inode, name.to_owned()));
    }

    /// Keeps what is to be known of a table.
    pub(super) fn note(&self, table: Table, note: &Note) {
        self.write(table, |tag| wire::note(tag, &note.write()));
    }

    /// Writes what the number of a table makes of it, if there is a file.
    pub(super) fn write(&self, table: Table, messages: impl FnOnce(u32) -> Vec<u8>) {
        let Some(recording) = &self.0 else { return };
        let recording = &mut *recording.borrow_mut();
        if recording.failure.is_none() {
            let messages = messages(wire::tag_with_end(table));
            recording.failure = recording.file.write_all(&messages).err();
        }
    }

    /// Writes out the rest, and marks the end.
    ///
    /// # Errors
    ///
    /// The first write that failed.
    pub fn finish(&self) -> Result<(), Error> {
        self.note(NO_TABLE, &Note::End);
        let Some(recording) = &self.0 else {
            return Ok(());
        };
        let recording = &mut *recording.borrow_mut();
        let written = recording.failure.take().map_or(Ok(()), Err);
        written
            .and_then(|()| recording.file.flush())
            .map_err(|cause| Error::file("write", &recording.path, cause))
    }
}
