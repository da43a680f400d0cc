#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod doubt;

use proptest::prelude::*;

use crate::filter::samples::{any_sample, expr, prefix};
use crate::filter::{Case, Expr, Field, Op, Pattern, PortItem, Rule, Side, Stage, Test};
use crate::model::{
    Family, Info, MPTCP_INFO, Memory, Process, ProcessStatus, Protocol, Row, Shutdown, Socket,
    SocketType, State, StateSet, TCP_INFO, Table, Timer, TimerKind,
};

fn table(socket: &Socket) -> Table {
    Table {
        protocol: socket.protocol,
        family: socket.family,
    }
}

/// The answer at a stage; the same whether the expression was fitted to the table or not.
fn answer(test: &Test, row: &Row<'_>, stage: Stage) -> Option<bool> {
    let (expr, table) = (Expr::Test(test.clone()), table(row.socket));
    let mut shown = |text: &str| text == "shown";
    let fitted = expr.for_table(table).holds(row, stage, &mut shown);
    let whole = Rule::spelled_out(&expr, table).holds(row, Stage::Owners, &mut shown);
    assert!(fitted.is_none() || fitted == whole, "{test:?}");
    fitted
}

#[track_caller]
fn holds(test: &Test, row: &Row<'_>) -> bool {
    answer(test, row, Stage::Owners).unwrap()
}

#[track_caller]
fn of(test: &Test, socket: &Socket) -> bool {
    holds(test, &Row::bare(socket))
}

fn tcp() -> Socket {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.state = State::Established;
    socket.local.ip = Some("10.0.0.1".parse().unwrap());
    socket.local.port = Some(80);
    socket.peer.ip = Some("192.168.1.7".parse().unwrap());
    socket.peer.port = Some(50_000);
    socket.inode = Some(77);
    socket
}

fn tcp6(local: &str) -> Socket {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet6);
    socket.local.ip = Some(local.parse().unwrap());
    socket.peer.ip = socket.local.ip;
    socket
}

fn unix(name: &[u8]) -> Socket {
    let mut socket = Socket::new(Protocol::Unix, Family::Unix);
    socket.local.set_name(name);
    socket.inode = Some(5);
    socket
}

fn netlink(port: u32) -> Socket {
    let mut socket = Socket::new(Protocol::Netlink, Family::Netlink);
    socket.local.set_name(b"route");
    socket.local.port = Some(port);
    socket
}

fn process(pid: u32, name: &str, user: Option<&str>) -> Process {
    Process {
        pid,
        name: name.into(),
        command: format!("/usr/sbin/{name} -D").into(),
        called: 0,
        uid: None,
        user: user.map(Into::into),
        fds: vec![pid + 3, pid + 4],
    }
}

fn held<'a>(socket: &'a Socket, processes: &'a [Process]) -> Row<'a> {
    Row {
        processes: Some(processes),
        process_status: Some(ProcessStatus::Found),
        ..Row::bare(socket)
    }
}

fn number(field: Field, op: Op, value: u64) -> Test {
    Test::Number { field, op, value }
}

fn text(field: Field, equal: bool, glob: &str) -> Test {
    let pattern = Pattern::Glob(glob.into(), Case::Sensitive);
    Test::Text {
        field,
        equal,
        pattern,
    }
}

fn word(field: Field, word: &'static str) -> Test {
    let words = vec![word];
    Test::Word { field, words }
}

fn missing(field: Field) -> Test {
    Test::Missing { field, equal: true }
}

fn port(op: Op, ranges: &[(u16, u16)]) -> Test {
    let items = ranges
        .iter()
        .map(|(first, last)| PortItem::Range(*first, *last));
    Test::Port {
        side: Side::Local,
        op,
        items: items.collect(),
    }
}

fn host(equal: bool, address: &str, length: u8) -> Test {
    Test::Host {
        side: Side::Local,
        equal,
        prefixes: vec![prefix("203.0.113.0", 24), prefix(address, length)],
    }
}

fn name(equal: bool, pattern: Pattern) -> Test {
    Test::Name {
        side: Side::Local,
        equal,
        pattern,
    }
}

fn interface(equal: bool, name: &str, index: Option<u32>) -> Test {
    let name = name.into();
    Test::Interface { equal, name, index }
}

fn cgroup(equal: bool, path: &str, id: Option<u64>) -> Test {
    let path = path.into();
    Test::Cgroup { equal, path, id }
}

#[test]
fn state_is_one_of_a_set() {
    let closing = StateSet::EMPTY.with(State::Closing);
    assert!(of(&Test::State(closing.with(State::Established)), &tcp()));
    assert!(!of(&Test::State(closing), &tcp()));
}

#[test]
fn words_are_compared_with_names() {
    let mut socket = unix(b"");
    socket.kind = Some(SocketType::Seqpacket);
    socket.shutdown = Some(Shutdown::Send);
    assert!(of(&word(Field::Protocol, "unix"), &socket));
    assert!(of(&word(Field::Family, "unix"), &socket));
    assert!(of(&word(Field::Type, "seqpacket"), &socket));
    assert!(of(&word(Field::Shutdown, "send"), &socket));
    assert!(!of(&word(Field::Shutdown, "both"), &socket));
}

#[test]
fn timer_is_compared_by_its_kind() {
    let mut socket = tcp();
    socket.timer = TIMER;
    assert!(of(&word(Field::Timer, "probe"), &socket));
    assert!(!of(&word(Field::Timer, "keepalive"), &socket));
}

const TIMER: Option<Timer> = Some(Timer {
    kind: TimerKind::Probe,
    expires_ms: 1_500,
    retransmits: 3,
});

#[test]
fn unknown_matches_neither_equal_nor_unequal() {
    let socket = tcp();
    for test in [
        number(Field::Cookie, Op::Equal, 0),
        number(Field::Cookie, Op::Unequal, 0),
        number(Field::Pid, Op::Unequal, 0),
        text(Field::User, true, "*"),
        text(Field::User, false, "x"),
        interface(false, "eth0", None),
        interface(false, "eth0", Some(2)),
        cgroup(false, "/", Some(1)),
        Test::Mark {
            equal: false,
            value: 1,
            mask: 1,
        },
        word(Field::Shutdown, "none"),
        text(Field::Netns, false, "x"),
    ] {
        assert!(!of(&test, &socket), "{test:?}");
    }
}

#[test]
fn host_is_within_a_prefix() {
    assert!(of(&host(true, "10.0.0.0", 8), &tcp()));
    assert!(of(&host(true, "10.0.0.1", 32), &tcp()));
    assert!(of(&host(true, "0.0.0.0", 0), &tcp()));
    assert!(!of(&host(true, "10.0.0.2", 32), &tcp()));
    assert!(of(&host(false, "10.0.0.2", 32), &tcp()));
    assert!(!of(&host(false, "10.0.0.0", 8), &tcp()));
}

#[test]
fn ipv4_prefix_meets_mapped_addresses() {
    let mapped = tcp6("::ffff:10.0.0.1");
    assert!(of(&host(true, "10.0.0.0", 8), &mapped));
    assert!(of(&host(true, "::ffff:0:0", 96), &mapped));
    assert!(!of(&host(true, "10.0.0.0", 8), &tcp6("::1")));
    assert!(!of(&host(true, "0.0.0.0", 0), &tcp6("::1")));
}

#[test]
fn ipv6_prefix_meets_ipv6_addresses_only() {
    assert!(of(&host(true, "2001:db8::", 32), &tcp6("2001:db8::7")));
    assert!(of(&host(true, "::", 0), &tcp6("::1")));
    assert!(!of(&host(true, "::", 0), &tcp()));
}

#[test]
fn unix_name_is_compared_as_the_kernel_holds_it() {
    let abstracted = name(true, Pattern::Exact(b"\0bus".to_vec()));
    assert!(of(&abstracted, &unix(b"\0bus")));
    assert!(!of(&abstracted, &unix(b"@bus")));
    let glob = Pattern::Glob("@b*".into(), Case::Sensitive);
    assert!(of(&name(true, glob.clone()), &unix(b"\0bus")));
    assert!(of(&name(false, glob), &unix(b"@bus")));
}

#[test]
fn unnamed_unix_socket_matches_no_name() {
    let any = || Pattern::Glob("*".into(), Case::Sensitive);
    assert!(!of(&name(true, any()), &unix(b"")));
    assert!(!of(&name(false, any()), &unix(b"")));
}

#[test]
fn netlink_family_is_no_unix_name() {
    let any = Pattern::Glob("*".into(), Case::Sensitive);
    assert!(!of(&name(true, any), &netlink(1)));
}

#[test]
fn port_is_found_among_many() {
    let ranges = [(8_000, 8_999), (80, 80), (22, 25)];
    for (number, among) in [(21, false), (22, true), (25, true), (26, false), (80, true)] {
        let mut socket = tcp();
        socket.local.port = Some(number);
        assert_eq!(of(&port(Op::Equal, &ranges), &socket), among, "{number}");
        assert_eq!(of(&port(Op::Unequal, &ranges), &socket), !among, "{number}");
    }
}

#[test]
fn ports_are_ordered() {
    for (op, expected) in [
        (Op::Less, false),
        (Op::AtMost, true),
        (Op::Greater, false),
        (Op::AtLeast, true),
    ] {
        assert_eq!(of(&port(op, &[(80, 80)]), &tcp()), expected, "{op:?}");
    }
}

#[test]
fn netlink_port_ids_exceed_every_port() {
    let socket = netlink(70_000);
    assert!(of(&port(Op::Greater, &[(65_535, 65_535)]), &socket));
    assert!(of(&port(Op::Unequal, &[(0, 65_535)]), &socket));
}

#[test]
fn unbound_port_matches_nothing() {
    let mut socket = tcp();
    socket.local.port = None;
    assert!(!of(&port(Op::Equal, &[(0, 65_535)]), &socket));
    assert!(!of(&port(Op::Unequal, &[(80, 80)]), &socket));
    assert!(!of(&port(Op::Less, &[(80, 80)]), &socket));
    assert!(of(&missing(Field::LocalPort), &socket));
}

#[test]
fn timer_is_compared_in_microseconds() {
    let mut socket = tcp();
    socket.timer = TIMER;
    assert!(of(
        &number(Field::TimerExpires, Op::Equal, 1_500_000),
        &socket
    ));
    assert!(of(
        &number(Field::TimerRetransmits, Op::AtLeast, 3),
        &socket
    ));
}

#[test]
fn durations_of_tcp_info_are_compared_in_microseconds() {
    let mut socket = tcp();
    let mut bytes = [0; 100];
    bytes[68..72].copy_from_slice(&250_u32.to_ne_bytes());
    bytes[44..48].copy_from_slice(&3_u32.to_ne_bytes());
    bytes[80..84].copy_from_slice(&10_u32.to_ne_bytes());
    socket.details_mut().tcp_info = Some(Info::tcp(&bytes));
    for (field, value) in [("rtt", 250), ("last_data_sent", 3_000), ("snd_cwnd", 10)] {
        let info = TCP_INFO.iter().find(|info| info.name == field).unwrap();
        let field = Field::TcpInfo(info);
        assert!(of(&number(field, Op::Equal, value), &socket), "{field:?}");
    }
}

#[test]
fn field_the_kernel_did_not_send_is_unknown() {
    let mut socket = Socket::new(Protocol::Mptcp, Family::Inet);
    socket.details_mut().mptcp_info = Some(Info::mptcp(&[1; 8]));
    let sent = Field::MptcpInfo(MPTCP_INFO.first().unwrap());
    let not_sent = Field::MptcpInfo(MPTCP_INFO.last().unwrap());
    assert!(of(&number(sent, Op::Equal, 1), &socket));
    assert!(!of(&number(not_sent, Op::AtLeast, 0), &socket));
    assert!(of(&missing(not_sent), &socket));
}

#[test]
fn memory_is_compared_by_its_place() {
    let mut socket = unix(b"");
    socket.details_mut().memory = Some(Memory {
        rcvbuf: Some(4_096),
        ..Memory::default()
    });
    assert!(of(&number(Field::Memory(1), Op::Greater, 4_000), &socket));
    assert!(of(&missing(Field::Memory(0)), &socket));
}

#[test]
fn mark_is_compared_under_its_mask() {
    let mut socket = tcp();
    socket.mark = Some(0x1234);
    let mark = |equal, value, mask| Test::Mark { equal, value, mask };
    assert!(of(&mark(true, 0x34, 0xff), &socket));
    assert!(!of(&mark(true, 0x34, u32::MAX), &socket));
    assert!(of(&mark(false, 0x34, u32::MAX), &socket));
}

#[test]
fn interface_is_compared_by_index_where_that_is_known() {
    let mut socket = tcp();
    socket.interface = Some(7);
    let row = Row {
        interface: Some("eth0"),
        ..Row::bare(&socket)
    };
    assert!(holds(&interface(true, "renamed", Some(7)), &row));
    assert!(holds(&interface(false, "eth0", Some(8)), &row));
}

#[test]
fn interface_is_else_compared_by_name_or_digits() {
    let mut socket = tcp();
    socket.interface = Some(7);
    let row = Row {
        interface: Some("eth0"),
        ..Row::bare(&socket)
    };
    for name in ["eth0", "7", "if7"] {
        assert!(holds(&interface(true, name, None), &row), "{name}");
        assert!(!holds(&interface(false, name, None), &row), "{name}");
    }
    assert!(holds(&interface(false, "eth1", None), &row));
}

#[test]
fn interface_without_a_name_is_called_by_its_index() {
    let mut socket = tcp();
    socket.interface = Some(7);
    assert!(of(&text(Field::Interface, true, "if?"), &socket));
    assert!(of(&text(Field::Interface, true, "7"), &socket));
    assert!(!of(&text(Field::Interface, false, "if?"), &socket));
}

#[test]
fn cgroup_is_compared_by_id_where_that_is_known() {
    let mut socket = tcp();
    socket.cgroup_id = Some(9);
    let row = Row {
        cgroup: Some(b"/a.slice"),
        ..Row::bare(&socket)
    };
    assert!(holds(&cgroup(true, "/other", Some(9)), &row));
    assert!(holds(&cgroup(true, "/a.slice", None), &row));
    assert!(holds(&cgroup(false, "/b.slice", None), &row));
    assert!(!of(&cgroup(false, "/b.slice", None), &socket));
}

#[test]
fn names_of_the_row_are_matched() {
    let mut socket = tcp();
    (socket.uid, socket.cgroup_id, socket.interface) = (Some(0), Some(1), Some(2));
    let row = Row {
        user: Some("root"),
        cgroup: Some(b"/a.slice"),
        interface: Some("eth0"),
        netns: Some("blue"),
        ..Row::bare(&socket)
    };
    for (field, glob) in [
        (Field::User, "r*t"),
        (Field::Cgroup, "/a*"),
        (Field::Interface, "eth?"),
        (Field::Netns, "blue"),
    ] {
        assert!(holds(&text(field, true, glob), &row), "{field:?}");
        assert!(holds(&text(field, false, "x"), &row), "{field:?}");
        assert!(!holds(&missing(field), &row), "{field:?}");
    }
}

#[test]
fn addresses_are_matched_as_they_are_shown() {
    assert!(of(&text(Field::LocalAddress, true, "10.0.*"), &tcp()));
    assert!(of(
        &text(Field::LocalAddress, true, "fe80::?"),
        &tcp6("fe80::1")
    ));
    let longest = "1111:2222:3333:4444:5555:6666:7777:8888";
    assert!(of(
        &text(Field::LocalAddress, true, longest),
        &tcp6(longest)
    ));
    assert!(of(&text(Field::LocalAddress, true, "@b*"), &unix(b"\0bus")));
    assert!(of(&text(Field::LocalAddress, true, "r*e"), &netlink(1)));
    assert!(!of(&text(Field::PeerAddress, false, "x"), &netlink(1)));
}

#[test]
fn congestion_is_matched() {
    let mut socket = tcp();
    socket.details_mut().congestion = b"cubic".to_vec();
    assert!(of(&text(Field::Congestion, true, "cu*"), &socket));
    assert!(!of(&missing(Field::Congestion), &socket));
}

#[test]
fn one_process_of_several_has_to_match() {
    let socket = tcp();
    let processes = [process(1, "nginx", Some("root")), process(9, "sshd", None)];
    let row = held(&socket, &processes);
    for test in [
        number(Field::Pid, Op::Equal, 9),
        number(Field::Pid, Op::Less, 2),
        number(Field::Fd, Op::Equal, 13),
        text(Field::Process, true, "sshd"),
        text(Field::Command, true, "*/nginx -D"),
        text(Field::ProcessUser, true, "root"),
    ] {
        assert!(holds(&test, &row), "{test:?}");
    }
}

#[test]
fn no_process_may_match_what_is_unequal() {
    let socket = tcp();
    let processes = [process(1, "nginx", Some("root")), process(9, "sshd", None)];
    let row = held(&socket, &processes);
    for (test, expected) in [
        (number(Field::Pid, Op::Unequal, 9), false),
        (number(Field::Pid, Op::Unequal, 2), true),
        (number(Field::Fd, Op::Unequal, 4), false),
        (text(Field::Process, false, "sshd"), false),
        (text(Field::Process, false, "bash"), true),
        (text(Field::ProcessUser, false, "root"), false),
    ] {
        assert_eq!(holds(&test, &row), expected, "{test:?}");
    }
}

#[test]
fn owners_of_a_socket_nobody_holds_are_missing() {
    let socket = tcp();
    for row in [held(&socket, &[]), Row::bare(&socket)] {
        for field in [Field::Pid, Field::Process, Field::Fd, Field::ProcessUser] {
            assert!(holds(&missing(field), &row), "{field:?}");
        }
        assert!(!holds(&text(Field::Process, false, "x"), &row));
    }
}

#[test]
fn socket_without_an_inode_has_no_owner_for_certain() {
    let mut socket = tcp();
    socket.inode = None;
    let row = Row::bare(&socket);
    for (test, expected) in [
        (number(Field::Pid, Op::Unequal, 1), false),
        (text(Field::Process, true, "*"), false),
        (missing(Field::Pid), true),
        (word(Field::ProcessStatus, "none"), true),
        (word(Field::ProcessStatus, "unreadable"), false),
    ] {
        assert_eq!(answer(&test, &row, Stage::Socket), Some(expected));
    }
}

#[test]
fn process_status_is_what_the_search_came_to() {
    let socket = tcp();
    let row = Row {
        process_status: Some(ProcessStatus::Unreadable),
        ..Row::bare(&socket)
    };
    assert!(holds(&word(Field::ProcessStatus, "unreadable"), &row));
    assert!(!holds(&word(Field::ProcessStatus, "none"), &row));
}

#[test]
fn autobound_port_is_in_the_range() {
    let autobound = Test::Autobound {
        first: 80,
        last: 90,
    };
    assert!(of(&autobound, &tcp()));
    let mut other = tcp();
    other.local.port = Some(91);
    assert!(!of(&autobound, &other));
    assert!(!of(&autobound, &netlink(85)));
}

#[test]
fn autobound_unix_name_is_five_digits() {
    let autobound = Test::Autobound { first: 0, last: 0 };
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

#[test]
fn shown_text_is_asked_for_at_the_end() {
    let socket = tcp();
    let row = Row::bare(&socket);
    let test = Test::Shown("shown".into());
    assert_eq!(answer(&test, &row, Stage::Names), None);
    assert_eq!(answer(&test, &row, Stage::Owners), Some(true));
    assert!(!holds(&Test::Shown("other".into()), &row));
}

#[test]
fn what_comes_later_cannot_be_told_before() {
    let mut socket = tcp();
    (socket.uid, socket.cgroup_id, socket.interface) = (Some(0), Some(1), Some(2));
    let row = Row::bare(&socket);
    for test in [
        text(Field::User, true, "*"),
        text(Field::Interface, true, "*"),
        interface(true, "eth0", None),
        cgroup(true, "/", None),
        missing(Field::Netns),
        number(Field::Pid, Op::Equal, 1),
        missing(Field::Process),
        word(Field::ProcessStatus, "found"),
    ] {
        assert_eq!(answer(&test, &row, Stage::Socket), None, "{test:?}");
    }
    assert!(answer(&text(Field::User, true, "*"), &row, Stage::Names).is_some());
    assert_eq!(answer(&missing(Field::Pid), &row, Stage::Names), None);
}

#[test]
fn what_the_socket_lacks_is_told_at_once() {
    let socket = tcp();
    let row = Row::bare(&socket);
    for test in [
        text(Field::User, true, "*"),
        text(Field::Interface, true, "*"),
        text(Field::Cgroup, true, "*"),
        interface(true, "eth0", None),
        cgroup(true, "/", None),
    ] {
        assert_eq!(answer(&test, &row, Stage::Socket), Some(false), "{test:?}");
    }
}

#[test]
fn decided_member_decides_early() {
    let socket = tcp();
    let pid = || Expr::Test(number(Field::Pid, Op::Equal, 1));
    let state = |state| Expr::Test(Test::State(StateSet::EMPTY.with(state)));
    let early = |expr: Expr| {
        let rule = expr.for_table(table(&socket));
        rule.holds(&Row::bare(&socket), Stage::Socket, &mut |_| false)
    };
    let (wrong, right) = (state(State::Listen), state(State::Established));
    assert_eq!(early(Expr::all([pid(), wrong.clone()])), Some(false));
    assert_eq!(early(Expr::all([pid(), right.clone()])), None);
    assert_eq!(early(Expr::any([pid(), right.clone()])), Some(true));
    assert_eq!(early(Expr::any([pid(), wrong])), None);
    assert_eq!(early(Expr::any([pid(), right]).negated()), Some(false));
    assert_eq!(early(pid().negated()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_early_answer_is_the_last_one(sample in any_sample(), expr in expr()) {
        let rule = expr.for_table(table(&sample.socket));
        let mut shown = |_: &str| true;
        let end = rule.holds(&sample.row(), Stage::Owners, &mut shown);
        prop_assert!(end.is_some());
        let mut unasked = |_: &str| -> bool { unreachable!("asked too early") };
        let bare = Row::bare(&sample.socket);
        let first = rule.holds(&bare, Stage::Socket, &mut unasked);
        prop_assert!(first.is_none() || first == end);
        let named = rule.holds(&sample.named(), Stage::Names, &mut unasked);
        prop_assert!(named.is_none() || named == end);
        prop_assert!(first.is_none() || named == first);
    }
}
