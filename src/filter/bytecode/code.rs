//! Operations of the kernel's socket filter (`include/uapi/linux/inet_diag.h`), and programs of them.
//!
//! An operation is followed by its argument. `yes` is the length of both: the kernel finds its way
//! through a program by it, so that success always leads to what comes next. Failure leads `no`
//! bytes on. A program that ends exactly at its end accepts; one that jumps four bytes beyond it
//! rejects.

use std::net::IpAddr;

use zerocopy::byteorder::native_endian::{I32, U16, U32, U64};
use zerocopy::{Immutable, IntoBytes};

use crate::filter::{Prefix, Side, Tree};

/// `INET_DIAG_BC_JMP`: always fails.
const JMP: u8 = 1;
/// `INET_DIAG_BC_S_GE`.
const S_GE: u8 = 2;
/// `INET_DIAG_BC_S_LE`.
const S_LE: u8 = 3;
/// `INET_DIAG_BC_D_GE`.
const D_GE: u8 = 4;
/// `INET_DIAG_BC_D_LE`.
const D_LE: u8 = 5;
/// `INET_DIAG_BC_S_COND`.
const S_COND: u8 = 7;
/// `INET_DIAG_BC_D_COND`.
const D_COND: u8 = 8;
/// `INET_DIAG_BC_DEV_COND`.
const DEV_COND: u8 = 9;
/// `INET_DIAG_BC_MARK_COND`; refused without `CAP_NET_ADMIN`.
const MARK_COND: u8 = 10;
/// `INET_DIAG_BC_CGROUP_COND`.
const CGROUP_COND: u8 = 13;

/// `AF_INET` (`include/linux/socket.h`).
const AF_INET: u8 = 2;
/// `AF_INET6`.
const AF_INET6: u8 = 10;
/// `inet_diag_hostcond.port` where the port does not matter.
const ANY_PORT: i32 = -1;

/// `struct inet_diag_bc_op`.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct Op {
    code: u8,
    yes: u8,
    no: U16,
}

/// Does a program say of a socket the same through its whole life? Its mark can be set again, and what
/// the kernel keeps of a closed connection belongs to no cgroup.
pub(in crate::filter) fn lasts(program: &[u8]) -> bool {
    let mut rest = program;
    while let [code, yes, ..] = *rest {
        if [MARK_COND, CGROUP_COND].contains(&code) {
            return false;
        }
        // An operation is no shorter than its own head.
        let len = usize::from(yes).max(OP_LEN);
        rest = rest.get(len..).unwrap_or_default();
    }
    true
}

/// How long the test of an address takes, in other tests.
const HOST_STEPS: usize = 4;

/// Bytes of an operation without an argument.
const OP_LEN: usize = size_of::<Op>();

/// `struct inet_diag_hostcond`; the address follows.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct HostCondition {
    family: u8,
    prefix_len: u8,
    pad: U16,
    port: I32,
}

/// `struct inet_diag_markcond`.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct MarkCondition {
    mark: U32,
    mask: U32,
}

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
        let argument = Op {
            code: 0,
            yes: 0,
            no: U16::new(port),
        };
        Self::new(code, &argument)
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
        let condition = HostCondition {
            family,
            prefix_len: prefix.length,
            pad: U16::ZERO,
            port: I32::new(ANY_PORT),
        };
        let code = if side == Side::Local { S_COND } else { D_COND };
        let mut leaf = Self::new(code, &condition);
        leaf.argument.extend(address);
        Some(leaf)
    }

    /// The socket is bound to this interface; 0 = to none.
    pub(super) fn interface(index: u32) -> Self {
        Self::new(DEV_COND, &U32::new(index))
    }

    /// The mark under a mask is this one.
    pub(super) fn mark(value: u32, mask: u32) -> Self {
        let condition = MarkCondition {
            mark: U32::new(value),
            mask: U32::new(mask),
        };
        Self::new(MARK_COND, &condition)
    }

    /// The socket belongs to this cgroup; 0 = to none.
    pub(super) fn cgroup(id: u64) -> Self {
        Self::new(CGROUP_COND, &U64::new(id))
    }

    fn new(code: u8, argument: &(impl IntoBytes + Immutable)) -> Self {
        Self {
            code,
            argument: argument.as_bytes().to_vec(),
        }
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

    /// Bytes of its program.
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
    let op = Op {
        code,
        yes: u8::try_from(len).ok()?,
        no: U16::new(u16::try_from(distance).ok()?),
    };
    program.extend_from_slice(op.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{HostCondition, MarkCondition, Op};

    #[test]
    fn structures_have_the_sizes_of_the_kernel() {
        assert_eq!(size_of::<Op>(), 4);
        assert_eq!(size_of::<HostCondition>(), 8);
        assert_eq!(size_of::<MarkCondition>(), 8);
    }
}
