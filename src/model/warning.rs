//! Warnings about a listing, and causes of failures.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Protocol, Source, StateSet};
use crate::text::{chain, counted, escape, escape_path};

/// A warning about a listing or a series of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Rows or events are missing, or may be, for this reason.
    Failed(Cause),
    /// Another fact worth knowing.
    Note(Cause),
    /// A warning whose numbers vary, and its text without them.
    Varying(Box<Self>, Cause),
    /// Malformed lines of a file.
    BadLines {
        path: PathBuf,
        /// Number of the first line.
        line: u64,
        /// What is wrong with it.
        first: Cause,
        /// Number of further lines.
        more: u64,
    },
    /// The source does not list sockets of this protocol in these states, which were requested.
    Unlisted(Protocol, StateSet, Source),
    /// Names of the peers of unix sockets are missing.
    UnnamedPeers(Cause),
    /// Netlink is refused, first for this protocol, and `/proc/net` is read instead.
    FewerFields(Protocol, Cause),
    /// Number of processes that cannot be searched for namespaces held only by descriptors or sockets.
    Unsearched(usize),
    /// Inode numbers of network namespaces that exist but cannot be reached.
    Unreached(Vec<u32>),
    /// A requested network namespace does not exist.
    NotThere(Cause),
    /// A warning about a network namespace, or another part of the run.
    Within(Arc<str>, Box<Self>),
}

/// Network namespaces named in a message.
const FEW: usize = 4;

impl Warning {
    /// Rows or events are missing, or may be.
    pub fn failed(why: impl Into<Cause>) -> Self {
        Self::Failed(why.into())
    }

    /// Another fact worth knowing.
    pub fn note(what: impl Into<Cause>) -> Self {
        Self::Note(what.into())
    }

    /// `count` datagrams did not come from the kernel and were dropped.
    pub fn strangers(count: u64) -> Self {
        let answers = counted(count, "answer");
        let text = format!(
            "netlink: dropped {answers} that the kernel did not send: another process forges them"
        );
        Self::failed(text).varying("strangers")
    }

    /// Marks the warning as one whose numbers vary; `kind` is its text without them.
    #[must_use]
    pub fn varying(self, kind: impl Into<Cause>) -> Self {
        Self::Varying(Box::new(self), kind.into())
    }

    /// The same warning about a network namespace, if one is named.
    #[must_use]
    pub fn within(self, netns: Option<&Arc<[u8]>>) -> Self {
        let part = |netns: &Arc<[u8]>| format!("network namespace {}", escape(netns));
        match netns.map(part) {
            Some(part) => Self::Within(part.into(), Box::new(self)),
            None => self,
        }
    }

    /// True if rows or events are known to be missing, or may be.
    pub fn is_gap(&self) -> bool {
        match self {
            Self::Failed(_) | Self::BadLines { .. } => true,
            Self::Varying(inner, _) | Self::Within(_, inner) => inner.is_gap(),
            _ => false,
        }
    }

    /// True if it makes another warning about unlisted or unreadable sockets redundant.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FewerFields(of, _), Self::Unlisted(protocol, _, Source::Procfs)) => {
                of == protocol
            }
            (Self::Unlisted(..) | Self::Failed(_) | Self::Note(_), other) => self == other,
            (Self::Within(one, told), Self::Within(other, new)) => {
                one == other && told.includes(new)
            }
            _ => false,
        }
    }

    /// The warning without its numbers: what need not be repeated.
    #[must_use]
    pub fn kind(&self) -> Self {
        let mut kind = self.clone();
        match &mut kind {
            Self::BadLines { more, .. } => *more = 0,
            Self::Unsearched(count) => *count = 0,
            Self::Unreached(inodes) => inodes.clear(),
            Self::Within(_, inner) => **inner = inner.kind(),
            Self::Varying(_, kind) => return Self::Note(kind.clone()),
            _ => {}
        }
        kind
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) | Self::Note(cause) | Self::NotThere(cause) => cause.fmt(f),
            Self::Varying(inner, _) => inner.fmt(f),
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
            Self::Unlisted(protocol, states, source) => {
                let why = match source {
                    Source::Netlink | Source::Bpf => "the kernel reports them from Linux 6.8 on",
                    Source::Procfs if *protocol == Protocol::Sctp => {
                        "the files below /proc/net/sctp are not read"
                    }
                    Source::Procfs => "/proc/net does not report them",
                    Source::Replay => "they are not in the recording",
                };
                write!(f, "{} are not listed: {why}", protocol.sockets_in(*states))
            }
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
            Self::Unsearched(count) => write!(
                f,
                "cannot search {} for network namespaces held only by a descriptor or a socket",
                counted(count, "process")
            ),
            Self::Unreached(inodes) => {
                let count = counted(inodes.len(), "network namespace");
                let few = inodes.iter().take(FEW);
                let names: Vec<_> = few.map(|inode| format!("net:[{inode}]")).collect();
                let more = if inodes.len() > FEW { ", …" } else { "" };
                let names = names.join(", ");
                write!(
                    f,
                    "cannot enter {count} ({names}{more}): no readable path leads there"
                )
            }
            Self::Within(part, inner) => write!(f, "{part}: {inner}"),
        }
    }
}

/// The cause of a failure: an error that several places can keep.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Cause {
    fn from(error: E) -> Self {
        Self(error.into().into())
    }
}

impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self.0.as_ref()))
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}
