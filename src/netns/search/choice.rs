//! Selects the wanted namespaces among those found, and names them.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::io::Errno;

use super::{OWN, PROC, Search, Seen, file_of};
use crate::container::Containers;
use crate::error::Error;
use crate::netns::{Handle, Namespace, Wanted, inode, inode_at, nameless, open};
use crate::procfs::fd::{other_threads, processes_in};
use crate::procfs::file;
use crate::text::{escape, escape_path, nearest, unescape};

/// The wanted namespaces, and those not found with the reasons.
pub type Found = (Vec<Arc<Namespace>>, Vec<(Wanted, Error)>);

impl Search {
    /// The wanted namespaces without duplicates, in the order requested; for all, the own one first. Then those not
    /// found, and why.
    ///
    /// # Errors
    ///
    /// When the namespace of this thread is unknown.
    pub fn select(&self, wanted: &[Wanted]) -> Result<Found, Error> {
        if let Some(known) = known(wanted) {
            return Ok((known, Vec::new()));
        }
        let own = inode_at(CWD, OWN, b"net").map_err(|cause| Error::file("read", OWN, cause))?;
        let (mut chosen, mut missing) = (Vec::new(), Vec::new());
        let mut containers = containers();
        for wanted in wanted {
            let found = match wanted {
                Wanted::All => {
                    let others = self.found.keys().filter(|inode| **inode != own);
                    chosen.extend([own].iter().chain(others).map(|inode| (*inode, None)));
                    continue;
                }
                Wanted::Named(name) => self.named(name, &mut containers).map(|inode| (inode, None)),
                Wanted::This(namespace) => Ok((namespace.inode, None)),
                Wanted::Path(path) => at(path).map(|inode| (inode, Some(&**path))),
            };
            match found {
                Ok(found) => chosen.push(found),
                Err(error) => missing.push((wanted.clone(), error)),
            }
        }
        let mut known = BTreeSet::new();
        chosen.retain(|(inode, _)| known.insert(*inode));
        let found = chosen.into_iter();
        let found = found.map(|(inode, path)| {
            Arc::new(self.namespace(inode, path, inode == own, &mut containers))
        });
        Ok((found.collect(), missing))
    }

    /// The namespace with this name, of the process with this number, or of a container; else the one shown under that
    /// name. Tries the name literally, then with its escapes decoded, as lists show it.
    fn named(&self, word: &[u8], containers: &mut Containers) -> Result<u32, Error> {
        let text = String::from_utf8_lossy(word);
        let plain = unescape(&text);
        let words = [word, &plain];
        let words = words.iter().take(if *plain == *word { 1 } else { 2 });
        for word in words {
            if let Some(inode) = self.known(word, containers)? {
                return Ok(inode);
            }
        }
        let names = self.found.values().flat_map(|seen| &seen.names);
        let names: Vec<_> = names.map(|name| escape(name)).collect();
        let hint = match nearest(&text, &names) {
            Some(near) => format!("; did you mean {near}?"),
            None => String::new(),
        };
        let is_number = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        let listed = self.listed.as_ref().zip(inode(word, b"net"));
        let is_listed = listed.is_some_and(|(listed, inode)| listed.contains(&inode));
        let name = escape(word);
        Err(Error::Usage(match () {
            () if word.is_empty() => "-N: a name is empty".to_owned(),
            () if is_listed => {
                format!("-N: cannot enter {name}: no readable path leads there")
            }
            () if is_number => format!("-N: there is no process {name}"),
            () => format!("-N: there is no network namespace \"{name}\"{hint}"),
        }))
    }

    /// As [`Self::named`], for one spelling; `None` if there is none.
    fn known(&self, word: &[u8], containers: &mut Containers) -> Result<Option<u32>, Error> {
        let by_mount = |seen: &Seen| seen.names.iter().any(|name| name == word);
        if let Some((inode, _)) = self.found.iter().find(|(_, seen)| by_mount(seen)) {
            return Ok(Some(*inode));
        }
        let number = str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        if let Some(number) = number.filter(|number: &u32| number.to_string().as_bytes() == word) {
            match self
                .of_process(number)
                .or_else(|cause| of_threads(number).ok_or(cause))
            {
                Ok(inode) => return Ok(Some(inode)),
                // The number may be the beginning of a container's id.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(cause) => {
                    let link = format!("{PROC}/{number}/ns/net");
                    return Err(Error::file("read", link, cause));
                }
            }
        }
        let mut found = self.of_container(word, containers)?;
        if found.is_empty() {
            let mut is_called =
                |inode: &u32, seen: &Seen| Self::name(*inode, Some(seen), containers) == word;
            let called = self
                .found
                .iter()
                .filter(|(inode, seen)| is_called(inode, seen));
            found.extend(called.map(|(inode, _)| *inode));
        }
        if found.len() > 1 {
            let (name, count) = (escape(word), found.len());
            let text = format!("-N: \"{name}\" matches {count} network namespaces");
            return Err(Error::Usage(text));
        }
        Ok(found.first().copied())
    }

    /// The namespace of a process or thread. If it must not be read, that of a leader with the same files.
    fn of_process(&self, pid: u32) -> Result<u32, Errno> {
        let of_files = || {
            let file = file_of(CWD, &format!("{PROC}/{pid}"))?;
            let shares = |leader: u32| file_of(CWD, &format!("{PROC}/{leader}")) == Some(file);
            let mut found = self.found.iter();
            let (inode, _) = found.find(|(_, seen)| seen.leader.is_some_and(shares))?;
            Some(*inode)
        };
        let link = format!("{PROC}/{pid}/ns/net");
        inode_at(CWD, &*link, b"net").or_else(|cause| of_files().ok_or(cause))
    }

    /// The namespaces of containers and pods with this name, or with an id that begins so.
    fn of_container(
        &self,
        word: &[u8],
        containers: &mut Containers,
    ) -> Result<BTreeSet<u32>, Error> {
        let mut processes = processes_in(Path::new(PROC))?;
        processes.retain(|pid| !word.is_empty() && containers.runs_in(*pid, word));
        let inodes = processes.into_iter();
        Ok(inodes.filter_map(|pid| self.of_process(pid).ok()).collect())
    }

    /// The name of a namespace.
    fn name(inode: u32, seen: Option<&Seen>, containers: &mut Containers) -> Vec<u8> {
        let leader = seen.and_then(|seen| seen.leader);
        let by_mount = || seen?.names.first().cloned();
        let by_place = || containers.name_of(leader?, &seen?.comm).map(Vec::from);
        let comm = || Some(&*seen?.comm).filter(|comm| !comm.is_empty());
        let by_leader = || Some([comm()?, format!("[{}]", leader?).as_bytes()].concat());
        let given = by_mount().filter(|name| !is_random(name));
        let known = given.or_else(by_place).or_else(by_mount);
        let known = known.or_else(by_leader);
        known.unwrap_or_else(|| nameless(inode).into_bytes())
    }

    fn namespace(
        &self,
        inode: u32,
        path: Option<&Path>,
        is_own: bool,
        containers: &mut Containers,
    ) -> Namespace {
        let seen = self.found.get(&inode);
        let leader = seen.and_then(|seen| seen.leader);
        let name = Self::name(inode, seen, containers);
        Namespace {
            name: name.into(),
            inode,
            is_hidden: seen.is_some_and(|seen| seen.is_hidden),
            leader,
            handle: if is_own {
                Handle::Own
            } else {
                let found = seen.map_or(&[][..], |seen| &seen.handles);
                let asked = path.map(Path::to_owned);
                match seen.and_then(|seen| seen.open.clone()) {
                    Some(open) => Handle::Open(open),
                    None => Handle::Paths(asked.into_iter().chain(found.iter().cloned()).collect()),
                }
            },
        }
    }
}

/// True for a generated name of an engine: a UUID, often after `cni-` or `netns-`.
fn is_random(name: &[u8]) -> bool {
    let start = name
        .len()
        .checked_sub("01234567-89ab-cdef-0123-456789abcdef".len());
    let uuid = start
        .and_then(|start| name.get(start..))
        .unwrap_or_default();
    let lengths = uuid.split(|byte| *byte == b'-').map(<[u8]>::len);
    lengths.eq([8, 4, 4, 4, 12])
        && uuid
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// The namespace of a process whose first thread has ended.
fn of_threads(pid: u32) -> Option<u32> {
    let proc = file::search(PROC).ok()?;
    let others = other_threads(proc.as_fd(), &pid.to_string(), pid).ok()?;
    let mut others = others.into_iter();
    others.find_map(|thread| inode_at(&proc, &*format!("{thread}/ns/net"), b"net").ok())
}

/// The wanted namespaces, if all are known already.
pub(super) fn known(wanted: &[Wanted]) -> Option<Vec<Arc<Namespace>>> {
    let known = wanted.iter().map(|wanted| match wanted {
        Wanted::This(namespace) => Some(Arc::clone(namespace)),
        _ => None,
    });
    known.collect()
}

/// The inode number of the namespace at a path.
fn at(path: &Path) -> Result<u32, Error> {
    let found = open(path).map_err(|cause| match cause {
        Errno::INVAL => {
            let path = escape_path(path);
            Error::Usage(format!("-N: {path} is no network namespace"))
        }
        cause => Error::file("open", path, cause),
    });
    Ok(found?.1)
}

fn containers() -> Containers {
    Containers::new(PROC.into(), Some("/".into()))
}
