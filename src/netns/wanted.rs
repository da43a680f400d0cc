//! Parses the namespaces that a user asks for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::Namespace;

/// A requested namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Every namespace.
    All,
    /// A namespace found before.
    This(Arc<Namespace>),
    /// By its name below `/run/netns`, the number of a process, the name of a container or pod, or the name that
    /// lists show.
    Named(Vec<u8>),
    /// By the path of a namespace file.
    Path(PathBuf),
}

impl Wanted {
    /// Parses `all`, a name as in [`Namespace::name`], the number of a process, or a path, which has a slash.
    pub fn of(word: &OsStr) -> Self {
        match word.as_bytes() {
            b"all" => Self::All,
            path if path.contains(&b'/') => Self::Path(word.into()),
            name => Self::Named(name.to_owned()),
        }
    }
}

impl Wanted {
    /// True for all namespaces, or for one that may have no tasks.
    pub fn may_be_hidden(&self) -> bool {
        *self == Self::All || self.is_nameless()
    }

    /// True for `net:[INODE]`, which may have no tasks.
    pub fn is_nameless(&self) -> bool {
        matches!(self, Self::Named(name) if name.starts_with(b"net:["))
    }
}
