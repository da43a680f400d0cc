//! The network namespace of the calling thread.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::NAMED;
use crate::model::Network;

/// The network namespace of this thread, named after `/run/netns` or `net:[INODE]`; `None` if `/proc` does not show it.
pub fn here() -> Option<Network> {
    let here = fs::metadata("/proc/thread-self/ns/net").ok()?;
    let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
    let is_here = |path: &PathBuf| {
        let named = fs::metadata(path);
        named.is_ok_and(|named| (named.dev(), named.ino()) == (here.dev(), here.ino()))
    };
    let mut named: Vec<_> = entries.map(|entry| entry.path()).filter(is_here).collect();
    named.sort();
    let name = named.first().and_then(|path| path.file_name());
    let name = name.map(|name| name.as_bytes().to_vec());
    Some(Network {
        name: name
            .unwrap_or_else(|| format!("net:[{}]", here.ino()).into_bytes())
            .into(),
        inode: here.ino().try_into().ok()?,
    })
}
