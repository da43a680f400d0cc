//! The `lsock` command.
#![forbid(unsafe_code)]

mod terminal;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use lsock::mode::{Stderr, Stdout};

fn main() -> ExitCode {
    // Without the line buffer of `std::io::Stdout`: the sinks write in large pieces.
    let out: Box<dyn Write> = match terminal::output() {
        Ok(descriptor) => Box::new(Stdout::from(descriptor)),
        Err(_) => Box::new(io::stdout()),
    };
    let mut messages = Stderr::default();
    lsock::run(env::args_os(), terminal::found(), out, &mut messages).into()
}
