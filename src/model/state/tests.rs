#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::{State, StateSet};

#[test]
fn every_tcp_code_has_its_state() {
    let names: Vec<String> = (0..=14)
        .map(|code| State::from_tcp(code).to_string())
        .collect();
    let expected = "UNKNOWN(0) ESTABLISHED SYN_SENT SYN_RCVD FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT BOUND \
                    CLOSE_WAIT LAST_ACK LISTEN CLOSING SYN_RCVD BOUND UNKNOWN(14)";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn code_7_is_unconn_outside_tcp() {
    assert_eq!(State::from_datagram(7), State::Unconn);
    assert_eq!(State::from_datagram(1), State::Established);
}

#[test]
fn proc_net_unix_counts_by_socket_state() {
    assert_eq!(State::from_unix_proc(1, 0x1_0000), State::Listen);
    assert_eq!(State::from_unix_proc(1, 0), State::Unconn);
    assert_eq!(State::from_unix_proc(2, 0), State::Established);
    assert_eq!(State::from_unix_proc(3, 0), State::Established);
    assert_eq!(State::from_unix_proc(4, 0), State::Unconn);
    assert_eq!(State::from_unix_proc(0, 0), State::Unknown(0));
}

#[test]
fn a_netlink_socket_is_unconnected_before_and_after_a_connection() {
    let states = [0, 1, 7, 9].map(State::from_netlink);
    assert_eq!(
        states,
        [
            State::Unconn,
            State::Established,
            State::Unconn,
            State::Unknown(9)
        ]
    );
}

#[test]
fn names_parse_back() {
    for state in State::NAMED.into_iter().chain([State::Unknown(77)]) {
        assert_eq!(State::from_name(&state.to_string()).unwrap(), state);
        let lower = state.to_string().to_lowercase().replace('_', "-");
        assert_eq!(State::from_name(&lower).unwrap(), state);
    }
}

#[test]
fn spellings_of_other_tools_are_known() {
    for (word, state) in [
        ("SYN_RECV", State::SynRcvd),
        ("syn-recv", State::SynRcvd),
        ("ESTAB", State::Established),
        ("FIN-WAIT-1", State::FinWait1),
        ("FIN_WAIT2", State::FinWait2),
        ("CLOSE", State::Closed),
        ("LISTENING", State::Listen),
        ("bound-inactive", State::Bound),
    ] {
        assert_eq!(State::from_name(word).unwrap(), state, "{word}");
    }
    assert_eq!(State::from_name("ESTABLISH"), None);
    assert_eq!(State::from_name("UNKNOWN(300)"), None);
}

#[test]
fn kernel_mask_of_syn_rcvd_asks_for_requests_too() {
    assert_eq!(
        StateSet::EMPTY.with(State::SynRcvd).kernel_mask(),
        1 << 3 | 1 << 12
    );
}

#[test]
fn kernel_mask_of_listen_skips_the_connection_table() {
    assert_eq!(StateSet::EMPTY.with(State::Listen).kernel_mask(), 1 << 10);
}

#[test]
fn kernel_mask_covers_every_code_of_its_states() {
    for code in 0..32_u8 {
        for state in [State::from_tcp(code), State::from_datagram(code)] {
            assert_ne!(
                StateSet::EMPTY.with(state).kernel_mask() & 1 << code,
                0,
                "{state}"
            );
        }
    }
    assert_eq!(StateSet::ALL.kernel_mask(), u32::MAX);
}

#[test]
fn sets_of_states_are_joined_met_and_turned_around() {
    let open = StateSet::EMPTY.with(State::Listen).with(State::Unconn);
    let waiting = StateSet::EMPTY.with(State::Listen).with(State::TimeWait);
    for state in State::NAMED.into_iter().chain([State::Unknown(77)]) {
        let (a, b) = (open.contains(state), waiting.contains(state));
        assert_eq!(open.union(waiting).contains(state), a || b, "{state}");
        assert_eq!(
            open.intersection(waiting).contains(state),
            a && b,
            "{state}"
        );
        assert_eq!(open.complement().contains(state), !a, "{state}");
    }
    assert_eq!(StateSet::EMPTY.complement(), StateSet::ALL);
}
