//! `inet_diag_bc_run` and `inet_diag_bc_audit`, after `net/ipv4/inet_diag.c` of Linux 6.18.

use std::net::{IpAddr, Ipv4Addr};

const NOP: u8 = 0;
const JMP: u8 = 1;
const AUTO: u8 = 6;
const DEV_COND: u8 = 9;
const MARK_COND: u8 = 10;
const CGROUP_COND: u8 = 13;

/// A socket as a program sees it (`struct inet_diag_entry`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) local: IpAddr,
    pub(super) peer: IpAddr,
    pub(super) sport: u16,
    pub(super) dport: u16,
    pub(super) interface: u32,
    pub(super) mark: u32,
    pub(super) cgroup: u64,
}

impl Default for Entry {
    fn default() -> Self {
        let any = Ipv4Addr::UNSPECIFIED.into();
        Self::between(any, any)
    }
}

impl Entry {
    pub(super) const fn between(local: IpAddr, peer: IpAddr) -> Self {
        Self {
            local,
            peer,
            sport: 0,
            dport: 0,
            interface: 0,
            mark: 0,
            cgroup: 0,
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// True if the program accepts this socket.
pub(super) fn runs(program: &[u8], entry: &Entry) -> bool {
    let mut at = 0;
    while at < program.len() {
        let op = &program[at..];
        at += if passes(op, entry) {
            usize::from(op[1])
        } else {
            usize::from(u16_at(op, 2))
        };
    }
    at == program.len()
}

fn passes(op: &[u8], entry: &Entry) -> bool {
    match op[0] {
        NOP => true,
        JMP => false,
        2 => entry.sport >= u16_at(op, 6),
        3 => entry.sport <= u16_at(op, 6),
        4 => entry.dport >= u16_at(op, 6),
        5 => entry.dport <= u16_at(op, 6),
        7 => meets(&op[4..], entry.local, entry.sport),
        8 => meets(&op[4..], entry.peer, entry.dport),
        DEV_COND => u32_at(op, 4) == entry.interface,
        MARK_COND => entry.mark & u32_at(op, 8) == u32_at(op, 4),
        CGROUP_COND => u64::from_ne_bytes(op[4..12].try_into().unwrap()) == entry.cgroup,
        other => panic!("operation {other}"),
    }
}

/// `struct inet_diag_hostcond` for one end.
fn meets(condition: &[u8], address: IpAddr, port: u16) -> bool {
    let wanted = u32_at(condition, 4);
    if wanted != u32::MAX && wanted != u32::from(port) {
        return false;
    }
    let length = usize::from(condition[1]);
    let begin = &condition[8..];
    match (condition[0], address) {
        (0, _) => length == 0,
        (2, IpAddr::V4(address)) => begins(&address.octets(), begin, length),
        (2, IpAddr::V6(address)) => address
            .to_ipv4_mapped()
            .is_some_and(|address| begins(&address.octets(), begin, length)),
        (10, IpAddr::V6(address)) => begins(&address.octets(), begin, length),
        (10, IpAddr::V4(_)) => false,
        (other, _) => panic!("family {other}"),
    }
}

/// `bitstring_match`
fn begins(address: &[u8], with: &[u8], bits: usize) -> bool {
    (0..bits).all(|bit| (address[bit / 8] ^ with[bit / 8]) & (0x80 >> (bit % 8)) == 0)
}

/// True if the kernel accepts this program (from root).
pub(super) fn audit(program: &[u8]) -> bool {
    if program.len() < 4 || program.len() > 0xffff - 4 {
        return false;
    }
    let mut at = 0;
    while at < program.len() {
        let op = &program[at..];
        let Some(least) = least_len(op) else {
            return false;
        };
        let (yes, no) = (usize::from(op[1]), usize::from(u16_at(op, 2)));
        let in_range = |to: usize| to >= least && to <= op.len() + 4 && to.is_multiple_of(4);
        if !in_range(yes) || (op[0] != NOP && !in_range(no)) {
            return false;
        }
        if op[0] != NOP && no < op.len() && !is_begin_of_op(program, at + no) {
            return false;
        }
        at += yes;
    }
    at == program.len()
}

/// Size of an operation with its argument; `None` = incomplete.
fn least_len(op: &[u8]) -> Option<usize> {
    let least = match *op.first()? {
        NOP | JMP | AUTO => 4,
        2..=5 | DEV_COND | 11 | 12 => 8,
        7 | 8 => {
            let (family, length) = (*op.get(4)?, *op.get(5)?);
            let octets = match family {
                0 => 0,
                2 => 4,
                10 => 16,
                _ => return None,
            };
            if usize::from(length) > 8 * octets {
                return None;
            }
            12 + octets
        }
        MARK_COND | CGROUP_COND => 12,
        _ => return None,
    };
    (least <= op.len()).then_some(least)
}

/// `valid_cc`: True if `yes` offsets alone lead there.
fn is_begin_of_op(program: &[u8], to: usize) -> bool {
    let mut at = 0;
    while at < to {
        at += usize::from(program[at + 1]);
    }
    at == to
}
