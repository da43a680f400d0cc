#!/bin/bash
# netlink-packet-sock-diag 0.5.0 with `rich_nlas`: one tcp_info of an older kernel fails the whole reply.
#
# struct tcp_info grows at its end: a kernel sends what it has, and readers take the shorter of the two lengths. The
# crate demands 232 bytes, up to tcpi_snd_wnd. A kernel from before that field (2019) and tcpi_rcv_ooopack sends 224;
# one from before tcpi_bytes_sent 200. The error comes from the parse of the message, so the socket's addresses and
# state are lost too. Without the feature the same bytes are read.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[features]
rich_nlas = ["netlink-packet-sock-diag/rich_nlas"]
[dependencies]
netlink-packet-core = "=0.9.0"
netlink-packet-sock-diag = "=0.5.0"
END
cat > "$dir/src/main.rs" <<'END'
use netlink_packet_core::{NetlinkHeader, NetlinkDeserializable};
use netlink_packet_sock_diag::SockDiagMessage;

/// An established IPv4 socket's inet_diag_msg with INET_DIAG_INFO (2) of so many bytes.
fn reply(info_len: u16) -> Vec<u8> {
    let mut bytes = vec![2, 1, 0, 0, 0x1f, 0x90, 0x9c, 0x40];
    for address in [[127, 0, 0, 1], [127, 0, 0, 1]] {
        bytes.extend(address);
        bytes.extend([0; 12]);
    }
    bytes.extend([0; 32]);
    bytes.extend((4 + info_len).to_ne_bytes());
    bytes.extend(2u16.to_ne_bytes());
    bytes.extend(vec![0; info_len.into()]);
    bytes
}

fn main() {
    for (last_field, info_len) in [("tcpi_snd_wnd", 232), ("tcpi_reord_seen", 224), ("tcpi_delivered_ce", 200)] {
        let mut header = NetlinkHeader::default();
        header.message_type = 20; // SOCK_DIAG_BY_FAMILY
        let outcome = SockDiagMessage::deserialize(&header, &reply(info_len));
        println!("up to {last_field}, {info_len} bytes: {}", if outcome.is_ok() { "read" } else { "refused" });
    }
}
END
plain=$(cargo run -q --manifest-path "$dir/Cargo.toml")
rich=$(cargo run -q --manifest-path "$dir/Cargo.toml" --features rich_nlas)
printf 'without rich_nlas\n%s\nwith rich_nlas\n%s\n' "$plain" "$rich"
[ "$plain" = $'up to tcpi_snd_wnd, 232 bytes: read\nup to tcpi_reord_seen, 224 bytes: read\nup to tcpi_delivered_ce, 200 bytes: read' ] &&
    [ "$rich" = $'up to tcpi_snd_wnd, 232 bytes: read\nup to tcpi_reord_seen, 224 bytes: refused\nup to tcpi_delivered_ce, 200 bytes: refused' ] ||
    { echo "this has changed"; exit 1; }
