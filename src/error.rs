//! What can go wrong, said once: each variant names the operation and the object, the cause is in
//! [`std::error::Error::source`].

use std::fmt;
use std::io;
use std::path::Path;

use crate::model::Table;
use crate::text::{chain, escape_path};

/// Why bytes, or a line of text, are not what they should be.
pub type Malformed = String;

/// Why nothing could be read. It names the operation and the object; the cause is its source.
///
/// ```
/// let error = lsock::Sockets::new().replay("/no/such/file").list().unwrap_err();
/// assert_eq!(error.to_string(), "cannot open /no/such/file");
/// assert_eq!(error.chain(), "cannot open /no/such/file: no such file or directory");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The command line asks for something that does not exist or does not go together.
    Usage(String),
    /// Something failed, for this reason.
    Failed(String, io::Error),
    /// The netlink socket could not be made, or the request not sent, or the table is not listed.
    #[doc(hidden)]
    Netlink(Table, io::Error),
    /// `poll(2)` failed, or signals cannot be heard: nothing more can be seen of what is watched.
    Watch(io::Error),
    /// `/proc` has no file for a table, whose sockets are watched.
    #[doc(hidden)]
    NotInProc(Table),
    /// No source lists a table, or what one sends makes no message.
    Unusable(String),
    /// Standard output could not be written.
    #[doc(hidden)]
    Output(io::Error),
}

impl Error {
    /// A file could not be opened, read or written.
    #[doc(hidden)]
    pub fn file(operation: &str, path: impl AsRef<Path>, cause: impl Into<io::Error>) -> Self {
        let path = escape_path(path.as_ref());
        Self::Failed(format!("cannot {operation} {path}"), cause.into())
    }

    /// A program cannot run in the kernel.
    #[doc(hidden)]
    pub fn bpf(operation: &str, cause: io::Error) -> Self {
        Self::Failed(format!("bpf: cannot {operation}"), cause)
    }

    /// Was it the reader of a pipe that went away?
    #[doc(hidden)]
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
            Self::Usage(text) | Self::Failed(text, _) | Self::Unusable(text) => f.write_str(text),
            Self::Netlink(table, cause) => {
                write!(f, "netlink: cannot list {table}")?;
                // What sock_diag means by it; there is no file in this.
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
