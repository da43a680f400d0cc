//! Lines of `net/netlink`, as `netlink_seq_show` (`net/netlink/af_netlink.c`) writes them. Linux 2.6.18 lacks
//! `Drops` and `Inode`.

use super::column::Columns;
use super::{nonzero, set_drops};
use crate::error::Malformed;
use crate::model::{ProcNetExtras, Socket, netlink_family_name};

pub(super) fn decode(line: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let mut columns = Columns::new(line);
    columns.next("sk")?.pointer()?;
    let family = columns.next("Eth")?.decimal()?;
    // A 32-bit number. All sockets in this table have one; 0 is the kernel's.
    let port = columns.next("Pid")?.counter()?;
    socket.is_kernel = port == 0;
    socket.local.port = Some(port);
    columns.next("Groups")?.hex::<u32>(8..=8)?;
    socket.recv_queue = Some(columns.next("Rmem")?.counter()?);
    socket.send_queue = Some(columns.next("Wmem")?.counter()?);
    // A flag; older kernels print a pointer.
    columns.next("Dump")?.pointer()?;
    columns.next("Locks")?.counter()?;
    if let Some(drops) = columns.optional("Drops")? {
        set_drops(socket, drops.counter()?);
    }
    match columns.optional("Inode")? {
        Some(inode) => socket.inode = nonzero(inode.inode()?),
        None => {
            socket.proc_net = Some(ProcNetExtras {
                lacks_inode: port != 0,
                ..ProcNetExtras::default()
            });
        }
    }
    columns.end()?;
    let name = netlink_family_name(family);
    socket.local.set_name(name.as_bytes());
    Ok(())
}
