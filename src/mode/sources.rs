//! Opens the sources and matchers of queries.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::enrich::{Lookups, ScanScope};
use crate::error::Error;
use crate::netns::{Anchor, Wanted};
use crate::query::{Hidden, PROC, Query, Report};
pub(super) use crate::reading::Opened;
use crate::reading::{Asked, Matcher, PeerReader, Transfers};
use crate::render::Search;
use crate::source::{Depth, Recorder, Source};

/// Opens the source of a query, with recording.
pub(super) type Open<'o> = &'o dyn Fn(&Query, &Recorder) -> Opened;

/// How thoroughly to search for namespaces. A plain list starts at once; queries that need every socket, or
/// read every descriptor anyway, search everywhere.
fn depth(query: &Query) -> Depth {
    let is_whole = query.lookups.owners.is_some()
        || query.check.is_asked()
        || query.report != Report::Rows
        || query.netns.iter().any(Wanted::is_nameless);
    let is_found = |wanted: &Wanted| matches!(wanted, Wanted::This(_));
    if is_whole && !query.netns.iter().all(is_found) {
        Depth::Descriptors
    } else {
        Depth::Usual
    }
}

/// The sockets that a query requests.
pub(super) fn asked(query: &Query) -> Asked {
    Asked {
        input: query.input.clone(),
        root: PROC.into(),
        netns: query.netns.clone(),
        depth: depth(query),
        may_come: query.check.wait.is_some(),
        tables: query.tables.clone(),
        is_named: query.named,
    }
}

pub(super) fn open(query: &Query, recorder: &Recorder) -> Opened {
    asked(query).open(recorder)
}

/// Tests if a row of this query shows a text.
pub(super) fn search(query: &Query) -> crate::reading::Search {
    let mut search = Search::new(&query.layout);
    Box::new(move |row, text| search.contains(row, text))
}

/// The matcher of a query. An error means that processes cannot be found in the requested way.
pub(super) fn matching(query: &Query, source: &mut dyn Source) -> Result<Matcher, Error> {
    with(query, query.lookups.clone(), query.hidden, source)
}

/// Likewise, but always looks up and shows processes.
pub(super) fn telling_owners(
    query: &Query,
    scope: ScanScope,
    source: &mut dyn Source,
) -> Result<Matcher, Error> {
    let lookups = Lookups {
        owners: Some(query.input.processes()),
        scope,
        places: Some(query.places.clone()),
        ..query.lookups.clone()
    };
    with(query, lookups, Hidden::default(), source)
}

fn with(
    query: &Query,
    lookups: Lookups,
    hidden: Hidden,
    source: &mut dyn Source,
) -> Result<Matcher, Error> {
    let peers = PeerReader::open(&asked(query), &lookups)?;
    let hidden = [query.hidden, hidden];
    let mut matcher = Matcher::new(lookups, peers, search(query), hidden, source)?;
    matcher.rates = query.has_rates().then(Transfers::default);
    Ok(matcher)
}

/// The thread in the named namespace; `None` = the own one.
pub(super) fn anchor(query: &Query) -> Result<Option<Arc<Anchor>>, Error> {
    if query.netns.is_empty() {
        return Ok(None);
    }
    let (source, _) = open(query, &Recorder::default())?;
    let mut found = source
        .namespaces()
        .into_values()
        .filter_map(|(_, anchor)| anchor);
    let gone = || {
        Error::Failed(
            "cannot enter the namespace".into(),
            ErrorKind::NotFound.into(),
        )
    };
    found.next().map(Some).ok_or_else(gone)
}
