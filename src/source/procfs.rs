//! Reads the files of `/proc/net`.
//!
//! They show what a dump shows in less detail, to everyone, and for the network namespace of every process. The kernel
//! outputs them page by page. Sockets that come and go meanwhile may be missed, or listed twice; those are lent once.

mod lines;
mod pings;

use std::fs;
use std::io::{self, ErrorKind::NotFound, Read};
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use self::lines::Lines;
use self::pings::Strays;
use super::decoder::Decoder;
use super::note::Note;
use super::recent::RecentOfFile;
use super::speaks::speaks;
use super::{Outcome, PROC, Recorder, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Family, Protocol, Source as Kind, StateSet, Table, Warning};
use crate::procfs::file::open_path;
use crate::procfs::{is_cut, is_header};
use crate::text::escape_path;
use crate::wire;

/// Reads tables from a directory like `/proc`.
pub struct ProcfsSource {
    root: PathBuf,
    recorder: Recorder,
    /// The length of the next file's first read; 0 = as long as the others.
    first: u64,
}

/// Half of what the kernel outputs at once.
const SHORT: u64 = 2_048;

impl ProcfsSource {
    /// Reads below this directory: `/proc`, `/proc/PID`, `/proc/thread-self` or a copy of one. Passes the lines of
    /// sockets, also malformed ones, to `recorder`.
    pub fn new(root: impl Into<PathBuf>, recorder: Recorder) -> Self {
        Self {
            root: root.into(),
            recorder,
            first: 0,
        }
    }

    /// As [`Self::new`], after checking that the directory exists. In the procfs of a container this process may have
    /// no pid, so `self/net` leads nowhere; then the tables of pid 1 are read.
    ///
    /// # Errors
    ///
    /// When it has no `net`.
    pub fn open(root: &Path, recorder: Recorder) -> Result<Self, Error> {
        let net = root.join("net");
        let first = root.join("1");
        match fs::read_dir(&net) {
            Ok(_) => Ok(Self::new(root, recorder)),
            Err(cause) if cause.kind() == NotFound && first.join("net").is_dir() => {
                Ok(Self::new(first, recorder))
            }
            Err(cause) => Err(Error::file("open", net, cause)),
        }
    }

    /// The result for a table whose file is missing: the kernel has no such sockets, unless `net/protocols` lists them.
    /// In a copy without that file, the existing tables are all, if there are any.
    fn absent(&self, table: Table, path: PathBuf, cause: io::Error) -> Result<Outcome, Error> {
        let files = Table::all().filter_map(Table::proc_file);
        let mut files = files.chain(["net/protocols".to_owned()]);
        if !files.any(|name| self.root.join(name).exists()) {
            return Err(Error::file("open", path, cause));
        }
        let text = format!("there is no {}", escape_path(&path));
        let is_none = match speaks(&self.root, table) {
            Some(speaks) => !speaks,
            None => !self.root.join("net/protocols").exists() && self.root != Path::new(PROC),
        };
        if is_none {
            return Ok(self.recorder.none(table, text));
        }
        let gap = format!("{text}: {table} cannot be listed");
        let mut outcome = Outcome::absent(text.into());
        outcome.warnings.push(Warning::Failed(gap.into()));
        Ok(outcome)
    }

    /// The result for a table without a file: its sockets are unknown, if the kernel supports the protocol.
    fn untold(&self, table: Table, request: &Request) -> Outcome {
        if speaks(&self.root, table) == Some(false) {
            let reason = format!("this kernel has no {table}");
            return self.recorder.none(table, reason);
        }
        self.recorder.note(table, &Note::States(StateSet::EMPTY));
        Outcome {
            unlisted: request.states,
            ..Outcome::complete(Kind::Procfs)
        }
    }

    /// The ping sockets that the kernel lists in this table by mistake.
    fn strays(&self, table: Table) -> Strays {
        let family = match table.family {
            Family::Inet6 => Family::Inet,
            _ => Family::Inet6,
        };
        let twin = Table { family, ..table };
        match twin.proc_file() {
            Some(name) if table.protocol == Protocol::Icmp => {
                Strays::among(twin, &self.root.join(name))
            }
            _ => Strays::default(),
        }
    }

    fn lend(
        &self,
        decoder: &mut Decoder<'_>,
        lines: &mut Lines<impl Read>,
    ) -> io::Result<ControlFlow<()>> {
        let table = decoder.table;
        let strays = self.strays(table);
        let mut recent = RecentOfFile::new();
        while let Some(line) = lines.advance()? {
            if line.number == 1 && line.ended && is_header(table, line.text) {
                continue;
            }
            let whole = if !line.whole {
                Err("line: longer than any that the kernel writes")
            } else if !line.ended && is_cut(table, line.text) {
                Err("line: cut off")
            } else {
                Ok(line.text)
            };
            let is_socket = decoder.read_line(line.number, whole);
            let socket = &decoder.scratch;
            if is_socket && (recent.repeats(socket) || strays.hold(socket)) {
                continue;
            }
            let keep = |tag| wire::proc_line(tag, line.text);
            self.recorder.write(table, keep);
            if is_socket && decoder.lend_scratch().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.recorder.write(table, wire::done);
        // Whatever was requested, the file has all that it can list.
        let told = decoder.untold().complement();
        self.recorder.note(table, &Note::States(told));
        Ok(ControlFlow::Continue(()))
    }

    /// Reads a table to its end. Errors after the first line become warnings, because rows were lent.
    fn read(
        &self,
        mut decoder: Decoder<'_>,
        (path, file): (PathBuf, impl Read),
    ) -> Result<Outcome, Error> {
        let mut lines = Lines::new(file);
        let end = self.lend(&mut decoder, &mut lines);
        let mut outcome = Outcome::complete(Kind::Procfs);
        outcome.unlisted = decoder.unlisted();
        outcome.warnings.extend(decoder.bad_lines(&path));
        match (end, lines.count) {
            (Ok(_), 0) => {
                let text = format!("{}: empty, not even a header", escape_path(&path));
                outcome.warnings.push(Warning::failed(text));
            }
            (Ok(_), _) => {}
            (Err(cause), 0) => return Err(Error::file("read", path, cause)),
            (Err(cause), count) => {
                let error = Error::file("read", path, cause).chain();
                let text = format!("{error} (after line {count})");
                outcome.warnings.push(Warning::failed(text));
            }
        }
        Ok(outcome)
    }
}

impl Source for ProcfsSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let Some(name) = table.proc_file() else {
            return Ok(self.untold(table, request));
        };
        let path = self.root.join(name);
        let file = match open_path(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == NotFound => {
                return self.absent(table, path, cause);
            }
            Err(cause) if cause.kind() == io::ErrorKind::IsADirectory => {
                return Err(Error::file("read", path, cause));
            }
            Err(cause) => return Err(Error::file("open", path, cause)),
        };
        let decoder = Decoder::new(Kind::Procfs, table, request, visitor, None);
        let first = (&file).take(mem::take(&mut self.first));
        self.read(decoder, (path, first.chain(&file)))
    }

    fn vary_chunk_boundary(&mut self) {
        self.first = SHORT;
    }
}

#[cfg(test)]
mod kernel_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;
