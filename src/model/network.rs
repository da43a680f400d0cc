//! Network namespaces as rows name them.

use std::sync::Arc;

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// What to call it. Any text.
    pub name: Arc<[u8]>,
    /// Its inode number in nsfs.
    pub inode: u32,
}
