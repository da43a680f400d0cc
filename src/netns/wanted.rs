//! How network namespaces are asked for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::Namespace;

/// Which namespaces are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Every one that is found.
    All,
    /// One that was found before.
    This(Arc<Namespace>),
    /// The one with this name below `/run/netns`, that of the process with this number, that of a container or pod, or
    /// the one that is called so.
    Named(Vec<u8>),
    /// The one that this file leads to.
    Path(PathBuf),
}

impl Wanted {
    /// `all`, a name, what [`Namespace::name`] calls it, the number of a process, or a path, which has a slash.
    pub fn of(word: &OsStr) -> Self {
        match word.as_bytes() {
            b"all" => Self::All,
            path if path.contains(&b'/') => Self::Path(word.into()),
            name => Self::Named(name.to_owned()),
        }
    }
}

impl Wanted {
    /// True of all, or of one where nobody may live.
    pub fn may_be_hidden(&self) -> bool {
        *self == Self::All || self.is_nameless()
    }

    /// True of `net:[INODE]`: nobody may live there.
    pub fn is_nameless(&self) -> bool {
        matches!(self, Self::Named(name) if name.starts_with(b"net:["))
    }
}
