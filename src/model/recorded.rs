//! Names that a recording stores beside its sockets.

use super::named;

named! {
    /// What a recorded name belongs to.
    pub enum NameKind {
        /// An interface, by its index.
        Interface = "interface",
        /// A user, by the uid.
        User = "user",
        /// The path of a cgroup, by its id.
        Cgroup = "cgroup",
    }
}

/// The name of a number on the recorded machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedName {
    /// What it names.
    pub kind: NameKind,
    /// The number.
    pub number: u64,
    pub name: Box<[u8]>,
    /// Inode number of the interface's network namespace; `None` = that of the recorder, or not an interface.
    pub netns: Option<u32>,
}
