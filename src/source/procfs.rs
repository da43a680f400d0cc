//! The files of `/proc/net`.
//!
//! They show what a dump shows, with less detail, to everybody, and of every process's network
//! namespace. The kernel hands them out a page at a time: sockets that come and go meanwhile may be
//! missed, or come twice and are then lent once.

mod lines;
mod pings;

use std::fs::{self, File};
use std::io::{self, Read};
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use self::lines::Lines;
use self::pings::Strays;
use super::malformed::Malformed;
use super::recent::RecentOfFile;
use super::speaks::speaks;
use super::{Outcome, PROC, Recorder, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Family, Protocol, Socket, Source as Kind, Table, Warning};
use crate::procfs::{LineError, decode_line, is_header};
use crate::text::escape_path;

/// Reads the tables from a directory like `/proc`.
pub struct ProcfsSource {
    root: PathBuf,
    socket: Socket,
    recorder: Recorder,
    /// The length of the first piece of the next file; 0 = as long as the others.
    first: u64,
}

/// Half of what the kernel hands out at once.
const SHORT: u64 = 2_048;

impl ProcfsSource {
    /// Reads below this directory: `/proc`, `/proc/PID`, `/proc/thread-self` or a copy of one. Gives
    /// the lines of sockets, malformed ones too, to `recorder`.
    pub fn new(root: impl Into<PathBuf>, recorder: Recorder) -> Self {
        Self {
            root: root.into(),
            socket: Socket {
                source: Kind::Procfs,
                ..Socket::new(Protocol::Tcp, Family::Inet)
            },
            recorder,
            first: 0,
        }
    }

    /// The same, but first makes sure that there is such a directory.
    ///
    /// # Errors
    ///
    /// When it has no `net`.
    pub fn open(root: &Path, recorder: Recorder) -> Result<Self, Error> {
        let net = root.join("net");
        match fs::read_dir(&net) {
            Ok(_) => Ok(Self::new(root, recorder)),
            Err(cause) => Err(Error::file("open", net, cause)),
        }
    }

    /// A table whose file is not there: the kernel has no such sockets, unless it says that it has. A copy
    /// that says nothing has what there is.
    fn absent(&self, table: Table, path: PathBuf, cause: io::Error) -> Result<Outcome, Error> {
        if !self.root.join("net").exists() {
            return Err(Error::file("open", path, cause));
        }
        let text = format!("there is no {}", escape_path(&path));
        let is_none = match speaks(&self.root, table) {
            Some(speaks) => !speaks,
            None => !self.root.join("net/protocols").exists() && self.root != Path::new(PROC),
        };
        let gap = format!("{text}: which {table} there are is unknown");
        let mut outcome = Outcome::absent(text.into());
        outcome
            .warnings
            .extend((!is_none).then(|| Warning::Failed(gap.into())));
        Ok(outcome)
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

    /// Lends what the lines tell, and notes which of them tell nothing.
    fn lend(
        &mut self,
        task: &mut Task<'_>,
        lines: &mut Lines<impl Read>,
    ) -> io::Result<ControlFlow<()>> {
        let table = task.table;
        while let Some(line) = lines.advance()? {
            if line.number == 1 && is_header(table, line.text) {
                continue;
            }
            let decoded = if line.whole {
                decode_line(table, line.text, &mut self.socket)
            } else {
                Err(LineError::TOO_LONG)
            };
            let socket = &self.socket;
            if decoded.is_ok() && (task.recent.repeats(socket) || task.strays.hold(socket)) {
                continue;
            }
            self.recorder.keep_line(table, line.text);
            if let Err(error) = decoded {
                task.malformed.add(line.number, error);
                continue;
            }
            task.request.trim(&mut self.socket);
            if task.visitor.take(&self.socket).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads one table to its end. Trouble after the first line is a gap, for rows were lent.
    fn read(
        &mut self,
        mut task: Task<'_>,
        (path, file): (PathBuf, impl Read),
    ) -> Result<Outcome, Error> {
        let mut lines = Lines::new(file);
        let end = self.lend(&mut task, &mut lines);
        if matches!(end, Ok(ControlFlow::Continue(()))) {
            self.recorder.keep_end(task.table);
        }
        let mut outcome = Outcome::complete(Kind::Procfs);
        outcome.unlisted = task.request.bound_of(task.table);
        outcome.warnings.extend(task.malformed.lines(&path));
        match (end, lines.count) {
            (Ok(_), 0) => outcome.warnings.push(Warning::EmptyFile(path)),
            (Ok(_), _) => {}
            (Err(cause), 0) => return Err(Error::file("read", path, cause)),
            (Err(cause), count) => {
                let error = Error::file("read", path, cause);
                outcome.warnings.push(Warning::CutFile(error.into(), count));
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
            return Err(Error::NotInProc(table));
        };
        let path = self.root.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return self.absent(table, path, cause);
            }
            Err(cause) => return Err(Error::file("open", path, cause)),
        };
        let task = Task {
            table,
            request,
            visitor,
            strays: self.strays(table),
            recent: RecentOfFile::new(),
            malformed: Malformed::default(),
        };
        let first = (&file).take(mem::take(&mut self.first));
        self.read(task, (path, first.chain(&file)))
    }

    fn vary_chunk_boundary(&mut self) {
        self.first = SHORT;
    }
}

/// One table to be read.
struct Task<'t> {
    table: Table,
    request: &'t Request,
    visitor: &'t mut dyn Visitor,
    strays: Strays,
    recent: RecentOfFile,
    malformed: Malformed,
}

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;
