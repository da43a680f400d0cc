//! What a network namespace is called.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::text::escape_path;

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Below `/run/netns`; where it has no name there, `net:[INODE]`.
    pub name: Box<str>,
    /// What tells it from every other.
    pub inode: u32,
}

impl Network {
    /// That of this thread; `None` = `/proc` does not tell.
    pub fn here() -> Option<Self> {
        let here = fs::metadata("/proc/thread-self/ns/net").ok()?;
        let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
        let is_here = |path: &std::path::PathBuf| {
            let named = fs::metadata(path);
            named.is_ok_and(|named| (named.dev(), named.ino()) == (here.dev(), here.ino()))
        };
        let mut named: Vec<_> = entries.map(|entry| entry.path()).filter(is_here).collect();
        named.sort();
        let name = named.first().and_then(|path| path.file_name());
        let name = name.map(|name| escape_path(name.as_ref()).into_owned());
        Some(Self {
            name: name
                .unwrap_or_else(|| format!("net:[{}]", here.ino()))
                .into(),
            inode: here.ino().try_into().ok()?,
        })
    }
}

/// Where `ip netns` puts them.
pub(super) const NAMED: &str = "/run/netns";
