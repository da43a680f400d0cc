//! `and`, `or`, `not`, parentheses, and the tests that are made of several.

use serde_json::Value;

use super::cases::{Case, case, is, number, tcp};

fn udp(row: &Value) -> bool {
    is(row, "protocol", &["udp"])
}

fn raw(row: &Value) -> bool {
    is(row, "protocol", &["raw"])
}

fn six(row: &Value) -> bool {
    is(row, "family", &["inet6"])
}

fn listens(row: &Value) -> bool {
    is(row, "state", &["LISTEN"])
}

/// How tests are joined.
pub fn joined() -> Vec<Case> {
    vec![
        case("protocol = tcp and family = inet6", |r| tcp(r) && six(r)),
        case("protocol=tcp&family=inet6", |r| tcp(r) && six(r)),
        case("protocol=tcp && family=inet6", |r| tcp(r) && six(r)),
        case("protocol tcp family inet6", |r| tcp(r) && six(r)),
        case("(protocol=tcp)(family=inet6)", |r| tcp(r) && six(r)),
        case("protocol = tcp or protocol = udp", |r| tcp(r) || udp(r)),
        case("protocol=tcp|protocol=udp", |r| tcp(r) || udp(r)),
        case("protocol tcp||protocol udp", |r| tcp(r) || udp(r)),
        case("((protocol = tcp))", tcp),
        case("( ( protocol tcp ) or ( protocol udp ) )", |r| {
            tcp(r) || udp(r)
        }),
        // `and` binds before `or`, on either side of it.
        case("protocol tcp or protocol udp and family inet6", |r| {
            tcp(r) || udp(r) && six(r)
        }),
        case("protocol udp family inet6 or protocol tcp", |r| {
            udp(r) && six(r) || tcp(r)
        }),
        case("(protocol tcp or protocol udp) and family inet6", |r| {
            (tcp(r) || udp(r)) && six(r)
        }),
        case("family inet6 (protocol tcp or protocol udp)", |r| {
            six(r) && (tcp(r) || udp(r))
        }),
        case(
            "protocol tcp | protocol udp & family inet6 | protocol raw",
            |r| tcp(r) || udp(r) && six(r) || raw(r),
        ),
        // `not` binds before both.
        case("not protocol tcp", |r| !tcp(r)),
        case("!protocol=tcp", |r| !tcp(r)),
        case("! protocol tcp and family inet6", |r| !tcp(r) && six(r)),
        case("not protocol tcp or family inet6", |r| !tcp(r) || six(r)),
        case("not (protocol tcp and family inet6)", |r| {
            !(tcp(r) && six(r))
        }),
        case("!(protocol tcp|protocol udp)", |r| !(tcp(r) || udp(r))),
        case("not not protocol tcp", tcp),
        case("!!protocol tcp", tcp),
        case("not !(not protocol tcp)", |r| !tcp(r)),
        case("family inet6 not protocol tcp", |r| six(r) && !tcp(r)),
        case(
            "not (not protocol tcp or not (family inet6 or state listen))",
            |r| tcp(r) && (six(r) || listens(r)),
        ),
        case("protocol tcp and not state listen or protocol raw", |r| {
            tcp(r) && !listens(r) || raw(r)
        }),
        // What always and what never holds.
        case("protocol tcp or not protocol tcp", |_| true).all_or_none(),
        case("protocol tcp and not protocol tcp", |_| false).all_or_none(),
        case("protocol tcp and protocol udp", |_| false).all_or_none(),
        case("state listen and state established", |_| false).all_or_none(),
    ]
}

fn in_range(row: &Value) -> bool {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let bounds: Vec<u64> = range
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    number(row, "local_port", |port| {
        (bounds[0]..=bounds[1]).contains(&port)
    })
}

fn named_by_the_kernel(row: &Value) -> bool {
    let name = row["local_address"].as_str().unwrap_or_default();
    let digits = name.strip_prefix('@').unwrap_or_default();
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    is(row, "protocol", &["unix"]) && digits.len() == 5 && digits.bytes().all(hex)
}

/// Words that stand for several tests, where netlink tells.
pub fn compound() -> Vec<Case> {
    let half_closed = |row: &Value| {
        let states = ["FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT"];
        tcp(row) && is(row, "state", &states) || is(row, "shutdown", &["receive", "send"])
    };
    let orphan = |row: &Value| {
        let states = ["FIN_WAIT_1", "FIN_WAIT_2", "CLOSING", "LAST_ACK"];
        tcp(row) && is(row, "state", &states) && row["inode"].is_null()
    };
    let autobound = |row: &Value| {
        let protocols = ["tcp", "udp", "udplite", "mptcp"];
        is(row, "protocol", &protocols) && in_range(row) || named_by_the_kernel(row)
    };
    vec![
        case("half-closed", half_closed),
        case("not half-closed", move |r| !half_closed(r)),
        case("half-closed and protocol unix", |r| {
            is(r, "protocol", &["unix"]) && is(r, "shutdown", &["receive", "send"])
        }),
        case("orphan", orphan),
        case("not orphan and state fin-wait-1", |r| {
            tcp(r) && is(r, "state", &["FIN_WAIT_1"]) && !r["inode"].is_null()
        }),
        case("autobound", autobound),
        case("autobound and protocol unix", named_by_the_kernel),
        case("not autobound", move |r| !autobound(r)),
    ]
}
