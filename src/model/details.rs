//! What the kernel reports of a socket only on request: memory, TCP information, files, other attributes.

use super::{Info, Structure, Unit};

/// Memory of a socket in bytes, as in `SK_MEMINFO_*` (`include/uapi/linux/sock_diag.h`). `None` = not
/// reported by the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Received data not yet read.
    pub rmem_alloc: Option<u32>,
    /// Limit of the receive buffer.
    pub rcvbuf: Option<u32>,
    /// Data passed to the device and not yet sent.
    pub wmem_alloc: Option<u32>,
    /// Limit of the send buffer.
    pub sndbuf: Option<u32>,
    /// Reserved for future use.
    pub fwd_alloc: Option<u32>,
    /// Data in the send queue, sent or not.
    pub wmem_queued: Option<u32>,
    /// Options and filters.
    pub optmem: Option<u32>,
    /// Segments that arrived while the socket was locked.
    pub backlog: Option<u32>,
    /// Packets dropped (a count, not bytes).
    pub drops: Option<u32>,
}

/// Name, unit and value of a field.
pub type MemoryField = (&'static str, Unit, fn(&Memory) -> Option<u32>);

impl Memory {
    /// The fields in the order of every format.
    pub const FIELDS: [MemoryField; 9] = [
        ("rmem_alloc", Unit::Bytes, |of| of.rmem_alloc),
        ("rcvbuf", Unit::Bytes, |of| of.rcvbuf),
        ("wmem_alloc", Unit::Bytes, |of| of.wmem_alloc),
        ("sndbuf", Unit::Bytes, |of| of.sndbuf),
        ("fwd_alloc", Unit::Bytes, |of| of.fwd_alloc),
        ("wmem_queued", Unit::Bytes, |of| of.wmem_queued),
        ("optmem", Unit::Bytes, |of| of.optmem),
        ("backlog", Unit::Bytes, |of| of.backlog),
        ("drops", Unit::Count, |of| of.drops),
    ];
}

/// The file of a unix socket bound to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundFile {
    /// Device number of its file system: major, minor.
    pub device: (u32, u32),
    /// Its inode number, or the lower 32 bits of it.
    pub inode: u32,
}

/// What the kernel reports of a socket only on request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Congestion control algorithm; empty = unknown. Any bytes except NUL.
    pub congestion: Vec<u8>,
    /// Upper layer protocol (ULP); empty = none or unknown. Any bytes except NUL.
    pub ulp: Vec<u8>,
    /// Peer addresses with a TCP MD5 key (RFC 2385), like `10.0.0.1/32`, separated by commas; empty = none or
    /// unknown.
    pub md5: Vec<u8>,
    /// BPF socket storage (`BPF_MAP_TYPE_SK_STORAGE`) as map id and size in bytes, like `12:16`, separated by
    /// commas; empty = none or not reported.
    pub bpf_storage: Vec<u8>,
    /// True if the kernel refused to report BPF socket storage.
    pub is_storage_refused: bool,
    /// The bytes of each [`Structure`]; empty = not sent by the kernel.
    structures: [Vec<u8>; Structure::ALL.len()],
    /// Socket memory.
    pub memory: Option<Memory>,
    /// Local addresses and peer addresses of SCTP, separated by commas; empty = not reported, or another
    /// protocol.
    pub addresses: [Vec<u8>; 2],
    /// The file of a unix socket bound to a path.
    pub file: Option<BoundFile>,
    /// The device number of `file` in digits, like `8:1`; empty without a file.
    pub file_device: Vec<u8>,
    /// Inodes of the sockets waiting for `accept` (unix listeners).
    pub pending_peers: Option<Vec<u32>>,
    /// Attributes without a field here: number and bytes, as the kernel sent them.
    pub attributes: Vec<(u32, Vec<u8>)>,
    /// True if such attributes are kept.
    pub keeps_attributes: bool,
}

impl Details {
    /// The structure as the kernel sent it; `None` = not sent.
    pub fn info(&self, structure: Structure) -> Option<Info<'_>> {
        let bytes = self.structures.get(structure.place())?;
        (!bytes.is_empty()).then_some(Info::new(structure, bytes))
    }

    /// Stores a structure as the kernel sent it.
    pub fn set_info(&mut self, structure: Structure, bytes: &[u8]) {
        self.clear_info(structure);
        self.set_part(structure, 0, bytes);
    }

    /// Stores a part of a structure that arrives in pieces; missing bytes are 255.
    pub fn set_part(&mut self, structure: Structure, offset: usize, part: &[u8]) {
        let Some(bytes) = self.structures.get_mut(structure.place()) else {
            return;
        };
        let end = offset + part.len();
        bytes.resize(bytes.len().max(end), u8::MAX);
        if let Some(place) = bytes.get_mut(offset..end) {
            place.copy_from_slice(part);
        }
    }

    /// Clears a structure.
    pub fn clear_info(&mut self, structure: Structure) {
        if let Some(bytes) = self.structures.get_mut(structure.place()) {
            bytes.clear();
        }
    }

    /// Clears what `-i` asks for.
    pub fn clear_infos(&mut self) {
        for names in [&mut self.congestion, &mut self.ulp, &mut self.md5] {
            names.clear();
        }
        for structure in Structure::ALL {
            if structure != Structure::SocketOptions {
                self.clear_info(structure);
            }
        }
    }

    /// Clears the file of a unix socket and its pending peers.
    pub fn clear_files(&mut self) {
        self.file = None;
        self.file_device.clear();
        self.pending_peers = None;
    }

    pub(super) fn clear(&mut self) {
        self.attributes.clear();
        self.clear_infos();
        self.bpf_storage.clear();
        self.is_storage_refused = false;
        self.clear_info(Structure::SocketOptions);
        self.memory = None;
        self.addresses.iter_mut().for_each(Vec::clear);
        self.clear_files();
    }
}
