//! Where sockets are asked for.

use std::path::PathBuf;

use crate::error::Error;
use crate::model::Table;
use crate::netns::Wanted;
use crate::source::{
    AutoSource, Depth, FilesSource, NamespacesSource, NetlinkSource, ProcfsSource, Recorder,
    ReplaySource, Source, Way,
};
#[cfg(feature = "bpf")]
use crate::source::{Use, WalkSource};

/// A source, and the tables to ask it for.
pub type Opened = Result<(Box<dyn Source>, Vec<Table>), Error>;

/// Whose sockets are asked for, and where.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where.
    pub input: Input,
    /// Where the own network namespace has its `net`: `/proc`, or `/proc/thread-self` where the thread is in another
    /// one than its process.
    pub root: PathBuf,
    /// The network namespaces whose sockets they are; empty = the own one.
    pub netns: Vec<Wanted>,
    /// How far those are looked for.
    pub depth: Depth,
    /// True if it is no error that one is not there.
    pub may_come: bool,
    /// The tables, in the order they are listed.
    pub tables: Vec<Table>,
    /// True if these were named; otherwise a recording is asked for all that it has.
    pub is_named: bool,
}

impl Asked {
    /// Opens the source, which is recorded.
    ///
    /// # Errors
    ///
    /// When there is no such file or namespace, or it cannot be read.
    pub fn open(&self, recorder: &Recorder) -> Opened {
        let mut tables = self.tables.clone();
        if !self.netns.is_empty() {
            let source = NamespacesSource::open(
                &self.netns,
                self.depth,
                self.input.way(),
                recorder.clone(),
                self.may_come,
            )?;
            return Ok((Box::new(source), tables));
        }
        let netlink = || NetlinkSource::new(recorder.clone());
        let source: Box<dyn Source> = match &self.input {
            Input::Auto => {
                let procfs = ProcfsSource::new(&self.root, recorder.clone());
                #[cfg(feature = "bpf")]
                let netlink = || WalkSource::new(netlink(), Use::WherePays);
                Box::new(AutoSource::new(Box::new(netlink()), procfs))
            }
            Input::Files => Box::new(FilesSource::live()),
            Input::Netlink => Box::new(netlink()),
            #[cfg(feature = "bpf")]
            Input::Bpf => Box::new(WalkSource::new(netlink(), Use::Always)),
            Input::Procfs(root) => Box::new(ProcfsSource::open(root, recorder.clone())?),
            Input::Replay(path) => {
                let replay = ReplaySource::open(path)?;
                if !self.is_named {
                    tables = replay.tables().to_vec();
                    tables.sort_unstable();
                }
                Box::new(replay)
            }
        };
        Ok((source, tables))
    }
}

/// Where sockets come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Input {
    /// Netlink, and `/proc/net` where netlink does not list a table.
    #[default]
    Auto,
    /// What the files of `/proc/net` list, in their order: TCP from netlink, but for what it does not
    /// tell.
    Files,
    /// Nothing but netlink.
    Netlink,
    #[cfg(feature = "bpf")]
    /// TCP connections by a walk through the kernel's table, everything else by netlink.
    Bpf,
    /// Nothing but `/proc/net`, below this root.
    Procfs(PathBuf),
    /// A recording.
    Replay(PathBuf),
}

impl Input {
    /// Are these the sockets of this kernel, now?
    pub fn is_live(&self) -> bool {
        match self {
            Self::Procfs(root) => root.as_os_str() == PROC,
            Self::Replay(_) => false,
            _ => true,
        }
    }

    /// How the tables of other namespaces are read.
    pub const fn way(&self) -> Way {
        match self {
            Self::Netlink => Way::Netlink,
            #[cfg(feature = "bpf")]
            Self::Bpf => Way::Bpf,
            Self::Procfs(_) => Way::Procfs,
            Self::Auto | Self::Files | Self::Replay(_) => Way::Auto,
        }
    }

    /// Where the processes that hold its sockets are found.
    pub fn processes(&self) -> PathBuf {
        match self {
            Self::Procfs(root) => root.clone(),
            _ => PathBuf::from(PROC),
        }
    }
}

/// The process file system of this machine.
pub const PROC: &str = "/proc";
