//! What can go wrong, said once: each variant names the operation and the object, the cause is in
//! [`std::error::Error::source`].

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::model::Table;
use crate::text::{chain, escape_path};

/// An error that ends the program or one table of it.
#[derive(Debug)]
pub enum Error {
    /// The command line asks for something that does not exist or does not go together.
    Usage(String),
    /// A file could not be opened or read.
    File {
        /// `open`, `read`, `write` …
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The netlink socket could not be made, or the request not sent.
    Netlink {
        /// What was to be listed.
        table: Table,
        /// Why.
        cause: io::Error,
    },
    /// The kernel's iterator over descriptors cannot be used.
    Bpf {
        /// `load a program`, …
        operation: &'static str,
        /// Why.
        cause: io::Error,
    },
    /// `poll(2)` failed, or signals cannot be heard: nothing more can be seen of what is watched.
    Watch(io::Error),
    /// `/proc` has no file for a table.
    NotInProc(Table),
    /// Neither netlink nor `/proc/net` lists a table: what both said.
    NoSource(String),
    /// The kernel or a recording sent bytes that make no message.
    Malformed {
        /// Where they came from.
        origin: String,
        /// What is wrong with them.
        reason: String,
    },
    /// Standard output could not be written.
    Output(io::Error),
}

impl Error {
    /// An [`Error::File`]: `open`, `read` or `write` failed.
    pub fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
        cause: impl Into<io::Error>,
    ) -> Self {
        Self::File {
            operation,
            path: path.into(),
            cause: cause.into(),
        }
    }

    /// Was it the reader of a pipe that went away?
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The whole chain on one line, outermost first.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::NoSource(text) => f.write_str(text),
            Self::File {
                operation, path, ..
            } => write!(f, "cannot {operation} {}", escape_path(path)),
            Self::Netlink { table, cause } => {
                write!(f, "netlink: cannot list {table}")?;
                // What sock_diag means by it; there is no file in this.
                if cause.kind() == io::ErrorKind::NotFound {
                    let module = table.protocol.diag_module();
                    write!(f, ": {module} is not loaded (ENOENT); modprobe {module}")?;
                }
                Ok(())
            }
            Self::Bpf { operation, .. } => write!(f, "bpf: cannot {operation}"),
            Self::Watch(_) => f.write_str("cannot wait for events"),
            Self::NotInProc(table) => write!(f, "/proc does not list {table}"),
            Self::Malformed { origin, reason } => write!(f, "{origin}: {reason}"),
            Self::Output(_) => f.write_str("cannot write to standard output"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) | Self::NoSource(_) | Self::NotInProc(_) | Self::Malformed { .. } => {
                None
            }
            Self::Netlink { cause, .. } if cause.kind() == io::ErrorKind::NotFound => None,
            Self::File { cause, .. }
            | Self::Netlink { cause, .. }
            | Self::Bpf { cause, .. }
            | Self::Watch(cause)
            | Self::Output(cause) => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::model::{Family, Protocol, Table};
    use std::io;

    #[test]
    fn missing_table_is_told_as_such() {
        let error = Error::Netlink {
            table: Table {
                protocol: Protocol::Raw,
                family: Family::Inet,
            },
            cause: io::Error::from_raw_os_error(2),
        };
        let text = "netlink: cannot list IPv4 raw sockets: raw_diag is not loaded (ENOENT); modprobe raw_diag";
        assert_eq!(error.chain(), text);
    }

    #[test]
    fn chain_names_operation_object_and_cause() {
        let error = Error::File {
            operation: "open",
            path: "/proc/net/tcp".into(),
            cause: io::Error::from_raw_os_error(13),
        };
        assert_eq!(
            error.chain(),
            "cannot open /proc/net/tcp: permission denied"
        );
    }
}
