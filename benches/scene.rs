//! The load scene: numbers of sockets by state, and the processes that hold them.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};

use crate::failed;
use crate::holder::{ROLE, Share};
use crate::options::Options;

/// `TIME_WAIT` sockets live for 60 seconds; they are renewed after this time.
const RENEW_AFTER: Duration = Duration::from_secs(25);
/// Descriptors of a holder besides the scene's sockets, with a margin.
const SPARE_FILES: usize = 64;
/// How long holders may take to exit.
const END_WITHIN: Duration = Duration::from_secs(30);

/// The number of sockets in the whole scene, by kind.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    /// Processes that hold them.
    pub(crate) processes: usize,
    /// IPv4 connections, each two sockets.
    pub(crate) pairs: usize,
    /// IPv6 connections, each two sockets.
    pub(crate) pairs6: usize,
    /// Half-closed IPv4 connections.
    pub(crate) half_closed: usize,
    /// Listening sockets.
    pub(crate) listeners: usize,
    /// `TIME_WAIT` sockets after renewal.
    pub(crate) time_waits: usize,
}

impl Counts {
    /// One socket in a hundred is not `ESTABLISHED`, one connection in ten uses IPv6.
    fn plan(sockets: usize, wished: usize, files: usize) -> Self {
        let needed = sockets.div_ceil(files.saturating_sub(SPARE_FILES).max(1));
        let processes = wished.min(sockets / 20).max(needed).max(1);
        let listeners = (sockets / 400).max(2 * processes);
        let time_waits = sockets / 400;
        let pairs = sockets.saturating_sub(listeners + time_waits) / 2;
        Self {
            processes,
            pairs: pairs - pairs / 10,
            pairs6: pairs / 10,
            half_closed: sockets / 400,
            listeners,
            time_waits,
        }
    }

    /// The share of a holder; all shares together are the whole.
    fn share(&self, index: usize) -> Share {
        let part =
            |whole: usize| whole * (index + 1) / self.processes - whole * index / self.processes;
        Share {
            index,
            pairs: part(self.pairs),
            pairs6: part(self.pairs6),
            half_closed: part(self.half_closed),
            listeners: part(self.listeners),
            time_waits: part(self.time_waits),
        }
    }
}

/// The running holders. They exit when this is dropped, or when the bench dies.
pub(crate) struct Scene {
    holders: Vec<Holder>,
    /// The sockets they hold.
    pub(crate) counts: Counts,
    /// Time to open everything.
    pub(crate) build_time: Duration,
    renewed: Instant,
}

struct Holder {
    process: Child,
    answers: Option<BufReader<ChildStdout>>,
}

impl Scene {
    /// Starts the holders and waits until all sockets are open.
    pub(crate) fn build(options: &Options) -> io::Result<Self> {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let files = usize::try_from(hard).unwrap_or(usize::MAX);
        let counts = Counts::plan(options.sockets, options.processes, files);
        if counts.processes > options.processes {
            eprintln!(
                "compare: {} processes instead of {}: a process may have {files} open files \
                 (RLIMIT_NOFILE)",
                counts.processes, options.processes
            );
        }
        let start = Instant::now();
        let mut scene = Self {
            holders: Vec::new(),
            counts,
            build_time: Duration::ZERO,
            renewed: start,
        };
        for index in 0..counts.processes {
            scene.holders.push(Holder::start(&counts.share(index))?);
        }
        scene.await_ready()?;
        scene.build_time = start.elapsed();
        Ok(scene)
    }

    /// Requests new `TIME_WAIT` sockets before the old ones expire.
    pub(crate) fn renew(&mut self) -> io::Result<()> {
        if self.renewed.elapsed() < RENEW_AFTER {
            return Ok(());
        }
        for holder in &mut self.holders {
            if let Some(stdin) = &mut holder.process.stdin {
                stdin.write_all(b"t").map_err(failed("a holder is gone"))?;
            }
        }
        self.await_ready()?;
        self.renewed = Instant::now();
        Ok(())
    }

    fn await_ready(&mut self) -> io::Result<()> {
        self.holders.iter_mut().try_for_each(Holder::await_ready)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Closing stdin makes a holder exit: first all of them, then wait.
        for holder in &mut self.holders {
            holder.process.stdin = None;
            holder.answers = None;
        }
        let start = Instant::now();
        for holder in &mut self.holders {
            while matches!(holder.process.try_wait(), Ok(None)) {
                if start.elapsed() > END_WITHIN {
                    // Not reaped yet, so the pid is still valid.
                    let _ = holder.process.kill();
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Holder {
    fn start(share: &Share) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args(share.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed("cannot start a holder"))?;
        let answers = process.stdout.take().map(BufReader::new);
        Ok(Self { process, answers })
    }

    fn await_ready(&mut self) -> io::Result<()> {
        let mut answer = String::new();
        if let Some(answers) = &mut self.answers {
            answers.read_line(&mut answer)?;
        }
        if answer.trim_end() == "ready" {
            return Ok(());
        }
        Err(io::Error::other("a holder could not open its sockets"))
    }
}
