//! `-K`: destroys sockets, then checks and reports the result for each.

mod fate;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::iter;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::rc::Rc;

use rustix::io::Errno;

use super::Messages;
use super::check::{checked, verdict};
use super::list::{INCOMPLETE, Listing, Output, buffer};
use super::sources::{Open, open};
use super::wait::{end as end_of, holder, wait};
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::sources::matching;
use crate::model::{
    Endpoint, OwnedRow, Protocol, Row, Selection, Socket, State, StateSet, Summary, Table, Warning,
};
use crate::query::{Check, Killing, Query};
use crate::render::{Envelope, RowBuffer, Sink};
use crate::source::{Outcome, Recorder, Request, Source};
use crate::text::{counted, enumeration};
use fate::Fate;

/// Destroys the matching sockets, with the consent of the user.
///
/// # Errors
///
/// If nothing can be listed, or the output cannot be written.
pub fn kill(
    killing: &Killing,
    envelope: fn(&Query) -> Envelope,
    mut out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let check = Check {
        quiet: killing.is_quiet,
        ..killing.query.check
    };
    checked(&check, messages, |messages| {
        run(killing, envelope, &mut *out, messages)
    })
}

fn run(
    killing: &Killing,
    envelope: fn(&Query) -> Envelope,
    out: &mut dyn Write,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let query = &killing.query;
    let (mut found, mut verdict) = find(query, messages)?;
    if verdict == Verdict::Done && found.rows.is_empty() {
        verdict = tell_spared(query, messages)?;
    }
    if verdict != Verdict::Done && !found.rows.is_empty() {
        messages.error("nothing is ended");
    }
    if verdict == Verdict::Done && !killing.is_dry && !found.rows.is_empty() {
        verdict = match consent(killing, &found, envelope, out, messages)? {
            Consent::Given => end(query, &mut found, messages)?,
            Consent::Missing => Verdict::Trouble,
            Consent::Denied => return Ok(Verdict::Trouble),
        };
    }
    if !killing.is_quiet {
        show(query, &found, &envelope(query), out)?;
    }
    Ok(verdict)
}

/// Consent to destroy the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    /// There was no terminal to ask on.
    Missing,
    /// The user said no.
    Denied,
}

/// The matching sockets.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rows: Vec<OwnedRow>,
    pub(super) summary: Summary,
}

/// Keeps the rows it receives.
impl Sink for Rc<RefCell<Found>> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.borrow_mut().rows.push(OwnedRow::keep(row));
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.borrow_mut().summary = summary.clone();
        Ok(())
    }
}

/// Lists matching sockets, at once or as soon as there are any. [`Verdict::Done`] = they may be destroyed.
fn find(query: &Query, messages: &mut Messages<'_>) -> Result<(Found, Verdict), Error> {
    let found = Rc::<RefCell<Found>>::default();
    let sink = Box::new(Rc::clone(&found));
    let rows = move || RowBuffer::keeping_all(sink);
    let verdict = match query.check.wait {
        Some(time) => wait(query, time, rows, messages)?,
        None => list(query, &open, rows(), messages)?,
    };
    Ok((found.take(), verdict))
}

fn list(
    query: &Query,
    open: Open<'_>,
    rows: RowBuffer<'_>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (mut source, tables) = open(query, &Recorder::default())?;
    let mut matcher = matching(query, source.as_mut())?;
    let mut listing = Listing::new(query, &mut matcher, Output::Rows(Box::new(rows)));
    listing.note_search(source.as_mut(), messages);
    listing.read_all(&tables, source.as_mut(), messages)?;
    listing.finish(messages)
}

/// Asks the user for consent, and shows the sockets.
fn consent(
    killing: &Killing,
    found: &Found,
    envelope: fn(&Query) -> Envelope,
    out: &mut dyn Write,
    messages: &mut Messages<'_>,
) -> Result<Consent, Error> {
    let own = own_session(&found.rows, killing.ssh);
    let what = counted(found.rows.len(), "socket");
    if killing.yes > u8::from(own.is_some()) {
        return Ok(Consent::Given);
    }
    let Some(ask) = killing.ask else {
        let text = match own {
            Some(own) if killing.yes > 0 => {
                format!("{own}, is among them: nothing is ended; --yes --yes ends it, too")
            }
            _ => format!("dry run: nothing is ended; --yes ends {what}"),
        };
        messages.error(&text);
        return Ok(Consent::Missing);
    };
    if killing.query.format.is_text() && !killing.is_quiet {
        show(&killing.query, found, &envelope(&killing.query), out)?;
    }
    for question in questions(&found.rows, killing.ssh).skip(usize::from(killing.yes > 0)) {
        let failed = |cause| Error::Failed("cannot ask".to_owned(), cause);
        if !ask(&question).map_err(failed)? {
            messages.error("nothing is ended");
            return Ok(Consent::Denied);
        }
    }
    Ok(Consent::Given)
}

/// The questions to ask, in order.
pub(super) fn questions(
    rows: &[OwnedRow],
    ssh: Option<[SocketAddr; 2]>,
) -> impl Iterator<Item = String> + use<> {
    let own = own_session(rows, ssh).map(|own| format!("This includes {own}. End it, too?"));
    iter::once(format!("End {}?", counted(rows.len(), "socket"))).chain(own)
}

/// The connection of the current `ssh` session, if it is among them.
fn own_session(rows: &[OwnedRow], ssh: Option<[SocketAddr; 2]>) -> Option<String> {
    let mut sockets = rows.iter().map(OwnedRow::socket);
    // Its other end may be on this machine, too.
    let own = ssh.filter(|&[own, peer]| {
        sockets.any(|socket| is_between(socket, [own, peer]) || is_between(socket, [peer, own]))
    });
    own.map(|[_, peer]| format!("the connection of this ssh session, from {peer}"))
}

/// True if the socket is the TCP connection between these ends.
fn is_between(socket: &Socket, [own, peer]: [SocketAddr; 2]) -> bool {
    let is_at = |end: &Endpoint, at: SocketAddr| {
        end.ip.map(|ip| ip.to_canonical()) == Some(at.ip().to_canonical())
            && end.port == Some(at.port().into())
    };
    socket.protocol == Protocol::Tcp && is_at(&socket.local, own) && is_at(&socket.peer, peer)
}

/// Destroys them, and records each result.
pub(super) fn end(
    query: &Query,
    found: &mut Found,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (mut source, _) = open(query, &Recorder::default())?;
    let sockets = found.rows.iter().map(OwnedRow::socket);
    let mut answers: Vec<_> = sockets.map(|socket| source.destroy(socket)).collect();
    let mut left = Left::look(&found.rows, source.as_mut());
    let mut is_retried = false;
    for (row, answer) in found.rows.iter().zip(&mut answers) {
        let is_missed = answer
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if is_missed && left.state_of(row.socket()).is_some() {
            *answer = end_among_twins(row.socket(), source.as_mut());
            is_retried |= answer.is_ok();
        }
    }
    if is_retried {
        left = Left::look(&found.rows, source.as_mut());
    }
    let fates = found.rows.iter().zip(&answers).map(|(row, answer)| {
        let before = row.socket().state;
        Fate::of(answer, before, left.state_of(row.socket()))
    });
    let fates: Vec<Fate> = fates.collect();
    for (row, fate) in found.rows.iter_mut().zip(&fates) {
        row.set_result(fate.to_string().into());
    }
    let noted = &mut found.summary.diagnostics;
    for gap in left.gaps.drain(..) {
        messages.note_gap(INCOMPLETE, gap, noted);
    }
    tell(&found.rows, &fates, messages);
    let is_looked = found.summary.diagnostics.is_complete();
    Ok(fate::verdict(&fates).max(verdict(None, !is_looked)))
}

/// The most ports of a peer that are tried.
const TWINS: u16 = 256;

/// Destroys one of several sockets with the same port (`SO_REUSEPORT`). Which of them the kernel finds
/// depends on the peer in the request.
fn end_among_twins(socket: &Socket, source: &mut dyn Source) -> io::Result<()> {
    let mut asked = socket.clone();
    let is_alone = socket.peer.port.is_some_and(|port| port != 0);
    let mut answer = Err(io::ErrorKind::NotFound.into());
    for port in (1..=TWINS).filter(|_| !is_alone) {
        asked.peer.port = Some(port.into());
        answer = source.destroy(&asked);
        if answer.is_ok() {
            break;
        }
    }
    answer.map_err(|_| io::Error::from(Errno::NOENT))
}

/// What is left after destroying.
#[derive(Debug, Default)]
struct Left {
    states: HashMap<(Option<u32>, u64), State>,
    gaps: Vec<Warning>,
}

impl Left {
    /// Lists the tables of these sockets again.
    fn look(rows: &[OwnedRow], source: &mut dyn Source) -> Self {
        let mut tables: Vec<Table> = rows.iter().map(|row| row.socket().table()).collect();
        tables.sort_unstable();
        tables.dedup();
        let mut left = Self::default();
        for table in tables {
            let request = Request::plain(StateSet::ALL);
            let outcome = source.visit(table, &request, &mut |socket: &Socket| {
                if let Some(cookie) = socket.cookie {
                    left.states.insert((socket.netns, cookie), socket.state);
                }
                ControlFlow::Continue(())
            });
            let outcome = outcome.unwrap_or_else(|error| Outcome::failed(error.into()));
            for outcome in outcome.each() {
                let unlisted = outcome.unlisted;
                if unlisted != StateSet::EMPTY && table.protocol == Protocol::Tcp {
                    let text = format!(
                        "{table}: cannot check if ports stay in use: this kernel does not list BOUND"
                    );
                    left.gaps.push(Warning::failed(text));
                }
                left.gaps.extend(outcome.into_gaps());
            }
        }
        left
    }

    fn state_of(&self, socket: &Socket) -> Option<State> {
        let cookie = socket.cookie?;
        self.states.get(&(socket.netns, cookie)).copied()
    }
}

/// Reports what is left, and who holds it.
fn tell(rows: &[OwnedRow], fates: &[Fate], messages: &mut Messages<'_>) {
    /// The most sockets named.
    const MOST: usize = 5;
    if fates.iter().all(|fate| fate.is_gone()) {
        return;
    }
    let left = rows.iter().zip(fates).filter(|(_, fate)| !fate.is_gone());
    for (row, fate) in left.clone().take(MOST) {
        let row = row.row();
        let by_inode = || row.socket.inode.map(|inode| format!("inode {inode}"));
        let end = end_of(&row.socket.local).or_else(by_inode);
        let end = end.unwrap_or_default();
        let holder = holder(&row);
        let reason = match fate {
            Fate::NotSupported if row.socket.cookie.is_none() => {
                "it was listed without its cookie".to_owned()
            }
            fate => fate.reason(&holder),
        };
        messages.error(&format!("{} {end}: {fate}: {reason}", row.socket.protocol));
    }
    let more = left.count().saturating_sub(MOST);
    if more > 0 {
        messages.error(&format!("and {} more", counted(more, "socket")));
    }
}

/// Reports what matches but is spared, if nothing else matches.
fn tell_spared(query: &Query, messages: &mut Messages<'_>) -> Result<Verdict, Error> {
    let whole = Query {
        selection: Selection::All,
        spared: StateSet::EMPTY,
        check: Check::default(),
        ..query.clone()
    };
    let found = Rc::<RefCell<Found>>::default();
    let rows = RowBuffer::keeping_all(Box::new(Rc::clone(&found)));
    // Warnings were written with the first list.
    let mut unsaid = Vec::new();
    list(&whole, &open, rows, &mut Messages::new("", &mut unsaid))?;
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for row in &found.borrow().rows {
        *states.entry(row.socket().state.to_string()).or_default() += 1;
    }
    let spared: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{} in {state}", counted(count, "socket")))
        .collect();
    let Some((state, _)) = states.first_key_value() else {
        messages.error("no socket matches");
        return Ok(Verdict::Done);
    };
    messages.error(&format!(
        "nothing is ended: the filter matches {}, which must be selected by state: add state {}",
        enumeration(&spared, "and"),
        state.to_ascii_lowercase()
    ));
    Ok(Verdict::Failed)
}

/// Shows the sockets with their results.
fn show(
    query: &Query,
    found: &Found,
    envelope: &Envelope,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut rows = buffer(query, envelope, Box::new(out));
    let written = rows.rows(&found.rows, true);
    let written = written.and_then(|_| rows.finish(&found.summary));
    written.map_err(Error::Output)
}
