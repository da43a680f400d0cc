//! Lines of `net/tcp`, `net/udp`, `net/udplite`, `net/raw`, `net/icmp` and their IPv6 twins.
//!
//! The columns are those of `get_tcp4_sock` (`net/ipv4/tcp_ipv4.c`) and `udp4_format_sock`
//! (`net/ipv4/udp.c`). The columns after the inode depend on kernel and socket: connection requests and
//! `TIME_WAIT` sockets end after the pointer; before Linux 2.6.27 datagram sockets have no `drops`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::column::{Column, Columns};
use super::{nonzero, owner, set_drops};
use crate::error::Malformed;
use crate::model::{
    Endpoint, Family, PortKind, ProcNetExtras, Protocol, Socket, State, Timer, TimerKind,
};

/// Milliseconds of a clock tick in `/proc`: `USER_HZ` is 100 (`include/asm-generic/param.h`).
const TICK_MS: u64 = 10;
/// No timer is set for longer, even with the largest `tcp_keepalive_time`: such a time is negative, the timer is
/// overdue. (Older kernels print it as an unsigned number of 32 or 64 bits, divided or not.)
const PAST_TICKS: u64 = (1 << 31) / TICK_MS;
/// From here on a queue's length is negative: the kernel is about to change it.
const NEGATIVE: u32 = 1 << 31;

pub(super) fn decode(line: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let mut columns = Columns::new(line);
    columns.next("sl")?.slot()?;
    decode_ends(&mut columns, socket)?;
    socket.state = socket.protocol.state(columns.next("st")?.hex(2..=2)?);
    decode_queues(columns.next("tx_queue")?, socket)?;
    let mut extras = decode_timer(&mut columns)?;
    let uid = columns.next("uid")?.counter()?;
    let probes = columns.next("timeout")?.counter()?;
    let inode = columns.next("inode")?.inode()?;
    // Reference count and pointer.
    for name in ["ref", "pointer"] {
        columns.optional(name)?.map_or(Ok(()), Column::pointer)?;
    }
    if socket.protocol == Protocol::Tcp {
        extras.rx_queue = socket.recv_queue.unwrap_or_default();
        extras.tx_queue = socket.send_queue.unwrap_or_default();
        extras.probes = probes;
        socket.timer = timer(&extras);
        socket.proc_net = Some(extras);
        forget_leftovers(socket);
    } else if let Some(drops) = columns.optional("drops")? {
        set_drops(socket, drops.counter()?);
    }
    socket.uid = owner(uid, inode, socket.state);
    socket.inode = nonzero(inode);
    columns.end()
}

/// Clears numbers that mean nothing. A TCP socket without a port was never bound; sandboxes list such sockets.
fn forget_leftovers(socket: &mut Socket) {
    for queue in [&mut socket.recv_queue, &mut socket.send_queue] {
        *queue = queue.filter(|length| *length < NEGATIVE);
    }
    match socket.state {
        // The peer of a bound socket is cleared later, unless the file's own text is needed.
        State::Bound => {
            (socket.recv_queue, socket.send_queue) = (None, None);
            if socket.local.port.is_none() {
                socket.peer.clear();
                socket.state = State::Closed;
            }
        }
        State::SynSent if socket.timer.is_none() => socket.send_queue = None,
        // The backlog limit is not listed.
        State::Listen => socket.send_queue = None,
        _ => {}
    }
}

fn decode_ends(columns: &mut Columns<'_>, socket: &mut Socket) -> Result<(), Malformed> {
    let family = socket.family;
    decode_end(columns.next("local_address")?, family, &mut socket.local)?;
    if socket.protocol.port() == PortKind::IpProtocol {
        // The IP protocol number; 0 is valid.
        socket.local.port = socket.local.port.or(Some(0));
    }
    let name = if family == Family::Inet6 {
        "remote_address"
    } else {
        "rem_address"
    };
    decode_end(columns.next(name)?, family, &mut socket.peer)
}

fn decode_end(column: Column<'_>, family: Family, end: &mut Endpoint) -> Result<(), Malformed> {
    let (ip, port) = column.pair("has no port")?;
    end.ip = Some(if family == Family::Inet6 {
        IpAddr::V6(decode_ipv6(ip)?)
    } else {
        IpAddr::V4(Ipv4Addr::from(decode_word(ip)?))
    });
    end.port = nonzero(port.hex::<u32>(4..=4)?);
    Ok(())
}

/// Four bytes of an address, which the kernel prints as one native-endian number.
fn decode_word(column: Column<'_>) -> Result<[u8; 4], Malformed> {
    Ok(column.hex::<u32>(8..=8)?.to_ne_bytes())
}

fn decode_ipv6(column: Column<'_>) -> Result<Ipv6Addr, Malformed> {
    let (words @ [_, _, _, _], []) = column.text.as_chunks::<8>() else {
        return Err(column.error("has the wrong number of digits"));
    };
    let mut octets = [0; 16];
    for (word, four) in words.iter().zip(octets.as_chunks_mut::<4>().0) {
        *four = decode_word(column.part(word))?;
    }
    Ok(Ipv6Addr::from(octets))
}

fn decode_queues(column: Column<'_>, socket: &mut Socket) -> Result<(), Malformed> {
    let (sent, received) = column.pair("has no rx_queue")?;
    socket.send_queue = Some(sent.hex(8..=8)?);
    socket.recv_queue = Some(received.hex(8..=8)?);
    Ok(())
}

/// `tr`, `tm->when` and `retrnsmt`.
fn decode_timer(columns: &mut Columns<'_>) -> Result<ProcNetExtras, Malformed> {
    let (code, ticks) = columns.next("tr")?.pair("has no tm->when")?;
    Ok(ProcNetExtras {
        timer: code.hex(2..=2)?,
        // `%08lX` prints more digits if needed.
        ticks: ticks.hex(8..=16)?,
        retransmits: columns.next("retrnsmt")?.hex(8..=8)?,
        ..ProcNetExtras::default()
    })
}

/// The running timer. The header calls the count of unanswered probes `timeout`; it is `icsk_probes_out`, which
/// `inet_diag` reports for these two timers as well.
fn timer(extras: &ProcNetExtras) -> Option<Timer> {
    let kind = TimerKind::from_code(extras.timer)?;
    let sent = match kind {
        TimerKind::Keepalive | TimerKind::Probe => extras.probes,
        TimerKind::Retransmit | TimerKind::TimeWait | TimerKind::DelayedAck => extras.retransmits,
    };
    let ticks = Some(extras.ticks).filter(|ticks| *ticks < PAST_TICKS);
    Some(Timer {
        kind,
        expires_ms: u32::try_from(ticks.unwrap_or(0) * TICK_MS).unwrap_or(u32::MAX),
        retransmits: u8::try_from(sent).unwrap_or(u8::MAX),
    })
}
