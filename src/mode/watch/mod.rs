//! `-c`: a listing again and again. Rounds are written one after another, or seen on a terminal:
//!
//! ```text
//! keys -> Event -> Session -> Page -> screen
//!           ^         |
//!     Round |         v
//!          a thread of its own -> Looker -> TrackedTable
//! ```

mod counting;
mod event;
mod looker;
mod rounds;
mod session;

use std::fmt;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Messages;
use super::signals::{Clock as _, Second, Signals};
use super::{Stdout, sources};
use crate::error::Error;
use crate::exit::Verdict;
use crate::query::{OpenOutput, Query, Report};
use crate::render::{Envelope, Format};
pub use event::{Console, EventSender, OpenConsole};
pub(super) use rounds::{Pace, Rounds};
pub use session::Ending;

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
pub struct Viewing {
    /// Takes the terminal.
    pub open: OpenConsole,
    /// Where the time of day is told.
    pub zone: TimeZone,
    /// The filter of the query, as text.
    pub filter: String,
    /// The key `K` ends the listed sockets; `None` = there is no such key.
    pub ending: Option<Ending>,
    /// What another filter makes of the query.
    pub refilter: Box<Refilter>,
}

/// What a query with another filter is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// The list that was asked for.
    List,
    /// Groups of its sockets, by this field.
    Groups(&'static str),
    /// All about sockets, in any state.
    Details,
}

/// Makes the query of the same command line with another filter.
pub type Refilter = dyn Fn(&str, Purpose) -> Result<Query, Error>;

impl fmt::Debug for Viewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewing").finish_non_exhaustive()
    }
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
    if let Some(viewing) = viewing {
        return session::view(query, every, viewing, messages);
    }
    messages.repeat();
    let signals = Signals::catch(Second::Ends).map_err(Error::Watch)?;
    let out = Stdout::of_run(output, out, None);
    let output = output.and_then(|output| output().ok());
    let rounds = Rounds {
        pace: Pace::new(every, signals.now()),
        clock: &signals,
        output: output.as_ref().map(AsFd::as_fd),
    };
    match (query.format, query.report) {
        (Format::Ndjson, Report::Rows) if query.groups.is_none() => {
            rounds.changes(query, &sources::open, envelope, out, messages)
        }
        _ => rounds.listings(&query, &sources::open, envelope.clone(), out, messages),
    }
}
