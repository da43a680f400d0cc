//! Writes the checks of a filter as instructions of a program that tests TCP sockets.
//!
//! They equal those of `INET_DIAG_REQ_BYTECODE`. A socket passes if they cannot decide; the full filter is applied
//! later.
//! later.

use std::net::IpAddr;

use crate::bpf::Size::{self, Eight, Four, Two};
use crate::bpf::{Assembler, Btf, Condition, Label, Malformed, Register as R, ValueKind};
use crate::filter::{Check, Operation, Prefix, Side};
use crate::model::Family;

/// The structure at the start of `struct sock`.
pub(super) const COMMON: &str = "sock_common";
pub(super) const AF_INET6: i32 = 10;
/// The kernel's numbers for the families.
pub(super) const FAMILIES: [(Family, i32); 2] = [(Family::Inet, 2), (Family::Inet6, AF_INET6)];
/// The local and the peer address, each for IPv4 and IPv6.
pub(super) const ADDRESSES: [[&str; 2]; 2] = [
    ["skc_rcv_saddr", "skc_v6_rcv_saddr"],
    ["skc_daddr", "skc_v6_daddr"],
];
/// The path from a socket to its cgroup.
pub(super) const CGROUP: [[&str; 2]; 3] = [
    ["sock", "sk_cgrp_data.cgroup"],
    ["cgroup", "kn"],
    ["kernfs_node", "id"],
];

/// Offsets of the ports in eight bytes of the stack. In registers, the verifier would follow every path through the
/// checks with what it knows of the ports; so it would at the start of a stack word.
const LOCAL_PORT: i16 = 2;
const PEER_PORT: i16 = 4;

/// The first words of an IPv4-mapped IPv6 address.
const MAPPED: [u32; 3] = [0, 0, 0xffff];

// States that are other structures than a socket (`include/net/tcp_states.h`).
const TIME_WAIT: i32 = 6;
const NEW_SYN_RECV: i32 = 12;

/// The targets of a check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    /// The socket passes, whatever follows.
    pub(super) pass: Label,
    pub(super) fail: Label,
}

/// When a program tests a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At a transition: a value that may change later passes.
    Step,
    /// When it is listed.
    Listed,
}

/// Writes checks into a program. They overwrite the first two registers.
pub(super) struct Checks<'c, 'b> {
    pub(super) code: &'c mut Assembler,
    pub(super) btf: &'c Btf<'b>,
    /// The register with the socket's address.
    pub(super) socket: R,
    /// Eight bytes of the stack for the ports.
    pub(super) ports: i16,
    pub(super) when: When,
}

impl Checks<'_, '_> {
    /// Reads the ports.
    pub(super) fn read_ports(&mut self, local: R, peer: R) -> Result<(), Malformed> {
        self.read(Two, peer, [COMMON, "skc_dport"])?;
        self.code.from_network(Two, peer);
        self.read(Two, local, [COMMON, "skc_num"])
    }

    /// Stores the ports for the checks, in host order; 0 = this end is unknown, or there is none.
    pub(super) fn keep_ports(&mut self, local: R, peer: R) {
        for (place, port) in [(LOCAL_PORT, local), (PEER_PORT, peer)] {
            self.code.store(Two, R::STACK, self.ports + place, port);
        }
    }

    /// Writes the checks, operation by operation. A socket that passes may also continue after them.
    pub(super) fn write(
        &mut self,
        operations: &[Operation],
        family: Family,
        ways: Ways,
    ) -> Result<(), Malformed> {
        let labels: Vec<Label> = operations.iter().map(|_| self.code.label()).collect();
        for (operation, label) in operations.iter().zip(&labels) {
            self.code.place(*label);
            let ways = Ways {
                fail: match labels.get(operation.fail) {
                    Some(label) => *label,
                    None if operation.fail == labels.len() => ways.pass,
                    None => ways.fail,
                },
                ..ways
            };
            self.check(operation.check, family, ways)?;
        }
        Ok(())
    }

    fn check(&mut self, check: Check, family: Family, ways: Ways) -> Result<(), Malformed> {
        match check {
            Check::Never => self.leave(ways.fail),
            Check::PortAtLeast(side, least) => {
                self.port(side, ways);
                if let Some(below) = least.checked_sub(1) {
                    let below = Condition::AtMost(R::R1, below.into());
                    self.code.jump(below, ways.fail);
                }
            }
            Check::PortAtMost(side, most) => {
                self.port(side, ways);
                let holds = self.code.label();
                self.code.jump(Condition::AtMost(R::R1, most.into()), holds);
                self.code.jump(Condition::Always, ways.fail);
                self.code.place(holds);
            }
            Check::Host(side, prefix) => self.host(side, prefix, family, ways)?,
            Check::Interface(index) => {
                self.read(Four, R::R1, [COMMON, "skc_bound_dev_if"])?;
                self.differs(index, ways.fail);
            }
            check if check.may_change() && self.when == When::Step => {
                self.leave(ways.pass);
            }
            Check::Mark { value, mask } => {
                self.is_full(ways)?;
                self.read(Four, R::R1, ["sock", "sk_mark"])?;
                self.code.set_unsigned(R::R2, value);
                self.code.exclusive_or(R::R1, R::R2);
                let differs = Condition::HasBits(R::R1, mask.cast_signed());
                self.code.jump(differs, ways.fail);
            }
            Check::Cgroup(id) => {
                self.is_full(ways)?;
                let mut from = self.socket;
                for [structure, path] in CGROUP {
                    let offset = self.offset(Eight, [structure, path])?;
                    self.code.load(Eight, R::R1, from, offset);
                    from = R::R1;
                }
                self.code.set_long(R::R2, id);
                self.code.jump(Condition::Differ(R::R1, R::R2), ways.fail);
            }
        }
        Ok(())
    }

    /// Passes structures that are no full socket.
    fn is_full(&mut self, ways: Ways) -> Result<(), Malformed> {
        let state = self.btf.offset(COMMON, "skc_state", ValueKind::Number(1))?;
        self.code.load(Size::One, R::R1, self.socket, state);
        for state in [TIME_WAIT, NEW_SYN_RECV] {
            self.code.jump(Condition::Is(R::R1, state), ways.pass);
        }
        Ok(())
    }

    /// Loads the port into the first register; passes if unknown.
    fn port(&mut self, side: Side, ways: Ways) {
        let place = self.ports
            + match side {
                Side::Local => LOCAL_PORT,
                Side::Peer => PEER_PORT,
            };
        self.code.load(Two, R::R1, R::STACK, place);
        self.code.jump(Condition::Is(R::R1, 0), ways.pass);
    }

    fn host(
        &mut self,
        side: Side,
        prefix: Prefix,
        family: Family,
        ways: Ways,
    ) -> Result<(), Malformed> {
        // Without a peer, neither address is final.
        self.port(Side::Peer, ways);
        let [own, peer] = ADDRESSES;
        let [ipv4, ipv6] = match side {
            Side::Local => own,
            Side::Peer => peer,
        };
        let mut length = i32::from(prefix.length);
        let mut place = match family {
            Family::Inet => self.offset(Four, [COMMON, ipv4])?,
            _ => self.btf.offset(COMMON, ipv6, ValueKind::Structure(16))?,
        };
        let words = match (prefix.address, family) {
            (IpAddr::V4(address), Family::Inet) => vec![address.to_bits()],
            (IpAddr::V4(address), _) => {
                length += 96;
                MAPPED.into_iter().chain([address.to_bits()]).collect()
            }
            (IpAddr::V6(_), Family::Inet) => {
                self.leave(ways.fail);
                return Ok(());
            }
            (IpAddr::V6(address), _) => {
                let bits = address.to_bits();
                let word = |place: u32| (bits >> (96 - 32 * place)) & u128::from(u32::MAX);
                (0..4)
                    .filter_map(|place| u32::try_from(word(place)).ok())
                    .collect()
            }
        };
        for word in words {
            // Bits outside the prefix.
            let rest = (32 - length).clamp(0, 32);
            if rest < 32 {
                self.code.load(Four, R::R1, self.socket, place);
                self.code.from_network(Four, R::R1);
                self.code.shift_down(R::R1, rest);
                self.differs(word.unbounded_shr(rest.unsigned_abs()), ways.fail);
            }
            place += 4;
            length -= 32;
        }
        Ok(())
    }

    /// Jumps unconditionally. The kernel refuses a program with unreachable code, so the jump has a condition.
    fn leave(&mut self, to: Label) {
        self.code.set(R::R1, 0);
        self.code.jump(Condition::Is(R::R1, 0), to);
    }

    /// Jumps if the first register holds another number.
    fn differs(&mut self, number: u32, fail: Label) {
        self.code.set_unsigned(R::R2, number);
        self.code.jump(Condition::Differ(R::R1, R::R2), fail);
    }

    fn read(&mut self, size: Size, into: R, field: [&str; 2]) -> Result<(), Malformed> {
        let offset = self.offset(size, field)?;
        self.code.load(size, into, self.socket, offset);
        Ok(())
    }

    fn offset(&self, size: Size, field: [&str; 2]) -> Result<i16, Malformed> {
        offset(self.btf, size, field)
    }
}

/// The offset of a number of this size; of eight bytes also of a pointer.
pub(super) fn offset(
    btf: &Btf<'_>,
    size: Size,
    [structure, path]: [&str; 2],
) -> Result<i16, Malformed> {
    let bytes = u32::from(size.bytes().unsigned_abs());
    let number = btf.offset(structure, path, ValueKind::Number(bytes));
    number.or_else(|none| match size {
        Eight => btf.offset(structure, path, ValueKind::Pointer),
        _ => Err(none),
    })
}

#[cfg(test)]
pub(super) mod samples;
