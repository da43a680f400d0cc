//! Names that a recording has beside its sockets.

use super::named;

named! {
    /// What a number stands for that has a name on the machine of the recording.
    pub enum NameKind {
        /// An interface, by its index.
        Interface = "interface",
        /// A user, by the uid.
        User = "user",
        /// The path of a cgroup, by its id.
        Cgroup = "cgroup",
    }
}

/// The name of a number where a recording was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedName {
    /// What it names.
    pub kind: NameKind,
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: Box<[u8]>,
    /// Inode number of the network namespace whose interface it is; `None` = the one of the recorder, or it is
    /// no interface.
    pub netns: Option<u32>,
}
