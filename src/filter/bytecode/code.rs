//! Operations of the kernel's socket filter (`include/uapi/linux/inet_diag.h`), and programs of them.
//!
//! An operation is followed by its argument. `yes` is the length of both: the kernel finds its way
//! through a program by it, so that success always leads to what comes next. Failure leads `no`
//! bytes on. A program that ends exactly at its end accepts; one that jumps four bytes beyond it
//! rejects.

use std::net::IpAddr;

use crate::filter::{Prefix, Side, Tree};

// `INET_DIAG_BC_*`.
/// Always fails.
pub(super) const JMP: u8 = 1;
pub(super) const S_GE: u8 = 2;
pub(super) const S_LE: u8 = 3;
pub(super) const D_GE: u8 = 4;
pub(super) const D_LE: u8 = 5;
pub(super) const S_COND: u8 = 7;
pub(super) const D_COND: u8 = 8;
pub(super) const DEV_COND: u8 = 9;
/// Refused without `CAP_NET_ADMIN`.
const MARK_COND: u8 = 10;
const CGROUP_COND: u8 = 13;

/// `AF_INET` (`include/linux/socket.h`).
pub(super) const AF_INET: u8 = 2;
/// `AF_INET6`.
pub(super) const AF_INET6: u8 = 10;
/// `inet_diag_hostcond.port` where the port does not matter.
const ANY_PORT: i32 = -1;

/// How long the test of an address takes, in other tests.
const HOST_STEPS: usize = 4;

/// Bytes of an operation without an argument: `struct inet_diag_bc_op`.
pub(super) const OP_LEN: usize = 4;

/// One test of the kernel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    code: u8,
    argument: Vec<u8>,
}

impl Leaf {
    /// The port is not below this one. (`S_EQ` and `D_EQ` came with Linux 5.16.)
    pub(super) fn port_at_least(side: Side, port: u16) -> Self {
        Self::port(if side == Side::Local { S_GE } else { D_GE }, port)
    }

    /// The port is not above this one.
    pub(super) fn port_at_most(side: Side, port: u16) -> Self {
        Self::port(if side == Side::Local { S_LE } else { D_LE }, port)
    }

    /// The port stands in the `no` of a second operation.
    fn port(code: u8, port: u16) -> Self {
        let [low, high] = port.to_ne_bytes();
        Self::new(code, &[0, 0, low, high])
    }

    /// The address of an end begins so; `None` when no address is so long. The kernel lets IPv4
    /// meet IPv4-mapped addresses.
    pub(super) fn host(side: Side, prefix: Prefix) -> Option<Self> {
        let (family, address) = match prefix.address {
            IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
            IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
        };
        if usize::from(prefix.length) > 8 * address.len() {
            return None;
        }
        let code = if side == Side::Local { S_COND } else { D_COND };
        // `struct inet_diag_hostcond`: two bytes of padding before the port.
        let condition = [family, prefix.length, 0, 0];
        let port = ANY_PORT.to_ne_bytes();
        Some(Self::new(code, &[&condition, &port, &*address].concat()))
    }

    /// The socket is bound to this interface; 0 = to none.
    pub(super) fn interface(index: u32) -> Self {
        Self::new(DEV_COND, &index.to_ne_bytes())
    }

    /// The mark under a mask is this one.
    pub(super) fn mark(value: u32, mask: u32) -> Self {
        // `struct inet_diag_markcond`.
        let condition = [value.to_ne_bytes(), mask.to_ne_bytes()];
        Self::new(MARK_COND, condition.as_flattened())
    }

    /// The socket belongs to this cgroup; 0 = to none.
    pub(super) fn cgroup(id: u64) -> Self {
        Self::new(CGROUP_COND, &id.to_ne_bytes())
    }

    fn new(code: u8, argument: &[u8]) -> Self {
        let argument = argument.to_vec();
        Self { code, argument }
    }

    const fn len(&self) -> usize {
        OP_LEN + self.argument.len()
    }

    const fn steps(&self) -> usize {
        match self.code {
            S_COND | D_COND => HOST_STEPS,
            _ => 1,
        }
    }
}

/// What has to hold of a socket that is listed.
pub(super) type Node = Tree<Leaf>;

impl Node {
    /// Without the parts of a conjunction that make it heavier than that.
    pub(super) fn within(self, limit: usize) -> Self {
        let mut left = limit;
        let members = match self {
            Self::All(members) => members,
            other => vec![other],
        };
        Self::all(members.into_iter().filter(|member| {
            let rest = left.checked_sub(member.steps());
            left = rest.unwrap_or(left);
            rest.is_some()
        }))
    }

    /// What the kernel does for one socket at the most.
    fn steps(&self) -> usize {
        match self {
            Self::All(members) => members.iter().map(Self::steps).sum(),
            Self::Any(members) => members.iter().map(|member| member.steps() + 1).sum(),
            Self::Not(inner) => inner.steps() + 1,
            Self::Test(leaf) => leaf.steps(),
        }
    }

    /// Its program; empty when it accepts everything, or would be too long to jump in.
    pub(super) fn program(&self) -> Vec<u8> {
        let mut program = Vec::with_capacity(self.len());
        let reject = self.len() + OP_LEN;
        match self.emit(reject, &mut program) {
            Some(()) => program,
            None => Vec::new(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::All(members) => members.iter().map(Self::len).sum(),
            Self::Any(members) => {
                // One behind each member but the last; of no member, the one that rejects.
                let jumps = members.len().abs_diff(1) * OP_LEN;
                members.iter().map(Self::len).sum::<usize>() + jumps
            }
            Self::Not(inner) => inner.len() + OP_LEN,
            Self::Test(leaf) => leaf.len(),
        }
    }

    /// Appends it: success leads to what comes next, failure to the place `fail`.
    fn emit(&self, fail: usize, program: &mut Vec<u8>) -> Option<()> {
        let end = program.len() + self.len();
        match self {
            Self::All(members) => members
                .iter()
                .try_for_each(|member| member.emit(fail, program)),
            Self::Any(members) => {
                let Some((last, others)) = members.split_last() else {
                    return emit_jump(fail, program);
                };
                for member in others {
                    let next = program.len() + member.len() + OP_LEN;
                    member.emit(next, program)?;
                    emit_jump(end, program)?;
                }
                last.emit(fail, program)
            }
            Self::Not(inner) => {
                inner.emit(end, program)?;
                emit_jump(fail, program)
            }
            Self::Test(leaf) => {
                emit_op(leaf.code, leaf.len(), fail, program)?;
                program.extend_from_slice(&leaf.argument);
                Some(())
            }
        }
    }
}

fn emit_jump(to: usize, program: &mut Vec<u8>) -> Option<()> {
    emit_op(JMP, OP_LEN, to, program)
}

fn emit_op(code: u8, len: usize, fail: usize, program: &mut Vec<u8>) -> Option<()> {
    let distance = fail.checked_sub(program.len())?;
    let no = u16::try_from(distance).ok()?;
    program.extend([code, u8::try_from(len).ok()?]);
    program.extend(no.to_ne_bytes());
    Some(())
}
