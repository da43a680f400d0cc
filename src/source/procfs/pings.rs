//! Ping sockets that the kernel lists under the wrong family.

use std::collections::HashSet;
use std::path::Path;

use super::lines::Lines;
use crate::model::{Protocol, Socket, Table};
use crate::procfs::file::open_path;
use crate::procfs::{bucket_of, decode_line};

/// Sockets that belong in the file of the other family.
///
/// `ping_get_first` (`net/ipv4/ping.c`) checks the family of the file, `ping_get_next` does not: after the first
/// socket of a hash bucket, `net/icmp6` lists IPv4 sockets too, with the address `::`, and `net/icmp` IPv6 ones. So
/// the first socket of a bucket in the other file is of the other family. A socket that is first in neither is
/// ambiguous and stays in both.
#[derive(Default)]
pub(super) struct Strays {
    inodes: HashSet<u64>,
}

impl Strays {
    /// The sockets that certainly belong in the file of this table; none if it cannot be read.
    pub(super) fn among(table: Table, path: &Path) -> Self {
        let mut inodes = HashSet::new();
        let Ok(file) = open_path(path) else {
            return Self::default();
        };
        let mut lines = Lines::new(file);
        let mut socket = Socket::new(Protocol::Icmp, table.family);
        let mut last_bucket = None;
        while let Ok(Some(line)) = lines.advance() {
            if decode_line(table, line.text, &mut socket).is_err() {
                continue;
            }
            let bucket = bucket_of(line.text);
            if bucket != last_bucket {
                inodes.extend(socket.inode);
            }
            last_bucket = bucket;
        }
        Self { inodes }
    }

    pub(super) fn hold(&self, socket: &Socket) -> bool {
        socket
            .inode
            .is_some_and(|inode| self.inodes.contains(&inode))
    }
}
