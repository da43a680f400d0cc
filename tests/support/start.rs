//! Starts of children, one after another.
//!
//! Between its `fork` and its `exec` a child holds a copy of every descriptor of this process. What another test
//! closes meanwhile stays open, its last holder is somebody else, and a program that is written cannot be run.
//!
//! So there is one place where children start, and whoever closes something waits there.

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

/// Does this while no other thread has a child between its `fork` and its `exec`: what is closed here is closed when
/// it is over, and nobody but this process closed it.
pub fn undisturbed<T>(act: impl FnOnce() -> T) -> T {
    /// Says that it is over, after a panic too.
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

/// Closes what it is given: no child has a copy of it.
pub fn close<T>(held: T) {
    undisturbed(|| drop(held));
}

/// Starts a command, and waits until it has no copies of what this process holds.
pub fn spawn(command: &mut Command) -> io::Result<process::Child> {
    limit::keep();
    undisturbed(|| {
        let (mut reader, writer) = io::pipe()?;
        let child = command.spawn();
        drop(writer);
        // The parent goes on when the child has its new memory, and only then its copies are closed: this is one.
        let end = reader.read(&mut [0])?;
        assert_eq!(end, 0, "nobody writes into it");
        child
    })
}

/// Runs a command to its end, both outputs in pipes.
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
            // Others wait for their turn.
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    });
}
