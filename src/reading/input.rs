//! Where sockets are read from: netlink, `/proc/net`, BPF, a recording.

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

/// A source, and the tables to read from it.
pub type Opened = Result<(Box<dyn Source>, Vec<Table>), Error>;

/// The sockets to read, and their source.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The source.
    pub input: Input,
    /// Where the own network namespace has its `net`: `/proc`, or `/proc/thread-self` if the thread is in
    /// another namespace than its process.
    pub root: PathBuf,
    /// The network namespaces to read; empty = the own one.
    pub netns: Vec<Wanted>,
    /// How thoroughly to search for them.
    pub depth: Depth,
    /// True if a missing namespace is no error.
    pub may_come: bool,
    /// The tables, in listing order.
    pub tables: Vec<Table>,
    /// True if they were named; otherwise everything in a recording is read.
    pub is_named: bool,
}

impl Asked {
    /// Opens the source, with recording.
    ///
    /// # Errors
    ///
    /// If the file or namespace does not exist, or cannot be read.
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

/// The source of sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Input {
    /// Netlink, and `/proc/net` for tables that netlink does not list.
    #[default]
    Auto,
    /// What the files of `/proc/net` list, in their order: TCP from netlink, except what that does not
    /// report.
    Files,
    /// Only netlink.
    Netlink,
    #[cfg(feature = "bpf")]
    /// TCP connections from the BPF iterator, everything else from netlink.
    Bpf,
    /// Only `/proc/net`, below this root.
    Procfs(PathBuf),
    /// A recording.
    Replay(PathBuf),
}

impl Input {
    /// True if these are the current sockets of this kernel.
    pub fn is_live(&self) -> bool {
        match self {
            Self::Procfs(root) => root.as_os_str() == PROC,
            Self::Replay(_) => false,
            _ => true,
        }
    }

    /// How to read the tables of other namespaces.
    pub const fn way(&self) -> Way {
        match self {
            Self::Netlink => Way::Netlink,
            #[cfg(feature = "bpf")]
            Self::Bpf => Way::Bpf,
            Self::Procfs(_) => Way::Procfs,
            Self::Auto | Self::Files | Self::Replay(_) => Way::Auto,
        }
    }

    /// Where to find the processes that hold its sockets.
    pub fn processes(&self) -> PathBuf {
        match self {
            Self::Procfs(root) => root.clone(),
            _ => PathBuf::from(PROC),
        }
    }
}

/// The procfs of this machine.
pub const PROC: &str = "/proc";
