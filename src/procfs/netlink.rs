//! Lines of `net/netlink`, as `netlink_seq_show` (`net/netlink/af_netlink.c`) writes them.

use super::column::Columns;
use super::{LineError, nonzero, set_drops};
use crate::model::{Socket, netlink_family_name};

pub(super) fn decode(line: &[u8], socket: &mut Socket) -> Result<(), LineError> {
    let mut columns = Columns::new(line);
    columns.next("sk")?.pointer()?;
    let family = columns.next("Eth")?.decimal()?;
    // `%-10u`, and 0 is the kernel's own end.
    socket.local.port = Some(columns.next("Pid")?.decimal()?);
    columns.next("Groups")?.hex::<u32>(8..=8)?;
    socket.recv_queue = Some(columns.next("Rmem")?.decimal()?);
    socket.send_queue = Some(columns.next("Wmem")?.decimal()?);
    // A flag; older kernels print an address.
    columns.next("Dump")?.pointer()?;
    columns.next("Locks")?.decimal::<u32>()?;
    let drops = columns.next("Drops")?.counter()?;
    socket.inode = nonzero(columns.next("Inode")?.decimal()?);
    columns.end()?;
    let name = netlink_family_name(family);
    socket.local.set_name(name.as_bytes());
    set_drops(socket, drops);
    Ok(())
}
