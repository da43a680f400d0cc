//! The `lsock` command.
#![forbid(unsafe_code)]

mod terminal;

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use jiff::tz::TimeZone;
use lsock::cli::{self, Terminal};
use lsock::mode::{OpenConsole, Output};

fn main() -> ExitCode {
    // Without the line buffer of `std::io::Stdout`: the sinks write in large pieces.
    let out: Box<dyn Write> = match io::stdout().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        Err(_) => Box::new(io::stdout()),
    };
    lsock::run(env::args_os(), terminal(), out, &mut io::stderr()).into()
}

fn terminal() -> Terminal {
    let stdout = io::stdout();
    let is_terminal = rustix::termios::isatty(&stdout);
    let size = if is_terminal {
        rustix::termios::tcgetwinsize(&stdout).ok()
    } else {
        None
    };
    let kind = env::var_os("TERM").unwrap_or_default();
    let dumb = kind == "dumb";
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let console: OpenConsole = terminal::open;
    let output: Output = || io::stdout().as_fd().try_clone_to_owned();
    Terminal {
        output: Some(output),
        width: size.map(|size| size.ws_col).filter(|columns| *columns > 0),
        height: size.map(|size| size.ws_row).filter(|rows| *rows > 0),
        zone: Some(TimeZone::system),
        console: Some(console).filter(|_| is_terminal && !dumb && !kind.is_empty()),
        is_terminal,
        no_color: no_color || dumb,
        utf8: cli::is_utf8(&locale()),
    }
}

/// What POSIX says: the first of these that is set and not empty counts.
fn locale() -> OsString {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(env::var_os);
    let mut set = set.into_iter().flatten();
    set.find(|value| !value.is_empty()).unwrap_or_default()
}
