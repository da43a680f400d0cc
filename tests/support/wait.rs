//! Waiting for a condition.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Maximum time to wait: longer than `TIME_WAIT`, and enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(100);
/// The first and the longest pause between attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];
/// The most lines shown of a text's start, and of its end.
const SHOWN: usize = 40;

/// Stops a background thread on drop, because a scope waits for its threads.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until there is an answer.
///
/// # Panics
///
/// If there is none in time.
#[track_caller]
pub fn until<T>(what: impl Display, mut ask: impl FnMut() -> Option<T>) -> T {
    until_ok(what, || ask().ok_or(""))
}

/// Polls until there is an answer; the panic shows the last error.
///
/// # Panics
///
/// If there is none in time.
#[track_caller]
pub fn until_ok<T, E: Display>(what: impl Display, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let begun = Instant::now();
    let [mut pause, longest] = PAUSES;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(refusal) if begun.elapsed() > PATIENCE => {
                panic!(
                    "{what}: not so after {PATIENCE:?}: {}",
                    short(&refusal.to_string())
                )
            }
            Err(_) => sleep(pause),
        }
        pause = longest.min(pause * 2);
    }
}

/// A text without its middle if it is long.
pub fn short(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= 2 * SHOWN {
        return text.to_owned();
    }
    let left_out = format!("… {} lines …", lines.len() - 2 * SHOWN);
    let end = &lines[lines.len() - SHOWN..];
    [&lines[..SHOWN], &[&left_out], end].concat().join("\n")
}

#[test]
fn a_long_text_is_shown_in_a_hundred_lines() {
    let text = (0..5_000).map(|line| line.to_string()).collect::<Vec<_>>();
    let text = text.join("\n");
    let short = short(&text);
    assert_eq!(short.lines().count(), 2 * SHOWN + 1);
    assert!(
        short.starts_with("0\n") && short.ends_with("\n4999"),
        "{short}"
    );
}
