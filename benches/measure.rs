//! Measures one run of one command: time, processor time and peak memory.
//!
//! The command runs under a small wrapper, this bench again, which has no other child, so
//! `getrusage(RUSAGE_CHILDREN)` measures only the command. The bench reads its output through a pipe, as in
//! `lsock | grep`. The wrapper kills the command when its own stdin closes: on a timeout, and when the bench
//! dies.
//! stdin closes: on a time-out, and when the bench dies.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The hidden argument that selects this role.
pub(crate) const ROLE: &str = "--measure";
/// The timeout of a command.
const LIMIT: Duration = Duration::from_secs(120);
/// The most bytes kept of the first line on stderr.
const COMPLAINT_LENGTH: u64 = 400;

/// The measurements of a run.
pub(crate) struct Run {
    /// From start to end, including reading the output.
    pub(crate) wall: Duration,
    /// Processor time, user and system.
    pub(crate) cpu: Duration,
    /// Peak memory in KiB. The kernel includes that of the wrapper when it started the command.
    pub(crate) peak_kib: u64,
    /// Peak memory of the wrapper in KiB: a smaller peak cannot be measured.
    pub(crate) wrapper_kib: u64,
    /// Its output.
    pub(crate) output: Output,
}

/// The size of a command's output.
#[derive(Default)]
pub(crate) struct Output {
    /// Line ends.
    pub(crate) lines: usize,
    /// Bytes.
    pub(crate) bytes: usize,
    /// The number at its start: the count of the floor.
    pub(crate) number: Option<usize>,
}

/// Runs a command and measures it, or returns why it could not.
pub(crate) fn run(words: &[OsString]) -> io::Result<Result<Run, String>> {
    let mut wrapper = Command::new(std::env::current_exe()?)
        .arg(ROLE)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (finished, is_finished) = channel::<()>();
    let watchdog = watch(wrapper.stdin.take(), is_finished);
    let output = wrapper.stdout.take().map(drain).transpose()?;
    let mut report = String::new();
    if let Some(mut stderr) = wrapper.stderr.take() {
        stderr.read_to_string(&mut report)?;
    }
    wrapper.wait()?;
    drop(finished);
    if watchdog.join().unwrap_or(false) {
        return Ok(Err(format!("did not end within {} s", LIMIT.as_secs())));
    }
    Ok(parse_report(&report, output.unwrap_or_default()))
}

/// Closes the pipe at the timeout; returns true if it was needed.
fn watch(
    stdin: Option<ChildStdin>,
    is_finished: std::sync::mpsc::Receiver<()>,
) -> JoinHandle<bool> {
    thread::spawn(move || {
        let answer = is_finished.recv_timeout(LIMIT);
        drop(stdin);
        answer == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
    })
}

/// Counts lines and bytes to the end.
#[expect(
    clippy::naive_bytecount,
    reason = "the compiler vectorises it; a crate for one line would be too much"
)]
fn drain(mut source: impl Read) -> io::Result<Output> {
    let mut buffer = vec![0; 64 * 1024];
    let mut output = Output::default();
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => return Ok(output),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let part = buffer.get(..length).unwrap_or_default();
        if output.bytes == 0 {
            let text = part.trim_ascii();
            output.number = std::str::from_utf8(text).ok().and_then(|n| n.parse().ok());
        }
        output.bytes += length;
        output.lines += part.iter().filter(|&&byte| byte == b'\n').count();
    }
}

/// Parses the five fields of the wrapper: times in µs, memory in KiB, error.
fn parse_report(report: &str, output: Output) -> Result<Run, String> {
    let mut fields = report.splitn(5, '\t');
    let mut number = || fields.next()?.parse().ok();
    let (Some(wall), Some(cpu), Some(peak_kib), Some(wrapper_kib)) =
        (number(), number(), number(), number())
    else {
        return Err(report.trim_end().to_owned());
    };
    let problem = fields.next().unwrap_or_default();
    if !problem.is_empty() {
        return Err(problem.to_owned());
    }
    Ok(Run {
        wall: Duration::from_micros(wall),
        cpu: Duration::from_micros(cpu),
        peak_kib,
        wrapper_kib,
        output,
    })
}

/// The wrapper: runs the command once and writes its report to stderr.
pub(crate) fn main(words: &[OsString]) -> io::Result<()> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::Error::other("no command to measure"));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let spawned = command.spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return write!(io::stderr(), "cannot be started: {error}"),
    };
    end_with_stdin(&child)?;
    let complaint = first_line(&mut child)?;
    let status = child.wait()?;
    let wall = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu_us = (usage.user_time() + usage.system_time()).num_microseconds();
    let problem = match (status.code(), status.signal()) {
        (Some(0), _) => String::new(),
        (Some(code), _) => format!("exit status {code}: {complaint}"),
        (None, signal) => format!("signal {}: {complaint}", signal.unwrap_or_default()),
    };
    write!(
        io::stderr(),
        "{}\t{cpu_us}\t{}\t{}\t{problem}",
        wall.as_micros(),
        usage.max_rss(),
        own_peak_kib()
    )
}

/// Kills the command when stdin closes; a descriptor is safe even if its pid is reused.
fn end_with_stdin(child: &Child) -> io::Result<()> {
    let target = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = pidfd_send_signal(&target, Signal::KILL);
    });
    Ok(())
}

/// The first line on the command's stderr, escaped; the rest is discarded.
fn first_line(child: &mut Child) -> io::Result<String> {
    let Some(stderr) = child.stderr.take() else {
        return Ok(String::new());
    };
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    (&mut stderr)
        .take(COMPLAINT_LENGTH)
        .read_until(b'\n', &mut line)?;
    io::copy(&mut stderr, &mut io::sink())?;
    let line = String::from_utf8_lossy(&line);
    Ok(line.trim_end().escape_debug().to_string())
}

/// `VmHWM`: `ru_maxrss` would be the larger value inherited from the bench.
fn own_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
