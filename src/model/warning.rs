//! Warnings: what must be known of a list besides its rows, and why something failed.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Protocol, Source, StateSet};
use crate::text::{chain, counted, escape, escape_path};

/// What must be known of a list, or of a series of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Rows or events are missing, or may be, for this reason.
    Failed(Cause),
    /// Something else that must be known.
    Note(Cause),
    /// One whose numbers vary, and what it is without them.
    Varying(Box<Self>, Cause),
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
    /// Sockets of this protocol in these states are asked for, and the source does not list them.
    Unlisted(Protocol, StateSet, Source),
    /// Names of peers of unix sockets are missing.
    UnnamedPeers(Cause),
    /// Netlink is refused, for this protocol at first, and `/proc/net` read instead.
    FewerFields(Protocol, Cause),
    /// Processes that cannot be searched for namespaces that nothing but their descriptors or sockets hold.
    Unsearched(usize),
    /// Network namespaces that the kernel has and nothing leads to, by inode number.
    Unreached(Vec<u32>),
    /// A network namespace that was asked for is not there.
    NotThere(Cause),
    /// Of a network namespace, or another part of the run.
    Within(Arc<str>, Box<Self>),
}

/// More are not named one by one.
const FEW: usize = 4;

impl Warning {
    /// Rows or events are missing, or may be.
    pub fn failed(why: impl Into<Cause>) -> Self {
        Self::Failed(why.into())
    }

    /// Something else must be known.
    pub fn note(what: impl Into<Cause>) -> Self {
        Self::Note(what.into())
    }

    /// So many datagrams came from others than the kernel, and were dropped.
    pub fn strangers(count: u64) -> Self {
        let answers = counted(count, "answer");
        let text = format!(
            "netlink: dropped {answers} that the kernel did not send: somebody tries to forge the list"
        );
        Self::failed(text).varying("strangers")
    }

    /// The same, of which nothing but the numbers varies: `kind` is what it is without them.
    #[must_use]
    pub fn varying(self, kind: impl Into<Cause>) -> Self {
        Self::Varying(Box::new(self), kind.into())
    }

    /// The same of a network namespace, if one is named.
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

    /// True if another one, of what a source does not list or cannot tell, need not be said beside it.
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

    /// The same without its numbers: what need not be said again.
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
                "cannot search {} for network namespaces that nothing but a descriptor or a socket holds",
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
                    "cannot enter {count} ({names}{more}): nothing that can be read leads there"
                )
            }
            Self::Within(part, inner) => write!(f, "{part}: {inner}"),
        }
    }
}

/// Why something failed: an error that several may keep.
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
