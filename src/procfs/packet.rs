//! Lines of `net/packet`, as `packet_seq_show` (`net/packet/af_packet.c`) writes them.

use super::column::Columns;
use super::{LineError, nonzero, owner};
use crate::model::{Socket, SocketType};

pub(super) fn decode(line: &[u8], socket: &mut Socket) -> Result<(), LineError> {
    let mut columns = Columns::new(line);
    columns.next("sk")?.pointer()?;
    columns.next("RefCnt")?.decimal::<u32>()?;
    let kind = columns.next("Type")?.decimal()?;
    let protocol = columns.next("Proto")?.hex(4..=4)?;
    let interface = columns.next("Iface")?.decimal()?;
    columns.next("R")?.decimal::<u32>()?;
    socket.recv_queue = Some(columns.next("Rmem")?.decimal()?);
    let uid = columns.next("User")?.decimal()?;
    let inode = columns.next("Inode")?.decimal()?;
    columns.end()?;
    socket.kind = SocketType::from_code(kind);
    socket.local.port = nonzero(protocol);
    socket.interface = nonzero(interface);
    socket.uid = owner(uid, inode, socket.state);
    socket.inode = nonzero(inode);
    Ok(())
}
