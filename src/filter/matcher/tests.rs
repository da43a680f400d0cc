#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod doubt;
mod dual_stack;
mod looked_up;
mod named;
mod owners;
mod rule;
mod stages;

use crate::filter::expr_samples::prefix;
use crate::filter::{Case, Expr, Field, Op, Operand, Pattern, PortItem, Rule, Test};
use crate::model::{
    Family, Memory, Process, ProcessStatus, Protocol, Row, Shutdown, Socket, SocketType, Stage,
    State, StateSet, Structure, Table, Timer, TimerKind,
};

fn table(socket: &Socket) -> Table {
    socket.table()
}

/// The answer at a stage; the same with and without reducing the expression to the table.
fn answer(test: &Test, row: &Row<'_>, stage: Stage) -> Option<bool> {
    let (expr, table) = (Expr::Test(test.clone()), table(row.socket));
    let mut shown = |text: &str| text == "shown";
    let fitted = held_at(&expr.for_table(table), row, stage, &mut shown);
    let whole = Rule::spelled_out(&expr, table);
    let whole = held_at(&whole, row, Stage::Owners, &mut shown);
    assert!(fitted.is_none() || fitted == whole, "{test:?}");
    fitted
}

fn held_at(
    rule: &Rule,
    row: &Row<'_>,
    stage: Stage,
    shown: &mut dyn FnMut(&str) -> bool,
) -> Option<bool> {
    rule.decide(&Row { stage, ..*row }, shown).held()
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
        name: Some(name.into()),
        command: Some(format!("/usr/sbin/{name} -D").into()),
        called: 0,
        uid: None,
        user: user.map(Into::into),
        fds: vec![pid + 3, pid + 4],
        ..Process::default()
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
    Test::Field(field, op, Operand::Number(value))
}

fn text(field: Field, equal: bool, glob: &str) -> Test {
    let pattern = Pattern::Glob(glob.into(), Case::Sensitive);
    Test::Field(field, Op::equal(equal), Operand::Text(pattern))
}

fn word(field: Field, word: &'static str) -> Test {
    let words = vec![word];
    Test::Field(field, Op::Equal, Operand::Words(words))
}

fn missing(field: Field) -> Test {
    Test::Field(field, Op::Equal, Operand::Missing { told: false })
}

fn port(op: Op, ranges: &[(u16, u16)]) -> Test {
    let items = ranges
        .iter()
        .map(|(first, last)| PortItem::Range(*first, *last));
    Test::Field(Field::LocalPort, op, Operand::Ports(items.collect()))
}

fn host(equal: bool, address: &str, length: u8) -> Test {
    Test::Field(
        Field::LocalAddress,
        Op::equal(equal),
        Operand::Hosts(vec![prefix("203.0.113.0", 24), prefix(address, length)]),
    )
}

fn name(equal: bool, pattern: Pattern) -> Test {
    Test::Field(
        Field::LocalAddress,
        Op::equal(equal),
        Operand::Name(pattern),
    )
}

fn interface(equal: bool, name: &str, index: Option<u32>) -> Test {
    let name = name.into();
    Test::Field(
        Field::Interface,
        Op::equal(equal),
        Operand::named(name, index.map(u64::from)),
    )
}

fn cgroup(equal: bool, path: &str, id: Option<u64>) -> Test {
    let path = path.into();
    Test::Field(Field::Cgroup, Op::equal(equal), Operand::named(path, id))
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
    assert!(of(&word(Field::TimerKind, "probe"), &socket));
    assert!(!of(&word(Field::TimerKind, "keepalive"), &socket));
}

const TIMER: Option<Timer> = Some(Timer {
    kind: TimerKind::Probe,
    expires_ms: 1_500,
    retransmits: 3,
});

#[test]
fn unknown_matches_neither_equal_nor_unequal_and_absent_the_latter() {
    let socket = tcp();
    for test in [
        number(Field::Cookie, Op::Equal, 0),
        number(Field::Cookie, Op::Unequal, 0),
        number(Field::Pid, Op::Unequal, 0),
        text(Field::User, true, "*"),
        text(Field::User, false, "x"),
        cgroup(false, "/", Some(1)),
        Test::Field(
            Field::Mark,
            Op::Unequal,
            Operand::Masked { value: 1, mask: 1 },
        ),
        word(Field::Shutdown, "none"),
    ] {
        assert!(!of(&test, &socket), "{test:?}");
    }
    for test in [
        interface(false, "eth0", None),
        interface(false, "eth0", Some(2)),
        text(Field::Netns, false, "x"),
        number(Field::TimerRetransmits, Op::Unequal, 0),
        number(Field::PeerInode, Op::Unequal, 0),
    ] {
        assert!(of(&test, &socket), "{test:?}");
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
fn unnamed_unix_socket_has_no_name() {
    let any = || Pattern::Glob("*".into(), Case::Sensitive);
    assert!(!of(&name(true, any()), &unix(b"")));
    assert!(of(&name(false, any()), &unix(b"")));
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
fn port_id_of_a_netlink_socket_is_compared_in_full() {
    let socket = netlink(700_800);
    for (op, value, expected) in [
        (Op::Equal, 700_800, true),
        (Op::Equal, 700_801, false),
        (Op::Unequal, 700_801, true),
        (Op::Unequal, 700_800, false),
        (Op::Greater, 700_000, true),
    ] {
        let test = number(Field::LocalPort, op, value);
        assert_eq!(of(&test, &socket), expected, "{test:?}");
    }
}

#[test]
fn unbound_port_is_unequal_to_every_port() {
    let mut socket = tcp();
    socket.local.port = None;
    assert!(!of(&port(Op::Equal, &[(0, 65_535)]), &socket));
    assert!(of(&port(Op::Unequal, &[(80, 80)]), &socket));
    assert!(of(&port(Op::Unequal, &[(0, 65_535)]), &socket));
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
    socket.details_mut().set_info(Structure::TcpInfo, &bytes);
    for (field, value) in [("rtt", 250), ("last_data_sent", 3_000), ("snd_cwnd", 10)] {
        let info = Structure::TcpInfo
            .fields()
            .iter()
            .find(|info| info.name == field)
            .unwrap();
        let field = Field::InfoPart(info);
        assert!(of(&number(field, Op::Equal, value), &socket), "{field:?}");
    }
}

#[test]
fn field_the_kernel_did_not_send_is_unknown() {
    let mut socket = Socket::new(Protocol::Mptcp, Family::Inet);
    socket.details_mut().set_info(Structure::MptcpInfo, &[1; 8]);
    let sent = Field::InfoPart(Structure::MptcpInfo.fields().first().unwrap());
    let not_sent = Field::InfoPart(Structure::MptcpInfo.fields().last().unwrap());
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
    assert!(of(
        &number(Field::MemoryPart(1), Op::Greater, 4_000),
        &socket
    ));
    assert!(of(&missing(Field::MemoryPart(0)), &socket));
}

#[test]
fn mark_is_compared_under_its_mask() {
    let mut socket = tcp();
    socket.mark = Some(0x1234);
    let mark = |equal, value, mask| {
        Test::Field(
            Field::Mark,
            Op::equal(equal),
            Operand::Masked { value, mask },
        )
    };
    assert!(of(&mark(true, 0x34, 0xff), &socket));
    assert!(!of(&mark(true, 0x34, u32::MAX), &socket));
    assert!(of(&mark(false, 0x34, u32::MAX), &socket));
}

#[test]
fn names_of_the_row_are_matched() {
    let mut socket = tcp();
    (socket.uid, socket.cgroup_id, socket.interface) = (Some(0), Some(1), Some(2));
    let row = Row {
        user: Some("root"),
        cgroup: Some(b"/a.slice"),
        interface: Some("eth0"),
        netns: Some(b"blue"),
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
    assert!(of(&text(Field::PeerAddress, false, "x"), &netlink(1)));
    assert!(!of(&text(Field::PeerAddress, true, "*"), &netlink(1)));
}

#[test]
fn congestion_is_matched() {
    let mut socket = tcp();
    socket.details_mut().congestion = b"cubic".to_vec();
    assert!(of(&text(Field::Congestion, true, "cu*"), &socket));
    assert!(!of(&missing(Field::Congestion), &socket));
}
