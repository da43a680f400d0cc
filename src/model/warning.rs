//! Warnings: what must be known of a list besides its rows. Their text is made when it is written.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Cause, Protocol, Severity, Source, StateSet, Table};
use crate::text::{counted, escape, escape_also, escape_path, separates_processes};

const UNTOLD_TIME_WAIT: &str = "this kernel does not let FIN_WAIT_2 -> TIME_WAIT be recorded of a socket that its program \
                                has closed";

const UNSEARCHED: &str = " for network namespaces that nothing but a descriptor or a socket holds";

/// What must be known of a list, or of a series of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A table cannot be read, or not to its end; or the only wanted way to processes failed.
    Failed(Cause),
    /// A dump over netlink lost something. `None` = of TCP over both IP versions.
    Disturbed(Option<Table>, Disturbance),
    /// Replies of the kernel, or of a recording, that are no sockets.
    BadReplies {
        /// Of which table; `None` = of TCP over both IP versions.
        table: Option<Table>,
        /// The recording.
        path: Option<PathBuf>,
        /// How many.
        count: u64,
        /// What is wrong with the first.
        first: Cause,
    },
    /// So many datagrams came from others than the kernel, and were dropped.
    Strangers(u64),
    /// Lines of a file that are no sockets.
    BadLines {
        /// The file.
        path: PathBuf,
        /// Number of the first.
        line: u64,
        /// What is wrong with the first.
        first: Cause,
        /// How many follow it.
        more: u64,
    },
    /// A file of `/proc/net` without a line.
    EmptyFile(PathBuf),
    /// A file cannot be read behind this line.
    CutFile(Cause, u64),
    /// A recording does not have a table.
    NotRecorded(PathBuf, Table),
    /// The filter asks for fields that the source leaves out.
    MissingFields {
        /// In which table.
        table: Table,
        /// Which fields.
        fields: Vec<String>,
        /// Who leaves them out.
        source: Source,
    },
    /// Of a table a recording has only the sockets that a filter wants.
    Narrowed(PathBuf, Table),
    /// Sockets of this protocol in these states are asked for, and the source does not list them.
    Unlisted(Protocol, StateSet, Source),
    /// The search for findings could not see everything.
    Findings(Box<Self>),
    /// Findings of this severity, or a higher one, make the run fail.
    Grave(usize, Severity),
    /// So many steps have no record, for want of room or as the steps that followed show.
    LostRecords(u64),
    /// The kernel had no room for notices of closed sockets.
    LostNotices,
    /// The kernel sends no notices of closed sockets.
    NoNotices(Cause),
    /// Another source answers for a table than before.
    OtherSource(Table),
    /// Names of peers of unix sockets are missing.
    UnnamedPeers(Cause),
    /// Netlink is refused, for this protocol at first, and `/proc/net` read instead.
    FewerFields(Protocol, Cause),
    /// Events are found by polling, for this reason.
    Sampled(String),
    /// The kernel does not record each step to `TIME_WAIT`.
    UntoldTimeWait,
    /// Owners of sockets are missing.
    MissingOwners(MissingOwners),
    /// Sockets that a process holds are in no table.
    InNoTable(InNoTable),
    /// No table that the options list can have what the filter wants.
    NothingListed,
    /// A network namespace that was there in the round before.
    Vanished,
    /// Processes that cannot be searched for namespaces that nothing but their descriptors or sockets hold.
    Unsearched(usize),
    /// A network namespace that was asked for is not there.
    NotThere(Cause),
    /// Of a network namespace.
    Within(Arc<str>, Box<Self>),
}

/// Sockets of a process that are in no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InNoTable {
    /// How many.
    pub count: u64,
    /// Of which process.
    pub pid: u32,
    /// Of which protocol; `None` = nobody can tell, for only an `io_uring` has them.
    pub protocol: Option<Protocol>,
    /// Inode number of the other network namespace whose tables have them.
    pub namespace: Option<u64>,
}

impl Display for InNoTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol.map(Protocol::title);
        let kind = protocol.map_or_else(String::new, |title| format!("{title} "));
        let sockets = counted(self.count, &format!("{kind}socket"));
        let are = if self.count == 1 { "is" } else { "are" };
        write!(f, "{sockets} of process {} {are} ", self.pid)?;
        match (protocol, self.namespace) {
            (None, _) => f.write_str("held by io_uring alone: which protocol is unknown"),
            (_, Some(other)) => write!(f, "of network namespace {other}"),
            (_, None) => {
                f.write_str("in no table: never bound, reset, or of another network namespace")
            }
        }
    }
}

/// Why owners of sockets are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingOwners {
    /// There are no processes to look at.
    NoProcesses(Cause),
    /// `/proc` is mounted with `hidepid`.
    Hidden,
    /// There may be processes outside this PID namespace.
    OutsideNamespace,
    /// Processes could not be read for lack of rights.
    Unreadable {
        /// Which.
        pids: Vec<u32>,
        /// Their names, if they are few; `None` = unknown.
        names: Vec<Option<Vec<u8>>>,
        /// True if these and no others were asked for.
        are_chosen: bool,
        /// Who tried.
        by: AskingUser,
    },
    /// Processes could not be read for another reason.
    Failed {
        /// The first of them.
        pid: u32,
        /// How many follow it.
        more: usize,
        /// What kept us from the first.
        cause: Cause,
    },
    /// So many sockets were made after the search for processes.
    TooNew(usize),
}

/// Who could not read a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskingUser {
    /// Not root.
    Other,
    /// Root of a user namespace, who is nobody outside of it.
    RootOfNamespace,
    /// Root without `CAP_SYS_PTRACE`.
    RootWithoutRights,
    /// Root with it.
    Root,
}

/// How a dump over netlink was disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// `NLM_F_DUMP_INTR`.
    Changed,
    /// A datagram of another dump.
    OtherReply,
    /// `ENOBUFS`.
    Overrun,
    /// `recvmsg(2)` failed.
    Receiving(Cause),
    /// The kernel ended the dump with an error.
    BrokenOff(Cause),
}

impl Warning {
    /// The same of a network namespace, if one is named.
    #[must_use]
    pub fn within(self, netns: Option<&Arc<str>>) -> Self {
        match netns {
            Some(netns) => Self::Within(Arc::clone(netns), Box::new(self)),
            None => self,
        }
    }

    /// True if rows or events are known to be missing, or may be.
    pub fn is_gap(&self) -> bool {
        match self {
            Self::MissingOwners(missing) => return missing.is_failure(),
            Self::Within(_, inner) => return inner.is_gap(),
            _ => {}
        }
        !matches!(
            self,
            Self::UnnamedPeers(_)
                | Self::FewerFields(..)
                | Self::Unlisted(..)
                | Self::Sampled(_)
                | Self::UntoldTimeWait
                | Self::InNoTable(_)
                | Self::NothingListed
                | Self::Vanished
                | Self::NotThere(_)
                | Self::Unsearched(_)
        )
    }

    /// True if another one, of what a source does not list or cannot tell, need not be said beside it.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FewerFields(of, _), Self::Unlisted(protocol, _, Source::Procfs)) => {
                of == protocol
            }
            (Self::Unlisted(..) | Self::Failed(_), other) => self == other,
            (Self::Within(one, told), Self::Within(other, new)) => {
                one == other && told.includes(new)
            }
            _ => false,
        }
    }

    /// The same without its numbers: what need not be said again.
    #[must_use]
    pub fn kind(&self) -> Self {
        let mut kind = self.clone();
        match &mut kind {
            Self::BadReplies { count: number, .. }
            | Self::BadLines { more: number, .. }
            | Self::LostRecords(number)
            | Self::Strangers(number) => *number = 0,
            Self::Unsearched(number)
            | Self::Grave(number, _)
            | Self::MissingOwners(MissingOwners::TooNew(number)) => {
                *number = 0;
            }
            Self::MissingOwners(MissingOwners::Unreadable { pids, names, .. }) => {
                pids.clear();
                names.clear();
            }
            Self::MissingOwners(MissingOwners::Failed { pid, more, .. }) => (*pid, *more) = (0, 0),
            Self::Findings(inner) | Self::Within(_, inner) => **inner = inner.kind(),
            _ => {}
        }
        kind
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) | Self::NotThere(cause) => cause.fmt(f),
            Self::Disturbed(table, by) => write!(f, "{}: {by}", dumped(*table)),
            Self::BadReplies {
                table,
                path,
                count,
                first,
            } => {
                if let Some(path) = path {
                    write!(f, "{}: ", escape_path(path))?;
                }
                write!(f, "{}: ", dumped(*table))?;
                match count {
                    1 => write!(f, "a reply that cannot be read: {first}"),
                    _ => write!(f, "{count} replies that cannot be read, the first: {first}"),
                }
            }
            Self::BadLines {
                path,
                line,
                first,
                more,
            } => {
                write!(f, "{}:{line}: {first}", escape_path(path))?;
                match more {
                    0 => Ok(()),
                    _ => write!(f, " (and {})", counted(more, "more line")),
                }
            }
            Self::Strangers(count) => write!(
                f,
                "netlink: dropped {} that the kernel did not send: somebody tries to forge the list",
                counted(count, "answer")
            ),
            Self::EmptyFile(path) => write!(f, "{}: empty, not even a header", escape_path(path)),
            Self::CutFile(cause, line) => write!(f, "{cause} (after line {line})"),
            Self::NotRecorded(path, table) => write!(f, "{}: holds no {table}", escape_path(path)),
            Self::MissingFields {
                table,
                fields,
                source,
            } => {
                let why = why_missing(fields, *source);
                let fields = fields.join(", ");
                write!(f, "{table}: the filter asks for {fields}, which {why}")
            }
            Self::Narrowed(path, table) => write!(
                f,
                "{}: has no {table} but those that the filter of the recording wants",
                escape_path(path)
            ),
            Self::Unlisted(protocol, states, source) => {
                let sockets = protocol.sockets_in(*states);
                write!(f, "{sockets} are not listed: {}", why_unlisted(*source))
            }
            Self::Findings(inner) => write!(f, "findings: {inner}"),
            Self::Grave(count, severity) => {
                let (findings, severity) = (counted(count, "finding"), severity.name());
                write!(f, "{findings} of severity {severity} or graver")
            }
            Self::LostRecords(lost) => write!(f, "the kernel gave no record of {lost} steps"),
            Self::LostNotices => {
                f.write_str("the kernel's notices of closed sockets overran (ENOBUFS)")
            }
            Self::NoNotices(cause) => {
                write!(f, "the kernel does not tell of closed sockets: {cause}")
            }
            Self::OtherSource(table) => write!(f, "{table}: they are read in another way now"),
            Self::UnnamedPeers(cause) => {
                write!(f, "netlink: names of unix peers are missing: {cause}")
            }
            Self::FewerFields(protocol, cause) => {
                let bound = match protocol {
                    Protocol::Tcp => "no BOUND sockets and ",
                    _ => "",
                };
                write!(
                    f,
                    "{cause}; reading /proc/net, which has {bound}fewer fields"
                )
            }
            Self::Sampled(why) => write!(
                f,
                "{why}: looking again and again instead (sampled): \
                 steps are told late, and those of sockets that live shortly not at all"
            ),
            Self::UntoldTimeWait => f.write_str(UNTOLD_TIME_WAIT),
            Self::MissingOwners(owners) => owners.fmt(f),
            Self::InNoTable(sockets) => sockets.fmt(f),
            Self::Within(netns, inner) => {
                write!(f, "network namespace {}: {inner}", escape(netns.as_bytes()))
            }
            Self::Unsearched(count) => {
                write!(f, "cannot search {}{UNSEARCHED}", counted(count, "process"))
            }
            Self::Vanished => f.write_str("it is gone"),
            Self::NothingListed => f.write_str("the filter wants nothing that the options list"),
        }
    }
}

const fn why_unlisted(source: Source) -> &'static str {
    match source {
        Source::Netlink => "the kernel reports them from Linux 6.8 on",
        Source::Procfs => "/proc/net does not report them",
        Source::Replay => "they are not in the recording",
    }
}

fn why_missing(fields: &[String], source: Source) -> &'static str {
    match source {
        Source::Netlink if *fields == ["mark"] => {
            "the kernel tells only to CAP_NET_ADMIN; run as root"
        }
        Source::Netlink => "the kernel does not tell of every socket",
        Source::Procfs => "/proc/net does not tell",
        Source::Replay => "the recording does not tell",
    }
}

impl Display for MissingOwners {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcesses(cause) => cause.fmt(f),
            Self::Hidden => f.write_str(
                "processes of other users are hidden (/proc is mounted with hidepid); \
                 run as root to see their sockets",
            ),
            Self::OutsideNamespace => f.write_str(
                "processes outside this PID namespace are not visible; \
                 run outside the container to see their sockets",
            ),
            Self::TooNew(1) => f.write_str("1 socket is too new to tell its processes"),
            Self::TooNew(count) => write!(f, "{count} sockets are too new to tell their processes"),
            Self::Failed { pid, more, cause } => {
                write!(f, "cannot read the descriptors of pid {pid}")?;
                if *more > 0 {
                    write!(f, " and {}", counted(more, "more process"))?;
                }
                write!(f, ": {cause}")
            }
            Self::Unreadable {
                pids,
                names,
                are_chosen,
                by,
            } => {
                processes(pids, names, f)?;
                let (their, they_hold) = match pids.len() {
                    1 => ("its", "it holds"),
                    _ => ("their", "they hold"),
                };
                let why = match by {
                    AskingUser::Other => {
                        return write!(f, " not readable; run as root to see {their} sockets");
                    }
                    AskingUser::RootOfNamespace => "from this user namespace",
                    AskingUser::RootWithoutRights => "without CAP_SYS_PTRACE",
                    AskingUser::Root => "even by root",
                };
                match are_chosen {
                    true => write!(f, " not readable {why}; {their} sockets are not shown"),
                    false => write!(
                        f,
                        " not readable {why}; which sockets {they_hold} is unknown"
                    ),
                }
            }
        }
    }
}

impl MissingOwners {
    /// More processes than this are counted, not named.
    pub const MOST_NAMED: usize = 5;

    /// True if more rights would not help.
    const fn is_failure(&self) -> bool {
        matches!(self, Self::NoProcesses(_) | Self::Failed { .. })
    }
}

/// `pid 1 (systemd)`, `pids 1 (systemd), 812`, `212 processes`
fn processes(pids: &[u32], names: &[Option<Vec<u8>>], f: &mut Formatter<'_>) -> fmt::Result {
    if names.is_empty() {
        return f.write_str(&counted(pids.len(), "process"));
    }
    f.write_str(if pids.len() == 1 { "pid" } else { "pids" })?;
    for (index, (pid, name)) in pids.iter().zip(names).enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(f, "{comma} {pid}")?;
        if let Some(name) = name {
            let name = escape_also(escape(name), |c| separates_processes(c) || "()".contains(c));
            write!(f, " ({name})")?;
        }
    }
    Ok(())
}

/// What a dump lists; `None` = TCP over both IP versions.
fn dumped(table: Option<Table>) -> String {
    table.map_or_else(|| "TCP sockets".to_owned(), |table| table.to_string())
}

impl Display for Disturbance {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the table changed while it was read (NLM_F_DUMP_INTR)"),
            Self::OtherReply => f.write_str("an answer to another request came between"),
            Self::Overrun => f.write_str("the receive buffer overran (ENOBUFS)"),
            Self::Receiving(cause) => write!(f, "receiving failed: {cause}"),
            Self::BrokenOff(cause) => write!(f, "the kernel broke off: {cause}"),
        }
    }
}

impl Error for Disturbance {}
