//! Operations of the kernel's socket filter (`include/uapi/linux/inet_diag.h`), and their encoding.

use std::net::IpAddr;

use crate::filter::{Prefix, Side, Tree};
use crate::model::Family;

/// One operation of a program. On success the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// What it tests.
    pub check: Check,
    /// Index of the operation after failure. The number of operations accepts the socket; a larger index
    /// rejects it.
    pub fail: usize,
}

/// A test of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Always fails.
    Never,
    /// The port is at least this one. (`S_EQ` and `D_EQ` exist since Linux 5.16.)
    PortAtLeast(Side, u16),
    /// The port is at most this one.
    PortAtMost(Side, u16),
    /// The address has this prefix. In the kernel IPv4 also matches IPv4-mapped addresses.
    Host(Side, Prefix),
    /// The socket is bound to this interface.
    Interface(u32),
    /// The masked mark equals `value`; the kernel refuses this without `CAP_NET_ADMIN`.
    Mark {
        /// The value of the masked mark.
        value: u32,
        /// The mask.
        mask: u32,
    },
    /// The socket belongs to this cgroup.
    Cgroup(u64),
}

/// `inet_diag_hostcond.port` for any port.
const ANY_PORT: [u8; 4] = (-1_i32).to_ne_bytes();

/// Size of an operation without an argument: `struct inet_diag_bc_op`.
const OP_LEN: usize = 4;

impl Check {
    /// True if its result may change during the life of a socket.
    pub const fn may_change(self) -> bool {
        matches!(self, Self::Mark { .. } | Self::Cgroup(_))
    }

    /// `INET_DIAG_BC_*`.
    const fn code(self) -> u8 {
        match self {
            Self::Never => 1,
            Self::PortAtLeast(side, _) => side.pick([2, 4]),
            Self::PortAtMost(side, _) => side.pick([3, 5]),
            Self::Host(side, _) => side.pick([7, 8]),
            Self::Interface(_) => 9,
            Self::Mark { .. } => 10,
            Self::Cgroup(_) => 13,
        }
    }

    /// The argument of the operation.
    fn argument(self) -> Vec<u8> {
        match self {
            Self::Never => Vec::new(),
            // It is in the `no` of a second operation.
            Self::PortAtLeast(_, port) | Self::PortAtMost(_, port) => {
                [[0; 2], port.to_ne_bytes()].concat()
            }
            // `struct inet_diag_hostcond`: two bytes of padding before the port.
            Self::Host(_, prefix) => {
                let (family, address) = match prefix.address {
                    IpAddr::V4(address) => (Family::Inet, address.octets().to_vec()),
                    IpAddr::V6(address) => (Family::Inet6, address.octets().to_vec()),
                };
                let begin = [family.code(), prefix.length, 0, 0];
                [&begin, &ANY_PORT, &*address].concat()
            }
            Self::Interface(index) => index.to_ne_bytes().to_vec(),
            // `struct inet_diag_markcond`.
            Self::Mark { value, mask } => [value, mask].map(u32::to_ne_bytes).concat(),
            Self::Cgroup(id) => id.to_ne_bytes().to_vec(),
        }
    }

    /// Its cost, in tests of a port.
    const fn steps(self) -> usize {
        match self {
            Self::Host(..) => 4,
            _ => 1,
        }
    }
}

/// Encodes a program.
///
/// An operation is followed by its argument. `yes` is the length of both: the kernel steps through a program
/// by it, so success always leads to the next operation. Failure skips `no` bytes. A program that ends
/// exactly at its end accepts; one that jumps four bytes beyond it rejects. `None` = too long for a jump.
pub(in crate::filter) fn encoded(operations: &[Operation]) -> Option<Vec<u8>> {
    let arguments = operations
        .iter()
        .map(|operation| operation.check.argument());
    let arguments: Vec<Vec<u8>> = arguments.collect();
    let (mut places, mut end) = (Vec::new(), 0);
    for argument in &arguments {
        places.push(end);
        end += OP_LEN + argument.len();
    }
    places.push(end);
    let mut program = Vec::with_capacity(end);
    for (operation, argument) in operations.iter().zip(&arguments) {
        let place = places.get(operation.fail);
        let fail = place.copied().unwrap_or(end + OP_LEN);
        let no = u16::try_from(fail.checked_sub(program.len())?).ok()?;
        let yes = u8::try_from(OP_LEN + argument.len()).ok()?;
        program.extend([operation.check.code(), yes]);
        program.extend(no.to_ne_bytes());
        program.extend(argument);
    }
    Some(program)
}

/// The condition of a listed socket.
pub(super) type Node = Tree<Check>;

impl Node {
    /// Drops those parts of a conjunction that exceed the limit.
    pub(super) fn within(self, limit: usize) -> Self {
        let mut left = limit;
        let members = match self {
            Self::All(members) => members,
            other => vec![other],
        };
        Self::all(members.into_iter().filter(|member| {
            let rest = left.checked_sub(member.sum(Check::steps));
            left = rest.unwrap_or(left);
            rest.is_some()
        }))
    }

    /// Its operations; empty if it accepts everything.
    pub(super) fn program(&self) -> Vec<Operation> {
        let mut program = Vec::new();
        self.emit(usize::MAX, &mut program);
        program
    }

    /// The sum over its operations; each jump counts one.
    fn sum(&self, worth: fn(Check) -> usize) -> usize {
        let all = |members: &[Self]| members.iter().map(|member| member.sum(worth)).sum();
        match self {
            Self::All(members) => all(members),
            // A jump after each member except the last; without members, the jump that rejects.
            Self::Any(members) => all(members) + members.len().abs_diff(1),
            Self::Not(inner) => inner.sum(worth) + 1,
            Self::Test(check) => worth(*check),
        }
    }

    /// Appends its operations: success leads to the next operation, failure to `fail`.
    fn emit(&self, fail: usize, program: &mut Vec<Operation>) {
        let len = |node: &Self| node.sum(|_| 1);
        let jump = |fail| Operation {
            check: Check::Never,
            fail,
        };
        let end = program.len() + len(self);
        match self {
            Self::All(members) => members.iter().for_each(|one| one.emit(fail, program)),
            Self::Any(members) => match members.split_last() {
                None => program.push(jump(fail)),
                Some((last, others)) => {
                    for member in others {
                        member.emit(program.len() + len(member) + 1, program);
                        program.push(jump(end));
                    }
                    last.emit(fail, program);
                }
            },
            Self::Not(inner) => {
                inner.emit(end, program);
                program.push(jump(fail));
            }
            Self::Test(check) => program.push(Operation {
                check: *check,
                fail,
            }),
        }
    }
}
