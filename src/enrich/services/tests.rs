use super::{Ports, Services, ephemeral_range, known_as, names, numbers, protocol, range, service};
use crate::model::{Family, PortKind, Protocol, Socket};
use crate::skip::skip;

const SERVICES: &[u8] = b"# comment\n\
    http\t\t80/tcp\t\twww\t# WorldWideWeb HTTP\n\
    second 80/tcp\n\
    domain 53/udp\n\
    #ssh 22/tcp\n\
    sctp-only 81/sctp\n\
    too-large 65536/tcp\n\
    no-port\n\
    none/tcp\n\
    x 82\n\
    \xff\x1b 83/tcp\r\n\
    client 40000/tcp";

const PROTOCOLS: &[u8] = b"ip 0 IP\nicmp 1 ICMP # x\nospf\t89\tOSPFIGP\n";

fn table() -> Services {
    table_of(Ports::Named)
}

fn table_of(ports: Ports) -> Services {
    let mut entries = names(SERVICES, service);
    entries.extend(names(PROTOCOLS, protocol));
    let mut services = Services::new(ports);
    services.set(entries);
    services
}

#[test]
fn first_name_of_a_port_wins_and_aliases_are_ignored() {
    let table = table();
    assert_eq!(table.name(Protocol::Tcp, Some(80)), Some("http"));
    assert_eq!(table.name(Protocol::Udp, Some(80)), None);
    for port in [0, 22, 81, 82, 65_536, 65_616] {
        assert_eq!(table.name(Protocol::Tcp, Some(port)), None, "{port}");
    }
    assert_eq!(table.name(Protocol::Tcp, None), None);
}

#[test]
fn names_that_are_no_text_are_left_out() {
    assert_eq!(table().name(Protocol::Tcp, Some(83)), None);
}

#[test]
fn multipath_tcp_and_udplite_use_the_names_of_tcp_and_udp() {
    let table = table();
    assert_eq!(table.name(Protocol::Mptcp, Some(80)), Some("http"));
    assert_eq!(table.name(Protocol::UdpLite, Some(53)), Some("domain"));
    assert_eq!(table.name(Protocol::Icmp, Some(80)), None);
}

#[test]
fn ephemeral_ports_have_no_names() {
    let mut table = table();
    assert_eq!(table.name(Protocol::Tcp, Some(40_000)), None);
    table.ephemeral = 40_001;
    assert_eq!(table.name(Protocol::Tcp, Some(40_000)), Some("client"));
    assert_eq!(range("1024\t60999\n"), Some(1_024..=60_999));
    assert_eq!(range("1024"), None);
    assert_eq!(range(""), None);
    assert_eq!(ephemeral_range("/no/such/root".as_ref()), None);
}

#[test]
fn last_name_wins_and_no_port_is_left_out_for_netstat() {
    let table = table_of(Ports::NamedLast);
    assert_eq!(table.name(Protocol::Tcp, Some(80)), Some("second"));
    assert_eq!(table.name(Protocol::Tcp, Some(40_000)), Some("client"));
    assert_eq!(table.name(Protocol::Raw, Some(1)), Some("icmp"));
}

#[test]
fn raw_packet_and_netlink_ports_have_their_own_names() {
    let table = table();
    assert_eq!(table.name(Protocol::Raw, Some(89)), Some("ospf"));
    assert_eq!(table.name(Protocol::Raw, Some(255)), None);
    assert_eq!(table.name(Protocol::Packet, Some(3)), Some("all"));
    assert_eq!(table.name(Protocol::Netlink, Some(0)), Some("kernel"));
    assert_eq!(table.name(Protocol::Netlink, Some(1)), None);
}

#[test]
fn nothing_is_named_or_read_unless_asked() {
    let mut services = Services::new(Ports::Numbers);
    services.prepare(&Socket::new(Protocol::Tcp, Family::Inet));
    assert!(services.names.is_none());
    assert_eq!(services.name(Protocol::Packet, Some(3)), None);
    let mut services = Services::new(Ports::Named);
    services.prepare(&Socket::new(Protocol::Unix, Family::Unix));
    assert!(services.names.is_none());
    services.prepare(&Socket::new(Protocol::Udp, Family::Inet6));
    assert!(services.names.is_some());
}

#[test]
fn table_is_sorted_whatever_the_file() {
    let mut services = Services::new(Ports::Named);
    let text = b"b 9/udp\na 9/tcp\nc 7/udp\nd 9/udp";
    services.set(names(text, service));
    let keys: Vec<_> = services
        .names
        .iter()
        .flatten()
        .map(|named| named.0)
        .collect();
    assert_eq!(
        keys,
        [(PortKind::Tcp, 9), (PortKind::Udp, 7), (PortKind::Udp, 9)]
    );
    assert_eq!(services.name(Protocol::Udp, Some(9)), Some("b"));
}

#[test]
fn names_aliases_and_any_case_lead_to_the_number() {
    let http = [(PortKind::Tcp, 80)];
    for name in ["http", "HTTP", "www", "second"] {
        assert_eq!(known_as(name, SERVICES, service), http, "{name}");
    }
    for name in ["WorldWideWeb", "ssh", "80/tcp", "x", ""] {
        assert_eq!(known_as(name, SERVICES, service), [], "{name}");
    }
    let sctp = [(PortKind::Sctp, 81)];
    assert_eq!(known_as("sctp-only", SERVICES, service), sctp);
    let client = [(PortKind::Tcp, 40_000)];
    assert_eq!(
        known_as("client", SERVICES, service),
        client,
        "ephemeral, too"
    );
    assert_eq!(
        known_as("ospfigp", PROTOCOLS, protocol),
        [(PortKind::IpProtocol, 89)],
        "capitals do not matter"
    );
}

#[test]
fn an_alias_counts_only_where_nothing_has_the_name() {
    let text = b"a 1/tcp b\nb 2/tcp\na 1/udp b\nb 3/tcp\n";
    assert_eq!(
        known_as("b", text, service),
        [(PortKind::Tcp, 2), (PortKind::Tcp, 3), (PortKind::Udp, 1)]
    );
}

#[test]
fn every_protocol_with_such_ports_is_named() {
    assert_eq!(numbers("Kernel"), [(Protocol::Netlink, 0)]);
    assert_eq!(numbers("qinq"), [(Protocol::Packet, 0x9100)]);
    assert_eq!(numbers("no such service"), []);
    let domain = numbers("domain");
    if domain.is_empty() {
        skip("/etc/services does not name port 53");
        return;
    }
    let with_ports = [
        Protocol::Tcp,
        Protocol::Udp,
        Protocol::UdpLite,
        Protocol::Mptcp,
        Protocol::Smc,
    ];
    assert_eq!(domain, with_ports.map(|protocol| (protocol, 53)));
}
