//! Recordings: the raw messages that a listing read, as `ss -D` writes them.

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

/// The table of notes that are about no table.
const NO_TABLE: Table = Table::new(Protocol::Tcp, Family::Inet);

/// Records what a listing reads; off by default. Clones write to the same file.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Option<Rc<RefCell<Recording>>>);

#[derive(Debug)]
struct Recording {
    path: PathBuf,
    file: BufWriter<File>,
    /// The first write error; nothing is written after it.
    failure: Option<io::Error>,
}

impl Recorder {
    /// Records into a new file.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|cause| Error::file("create", path, cause))?;
        let recording = Recording {
            path: path.to_owned(),
            file: BufWriter::new(file),
            failure: None,
        };
        Ok(Self(Some(Rc::new(RefCell::new(recording)))))
    }

    /// True if it records.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Records a datagram about a table, with the table's sequence number.
    pub(super) fn keep(&self, table: Table, datagram: &[u8]) {
        self.write(table, |tag| {
            let mut datagram = datagram.to_vec();
            wire::set_sequence(&mut datagram, tag);
            datagram
        });
    }

    /// Records that the kernel has no sockets of a table, and returns that result.
    pub(super) fn none(&self, table: Table, reason: impl Into<Cause>) -> Outcome {
        let reason = reason.into();
        self.note(table, &Note::None(reason.to_string()));
        Outcome::absent(reason)
    }

    /// Records the name of a number, after all dumps.
    pub fn keep_name(&self, name: RecordedName) {
        self.note(NO_TABLE, &Note::Name(name));
    }

    /// Records that the following messages are of a network namespace.
    pub(super) fn keep_netns(&self, inode: u32, name: &[u8]) {
        self.note(NO_TABLE, &Note::Netns(inode, name.to_owned()));
    }

    /// Records a note about a table.
    pub(super) fn note(&self, table: Table, note: &Note) {
        self.write(table, |tag| wire::note(tag, &note.write()));
    }

    /// Writes messages made with the table's sequence number, if recording.
    pub(super) fn write(&self, table: Table, messages: impl FnOnce(u32) -> Vec<u8>) {
        let Some(recording) = &self.0 else { return };
        let recording = &mut *recording.borrow_mut();
        if recording.failure.is_none() {
            let messages = messages(wire::tag_with_end(table));
            recording.failure = recording.file.write_all(&messages).err();
        }
    }

    /// Flushes the file, and marks the end.
    ///
    /// # Errors
    ///
    /// The first write error.
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
