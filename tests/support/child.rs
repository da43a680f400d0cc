//! Child processes that run during a test.

use std::fmt::{self, Debug, Display};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Run, spawn, until, until_ok};

/// A child; killed and reaped on drop.
#[derive(Debug)]
pub struct Child(Option<process::Child>);

impl Child {
    /// Starts a command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Child {
        let child = spawn(command);
        Child(Some(
            child.unwrap_or_else(|error| panic!("{command:?}: {error}")),
        ))
    }

    /// Starts a command with both outputs in pipes.
    #[track_caller]
    pub fn piped(command: &mut Command) -> Child {
        Child::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    fn child(&self) -> &process::Child {
        self.0.as_ref().expect("it has not been waited for")
    }

    fn child_mut(&mut self) -> &mut process::Child {
        self.0.as_mut().expect("it has not been waited for")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// A value of `/proc/PID/status`.
    fn status(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    }

    /// Waits until it catches a signal.
    #[track_caller]
    pub fn until_caught(&self, signal: Signal) {
        until("a handler", || {
            let caught = u64::from_str_radix(&self.status("SigCgt:"), 16).unwrap();
            (caught >> (signal as i32 - 1) & 1 == 1).then_some(())
        });
        // The handler is installed shortly before it can act, but without a sleep in between.
        until("it sleeps", || {
            self.status("State:").starts_with('S').then_some(())
        });
    }

    /// Takes its standard output.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child_mut().stdout.take().expect("a pipe")
    }

    /// True if it has exited.
    pub fn is_over(&mut self) -> bool {
        self.child_mut().try_wait().unwrap().is_some()
    }

    /// Waits until it sleeps for a while with nothing to do.
    #[track_caller]
    pub fn until_at_rest(&self) {
        self.until_asleep("nothing to do", |in_call| in_call != libc::SYS_write);
    }

    /// Waits until it sleeps for long in a matching system call.
    #[track_caller]
    fn until_asleep(&self, what: &str, is_it: impl Fn(libc::c_long) -> bool) {
        const LONG: Duration = Duration::from_millis(50);
        let look = || {
            let found = ["State:", "voluntary_ctxt_switches:"].map(|name| self.status(name));
            Some(found).filter(|[state, _]| state.starts_with('S'))
        };
        let path = format!("/proc/{}/syscall", self.pid());
        until(what, || {
            let before = look()?;
            std::thread::sleep(LONG);
            // The number of the call, then its arguments.
            let call = std::fs::read_to_string(&path).unwrap();
            let call = call.split(' ').next()?.parse().ok()?;
            (look()? == before && is_it(call)).then_some(())
        });
    }

    /// Waits until its output pipe is full, and it has more to write.
    #[track_caller]
    pub fn wait_for_full_pipe(&self) {
        self.fill_pipe(|| ());
        self.until_asleep("more to write", |_| true);
    }

    /// Likewise; `act` gives it something to write.
    #[track_caller]
    pub fn fill_pipe(&self, mut act: impl FnMut()) {
        let path = format!("/proc/{}/fd/1", self.pid());
        let options = libc::O_NONBLOCK;
        until("a full pipe", || {
            act();
            let mut open = OpenOptions::new();
            let pipe = open.write(true).custom_flags(options).open(&path).ok()?;
            let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)];
            (poll(&mut polled, PollTimeout::ZERO) == Ok(0)).then_some(())
        });
    }

    /// Waits until it exits; returns the rest of its output.
    pub fn end(mut self) -> Run {
        let child = self.0.take().expect("it has not been waited for");
        child.wait_with_output().unwrap().into()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = (child.kill(), child.wait());
        }
    }
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// A child whose output is read line by line.
pub struct Reading<T> {
    child: Child,
    told: Arc<Mutex<Vec<T>>>,
    reader: JoinHandle<()>,
}

impl<T: Clone + Debug + Send + 'static> Reading<T> {
    /// Starts a command and parses each line with `read`.
    #[track_caller]
    pub fn start(command: &mut Command, read: fn(String) -> T) -> Reading<T> {
        let mut child = Child::piped(command);
        let stdout = BufReader::new(child.stdout());
        let told: Arc<Mutex<Vec<T>>> = Arc::default();
        let kept = Arc::clone(&told);
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                kept.lock().unwrap().push(read(line.unwrap()));
            }
        });
        Reading {
            child,
            told,
            reader,
        }
    }

    /// What was read so far.
    pub fn told(&self) -> Vec<T> {
        self.told.lock().unwrap().clone()
    }

    /// True if what was read so far satisfies a condition.
    pub fn is(&self, is_so: impl Fn(&[T]) -> bool) -> bool {
        is_so(&self.told.lock().unwrap())
    }

    /// Waits until what was read satisfies a condition.
    ///
    /// # Panics
    ///
    /// If it does not in time.
    #[track_caller]
    pub fn wait_for(&self, what: impl Display, is_so: impl Fn(&[T]) -> bool) {
        until_ok(what, || self.is(&is_so).then_some(()).ok_or(self));
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Waits until it is idle.
    #[track_caller]
    pub fn until_at_rest(&self) {
        self.child.until_at_rest();
    }

    /// Ends it by a signal; returns its output and how it exited.
    pub fn end_by(self, signal: Signal) -> (Vec<T>, Run) {
        self.signal(signal);
        self.outcome()
    }

    /// Waits until it exits.
    pub fn outcome(self) -> (Vec<T>, Run) {
        let run = self.child.end();
        self.reader.join().unwrap();
        (std::mem::take(&mut *self.told.lock().unwrap()), run)
    }
}

impl<T: Debug> Display for &Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", self.told.lock().unwrap())
    }
}
