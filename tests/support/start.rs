//! Starts child processes one at a time.
//!
//! Between `fork` and `exec` a child has copies of all descriptors of this process. If another test closes
//! one meanwhile, it stays open with another last holder, and a program being written cannot be executed.
//!
//! So all children are started here, and whoever closes something waits for that.

#![allow(dead_code, reason = "each program of tests has a part of it")]

#[path = "limit.rs"]
mod limit;

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::process::{self, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

static STARTING: Mutex<()> = Mutex::new(());

thread_local! {
    static IS_UNDISTURBED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `act` while no other thread has a child between `fork` and `exec`, so that what it closes is really
/// closed when it returns.
pub fn undisturbed<T>(act: impl FnOnce() -> T) -> T {
    /// Ends the exclusion, even after a panic.
    struct Over;
    impl Drop for Over {
        fn drop(&mut self) {
            IS_UNDISTURBED.set(false);
        }
    }
    if IS_UNDISTURBED.replace(true) {
        return act();
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let _over = Over;
    act()
}

/// Drops a value of which no child has a copy.
pub fn close<T>(held: T) {
    undisturbed(|| drop(held));
}

/// Starts a command, and waits until it has no copies of our descriptors.
pub fn spawn(command: &mut Command) -> io::Result<process::Child> {
    limit::keep();
    undisturbed(|| {
        let (mut reader, writer) = io::pipe()?;
        let child = command.spawn();
        drop(writer);
        // The parent continues when the child has its new memory; only then are its copies closed, including
        // this one.
        let end = reader.read(&mut [0])?;
        assert_eq!(end, 0, "nobody writes into it");
        child
    })
}

/// Runs a command to completion, with both outputs in pipes.
pub fn output(command: &mut Command) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn(command)?.wait_with_output()
}

#[test]
fn what_is_closed_while_children_start_is_closed() {
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| {
            for _ in 0..200 {
                spawn(&mut Command::new("true")).unwrap().wait().unwrap();
            }
        });
        while !starting.is_finished() {
            let (reader, mut writer) = io::pipe().unwrap();
            close(reader);
            let refused = writer.write(b"x").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
            // Gives others their turn.
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    });
}
