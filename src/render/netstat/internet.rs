//! TCP, UDP, UDP-Lite and raw sockets.

use super::{NetstatLayout, PROGRAM_TITLE, Title, address, padded, program};
use crate::fields::Side;
use crate::model::{Family, ProcNetExtras, Protocol, Row, Socket, State, Timer, TimerKind};
use crate::render::{Extras, digits};

pub(super) const TITLES: [Title; 4] = [
    (
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State      ",
        None,
    ),
    (" User       Inode     ", Some(Extras::EXTENDED)),
    PROGRAM_TITLE,
    (" Timer", Some(Extras::TIMERS)),
];

pub(super) fn row(out: &mut Vec<u8>, layout: &NetstatLayout, row: &Row<'_>) {
    let socket = row.socket;
    padded(out, 6, |out| protocol(out, socket));
    queues(out, socket);
    for side in [Side::Local, Side::Peer] {
        address::write(out, layout, side, row);
        out.push(b' ');
    }
    padded(out, 11, |out| state(out, socket));
    owner(out, layout, row);
    if layout.extras.has(Extras::TIMERS) {
        timer(out, socket);
    }
    out.push(b'\n');
}

pub(super) fn queues(out: &mut Vec<u8>, socket: &Socket) {
    for queue in [recv_queue(socket), send_queue(socket)] {
        digits::right_aligned(out, queue.into(), 6);
        out.push(b' ');
    }
}

/// User, inode and process, if they are columns.
pub(super) fn owner(out: &mut Vec<u8>, layout: &NetstatLayout, row: &Row<'_>) {
    if layout.extras.has(Extras::EXTENDED) {
        user(out, row);
    }
    program(out, layout, row);
}

fn protocol(out: &mut Vec<u8>, socket: &Socket) {
    out.extend_from_slice(match socket.protocol {
        Protocol::Udp => &b"udp"[..],
        Protocol::UdpLite => b"udpl",
        Protocol::Raw => b"raw",
        _ => b"tcp",
    });
    if socket.family == Family::Inet6 {
        out.push(b'6');
    }
}

/// The value in `/proc/net/tcp`, whatever it means there.
fn recv_queue(socket: &Socket) -> u32 {
    let listed = socket.proc_net.map(|listed| listed.rx_queue);
    listed.or(socket.recv_queue).unwrap_or_default()
}

/// Likewise; for a listener it is not the limit of its queue.
fn send_queue(socket: &Socket) -> u32 {
    match (socket.proc_net, socket.state) {
        (Some(listed), _) => listed.tx_queue,
        (None, State::Listen) => 0,
        (None, _) => socket.send_queue.unwrap_or_default(),
    }
}

fn state(out: &mut Vec<u8>, socket: &Socket) {
    let word = match socket.protocol {
        Protocol::Raw => return digits::integer(out, raw_state(socket.state).into()),
        Protocol::Tcp => tcp_state(socket.state),
        _ => match socket.state {
            State::Established => "ESTABLISHED",
            State::Unconn => "",
            _ => "UNKNOWN",
        },
    };
    out.extend_from_slice(word.as_bytes());
}

const fn tcp_state(state: State) -> &'static str {
    match state {
        State::SynRcvd => "SYN_RECV",
        State::FinWait1 => "FIN_WAIT1",
        State::FinWait2 => "FIN_WAIT2",
        State::Closed | State::Bound | State::Unconn => "CLOSE",
        same => same.name(),
    }
}

/// The kernel's code; a raw socket has no other states.
const fn raw_state(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::Unknown(code) => code,
        _ => 7,
    }
}

fn user(out: &mut Vec<u8>, row: &Row<'_>) {
    let socket = row.socket;
    let mut number = itoa::Buffer::new();
    let user = row.user.filter(|name| !name.is_empty());
    let user = user.unwrap_or_else(|| {
        // Sockets without an owner show as root's; the number is printed as signed.
        number.format(socket.uid.unwrap_or_default().cast_signed())
    });
    out.push(b' ');
    padded(out, 10, |out| out.extend_from_slice(user.as_bytes()));
    out.push(b' ');
    padded(out, 10, |out| {
        digits::integer(out, socket.inode.unwrap_or_default());
    });
}

/// The words for the kernel's codes.
const TIMERS: [&str; 5] = ["off", "on", "keepalive", "timewait", "probe"];

/// `on (0.20/3/0)`: timer, seconds, retransmissions, unanswered probes.
fn timer(out: &mut Vec<u8>, socket: &Socket) {
    let listed = socket.proc_net.or(socket.timer.map(as_listed));
    let listed = listed.unwrap_or_default();
    out.push(b' ');
    if let Some(word) = TIMERS.get(usize::from(listed.timer)) {
        out.extend_from_slice(word.as_bytes());
    } else {
        out.extend_from_slice(b"unkn-");
        digits::integer(out, listed.timer.into());
    }
    out.extend_from_slice(b" (");
    let ticks = if listed.timer == 0 { 0 } else { listed.ticks };
    digits::integer(out, ticks / 100);
    out.push(b'.');
    for digit in [ticks / 10 % 10, ticks % 10] {
        digits::integer(out, digit);
    }
    for count in [listed.retransmits, listed.probes] {
        out.push(b'/');
        digits::integer(out, count.into());
    }
    out.push(b')');
}

/// A timer from netlink as columns of `/proc/net/tcp`.
fn as_listed(timer: Timer) -> ProcNetExtras {
    let sent = timer.retransmits.into();
    let (code, retransmits, probes) = match timer.kind {
        TimerKind::Retransmit => (1, sent, 0),
        TimerKind::Keepalive => (2, 0, sent),
        TimerKind::TimeWait => (3, sent, 0),
        TimerKind::Probe => (4, 0, sent),
        TimerKind::DelayedAck => (5, sent, 0),
    };
    ProcNetExtras {
        timer: code,
        ticks: u64::from(timer.expires_ms) / 10,
        retransmits,
        probes,
        ..ProcNetExtras::default()
    }
}
