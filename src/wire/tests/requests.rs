//! What the kernel is asked.

use super::super::{Ask, dump_request};
use crate::model::{Family, Protocol, State, StateSet, Table};

#[test]
fn requests_have_the_sizes_of_the_kernel_structures() {
    let ask = Ask {
        states: StateSet::ALL,
        info: false,
        memory: false,
    };
    let len = |protocol, family| dump_request(Table { protocol, family }, ask).unwrap().len() - 16;
    assert_eq!(len(Protocol::Tcp, Family::Inet), 56);
    assert_eq!(len(Protocol::Mptcp, Family::Inet6), 56 + 8);
    assert_eq!(len(Protocol::Unix, Family::Unix), 24);
    assert_eq!(len(Protocol::Netlink, Family::Netlink), 20);
    assert_eq!(len(Protocol::Packet, Family::Packet), 20);
    assert_eq!(
        dump_request(
            Table {
                protocol: Protocol::Icmp,
                family: Family::Inet
            },
            ask
        ),
        None
    );
}

#[test]
fn extensions_are_asked_only_when_wanted() {
    let table = Table {
        protocol: Protocol::Tcp,
        family: Family::Inet,
    };
    let extensions = |info, memory| {
        dump_request(
            table,
            Ask {
                states: StateSet::ALL,
                info,
                memory,
            },
        )
        .unwrap()[18]
    };
    assert_eq!(extensions(false, false), 0);
    assert_eq!(extensions(true, false), 1 << 1 | 1 << 3);
    assert_eq!(extensions(false, true), 1 << 6);
}

#[test]
fn state_mask_of_listeners_is_in_the_request() {
    let table = Table {
        protocol: Protocol::Tcp,
        family: Family::Inet,
    };
    let ask = Ask {
        states: StateSet::EMPTY.with(State::Listen),
        info: false,
        memory: false,
    };
    let request = dump_request(table, ask).unwrap();
    assert_eq!(request[20..24], (1_u32 << 10).to_ne_bytes());
}
