#!/bin/bash
# netlink-packet-sock-diag 0.5.0: the header of an inet_diag reply loses the time that a TIME_WAIT socket has left.
#
# The kernel fills `idiag_expires` for all four timers (retransmit, keep-alive, TIME_WAIT, zero window probe). The
# crate's `Timer` has a duration for three of them; `Timer::TimeWait` has none, and no other field keeps it. What is
# parsed and emitted again has 0 there. `idiag_retrans` has a place in `Timer::Retransmit` only, so the count of a
# keep-alive or zero window probe timer is lost too.
#
# Who shows the time of TIME_WAIT reads the bytes 52 to 55 of the message itself.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
netlink-packet-core = "=0.9.0"
netlink-packet-sock-diag = "=0.5.0"
END
cat > "$dir/src/main.rs" <<'END'
use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_sock_diag::inet::InetResponseHeader;

/// struct inet_diag_msg of an IPv4 socket, as the kernel writes it.
fn reply(state: u8, timer: u8, retransmits: u8, expires_ms: u32) -> Vec<u8> {
    let mut bytes = vec![2, state, timer, retransmits];
    bytes.extend([0x1f, 0x90, 0x9c, 0x40]); // ports, big endian
    for address in [[127, 0, 0, 1], [127, 0, 0, 1]] {
        bytes.extend(address);
        bytes.extend([0; 12]);
    }
    bytes.extend([0; 12]); // interface, cookie
    bytes.extend(expires_ms.to_ne_bytes());
    bytes.extend([0; 16]); // queues, uid, inode
    bytes
}

fn main() {
    for (name, state, timer, retransmits) in
        [("retransmit", 1, 1, 3), ("keep-alive", 1, 2, 3), ("TIME_WAIT", 6, 3, 0), ("probe", 1, 4, 3)]
    {
        let sent = reply(state, timer, retransmits, 59_000);
        let header = InetResponseHeader::parse(&sent[..]).unwrap();
        let mut emitted = vec![0; header.buffer_len()];
        header.emit(&mut emitted);
        let expires = u32::from_ne_bytes(emitted[52..56].try_into().unwrap());
        println!("{name}: {:?}; emitted again: {expires} ms, {} retransmits", header.timer.unwrap(), emitted[3]);
    }
}
END
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml")
expected='retransmit: Retransmit(59s, 3); emitted again: 59000 ms, 3 retransmits
keep-alive: KeepAlive(59s); emitted again: 59000 ms, 0 retransmits
TIME_WAIT: TimeWait; emitted again: 0 ms, 0 retransmits
probe: Probe(59s); emitted again: 59000 ms, 0 retransmits'
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed; expected was:"; echo "$expected"; exit 1; }
