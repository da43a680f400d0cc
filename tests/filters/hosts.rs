//! Addresses, ports, interfaces and names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::cases::{Case, canonical, case, ip, is, number, text};

const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn is_loopback_four(row: &Value, key: &str) -> bool {
    canonical(row, key).is_some_and(|ip| matches!(ip, IpAddr::V4(ip) if ip.is_loopback()))
}

fn is_link_local(row: &Value, key: &str) -> bool {
    ip(row, key).is_some_and(|ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
}

/// Addresses of either end.
pub fn addresses() -> Vec<Case> {
    let local = |row: &Value| canonical(row, "local_address");
    let peer = |row: &Value| canonical(row, "peer_address");
    vec![
        // The mapped server too.
        case("src 127.0.0.1", move |r| local(r) == Some(FOUR)),
        case("src = 127.0.0.1", move |r| local(r) == Some(FOUR)),
        // Unix sockets, which have no such address, too.
        case("src != 127.0.0.1", move |r| local(r) != Some(FOUR)),
        case("not src 127.0.0.1", move |r| local(r) != Some(FOUR)),
        case("dst 127/8", |r| is_loopback_four(r, "peer_address")),
        case("dst = 127.0.0.0/8", |r| is_loopback_four(r, "peer_address")),
        case("dst != 127/8", |r| !is_loopback_four(r, "peer_address")),
        case("dst 127.0.0.1 and family inet6", move |r| {
            peer(r) == Some(FOUR) && is(r, "family", &["inet6"])
        }),
        case("src ::1", move |r| local(r) == Some(SIX)),
        case("src [::1]", move |r| local(r) == Some(SIX)),
        case("src = ::1/128", move |r| local(r) == Some(SIX)),
        case("dst [::1]", move |r| peer(r) == Some(SIX)),
        case("src inet6:[::1]", move |r| local(r) == Some(SIX)),
        case("src fe80::/10", |r| is_link_local(r, "local_address")),
        case("src [fe80::]/10", |r| is_link_local(r, "local_address")),
        case("not src [fe80::]/10", |r| {
            !is_link_local(r, "local_address")
        }),
        case("addr 127.0.0.1", move |r| {
            local(r) == Some(FOUR) || peer(r) == Some(FOUR)
        }),
        case("addr fe80::/10", |r| is_link_local(r, "local_address")),
        case("dst 0.0.0.0", move |r| {
            peer(r) == Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        }),
        case("local_address = 127.0.0.1", move |r| local(r) == Some(FOUR)),
        case("local = ::1", move |r| local(r) == Some(SIX)),
        case("peer_address 127.0.0.0/8", |r| {
            is_loopback_four(r, "peer_address")
        }),
        case("peer != ::1", move |r| peer(r) != Some(SIX)),
        case("src inet:127.0.0.1 and family inet", move |r| {
            local(r) == Some(FOUR) && is(r, "family", &["inet"])
        }),
    ]
}

/// What only netlink tells: whether `::` stands for every IPv4 address too.
pub fn every_ipv4_address() -> Vec<Case> {
    fn is_ipv4(row: &Value) -> bool {
        let local = row["local_address"].as_str().unwrap_or_default();
        let is_both = local == "::" && row["v6only"] == false;
        let ip = local.parse().map(|ip: IpAddr| ip.to_canonical());
        is_both || ip.is_ok_and(|ip| ip.is_ipv4())
    }
    vec![
        case("src 0.0.0.0/0", is_ipv4),
        case("not src 0/0", |r| !is_ipv4(r)),
    ]
}

/// Addresses with a scope, and interfaces.
pub fn interfaces() -> Vec<Case> {
    vec![
        case("src fe80::1%scene0", |r| {
            is(r, "local_address", &["fe80::1"])
        }),
        case("dev lo", |r| is(r, "interface", &["lo"])),
        case("dev = scene0", |r| is(r, "interface", &["scene0"])),
        case("interface = lo", |r| is(r, "interface", &["lo"])),
        case("dev lo or dev scene0", |r| {
            is(r, "interface", &["lo", "scene0"])
        }),
        case("not dev lo", |r| !is(r, "interface", &["lo"])),
        // What is bound to none is not bound to this one.
        case("protocol tcp dev != lo", |r| {
            is(r, "protocol", &["tcp"]) && !is(r, "interface", &["lo"])
        }),
    ]
}

/// Ports of either end. `rows` is the whole list.
pub fn ports(rows: &[Value]) -> Vec<Case> {
    let connected = |address: &str| {
        let mut found = rows.iter().filter(|row| {
            row["protocol"] == "tcp"
                && row["state"] == "ESTABLISHED"
                && row["local_address"] == address
        });
        let row = found.next().expect("a connection");
        let port = |key: &str| row[key].as_u64().expect("a port");
        (port("local_port"), port("peer_port"))
    };
    let ((one, its_peer), (six, _)) = (connected("127.0.0.1"), connected("::1"));
    let (low, high) = (one.min(six), one.max(six));
    let local = |row: &Value, holds: &dyn Fn(u64) -> bool| number(row, "local_port", holds);
    let peer = |row: &Value, holds: &dyn Fn(u64) -> bool| number(row, "peer_port", holds);
    vec![
        case(format!("sport = {one}"), move |r| local(r, &|p| p == one)),
        case(format!("sport = :{one}"), move |r| local(r, &|p| p == one)),
        case(format!("sport {one}"), move |r| local(r, &|p| p == one)),
        case(format!("local_port == {one}"), move |r| {
            local(r, &|p| p == one)
        }),
        // What has no port has another one than this.
        case(format!("sport != {one}"), move |r| r["local_port"] != one),
        case(format!("not sport = {one}"), move |r| {
            !local(r, &|p| p == one)
        }),
        case(format!("dport {its_peer}"), move |r| {
            peer(r, &|p| p == its_peer)
        }),
        case(format!("peer_port = :{its_peer}"), move |r| {
            peer(r, &|p| p == its_peer)
        }),
        case(format!("port {its_peer}"), move |r| {
            local(r, &|p| p == its_peer) || peer(r, &|p| p == its_peer)
        }),
        case(format!(":{its_peer}"), move |r| {
            local(r, &|p| p == its_peer) || peer(r, &|p| p == its_peer)
        }),
        case(format!("sport >= {high}"), move |r| {
            local(r, &|p| p >= high)
        }),
        case(format!("sport geq :{high}"), move |r| {
            local(r, &|p| p >= high)
        }),
        case(format!("sport gt {low}"), move |r| local(r, &|p| p > low)),
        case(format!("sport lt {high}"), move |r| local(r, &|p| p < high)),
        case(format!("dport leq {high}"), move |r| {
            peer(r, &|p| p <= high)
        }),
        case(format!("sport = {low}-{high}"), move |r| {
            local(r, &|p| (low..=high).contains(&p))
        }),
        case(format!("sport = :{low}-{high}"), move |r| {
            local(r, &|p| (low..=high).contains(&p))
        }),
        case(format!("sport >= {low} and sport <= {high}"), move |r| {
            local(r, &|p| (low..=high).contains(&p))
        }),
        case(format!("sport = {one},{six}"), move |r| {
            local(r, &|p| [one, six].contains(&p))
        }),
        case(format!("sport != {one},{six}"), move |r| {
            !local(r, &|p| [one, six].contains(&p))
        }),
        case(format!("dport != {its_peer} and protocol tcp"), move |r| {
            is(r, "protocol", &["tcp"]) && r["peer_port"] != its_peer
        }),
        case("dport != 0-65535 and protocol tcp", |r| {
            is(r, "protocol", &["tcp"]) && r["peer_port"].is_null()
        }),
        case("not dport != 0-65535 and protocol tcp", |r| {
            is(r, "protocol", &["tcp"]) && !r["peer_port"].is_null()
        }),
        case("peer_port = none", |r| r["peer_port"].is_null()),
        case(format!("src 127.0.0.1:{one}"), move |r| {
            canonical(r, "local_address") == Some(FOUR) && local(r, &|p| p == one)
        }),
        case(format!("src [::1]:{six}"), move |r| {
            ip(r, "local_address") == Some(SIX) && local(r, &|p| p == six)
        }),
        case(format!("src *:{six}"), move |r| local(r, &|p| p == six)),
        case(format!("dst 127.0.0.0/8:{its_peer}"), move |r| {
            is_loopback_four(r, "peer_address") && peer(r, &|p| p == its_peer)
        }),
        case(
            format!("dst != 127.0.0.1:{its_peer} and protocol tcp"),
            move |r| {
                let same =
                    canonical(r, "peer_address") == Some(FOUR) && peer(r, &|p| p == its_peer);
                is(r, "protocol", &["tcp"]) && !same
            },
        ),
    ]
}

/// Numbers that are no ports, under their names.
pub fn named_ports() -> Vec<Case> {
    vec![
        case("sport = arp", |r| {
            is(r, "protocol", &["packet"]) && number(r, "local_port", |p| p == 0x0806)
        }),
        case("sport = kernel", |r| {
            is(r, "protocol", &["netlink"]) && number(r, "local_port", |p| p == 0)
        }),
        case("src netlink:route", |r| is(r, "local_address", &["route"])),
        case("local_address ~ ROUTE", |r| {
            is(r, "local_address", &["route"])
        }),
    ]
}

/// Names of unix sockets. `rows` is the whole list.
pub fn names(rows: &[Value]) -> Vec<Case> {
    let of_unix = |row: &&Value| row["protocol"] == "unix";
    let name = |part: &str| {
        let names = rows
            .iter()
            .filter(of_unix)
            .filter_map(|row| text(row, "local_address"));
        let mut found = names.filter(|name| name.contains(part));
        found.next().expect("in the scene").to_owned()
    };
    let path = name("/stream.sock");
    let (blank, odd) = (name("two words"), name("-odd"));
    let local = |row: &Value, holds: &dyn Fn(&str) -> bool| {
        is(row, "protocol", &["unix"]) && text(row, "local_address").is_some_and(holds)
    };
    let peer = |row: &Value, holds: &dyn Fn(&str) -> bool| {
        is(row, "protocol", &["unix"]) && text(row, "peer_address").is_some_and(holds)
    };
    let parts = |name: &str| name.contains("stream.sock");
    let exact = [path.clone(), path.clone(), path.clone(), path.clone()];
    let [one, two, three, four] = exact;
    vec![
        case(format!("src {path}"), move |r| {
            local(r, &|name| name == one)
        }),
        case(format!("src = {path}"), move |r| {
            local(r, &|name| name == two)
        }),
        case(format!("local_address = {path}"), move |r| {
            local(r, &|name| name == three)
        }),
        case(format!("dst {path}"), move |r| {
            peer(r, &|name| name == four)
        }),
        case(format!("src unix:{path}"), move |r| {
            local(r, &|name| name == path)
        }),
        case("src *stream.sock", move |r| local(r, &parts)),
        case("src /*/stream.soc?", move |r| local(r, &parts)),
        case("local_address ~ *STREAM.SOCK", move |r| local(r, &parts)),
        case("peer_address ~ *Stream.Sock", move |r| peer(r, &parts)),
        case("any STREAM.sock", move |r| {
            local(r, &parts) || peer(r, &parts)
        }),
        // A path that looks like an abstract name is none: its `@` is written `\x40`.
        case("src @*", move |r| local(r, &|name| name.starts_with('@'))),
        case("src unix:@lsock-*", move |r| {
            local(r, &|name| name.starts_with("@lsock-"))
        }),
        case("src != @* and protocol unix", move |r| {
            is(r, "protocol", &["unix"]) && !local(r, &|name| name.starts_with('@'))
        }),
        case("not src @*", move |r| {
            !local(r, &|name| name.starts_with('@'))
        }),
        case("dst @lsock-*-datagram", move |r| {
            peer(r, &|name| name.ends_with("-datagram"))
        }),
        case(format!("src \"{blank}\""), move |r| {
            local(r, &|name| name == blank)
        }),
        case(format!("src {odd}"), move |r| local(r, &|name| name == odd)),
        case("local_address !~ *e* and protocol unix", move |r| {
            // Of the bytes, not of the escapes.
            let has_e = |name: &str| {
                lsock::text::unescape(name)
                    .iter()
                    .any(|b| b"eE".contains(b))
            };
            is(r, "protocol", &["unix"]) && !local(r, &has_e)
        }),
        case("protocol unix and local_address = none", |r| {
            is(r, "protocol", &["unix"]) && r["local_address"].is_null()
        }),
    ]
}
