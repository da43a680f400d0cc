#!/bin/bash
# netlink-packet-sock-diag 0.5.0: `StateFlags::all()` does not ask for all states.
#
# Its mask is 0xffe, the states 1 (ESTABLISHED) to 11 (CLOSING). A TCP socket that is bound and neither listens nor
# connects has the state 13 (TCP_BOUND_INACTIVE) and is listed by Linux 6.8 and later only to who asks for its bit;
# with `all()` the reply is complete and has no such socket. `InetRequest::parse` drops the bit of a request that has
# it, so a program between two others changes what is asked. `StateFlags::from_bits_retain` keeps it.
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
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};

fn main() {
    println!("all(): {:#x}", StateFlags::all().bits());
    let request = InetRequest {
        family: 2,
        protocol: 6,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::from_bits_retain(0x3ffe),
        socket_id: SocketId::new_v4(),
    };
    let mut sent = vec![0; request.buffer_len()];
    request.emit(&mut sent);
    println!("sent: {:#x}", u32::from_ne_bytes(sent[4..8].try_into().unwrap()));
    println!("parsed: {:#x}", InetRequest::parse(&sent[..]).unwrap().states.bits());
}
END
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml")
echo "$seen"
[ "$seen" = $'all(): 0xffe\nsent: 0x3ffe\nparsed: 0xffe' ] || { echo "this has changed"; exit 1; }
