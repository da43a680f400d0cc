//! A run of `lsock --wait` under way.

use nix::sys::signal::Signal;

use super::*;
use crate::support::Child;

/// `lsock` in the namespace of this thread.
pub struct Waiting {
    child: Child,
    begun: Instant,
}

impl Waiting {
    pub fn begin(words: &[&str]) -> Self {
        Self::of(program().args(words))
    }

    /// Of a command.
    pub fn of(command: &mut Command) -> Self {
        Self {
            begun: Instant::now(),
            child: Child::piped(command),
        }
    }

    pub fn is_over(&mut self) -> bool {
        self.child.is_over()
    }

    /// Waits until the program would hear of this signal.
    pub fn until_caught(&self, signal: Signal) {
        self.child.until_caught(signal);
    }

    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Sleeps until so much has passed since the begin.
    pub fn let_pass(&self, millis: u64) {
        let end = self.begun + Duration::from_millis(millis);
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
    }

    /// The end, and when it came.
    pub fn end(self) -> (Run, Duration) {
        (self.child.end(), self.begun.elapsed())
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
