//! Programs read again, for who tests sockets where they make their steps.

use std::net::IpAddr;

use super::code::{
    AF_INET, AF_INET6, D_COND, D_GE, D_LE, DEV_COND, JMP, OP_LEN, S_COND, S_GE, S_LE,
};
use crate::filter::{Prefix, Side};

/// One operation of a program. Where it holds, the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// What it tests.
    pub check: Check,
    /// Which operation follows where that fails; as many as there are = the socket is accepted, more = it
    /// is rejected.
    pub fail: usize,
}

/// A test of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It always fails.
    Never,
    /// The port is not below this one.
    PortAtLeast(Side, u16),
    /// The port is not above this one.
    PortAtMost(Side, u16),
    /// The address begins so.
    Host(Side, Prefix),
    /// It is bound to this interface; 0 = to none.
    Interface(u32),
    /// Something that may change in a life: the mark, or the cgroup.
    Changing,
}

/// The operations of a program.
pub(in crate::filter) fn operations(program: &[u8]) -> Vec<Operation> {
    let (mut found, mut places) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some([code, yes, low, high, argument @ ..]) = program.get(at..) {
        let fail = at + usize::from(u16::from_ne_bytes([*low, *high]));
        found.push((check(*code, argument), fail));
        places.push(at);
        // No shorter than its own head.
        at += usize::from(*yes).max(OP_LEN);
    }
    let place = |fail: usize| match places.binary_search(&fail) {
        Ok(place) => place,
        Err(_) if fail == program.len() => places.len(),
        Err(_) => usize::MAX,
    };
    let operations = found.into_iter().map(|(check, fail)| Operation {
        check,
        fail: place(fail),
    });
    operations.collect()
}

fn check(code: u8, argument: &[u8]) -> Check {
    let known = match code {
        JMP => Some(Check::Never),
        S_GE | D_GE | S_LE | D_LE => port(code, argument),
        S_COND | D_COND => host(code, argument),
        DEV_COND => {
            let index = argument.first_chunk().copied();
            index.map(|index| Check::Interface(u32::from_ne_bytes(index)))
        }
        _ => None,
    };
    known.unwrap_or(Check::Changing)
}

fn port(code: u8, argument: &[u8]) -> Option<Check> {
    let [_, _, low, high, ..] = *argument else {
        return None;
    };
    let port = u16::from_ne_bytes([low, high]);
    Some(match code {
        S_GE => Check::PortAtLeast(Side::Local, port),
        D_GE => Check::PortAtLeast(Side::Peer, port),
        S_LE => Check::PortAtMost(Side::Local, port),
        _ => Check::PortAtMost(Side::Peer, port),
    })
}

fn host(code: u8, argument: &[u8]) -> Option<Check> {
    let [family, length, _, _, _, _, _, _, address @ ..] = argument else {
        return None;
    };
    let address: IpAddr = match *family {
        AF_INET => (*address.first_chunk::<4>()?).into(),
        AF_INET6 => (*address.first_chunk::<16>()?).into(),
        _ => return None,
    };
    let side = if code == S_COND {
        Side::Local
    } else {
        Side::Peer
    };
    Some(Check::Host(side, Prefix::new(address, *length)))
}
