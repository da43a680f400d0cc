//! Recordings: the raw messages a listing read, as `ss -D` writes them.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::Error;
use crate::model::Table;
use crate::wire;

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

    pub(super) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps the messages of a datagram about a table, under its number.
    pub(super) fn keep(&self, table: Table, datagram: &[u8]) {
        if self.is_on() {
            let mut datagram = datagram.to_vec();
            wire::set_sequence(&mut datagram, wire::tag(table));
            self.write(&datagram);
        }
    }

    /// Keeps a line of `/proc/net`, as a message of our own.
    pub(super) fn keep_line(&self, table: Table, line: &[u8]) {
        if self.is_on() {
            self.write(&wire::proc_line(wire::tag(table), line));
        }
    }

    /// Marks the end of the lines of a table.
    pub(super) fn keep_end(&self, table: Table) {
        if self.is_on() {
            self.write(&wire::done(wire::tag(table)));
        }
    }

    fn write(&self, messages: &[u8]) {
        let Some(recording) = &self.0 else { return };
        let recording = &mut *recording.borrow_mut();
        if recording.failure.is_none() {
            recording.failure = recording.file.write_all(messages).err();
        }
    }

    /// Writes out the rest.
    ///
    /// # Errors
    ///
    /// The first write that failed.
    pub fn finish(&self) -> Result<(), Error> {
        let Some(recording) = &self.0 else {
            return Ok(());
        };
        let recording = &mut *recording.borrow_mut();
        let failure = recording
            .failure
            .take()
            .or_else(|| recording.file.flush().err());
        match failure {
            None => Ok(()),
            Some(cause) => Err(Error::file("write", &recording.path, cause)),
        }
    }
}
