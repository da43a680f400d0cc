//! A run of `lsock --wait` under way.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::scene::poll_until;

/// `lsock` in the namespace of this thread.
pub struct Waiting {
    child: Child,
    begun: Instant,
}

impl Waiting {
    pub fn begin(words: &[&str]) -> Self {
        let mut program = program();
        program.args(words);
        Self::of(program)
    }

    /// Of a command.
    pub fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            begun: Instant::now(),
            child: command.spawn().unwrap(),
        }
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sleeps until the program would hear of this signal.
    pub fn until_caught(&self, signal: Signal) {
        let path = format!("/proc/{}/status", self.child.id());
        let bit = 1_u64 << (signal as i32 - 1);
        poll_until("a handler", || {
            let status = std::fs::read_to_string(&path).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            (caught & bit != 0).then_some(())
        })
        .unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Sleeps until so much has passed since the begin.
    pub fn let_pass(&self, millis: u64) {
        let end = self.begun + Duration::from_millis(millis);
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
    }

    /// The end, and when it came.
    pub fn end(self) -> (Attempt, Duration) {
        let begun = self.begun;
        let attempt = Attempt::from(self.child.wait_with_output().unwrap());
        (attempt, begun.elapsed())
    }
}

/// Does in a thread, in the namespace of this one, what takes `millis` to begin.
pub fn after<T: Send + 'static>(
    millis: u64,
    act: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<(T, Instant)> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(millis));
        (act(), Instant::now())
    })
}
