//! `-c`: a listing again and again.

mod changes;
mod console;
mod interactive;
mod looker;
mod pace;
mod prompt;
mod rounds;
mod session;
mod shared;
mod tracked;
mod worker;

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Messages;
use super::signals::{Second, Signals};
use crate::error::Error;
use crate::exit::Verdict;
use crate::query::{Query, Report};
use crate::render::{Envelope, Repeats};
pub use console::{Console, Input, OpenConsole, OpenOutput};
use interactive::Interaction;
use pace::Pace;
pub use session::Refilter;
use session::Session;
pub(super) use shared::Shared;
use worker::Worker;

/// A listing that is repeated.
#[derive(Debug)]
pub struct Repeating {
    /// What is listed, and how it is shown.
    pub query: Query,
    /// Rounds begin so far apart.
    pub every: Duration,
    /// How it is looked at; `None` = it is written.
    pub viewing: Option<Viewing>,
    /// Where it is written to, if that is known.
    pub output: Option<OpenOutput>,
}

/// A view on a terminal.
#[derive(Debug)]
pub struct Viewing {
    /// Takes the terminal.
    pub open: OpenConsole,
    /// Where the time of day is told.
    pub zone: TimeZone,
    /// The filter of the query, as text.
    pub filter: String,
    /// What another filter makes of the query.
    pub refilter: Refilter,
}

/// Lists again and again until a signal ends it.
///
/// # Errors
///
/// When nothing can be listed at all, or the output cannot be written.
pub fn watch(
    repeating: Repeating,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let Repeating {
        query,
        every,
        viewing,
        output,
    } = repeating;
    let pace = Pace::new(every);
    if let Some(viewing) = viewing {
        return view(query, (pace, every), viewing, messages);
    }
    messages.repeat();
    let signals = Signals::catch(Second::Ends).map_err(Error::Watch)?;
    let output = output.and_then(|output| output().ok());
    let pace = (pace, &signals, output.as_ref().map(AsFd::as_fd));
    match (query.format.repeats(), query.report) {
        (Repeats::Changes, Report::Rows) => changes::changes(query, pace, out, messages),
        _ => rounds::rounds(&query, pace, envelope, out, messages),
    }
}

/// What there is to say is said when the terminal is given back.
fn view(
    query: Query,
    (pace, every): (Pace, Duration),
    viewing: Viewing,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let filter = (viewing.refilter, viewing.filter);
    let signals = Signals::catch(Second::Asks).map_err(Error::Watch)?;
    let session = Session::new(&query, every, filter, viewing.zone);
    let worker = Worker::start(query).map_err(Error::Watch)?;
    let interaction = Interaction::new(session, worker, pace, viewing.open);
    let (end, told) = interaction.run(&signals);
    messages.pass_on(&told);
    end
}
