//! What the kernel tells of a socket only when asked.

use super::{Info, Structure, Unit};

/// Memory a socket uses, in bytes, as `SK_MEMINFO_*` (`include/uapi/linux/sock_diag.h`) counts it.
///
/// A value the source does not have is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Held by received data not yet read.
    pub rmem_alloc: Option<u32>,
    /// Limit of the receive buffer.
    pub rcvbuf: Option<u32>,
    /// Held by data under way to the device.
    pub wmem_alloc: Option<u32>,
    /// Limit of the send buffer.
    pub sndbuf: Option<u32>,
    /// Set aside for future use.
    pub fwd_alloc: Option<u32>,
    /// Held by queued data, sent or not.
    pub wmem_queued: Option<u32>,
    /// Held by options and filters.
    pub optmem: Option<u32>,
    /// Held by segments that arrived while the socket was locked.
    pub backlog: Option<u32>,
    /// Packets dropped (a count, not bytes).
    pub drops: Option<u32>,
}

/// Its name, what it counts, and its value.
pub type MemoryField = (&'static str, Unit, fn(&Memory) -> Option<u32>);

impl Memory {
    /// The fields, in the order of every format.
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

/// The file of a unix socket that is bound to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundFile {
    /// The device of its file system, major and minor.
    pub device: (u32, u32),
    /// Its inode, or the lower 32 bits of that.
    pub inode: u32,
}

/// What the kernel tells only when asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The congestion control algorithm; empty = unknown. Any bytes but NUL.
    pub congestion: Vec<u8>,
    /// The upper layer protocol; empty = none, or unknown. Any bytes but NUL.
    pub ulp: Vec<u8>,
    /// The addresses of peers that a signature of RFC 2385 is agreed on with, `10.0.0.1/32`, joined with commas;
    /// empty = none, or unknown.
    pub md5: Vec<u8>,
    /// The BPF maps of type `BPF_MAP_TYPE_SK_STORAGE` that store something of the socket, as id and octets, `12:16`,
    /// joined with commas; empty = none, or not told.
    pub bpf_storage: Vec<u8>,
    /// True if the kernel refused to tell those.
    pub is_storage_refused: bool,
    /// The bytes of each [`Structure`]; none = the kernel did not send it.
    structures: [Vec<u8>; Structure::ALL.len()],
    /// Socket memory.
    pub memory: Option<Memory>,
    /// The addresses of its own end and of the other one, separated by commas (SCTP); empty = not told, or of
    /// another protocol.
    pub addresses: [Vec<u8>; 2],
    /// The file of a unix socket that is bound to a path.
    pub file: Option<BoundFile>,
    /// Its device in digits, `8:1`; empty without a file.
    pub file_device: Vec<u8>,
    /// The inodes of the sockets that wait to be accepted (unix listeners).
    pub pending_peers: Option<Vec<u32>>,
    /// What no field here holds, as the kernel sent it, by the numbers of its attributes.
    pub attributes: Vec<(u32, Vec<u8>)>,
    /// True if those are kept.
    pub keeps_attributes: bool,
}

impl Details {
    /// What the kernel sent of a structure.
    pub fn info(&self, structure: Structure) -> Option<Info<'_>> {
        let bytes = self.structures.get(structure.place())?;
        (!bytes.is_empty()).then_some(Info::new(structure, bytes))
    }

    /// Keeps a structure as the kernel sent it.
    pub fn set_info(&mut self, structure: Structure, bytes: &[u8]) {
        self.clear_info(structure);
        self.set_part(structure, 0, bytes);
    }

    /// Keeps a part of a structure that comes in pieces; bytes that did not come are 255.
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

    /// Forgets a structure.
    pub fn clear_info(&mut self, structure: Structure) {
        if let Some(bytes) = self.structures.get_mut(structure.place()) {
            bytes.clear();
        }
    }

    /// Forgets what is asked for with `-i`.
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

    /// Forgets the file of a unix socket, and who waits for it.
    pub fn clear_files(&mut self) {
        self.file = None;
        self.file_device.clear();
        self.pending_peers = None;
    }

    /// Forgets everything.
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
