//! The listing as a whole, in every round.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::pace::Pace;
use super::shared::Shared;
use super::stamped;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::list::{self, Listing, Output};
use crate::mode::matcher::Matcher;
use crate::mode::signals::Signals;
use crate::query::{Query, Report};
use crate::render::{self, Envelope, Round, Summing};
use crate::source::Recorder;

/// Lists, or counts, in every round, each time with nothing kept of the round before.
///
/// # Errors
///
/// When nothing can be listed at all, or the output cannot be written.
pub(super) fn rounds(
    query: &Query,
    (mut pace, signals, read): (Pace, &Signals, Option<BorrowedFd<'_>>),
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (mut source, tables) = list::open(query, &Recorder::default())?;
    let mut matcher = Matcher::new(query)?;
    let out = Shared::new(out);
    let mut round = Round::First;
    let mut verdict = Verdict::Done;
    while pace.rest(signals, read)? {
        let begun = Instant::now();
        messages.next_round();
        matcher.look_again();
        let output = output(query, (&stamped(envelope), round), Box::new(out.clone()));
        let output = output.map_err(Error::Output)?;
        let mut listing = Listing::new(query, &mut matcher, output);
        listing.read_all(&tables, source.as_mut(), messages)?;
        verdict = verdict.max(listing.finish(messages)?);
        pace.looked(begun, Instant::now());
        round = Round::Later;
    }
    Ok(verdict)
}

fn output(
    query: &Query,
    (envelope, round): (&Envelope, Round),
    out: Box<dyn Write>,
) -> io::Result<Output<'static>> {
    let (format, layout) = (query.format, query.layout.clone());
    Ok(match query.report {
        Report::Rows => {
            let sink = render::round_sink(format, layout, (envelope, round), out)?;
            Output::of_rows(query, sink)
        }
        Report::Summary { .. } => {
            let out = render::round_out(format, envelope, out)?;
            let (limit, envelope) = (query.limit, envelope.clone());
            let summing = Summing::new(format, layout, limit, envelope, out);
            Output::Counts(Box::new(summing))
        }
    })
}
