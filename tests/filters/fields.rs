//! Words, numbers and what is missing.

use serde_json::Value;

use super::cases::{Case, case, is, number, tcp, text};

/// States, their groups and their spellings.
pub fn states() -> Vec<Case> {
    let idle = ["LISTEN", "UNCONN", "BOUND", "CLOSED"];
    let small = ["SYN_RCVD", "TIME_WAIT"];
    let state = |row: &Value, states: &[&str]| is(row, "state", states);
    let high = |row: &Value| number(row, "local_port", |port| port >= 30_000);
    let high_peer = |row: &Value| number(row, "peer_port", |port| port >= 30_000);
    vec![
        case("state established", move |r| state(r, &["ESTABLISHED"])),
        case("state listen", move |r| state(r, &["LISTEN"])),
        case("state = listen", move |r| state(r, &["LISTEN"])),
        case("state != listen", move |r| !state(r, &["LISTEN"])),
        case("not state listen", move |r| !state(r, &["LISTEN"])),
        case("state listening,time-wait", move |r| {
            state(r, &["LISTEN", "TIME_WAIT"])
        }),
        case("state ESTAB,syn_recv,Fin-Wait-1", move |r| {
            state(r, &["ESTABLISHED", "SYN_RCVD", "FIN_WAIT_1"])
        }),
        case("state fin-wait-2 state CLOSING state last_ack", move |r| {
            state(r, &["FIN_WAIT_2", "CLOSING", "LAST_ACK"])
        }),
        case("state connected", move |r| !state(r, &idle)),
        case("state synchronized", move |r| {
            !state(r, &idle) && !state(r, &["SYN_SENT"])
        }),
        case("state bucket", move |r| state(r, &small)),
        case("state big", move |r| !state(r, &small)),
        case("state all", |_| true).all_or_none(),
        case("exclude established", move |r| !state(r, &["ESTABLISHED"])),
        case("excl listen,established", move |r| {
            !state(r, &["LISTEN", "ESTABLISHED"])
        }),
        case("exclude listen exclude established", move |r| {
            !state(r, &["LISTEN", "ESTABLISHED"])
        }),
        case("exclude connected", move |r| state(r, &idle)),
        case(
            "state established sport >= 30000 or dport >= 30000",
            move |r| state(r, &["ESTABLISHED"]) && (high(r) || high_peer(r)),
        ),
        case("sport >= 30000 and state listen", move |r| {
            high(r) && state(r, &["LISTEN"])
        }),
        case("dport >= 30000 or state time-wait,listen", move |r| {
            high_peer(r) || state(r, &["TIME_WAIT", "LISTEN"])
        }),
        case("not (state listen or state established)", move |r| {
            !state(r, &["LISTEN", "ESTABLISHED"])
        }),
    ]
}

/// States that `/proc/net` does not list.
pub fn rare_states() -> Vec<Case> {
    vec![
        case("state bound", |r| is(r, "state", &["BOUND"])),
        case("state unconn", |r| is(r, "state", &["UNCONN"])),
        case("state unconn,bound", |r| {
            is(r, "state", &["UNCONN", "BOUND"])
        }),
    ]
}

/// Fields that hold one word of few.
pub fn words() -> Vec<Case> {
    vec![
        case("protocol = tcp", tcp),
        case("proto tcp", tcp),
        case("protocol == TCP", tcp),
        case("protocol = tcp,udp", |r| is(r, "protocol", &["tcp", "udp"])),
        case("protocol != tcp", |r| !tcp(r)),
        case("protocol ne tcp,unix", |r| {
            !is(r, "protocol", &["tcp", "unix"])
        }),
        case("family inet6", |r| is(r, "family", &["inet6"])),
        case("family eq unix", |r| is(r, "family", &["unix"])),
        case("family neq inet,inet6", |r| {
            !is(r, "family", &["inet", "inet6"])
        }),
        case("type stream", |r| is(r, "type", &["stream"])),
        case("type = seqpacket,dgram", |r| {
            is(r, "type", &["seqpacket", "dgram"])
        }),
        // What has no type has another one than this.
        case("type != stream", |r| !is(r, "type", &["stream"])),
        case("not type = stream", |r| !is(r, "type", &["stream"])),
        case("type = none", |r| r["type"].is_null()),
        case("type != none", |r| !r["type"].is_null()),
    ]
}

/// Shutdown and timers: of sockets that the kernel tells of by netlink.
pub fn sides() -> Vec<Case> {
    vec![
        case("shutdown = send", |r| is(r, "shutdown", &["send"])),
        case("shutdown = send,both", |r| {
            is(r, "shutdown", &["send", "both"])
        }),
        // The word, not the lack of one.
        case("shutdown = none", |r| is(r, "shutdown", &["none"])),
        case("shutdown != none", |r| !is(r, "shutdown", &["none"])),
        case("shutdown = unknown", |r| r["shutdown"].is_null()),
    ]
}

fn timer(row: &Value) -> Option<&str> {
    row["timer"]["kind"].as_str()
}

fn expires(row: &Value, holds: impl Fn(u64) -> bool) -> bool {
    number(&row["timer"], "expires_ms", holds)
}

/// Timers. Only those of `keepalive` run for minutes, and none moves past 400 s.
pub fn timers() -> Vec<Case> {
    vec![
        case("timer = keepalive", |r| timer(r) == Some("keepalive")),
        case("timer keepalive,time_wait", |r| {
            matches!(timer(r), Some("keepalive" | "time_wait"))
        }),
        case("timer != keepalive", |r| timer(r) != Some("keepalive")),
        case("not timer = keepalive", |r| timer(r) != Some("keepalive")),
        case("timer = none", |r| timer(r).is_none()),
        case("timer != none", |r| timer(r).is_some()),
        case("timer > 400s", |r| expires(r, |ms| ms > 400_000)),
        case("timer <= 400s", |r| expires(r, |ms| ms <= 400_000)),
        case("timer.expires_ms > 400000", |r| {
            expires(r, |ms| ms > 400_000)
        }),
        case("expires_ms >= 6m", |r| expires(r, |ms| ms >= 360_000)),
        case("timer = keepalive and timer.retransmits = 0", |r| {
            timer(r) == Some("keepalive") && r["timer"]["retransmits"] == 0
        }),
        case("timer.retransmits >= 0", |r| timer(r).is_some()),
    ]
}

/// Numbers, their units and lists. `rows` is the whole list.
pub fn numbers(rows: &[Value]) -> Vec<Case> {
    let queue =
        |row: &Value, holds: &dyn Fn(u64) -> bool| tcp(row) && number(row, "recv_queue", holds);
    let mut inodes: Vec<u64> = rows
        .iter()
        .filter_map(|row| row["inode"].as_u64())
        .collect();
    inodes.sort_unstable();
    let middle = inodes[inodes.len() / 2];
    vec![
        case("protocol tcp recv_queue > 0", move |r| {
            queue(r, &|bytes| bytes > 0)
        }),
        case("recv_queue = 1234", |r| {
            number(r, "recv_queue", |bytes| bytes == 1_234)
        }),
        case("recv_q 1234", |r| {
            number(r, "recv_queue", |bytes| bytes == 1_234)
        }),
        case("protocol tcp and recv_queue >= 1K", move |r| {
            queue(r, &|bytes| bytes >= 1_024)
        }),
        case("protocol tcp and recv_queue gt 4K", move |r| {
            queue(r, &|bytes| bytes > 4_096)
        })
        .all_or_none(),
        case("protocol tcp and recv_queue geq 4K", move |r| {
            queue(r, &|bytes| bytes >= 4_096)
        }),
        case("protocol tcp and recv_queue < 1M", move |r| {
            queue(r, &|bytes| bytes < 1 << 20)
        }),
        case("protocol tcp and recv_queue != 0", move |r| {
            queue(r, &|bytes| bytes != 0)
        }),
        case("protocol = tcp && send_queue >= 60K", |r| {
            tcp(r) && number(r, "send_queue", |bytes| bytes >= 61_440)
        }),
        case("state listen and send_q lt 16", |r| {
            is(r, "state", &["LISTEN"]) && number(r, "send_queue", |limit| limit < 16)
        }),
        case("state listen and send_q leq 16", |r| {
            is(r, "state", &["LISTEN"]) && number(r, "send_queue", |limit| limit <= 16)
        }),
        case(format!("inode = {middle}"), move |r| r["inode"] == middle),
        case(format!("inode != {middle}"), move |r| r["inode"] != middle),
        case(format!("inode > {middle}"), move |r| {
            number(r, "inode", |inode| inode > middle)
        }),
        case(format!("inode le {middle}"), move |r| {
            number(r, "inode", |inode| inode <= middle)
        }),
        case("inode = none", |r| r["inode"].is_null()),
        case("not inode > 0", |r| !number(r, "inode", |inode| inode > 0)),
        case("peer_inode > 0", |r| {
            number(r, "peer_inode", |inode| inode > 0)
        }),
        case("peer_inode = none", |r| r["peer_inode"].is_null()),
    ]
}

/// Users, where they are told: of all sockets but those of netlink.
pub fn users() -> Vec<Case> {
    vec![
        case("uid = unknown", |r| r["uid"].is_null()),
        case("uid != none", |r| !r["uid"].is_null()),
        case("uid >= 0", |r| !r["uid"].is_null()),
        case("uid != 4294967294", |_| true).all_or_none(),
        case("not uid != 4294967294", |_| false).all_or_none(),
    ]
}

/// What the kernel knows beside: cookies and its own structures.
pub fn kernel(rows: &[Value]) -> Vec<Case> {
    let first = |key: &str| {
        let mut found = rows
            .iter()
            .filter(|row| tcp(row))
            .filter_map(|row| text(row, key));
        found.next().expect("of some TCP socket").to_owned()
    };
    let (cookie, other, congestion) = (first("cookie"), first("cookie"), first("congestion"));
    let glob = format!("{}*", &congestion[..2].to_uppercase());
    let begin = congestion[..2].to_owned();
    let info = |row: &Value, name: &str, holds: &dyn Fn(u64) -> bool| {
        number(&row["tcp_info"], name, holds)
    };
    let memory =
        |row: &Value, name: &str, holds: &dyn Fn(u64) -> bool| number(&row["memory"], name, holds);
    vec![
        case(format!("cookie = {cookie}"), move |r| {
            r["cookie"] == *cookie
        }),
        case(format!("cookie != {other}"), move |r| r["cookie"] != *other),
        case(format!("congestion = {congestion}"), move |r| {
            r["congestion"] == *congestion
        }),
        case(format!("congestion ~ {glob}"), move |r| {
            text(r, "congestion").is_some_and(|name| name.starts_with(&begin))
        }),
        case("congestion = none", |r| r["congestion"].is_null()),
        case("tcp_info.snd_mss > 1000", move |r| {
            info(r, "snd_mss", &|bytes| bytes > 1_000)
        }),
        case("snd_mss <= 1000", move |r| {
            info(r, "snd_mss", &|bytes| bytes <= 1_000)
        }),
        case("not snd_mss > 1K", move |r| {
            !info(r, "snd_mss", &|bytes| bytes > 1_024)
        }),
        case("rcv_wscale = 0", move |r| {
            info(r, "rcv_wscale", &|bits| bits == 0)
        }),
        case("rcv_wscale != 0", |r| r["tcp_info"]["rcv_wscale"] != 0),
        case("rtt < 1h", move |r| !r["tcp_info"]["rtt"].is_null()),
        case("rtt = unknown", move |r| r["tcp_info"]["rtt"].is_null()),
        case("tcp_info.bytes_received > 1K", move |r| {
            info(r, "bytes_received", &|bytes| bytes > 1_024)
        }),
        case("memory.rcvbuf < 64K", move |r| {
            memory(r, "rcvbuf", &|bytes| bytes < 65_536)
        }),
        case("sndbuf > 300K", move |r| {
            memory(r, "sndbuf", &|bytes| bytes > 307_200)
        }),
        case("protocol tcp and drops > 0", move |r| {
            tcp(r) && memory(r, "drops", &|count| count > 0)
        }),
        case("protocol tcp and memory.drops = 0", move |r| {
            tcp(r) && memory(r, "drops", &|count| count == 0)
        }),
        case("memory.sndbuf = unknown", |r| {
            r["memory"]["sndbuf"].is_null()
        }),
    ]
}

/// Firewall marks, where there are some.
pub fn marks() -> Vec<Case> {
    let mark = |row: &Value, holds: &dyn Fn(u64) -> bool| number(row, "mark", holds);
    let own = u64::from(crate::scene::tcp::options::MARK);
    vec![
        case("mark = 0x5cea", move |r| mark(r, &|m| m == own)),
        case(format!("fwmark {own}"), move |r| mark(r, &|m| m == own)),
        case("fwmark != 0x5cea", move |r| mark(r, &|m| m != own)),
        case("fwmark = 0x5000/0xf000", move |r| {
            mark(r, &|m| m & 0xf000 == 0x5000)
        }),
        case("fwmark != 0x5000/0xf000", move |r| {
            mark(r, &|m| m & 0xf000 != 0x5000)
        }),
        case("mark = 0/0xf000", move |r| mark(r, &|m| m & 0xf000 == 0)),
        case("mark = unknown", |r| r["mark"].is_null()).all_or_none(),
        case("mark != 0", move |r| mark(r, &|m| m != 0)),
    ]
}
