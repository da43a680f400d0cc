//! Runs the program, from command line to exit status.

use std::ffi::OsString;
use std::io::Write;

use crate::cli::{self, Command, Terminal};
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::{self, Messages};
use crate::query::Query;
use crate::render::{Envelope, Repetition};

/// Runs the command line `arguments` (the program's name first), with data to `out` and messages to `messages`.
/// Returns the exit status.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    terminal: Terminal,
    out: Box<dyn Write>,
    messages: &mut dyn Write,
) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut messages = Messages::new(cli::program(&arguments), messages);
    let verdict = match execute(arguments, terminal, out, &mut messages) {
        Ok(verdict) => verdict,
        // The reader has closed the pipe: `lsock | head`.
        Err(error) if error.is_broken_pipe() => Verdict::Done,
        Err(error) => {
            messages.error(&error.chain());
            Verdict::Trouble
        }
    };
    verdict.status()
}

fn execute(
    arguments: Vec<OsString>,
    terminal: Terminal,
    mut out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    match cli::parse(arguments, terminal)? {
        Command::List(query) => mode::list(&query, envelope, out, messages),
        Command::Repeat(repeating) => {
            let envelope = envelope(&repeating.query);
            mode::watch(*repeating, &envelope, out, messages)
        }
        Command::Watch(watching) => {
            mode::events(&watching, &envelope(&watching.query), out, messages)
        }
        Command::Kill(killing) => mode::kill(&killing, envelope, out, messages),
        Command::Netstat(query) => mode::netstat(&query, &envelope(&query.query), out, messages),
        Command::Destroyed(query, output) => {
            mode::destroyed(&query, output, &envelope(&query), out, messages)
        }
        Command::Sockstat(query, is_listed) => {
            let out = mode::sockstat(&query, out)?;
            if !is_listed {
                return Ok(Verdict::Done);
            }
            mode::list(&query, envelope, out, messages)
        }
        Command::Refuse(text, verdict) => {
            messages.plain(&text);
            Ok(verdict)
        }
        Command::Print(text) => {
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .map_err(Error::Output)?;
            Ok(Verdict::Done)
        }
    }
}

/// Host name and time.
fn envelope(query: &Query) -> Envelope {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    Envelope {
        host,
        time: jiff::Timestamp::now()
            .round(jiff::Unit::Second)
            .unwrap_or_default()
            .to_string(),
        repetition: Repetition::Single,
        stamp: query.stamp.clone(),
    }
}
