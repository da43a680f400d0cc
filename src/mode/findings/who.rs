//! Who holds the sockets of a finding.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ProcessStatus, Row};
use crate::text::escape;

use super::look::Found;

/// So many processes are named in a text.
const NAMED: usize = 3;

/// Who holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// These processes: pid and name.
    By(Vec<(u32, String)>),
    /// Nobody.
    ByNobody,
    /// Somebody, or nobody: it cannot be told.
    Unknown,
}

impl Held {
    pub(super) fn of(row: &Row<'_>) -> Self {
        match (row.process_status, row.processes) {
            (Some(ProcessStatus::Found), Some(processes)) => {
                let names = processes.iter();
                Self::By(
                    names
                        .map(|p| (p.pid, escape(&p.name).into_owned()))
                        .collect(),
                )
            }
            (Some(ProcessStatus::None), _) => Self::ByNobody,
            _ => Self::Unknown,
        }
    }
}

/// The sockets of one process, or of all processes of a user that cannot be read.
#[derive(Debug)]
pub(super) struct Group<'f> {
    pub(super) who: Who,
    pub(super) sockets: Vec<&'f Found>,
}

/// Whose they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A process.
    Process(u32, String),
    /// Processes that cannot be read, of this user where that is told.
    Unreadable(Option<u32>),
    /// No process.
    Nobody,
}

impl Who {
    /// What a filter says of it.
    pub(super) fn filter(&self) -> String {
        match self {
            Self::Process(pid, _) => format!("pid = {pid}"),
            Self::Unreadable(Some(uid)) => format!("process_status = unreadable and uid = {uid}"),
            Self::Unreadable(None) => "process_status = unreadable and uid = unknown".to_owned(),
            Self::Nobody => "process_status = none".to_owned(),
        }
    }

    /// What to call it at the begin of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Process(pid, name) => format!("{name}[{pid}]"),
            Self::Unreadable(Some(uid)) => format!("A process of user {uid} that cannot be read"),
            Self::Unreadable(None) => "A process that cannot be read".to_owned(),
            Self::Nobody => "No process".to_owned(),
        }
    }
}

/// The sockets by who holds them, the most first. Processes that hold the same sockets, or some of
/// those of another, are one.
pub(super) fn groups(found: &[Found]) -> Vec<Group<'_>> {
    let mut by_who: BTreeMap<Who, Vec<usize>> = BTreeMap::new();
    for (index, found) in found.iter().enumerate() {
        match &found.held {
            Held::By(processes) => {
                for (pid, name) in processes {
                    let who = Who::Process(*pid, name.clone());
                    by_who.entry(who).or_default().push(index);
                }
            }
            Held::ByNobody => by_who.entry(Who::Nobody).or_default().push(index),
            Held::Unknown => {
                let who = Who::Unreadable(found.socket.uid);
                by_who.entry(who).or_default().push(index);
            }
        }
    }
    let mut by_who: Vec<(Who, Vec<usize>)> = by_who.into_iter().collect();
    by_who.sort_by_key(|(_, indices)| std::cmp::Reverse(indices.len()));
    let mut told = BTreeSet::new();
    let mut groups = Vec::new();
    for (who, indices) in by_who {
        let before = told.len();
        told.extend(indices.iter().copied());
        if told.len() > before {
            let sockets = indices
                .iter()
                .filter_map(|index| found.get(*index))
                .collect();
            groups.push(Group { who, sockets });
        }
    }
    groups
}

/// `nginx[812], nginx[813], api[900] and 2 more`
pub(super) fn names<'f>(found: impl IntoIterator<Item = &'f Found>) -> String {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for found in found {
        match &found.held {
            Held::By(processes) => {
                names.extend(processes.iter().map(|(pid, name)| format!("{name}[{pid}]")));
            }
            Held::ByNobody => _ = names.insert("no process".to_owned()),
            Held::Unknown => _ = names.insert("processes that cannot be read".to_owned()),
        }
    }
    let more = names.len().saturating_sub(NAMED);
    let shown: Vec<String> = names.into_iter().take(NAMED).collect();
    if more > 0 {
        return format!("{} and {more} more", shown.join(", "));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Held, Who, groups, names};
    use crate::mode::findings::look::Found;
    use crate::model::{Family, Protocol, Socket};

    fn found(held: Held, uid: Option<u32>) -> Found {
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.uid = uid;
        Found { socket, held }
    }

    fn by(pids: &[u32]) -> Held {
        Held::By(pids.iter().map(|pid| (*pid, "api".to_owned())).collect())
    }

    #[test]
    fn processes_that_share_sockets_are_told_once() {
        let all = [
            found(by(&[1, 2]), None),
            found(by(&[1, 2]), None),
            found(by(&[3]), None),
            found(Held::ByNobody, None),
            found(Held::Unknown, Some(7)),
            found(Held::Unknown, None),
        ];
        let groups = groups(&all);
        let told = groups
            .iter()
            .map(|group| (group.who.words(), group.sockets.len()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("api[1]".to_owned(), 2),
                ("api[3]".to_owned(), 1),
                ("A process that cannot be read".to_owned(), 1),
                ("A process of user 7 that cannot be read".to_owned(), 1),
                ("No process".to_owned(), 1),
            ]
        );
        let filter = Who::Unreadable(Some(7)).filter();
        assert_eq!(filter, "process_status = unreadable and uid = 7");
    }

    #[test]
    fn three_processes_are_named_and_the_others_counted() {
        let all = [found(by(&[1, 2, 3]), None), found(by(&[4, 5]), None)];
        assert_eq!(names(&all), "api[1], api[2], api[3] and 2 more");
    }
}
