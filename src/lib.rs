//! `lsock` lists the sockets of a Linux machine, and where each stands in the TCP state machine.
//!
//! A [source] reads the kernel's socket state, through `sock_diag` netlink or from `/proc/net`, and
//! lends one [`Socket`](model::Socket) after another; what the [`query`] selects becomes a
//! [`Row`](model::Row) with the names that were asked for, and a [sink](render::Sink) writes it.
//! Nothing is kept on the way, so memory does not grow with the number of sockets.
//!
//! | module | what it holds | may name |
//! |---|---|---|
//! | [`text`] | words for people | – |
//! | [`model`] | plain data | the above |
//! | [`error`] [`exit`] [`fields`] | what can go wrong; how a run ends; the vocabulary | the above |
//! | [`wire`] [`procfs`] | netlink bytes and `/proc` text, to and from the model | the above |
//! | [`bpf`] | programs that run in the kernel, and what they write | `error` |
//! | [`filter`] | the expression language: which sockets are wanted | `model` `text` `error` `fields` |
//! | [`track`] | which socket is which in the next look, and when that is due | `model` `error` |
//! | [`netns`] | network namespaces: which there are, and how to look into one | the above |
//! | [`container`] | the container, pod and unit of a process | `procfs` `model` |
//! | [`source`] [`enrich`] [`render`] | where sockets come from; names for them; formats | the above |
//! | [`query`] | what was asked, decided before the first system call | the above |
//! | [`mode`] | what is done with the stream of sockets | the above |
//! | [`cli`] | the command line | the above |
//!
//! A module names only lower levels and its own folder; a test keeps it so. Only the program itself
//! (`main`, and `terminal` for the view of `-c`) touches the standard output, the environment and the
//! terminal. Unsafe code is in one room, [`bpf`], whose `syscall` and `memory` say why it is sound.
#![deny(unsafe_code)]

pub mod bpf;
pub mod cli;
pub mod container;
pub mod enrich;
pub mod error;
pub mod exit;
pub mod fields;
pub mod filter;
pub mod mode;
pub mod model;
pub mod netns;
pub mod procfs;
pub mod query;
pub mod render;
pub mod source;
#[cfg(test)]
mod tests;
pub mod text;
pub mod track;
pub mod wire;

#[cfg(test)]
#[path = "../tests/support/skip.rs"]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the tests' own; the list of what was skipped is read elsewhere"
)]
mod skip;

#[cfg(test)]
#[path = "../tests/support/start.rs"]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the tests' own, as of those in tests"
)]
mod start;

use std::ffi::OsString;
use std::io::Write;

use cli::{Command, Terminal};
use error::Error;
use exit::Verdict;
use mode::Messages;
use query::Query;
use render::{Envelope, Repetition};

/// Runs the command line `arguments` (the program's name first): data to `out`, messages to
/// `messages`. Gives the exit status.
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
        // The reader has seen enough: `lsock | head`.
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

/// Which machine, and when.
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
