//! Errors. Each variant names the operation and the object; the cause is in [`std::error::Error::source`].

use std::fmt;
use std::io;
use std::path::Path;

use crate::model::Table;
use crate::text::{chain, escape_path};

/// Why bytes or a line of text are malformed.
pub type Malformed = String;

/// An error that names the operation and the object; the cause is its source.
///
/// ```
/// let error = lsock::Sockets::new().replay("/no/such/file").list().unwrap_err();
/// assert_eq!(error.to_string(), "cannot open /no/such/file");
/// assert_eq!(error.chain(), "cannot open /no/such/file: no such file or directory");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The command line has an unknown or contradictory option or value.
    Usage(String),
    /// An operation failed for this reason.
    Failed(String, io::Error),
    /// The netlink socket could not be opened, the request not be sent, or the table not be listed.
    #[doc(hidden)]
    Netlink(Table, io::Error),
    /// `poll(2)` failed or signals cannot be caught, so watching cannot continue.
    Watch(io::Error),
    /// `/proc` has no file for a watched table.
    #[doc(hidden)]
    NotInProc(Table),
    /// No source lists a table, or a message or file is malformed.
    Unusable(String),
    /// Standard output could not be written.
    #[doc(hidden)]
    Output(io::Error),
}

impl Error {
    /// The error for a file that could not be opened, read or written.
    #[doc(hidden)]
    pub fn file(operation: &str, path: impl AsRef<Path>, cause: impl Into<io::Error>) -> Self {
        let path = escape_path(path.as_ref());
        Self::Failed(format!("cannot {operation} {path}"), cause.into())
    }

    /// The error for a program that cannot run in the kernel.
    #[doc(hidden)]
    pub fn bpf(operation: &str, cause: io::Error) -> Self {
        Self::Failed(format!("bpf: cannot {operation}"), cause)
    }

    /// True if the reader of the output pipe has closed it.
    #[doc(hidden)]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The error and its causes on one line, outermost first.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text, _) | Self::Unusable(text) => f.write_str(text),
            Self::Netlink(table, cause) => {
                write!(f, "netlink: cannot list {table}")?;
                // ENOENT from sock_diag means a missing module, not a missing file.
                if cause.kind() == io::ErrorKind::NotFound {
                    let module = table.protocol.diag_module();
                    write!(f, ": {module} is not loaded (ENOENT); modprobe {module}")?;
                }
                Ok(())
            }
            Self::Watch(_) => f.write_str("cannot wait for events"),
            Self::NotInProc(table) => write!(f, "/proc does not list {table}"),
            Self::Output(_) => f.write_str("cannot write to standard output"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) | Self::NotInProc(_) | Self::Unusable(_) => None,
            Self::Netlink(_, cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Self::Failed(_, cause)
            | Self::Netlink(_, cause)
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
        let table = Table::new(Protocol::Raw, Family::Inet);
        let error = Error::Netlink(table, io::Error::from_raw_os_error(2));
        let text = "netlink: cannot list IPv4 raw sockets: raw_diag is not loaded (ENOENT); modprobe raw_diag";
        assert_eq!(error.chain(), text);
    }

    #[test]
    fn chain_names_operation_object_and_cause() {
        let error = Error::file("open", "/proc/net/tcp", io::Error::from_raw_os_error(13));
        assert_eq!(
            error.chain(),
            "cannot open /proc/net/tcp: permission denied"
        );
    }
}
