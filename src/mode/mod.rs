//! The modes of `lsock`: list, summary, watch, events, kill, checks, and the drop-ins.

mod check;
mod destroyed;
mod events;
#[cfg(test)]
pub(crate) mod fake;
mod findings;
mod host_names;
mod kill;
mod list;
mod messages;
mod netstat;
mod no_table;
mod pending_rows;
mod replaced;
mod signals;
mod sockstat;
mod sources;
mod stdout;
mod tracked;
mod wait;
mod watch;

use std::io::Write;

use crate::error::Error;
use crate::exit::Verdict;
use crate::query::Query;
use crate::query::netstat::Netstat;
use crate::render::Envelope;

use check::checked;
pub use destroyed::destroyed;
pub use events::events;
pub use kill::kill;
pub use messages::Messages;
use replaced::Replaced;
pub use signals::ignored_signals;
pub use sockstat::sockstat;
pub use stdout::{Stderr, Stdout};
pub use watch::{
    Console, Ending, EventSender, OpenConsole, Purpose, Refilter, Repeating, Viewing, watch,
};

/// Lists, counts or checks the sockets of a query.
///
/// # Errors
///
/// If nothing can be listed, or the output cannot be written. Failures of a part of the list go to `messages`
/// and into the verdict.
pub fn list(
    query: &Query,
    envelope: fn(&Query) -> Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (replaced, out) = Replaced::of(query.output.as_deref(), out)?;
    let verdict = checked(&query.check, messages, |messages| {
        if let Some(hint) = &query.hint {
            messages.error(hint);
        }
        match query.check.wait {
            Some(time) => {
                let shown = query.clone();
                let rows = move || list::buffer(&shown, &envelope(&shown), out);
                wait::wait(query, time, rows, messages)
            }
            None => list::run(query, &sources::open, envelope, out, messages),
        }
    })?;
    replaced.map_or(Ok(()), Replaced::finish)?;
    Ok(verdict)
}

/// Lists as `netstat` does.
///
/// # Errors
///
/// If nothing can be listed, or the output cannot be written.
pub fn netstat(
    netstat: &Netstat,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    netstat::run(netstat, &sources::open, envelope, out, messages)
}
