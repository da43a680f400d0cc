//! Descriptors of network namespaces, and of sockets in them, held by processes outside.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use zerocopy::FromBytes as _;

use super::{INODE, INUM, NODE, PROCESS, THREAD, Writer};
use crate::bpf::Size::{Eight, Four};
use crate::bpf::{
    self, BTF, Btf, CAST, Condition, Hook, Instruction, Malformed, Register as R, TypeKind,
    Typed as _, ValueKind,
};
use crate::error::Error;

/// A descriptor of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::netns) struct Holder {
    /// The inode number of the network namespace.
    pub(in crate::netns) inode: u32,
    pub(in crate::netns) pid: u32,
    pub(in crate::netns) fd: u32,
    /// True for a socket of the namespace, false for the namespace itself.
    pub(in crate::netns) is_socket: bool,
}

/// The descriptors that lead to these namespaces.
///
/// # Errors
///
/// When the kernel refuses, or its types have an unknown layout.
pub(super) fn find(wanted: &BTreeSet<u32>) -> Result<Vec<Holder>, Error> {
    let (program, function) = bpf::describe(Path::new(BTF), &WANTED, |btf| {
        Ok((program(btf)?, btf.find(TypeKind::Function, FUNCTION)?))
    })?;
    let link = bpf::attach("lsock_holders", &program, Hook::Iterator(function))?;
    let text = link.iterate().and_then(read_all);
    let text = text.map_err(|cause| Error::bpf("run over descriptors", cause))?;
    let records = <[[u32; 3]]>::ref_from_bytes(&text).unwrap_or_default();
    let holders = records.iter().map(|[inode, pid, fd]| Holder {
        inode: *inode,
        pid: *pid,
        fd: fd & !SOCKET,
        is_socket: fd & SOCKET != 0,
    });
    Ok(holders
        .filter(|holder| wanted.contains(&holder.inode))
        .collect())
}

/// Limit of reads that fail with `EAGAIN`, as after a million descriptors without a record.
const MOST_IN_VAIN: usize = 16;

fn read_all(mut output: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for _ in 0..MOST_IN_VAIN {
        match output.read_to_end(&mut text) {
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => {}
            read => return read.map(|_| text),
        }
    }
    Err(ErrorKind::WouldBlock.into())
}

const FUNCTION: &str = "bpf_iter_task_file";
const CONTEXT: &str = "bpf_iter__task_file";

const WANTED: [(TypeKind, &str); 12] = [
    (TypeKind::Function, FUNCTION),
    (TypeKind::Function, CAST),
    (TypeKind::Struct, CONTEXT),
    (TypeKind::Struct, "bpf_iter_meta"),
    (TypeKind::Struct, super::TASK),
    (TypeKind::Struct, "nsproxy"),
    (TypeKind::Struct, "net"),
    (TypeKind::Struct, "file"),
    (TypeKind::Struct, "inode"),
    (TypeKind::Struct, "super_block"),
    (TypeKind::Struct, "socket"),
    (TypeKind::Struct, "sock"),
];

/// `SOCKFS_MAGIC` and `NSFS_MAGIC` (`include/uapi/linux/magic.h`).
const SOCKFS: i32 = 0x534f_434b;
const NSFS: i32 = 0x6e73_6673;
/// Marks the number of a descriptor that is a socket.
const SOCKET: u32 = 1 << 31;

// Registers that calls preserve.
const FILE: R = R::R8;
/// The context at first; then the inode number of the process's own namespace.
const HOME: R = R::R9;

fn program(btf: &Btf<'_>) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer::new(btf);
    let [socket, tell, done] = [(); 3].map(|()| writer.code.label());
    writer.code.copy(HOME, R::R1);
    writer.begin(CONTEXT)?;
    writer.code.jump(Condition::Is(NODE, 0), done);
    writer.pointer(FILE, HOME, [CONTEXT, "file"])?;
    writer.code.jump(Condition::Is(FILE, 0), done);
    let number = btf.offset(CONTEXT, "fd", ValueKind::Number(4))?;
    writer.code.load(Four, R::R1, HOME, number);
    writer.code.store(Four, R::STACK, THREAD, R::R1);
    let process = btf.offset(super::TASK, "tgid", ValueKind::Number(4))?;
    writer.code.load(Four, R::R1, NODE, process);
    writer.code.store(Four, R::STACK, PROCESS, R::R1);
    writer.namespace(HOME, NODE, done)?;
    writer.pointer(R::R1, FILE, ["file", "f_inode"])?;
    writer.pointer(R::R2, R::R1, ["inode", "i_sb"])?;
    let kind = btf.offset("super_block", "s_magic", ValueKind::Number(8))?;
    writer.code.load(Eight, R::R2, R::R2, kind);
    writer.code.jump(Condition::Is(R::R2, SOCKFS), socket);
    writer.code.jump(Condition::IsNot(R::R2, NSFS), done);
    let inode = btf.offset("inode", "i_ino", ValueKind::Number(8))?;
    writer.code.load(Eight, R::R3, R::R1, inode);
    writer.code.jump(Condition::Always, tell);
    writer.code.place(socket);
    writer.code.load(Four, R::R1, R::STACK, THREAD);
    writer.code.set_unsigned(R::R2, SOCKET);
    writer.code.add_register(R::R1, R::R2);
    writer.code.store(Four, R::STACK, THREAD, R::R1);
    writer.pointer(R::R1, FILE, ["file", "private_data"])?;
    writer.cast("socket")?;
    writer.pointer(R::R1, R::R0, ["socket", "sk"])?;
    writer.code.jump(Condition::Is(R::R1, 0), done);
    writer.pointer(R::R1, R::R1, ["sock", "__sk_common.skc_net.net"])?;
    let inode = btf.offset("net", INUM, ValueKind::Number(4))?;
    writer.code.load(Four, R::R3, R::R1, inode);
    writer.code.place(tell);
    writer.code.jump(Condition::Same(R::R3, HOME), done);
    writer.code.store(Four, R::STACK, INODE, R::R3);
    writer.tell();
    writer.code.place(done);
    writer.code.set(R::R0, 0);
    writer.code.exit();
    Ok(writer.code.finish())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::{Holder, find};
    use crate::netns::here;
    use crate::skip::skip;
    use nix::sched::{CloneFlags, unshare};
    use std::fs::File;
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd as _;
    use std::thread::spawn;

    #[test]
    fn descriptors_of_another_namespace_are_told_and_no_others() {
        let own = here().unwrap().inode;
        let made = spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            let namespace = File::open("/proc/thread-self/ns/net").unwrap();
            (here().unwrap().inode, socket, namespace)
        });
        let (inode, socket, namespace) = made.join().unwrap();
        let at_home = UdpSocket::bind("127.0.0.1:0").unwrap();
        let wanted = [own, inode].into();
        let mut found = match find(&wanted) {
            Ok(found) => found,
            Err(error) => return skip(error.chain()),
        };
        let pid = std::process::id();
        let holder = |fd: i32, is_socket| Holder {
            inode,
            pid,
            fd: fd.cast_unsigned(),
            is_socket,
        };
        found.retain(|one| one.inode == inode);
        found.sort_unstable_by_key(|one| one.is_socket);
        let expected = [
            holder(namespace.as_raw_fd(), false),
            holder(socket.as_raw_fd(), true),
        ];
        assert_eq!(found, expected);
        drop(at_home);
    }
}
