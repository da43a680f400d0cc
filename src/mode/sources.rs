//! The sources of queries.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::error::Error;
use crate::model::Table;
use crate::netns::{Anchor, Wanted};
use crate::query::{Input, Query, Report};
use crate::source::{
    AutoSource, Depth, FilesSource, NamespacesSource, NetlinkSource, ProcfsSource, Recorder,
    ReplaySource, Source, Use, WalkSource, Way,
};

/// The source of a query, and the tables to ask it for.
pub(super) type Opened = Result<(Box<dyn Source>, Vec<Table>), Error>;

/// Opens the source of a query, which is recorded.
pub(super) type Open<'o> = &'o dyn Fn(&Query, &Recorder) -> Opened;

/// A plain list is read at once; what depends on every socket, or reads every descriptor anyway, looks everywhere.
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

pub(super) fn open(query: &Query, recorder: &Recorder) -> Opened {
    let mut tables = query.tables.clone();
    let way = way(&query.input);
    if !query.netns.is_empty() {
        let source = NamespacesSource::open(
            &query.netns,
            depth(query),
            way,
            recorder.clone(),
            query.check.wait.is_some(),
        )?;
        return Ok((Box::new(source), tables));
    }
    let netlink = || NetlinkSource::new(recorder.clone());
    let source: Box<dyn Source> = match &query.input {
        Input::Auto => {
            let procfs = ProcfsSource::new("/proc", recorder.clone());
            let netlink = WalkSource::new(netlink(), Use::WherePays);
            Box::new(AutoSource::new(Box::new(netlink), procfs))
        }
        Input::Files => Box::new(FilesSource::live()),
        Input::Netlink => Box::new(netlink()),
        Input::Bpf => Box::new(WalkSource::new(netlink(), Use::Always)),
        Input::Procfs(root) => Box::new(ProcfsSource::open(root, recorder.clone())?),
        Input::Replay(path) => {
            let replay = ReplaySource::open(path)?;
            if !query.named {
                tables = replay.tables().to_vec();
                tables.sort_unstable();
            }
            Box::new(replay)
        }
    };
    Ok((source, tables))
}

/// The thread in the namespace that is named; `None` = the own one.
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

/// How the tables of other namespaces are read.
pub(super) const fn way(input: &Input) -> Way {
    match input {
        Input::Netlink => Way::Netlink,
        Input::Bpf => Way::Bpf,
        Input::Procfs(_) => Way::Procfs,
        Input::Auto | Input::Files | Input::Replay(_) => Way::Auto,
    }
}
