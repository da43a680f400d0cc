//! Tests of `autobound`, `half-closed` and `orphan`.

use super::{netlink, of, tcp, unix};
use crate::filter::Test;
use crate::model::{Shutdown, State};

#[test]
fn autobound_port_is_in_the_range() {
    let autobound = Test::Autobound {
        ports: Some((80, 90)),
    };
    assert!(of(&autobound, &tcp()));
    let mut other = tcp();
    other.local.port = Some(91);
    assert!(!of(&autobound, &other));
    assert!(!of(&autobound, &netlink(85)));
}

#[test]
fn autobound_unix_name_is_five_digits() {
    let autobound = Test::Autobound { ports: None };
    assert!(of(&autobound, &unix(b"\x000a1bf")));
    for name in [b"\x000a1b".as_slice(), b"\x000a1bg", b"00a1bf", b"", b"\0"] {
        assert!(!of(&autobound, &unix(name)), "{name:?}");
    }
}

#[test]
fn half_closed_is_told_by_state_or_shutdown() {
    let mut socket = tcp();
    assert!(!of(&Test::HalfClosed, &socket));
    socket.shutdown = Some(Shutdown::Both);
    assert!(!of(&Test::HalfClosed, &socket));
    socket.shutdown = Some(Shutdown::Send);
    assert!(of(&Test::HalfClosed, &socket));
    for state in [State::FinWait1, State::FinWait2, State::CloseWait] {
        let mut socket = tcp();
        socket.state = state;
        assert!(of(&Test::HalfClosed, &socket), "{state}");
    }
}

#[test]
fn orphan_is_closing_without_a_descriptor() {
    let mut socket = tcp();
    socket.state = State::LastAck;
    assert!(!of(&Test::Orphan, &socket));
    socket.inode = None;
    assert!(of(&Test::Orphan, &socket));
    socket.state = State::TimeWait;
    assert!(!of(&Test::Orphan, &socket));
}
