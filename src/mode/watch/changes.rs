//! What became of sockets, round after round.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use jiff::Timestamp;

use super::looker::{Looker, TrackedRow};
use super::pace::Pace;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::signals::Signals;
use crate::model::Change;
use crate::query::Query;
use crate::render::{Changes, SortKey};

/// Tells every socket in the first round, and then what changed: first those that are gone, for others
/// may have taken their ends.
///
/// # Errors
///
/// When nothing can be listed at all, or the output cannot be written.
pub(super) fn changes(
    query: Query,
    (mut pace, signals, read): (Pace, &Signals, Option<BorrowedFd<'_>>),
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let sort = query.sort.clone();
    let mut writer = Changes::new(&query.layout, out);
    let mut looker = Looker::new(query)?;
    let mut verdict = Verdict::Done;
    while signals.sleep(pace.due(), read)? {
        let begun = Instant::now();
        let time = Timestamp::now();
        messages.next_round();
        if !looker.look(messages)?.complete {
            verdict = Verdict::Trouble;
        }
        let is_gone = |kept: &TrackedRow| kept.change == Change::Gone;
        let is_there = |kept: &TrackedRow| !matches!(kept.change, Change::None | Change::Gone);
        for mut rows in [looker.rows(is_gone), looker.rows(is_there)] {
            rows.sort_by(|a, b| SortKey::compare_all(&sort, &a.row.row(), &b.row.row()));
            for kept in rows {
                let written = writer.change(time, kept.change, &kept.row.row());
                written.map_err(Error::Output)?;
            }
        }
        writer.flush().map_err(Error::Output)?;
        pace.looked(begun, Instant::now());
    }
    Ok(verdict)
}
