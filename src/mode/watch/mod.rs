//! `-c`: watch mode. Rounds are written one after another, or shown in a view on a terminal:
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

/// A repeated listing.
#[derive(Debug)]
pub struct Repeating {
    /// The sockets to list, and their format.
    pub query: Query,
    /// The interval between rounds.
    pub every: Duration,
    /// The view; `None` = rounds are written.
    pub viewing: Option<Viewing>,
    /// Opens standard output, if known.
    pub output: Option<OpenOutput>,
}

/// A view on a terminal.
pub struct Viewing {
    /// Opens the terminal.
    pub open: OpenConsole,
    /// The time zone.
    pub zone: TimeZone,
    /// The filter of the query, as text.
    pub filter: String,
    /// Settings of the key `K`, which destroys the listed sockets; `None` = no such key.
    pub ending: Option<Ending>,
    /// Builds the query with another filter.
    pub refilter: Box<Refilter>,
}

/// The purpose of a query with another filter.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// The requested list.
    List,
    /// Groups of its sockets by this field.
    Groups(&'static str),
    /// All details of sockets, in any state.
    Details,
}

/// Builds the query of the same command line with another filter.
pub type Refilter = dyn Fn(&str, Purpose) -> Result<Query, Error>;

impl fmt::Debug for Viewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewing").finish_non_exhaustive()
    }
}

/// Lists repeatedly until a signal arrives.
///
/// # Errors
///
/// If nothing can be listed, or the output cannot be written.
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
