//! Lines of `net/packet`, as `packet_seq_show` (`net/packet/af_packet.c`) writes them.

use super::column::Columns;
use super::{nonzero, owner};
use crate::error::Malformed;
use crate::model::{Socket, SocketType};

pub(super) fn decode(line: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let mut columns = Columns::new(line);
    columns.next("sk")?.pointer()?;
    columns.next("RefCnt")?.counter()?;
    let kind = columns.next("Type")?.decimal()?;
    let protocol = columns.next("Proto")?.hex(4..=4)?;
    // -1 if the interface is gone.
    let interface = columns.next("Iface")?.counter()?;
    columns.next("R")?.counter()?;
    socket.recv_queue = Some(columns.next("Rmem")?.counter()?);
    let uid = columns.next("User")?.counter()?;
    let inode = columns.next("Inode")?.inode()?;
    columns.end()?;
    socket.kind = SocketType::from_code(kind);
    socket.local.port = nonzero(protocol);
    socket.interface = nonzero(interface);
    socket.uid = owner(uid, inode, socket.state);
    socket.inode = nonzero(inode);
    Ok(())
}
