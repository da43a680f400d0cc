//! The listing as a whole, in every round.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use jiff::Timestamp;

use super::pace::Pace;
use super::shared::Shared;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::list::{Listing, Output};
use crate::mode::matcher::Matcher;
use crate::mode::signals::Signals;
use crate::mode::sources;
use crate::query::Query;
use crate::render::{Envelope, Repetition, rfc_3339};
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
    let (mut source, tables) = sources::open(query, &Recorder::default())?;
    let mut matcher = Matcher::new(query)?;
    let out = Shared::new(out);
    let mut repetition = Repetition::First;
    let mut verdict = Verdict::Done;
    while signals.sleep(pace.due(), read)? {
        let begun = Instant::now();
        messages.next_round();
        matcher.look_again();
        let envelope = Envelope {
            repetition,
            time: rfc_3339(Timestamp::now()),
            ..envelope.clone()
        };
        let output = Output::of(query, &envelope, Box::new(out.clone()));
        let mut listing = Listing::new(query, &mut matcher, output);
        listing.read_all(&tables, source.as_mut(), messages)?;
        verdict = verdict.max(listing.finish(messages)?);
        pace.looked(begun, Instant::now());
        repetition = Repetition::Later;
    }
    Ok(verdict)
}
