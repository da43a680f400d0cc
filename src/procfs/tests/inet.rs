//! Lines of IP tables.

use super::samples::*;
use super::{changed, refusal, row};
use crate::model::{Memory, State, Timer, TimerKind};

fn ends(sample: Sample) -> String {
    let socket = row(sample);
    let end = |end: &crate::model::Endpoint| format!("{:?} {:?}", end.ip.unwrap(), end.port);
    format!("{} - {}", end(&socket.local), end(&socket.peer))
}

#[test]
fn ipv4_words_are_in_the_order_of_the_machine() {
    assert_eq!(ends(LISTEN), "127.0.0.1 Some(41753) - 0.0.0.0 None");
}

#[test]
fn ipv6_is_four_words_in_the_order_of_the_machine() {
    assert_eq!(ends(TIME_WAIT6), "::1 Some(43179) - ::1 Some(42496)");
}

#[test]
fn ipv6_words_keep_their_places() {
    let from = "00000000000000000000000001000000:D249";
    let socket = changed(LISTEN6, from, "B80D0120785634120000000089ABCDEF:D249").unwrap();
    assert_eq!(
        socket.local.ip.unwrap().to_string(),
        "2001:db8:1234:5678::efcd:ab89"
    );
}

#[test]
fn ipv4_mapped_address_stays_ipv6() {
    assert_eq!(
        ends(MAPPED),
        "::ffff:127.0.0.1 Some(35849) - ::ffff:127.0.0.1 Some(55036)"
    );
}

#[test]
fn listener_tells_who_waits_but_not_the_limit() {
    let socket = row(LISTEN);
    assert_eq!(socket.state, State::Listen);
    assert_eq!((socket.recv_queue, socket.send_queue), (Some(1), None));
}

#[test]
fn queues_are_bytes() {
    let queues = |socket: crate::model::Socket| (socket.recv_queue, socket.send_queue);
    assert_eq!(queues(row(UNREAD)), (Some(0x1_f600), Some(0)));
    assert_eq!(queues(row(MAPPED)), (Some(0), Some(0x39_b600)));
    assert_eq!(queues(row(UDP)), (Some(0x340), Some(0)));
}

#[test]
fn what_is_left_of_an_orphan_may_be_in_fin_wait_2() {
    let socket = changed(TIME_WAIT, " 06 ", " 05 ").unwrap();
    assert_eq!(socket.state, State::FinWait2);
    assert_eq!((socket.inode, socket.uid), (None, None));
}

#[test]
fn time_wait_belongs_to_nobody() {
    let socket = row(TIME_WAIT);
    assert_eq!(socket.state, State::TimeWait);
    assert_eq!((socket.uid, socket.inode), (None, None));
    let of_a_user = changed(TIME_WAIT, "     0        0 0", "  1000        0 0");
    assert_eq!(of_a_user.unwrap().uid, None);
}

#[test]
fn request_names_its_listeners_user_unless_it_is_0() {
    assert_eq!(row(SYN_RCVD).state, State::SynRcvd);
    assert_eq!(row(SYN_RCVD).uid, None);
    let of_a_user = changed(SYN_RCVD, "     0        0 0", "  1000        0 0");
    assert_eq!(of_a_user.unwrap().uid, Some(1000));
}

#[test]
fn connection_not_yet_accepted_has_no_inode() {
    assert_eq!((row(PENDING).uid, row(PENDING).inode), (None, None));
    assert_eq!((row(UNREAD).uid, row(UNREAD).inode), (Some(0), Some(21405)));
}

#[test]
fn no_timer_runs_when_tr_is_0() {
    assert_eq!(row(LISTEN).timer, None);
}

#[test]
fn timer_counts_ticks_of_10_ms() {
    let timer = |kind, expires_ms| {
        Some(Timer {
            kind,
            expires_ms,
            retransmits: 0,
        })
    };
    assert_eq!(row(SYN_RCVD).timer, timer(TimerKind::Retransmit, 690));
    assert_eq!(row(KEEPALIVE).timer, timer(TimerKind::Keepalive, 7_199_690));
    assert_eq!(row(TIME_WAIT).timer, timer(TimerKind::TimeWait, 59_690));
    assert_eq!(row(MAPPED).timer, timer(TimerKind::Probe, 150));
}

#[test]
fn retransmits_are_hexadecimal() {
    let socket = changed(SYN_RCVD, "01:00000045 00000000", "01:00000045 0000000F");
    assert_eq!(socket.unwrap().timer.unwrap().retransmits, 15);
}

#[test]
fn probes_are_counted_in_the_column_timeout() {
    let socket = changed(MAPPED, "     0        0 21406", "     0        7 21406");
    assert_eq!(socket.unwrap().timer.unwrap().retransmits, 7);
    let socket = changed(KEEPALIVE, "     0        0 21393", "     0        9 21393");
    assert_eq!(socket.unwrap().timer.unwrap().retransmits, 9);
}

#[test]
fn timer_in_the_past_fires_now() {
    let from = "01:00000045 00000000";
    for ticks in [
        "FFFFFFFFFFFFFFFF",
        "FFFFFF00",
        "19999998",
        "1AD7F29ABC9",
        "0CCCCCCC",
    ] {
        let socket = changed(SYN_RCVD, from, &format!("01:{ticks} FFFFFFFF")).unwrap();
        let timer = socket.timer.unwrap();
        assert_eq!((timer.expires_ms, timer.retransmits), (0, u8::MAX));
    }
    let longest = changed(SYN_RCVD, from, "01:0CCCCCCB 00000000").unwrap();
    assert_eq!(longest.timer.unwrap().expires_ms, 2_147_483_630);
}

#[test]
fn columns_that_netlink_does_not_tell_are_kept_as_they_are() {
    let from = "02:000AFC61 00000000     0        0 21393";
    let to = "05:000AFC61 0000000A     0        9 21393";
    let listed = changed(KEEPALIVE, from, to).unwrap().proc_net.unwrap();
    assert_eq!((listed.timer, listed.ticks), (5, 0xA_FC61));
    assert_eq!((listed.retransmits, listed.probes), (10, 9));
    let socket = changed(LISTEN, "00000000:00000001", "00011402:00000001").unwrap();
    assert_eq!(socket.send_queue, None);
    assert_eq!(socket.proc_net.unwrap().tx_queue, 0x1_1402);
    assert_eq!(row(UDP).proc_net, None);
}

#[test]
fn unknown_timer_is_none_and_unknown_state_is_kept() {
    let socket = changed(KEEPALIVE, "02:000AFC61", "06:000AFC61").unwrap();
    assert_eq!(socket.timer, None);
    let socket = changed(KEEPALIVE, " 01 ", " 2A ").unwrap();
    assert_eq!(socket.state, State::Unknown(42));
}

#[test]
fn code_7_is_bound_for_tcp_and_unconnected_for_the_others() {
    let tcp = changed(KEEPALIVE, " 01 ", " 07 ").unwrap();
    assert_eq!(tcp.state, State::Bound);
    for sample in [UDP, UDPLITE, UDPLITE6, ICMP, ICMP6] {
        assert_eq!(row(sample).state, State::Unconn);
    }
    assert_eq!(row(UDP6).state, State::Established);
}

#[test]
fn port_of_a_raw_socket_is_its_protocol_0_too() {
    assert_eq!(ends(RAW), "127.0.0.1 Some(1) - 127.0.0.1 None");
    assert_eq!(ends(RAW6), "::1 Some(58) - ::1 None");
    let socket = changed(RAW, "0100007F:0001", "0100007F:0000").unwrap();
    assert_eq!(socket.local.port, Some(0));
}

#[test]
fn port_of_a_ping_socket_is_its_identifier() {
    assert_eq!(ends(ICMP), "127.0.0.1 Some(77) - 0.0.0.0 None");
    assert_eq!(ends(ICMP6), "::1 Some(77) - :: None");
}

#[test]
fn datagram_sockets_tell_their_drops_and_no_other_memory() {
    let socket = changed(UDP, "e8 0 ", "e8 17 ").unwrap();
    let memory = socket.memory().unwrap();
    let fields = Memory::FIELDS.map(|(name, _, value)| (name, value(memory)));
    let known = fields.into_iter().filter(|(_, value)| value.is_some());
    assert_eq!(known.collect::<Vec<_>>(), [("drops", Some(17))]);
    assert_eq!(row(LISTEN).memory(), None);
}

#[test]
fn drops_past_the_signed_range_are_not_negative() {
    let drops = |text| changed(UDP, "e8 0 ", text).map(|socket| socket.memory().unwrap().drops);
    assert_eq!(drops("e8 -1 ").unwrap(), Some(u32::MAX));
    assert_eq!(drops("e8 -2147483648 ").unwrap(), Some(1 << 31));
    drops("e8 -2147483649 ").unwrap_err();
    drops("e8 - ").unwrap_err();
}

#[test]
fn what_proc_does_not_tell_is_unknown() {
    for sample in [LISTEN, KEEPALIVE, TIME_WAIT6, UDP, RAW, ICMP6] {
        let socket = row(sample);
        assert_eq!((socket.cookie, socket.shutdown), (None, None));
        assert_eq!((socket.mark, socket.cgroup_id), (None, None));
        assert_eq!((socket.interface, socket.kind), (None, None));
    }
}

#[test]
fn address_without_a_port_is_refused() {
    assert_eq!(
        refusal(LISTEN, "0100007F:A319", "0100007F"),
        "local_address: \"0100007F\" has no port"
    );
    assert_eq!(
        refusal(LISTEN6, "00000000000000000000000000000000:0000", "0000"),
        "remote_address: \"0000\" has no port"
    );
}

#[test]
fn address_of_the_other_family_is_refused() {
    assert_eq!(
        refusal(
            LISTEN6,
            "00000000000000000000000001000000:D249",
            "0100007F:D249"
        ),
        "local_address: \"0100007F\" has the wrong number of digits"
    );
}

#[test]
fn columns_at_the_end_may_be_missing_or_more() {
    for (from, to) in [
        (" 20 0 0 10 -1", ""),
        (" 10 -1", ""),
        (" 3 000000009bba5bc8 20 0 0 10 -1", ""),
        (" -1", " -1 12 (null)"),
    ] {
        assert_eq!(
            changed(KEEPALIVE, from, to).unwrap(),
            row(KEEPALIVE),
            "{to}"
        );
    }
    let socket = changed(UDP, "e8 0 ", "e8 ").unwrap();
    assert_eq!(socket.memory(), None);
    let socket = changed(UDP, "e8 0 ", "e8 5 x").unwrap();
    assert_eq!(socket.memory().unwrap().drops, Some(5));
    assert_eq!(
        refusal(UDP, "e8 0 ", "e8 x "),
        "drops: \"x\" is not a number"
    );
    assert_eq!(
        refusal(KEEPALIVE, " 21393 3 000000009bba5bc8 20 0 0 10 -1", ""),
        "inode: missing"
    );
}

#[test]
fn users_are_unsigned() {
    let user = |to| changed(LISTEN, "     0        0 21392", to).map(|socket| socket.uid);
    assert_eq!(user("    -2        0 21392"), Ok(Some(u32::MAX - 1)));
    assert_eq!(user(" 4294967294     0 21392"), Ok(Some(u32::MAX - 1)));
    user(" -2147483649     0 21392").unwrap_err();
}

#[test]
fn socket_of_tcp_that_was_never_bound_is_closed() {
    let mut socket = changed(UNREAD, " 01 ", " 07 ").unwrap();
    socket.clear_leftovers();
    let queues = (socket.recv_queue, socket.send_queue);
    assert_eq!((socket.state, queues), (State::Bound, (None, None)));
    let line = "0100007F:D6FC 0100007F:8C09 01";
    let mut socket = changed(UNREAD, line, "00000000:0000 00000000:0000 07").unwrap();
    socket.clear_leftovers();
    assert_eq!((socket.state, socket.recv_queue), (State::Closed, None));
}

#[test]
fn numbers_that_mean_nothing_are_unknown() {
    let mut unsent = changed(LISTEN, " 0A 00000000:", " 02 F305A7D7:").unwrap();
    unsent.clear_leftovers();
    assert_eq!((unsent.state, unsent.send_queue), (State::SynSent, None));
    let negative = changed(UNREAD, "00000000:0001F600", "00000000:FFFFFFFF").unwrap();
    assert_eq!((negative.send_queue, negative.recv_queue), (Some(0), None));
}

#[test]
fn garbage_behind_a_number_is_refused() {
    assert_eq!(
        refusal(LISTEN, "21392", "21392x"),
        "inode: \"21392x\" is not a number"
    );
    assert_eq!(
        refusal(LISTEN, "21392", "+21392"),
        "inode: \"+21392\" is not a number"
    );
    assert_eq!(
        refusal(LISTEN, " 0A ", " 0G "),
        "st: \"0G\" is not hexadecimal"
    );
}

#[test]
fn number_out_of_range_is_refused() {
    assert_eq!(
        refusal(LISTEN, "21392", "18446744073709551616"),
        "inode: \"18446744073709551616\" is out of range"
    );
    assert_eq!(
        refusal(
            LISTEN,
            "     0        0 21392",
            " 4294967296        0 21392"
        ),
        "uid: \"4294967296\" is out of range"
    );
    assert_eq!(
        changed(LISTEN, "21392", "18446744073709551615")
            .unwrap()
            .inode,
        Some(u64::MAX)
    );
}
