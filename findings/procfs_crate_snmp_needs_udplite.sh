#!/bin/bash
# procfs-core 0.18.0: `Snmp` refuses /proc/net/snmp of a kernel without UDP-Lite, so no counter can be read at all.
#
# Linux 7.x has no UDP-Lite any more and writes neither of its two lines. The crate demands every one of its counters:
# TCP's and UDP's are lost with it. The error calls itself a bug of the crate and does not name what was missing.
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
procfs-core = { version = "=0.18.0", default-features = false }
END
cat > "$dir/src/main.rs" <<'END'
use procfs_core::{FromRead, net::Snmp};

fn main() {
    let with = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let without: String = with.lines().filter(|line| !line.starts_with("UdpLite")).map(|l| format!("{l}\n")).collect();
    for (name, text) in [("with UDP-Lite", with), ("without", without)] {
        match Snmp::from_read(text.as_bytes()) {
            Ok(counters) => println!("{name}: {} TCP connections opened", counters.tcp_active_opens),
            Err(error) => println!("{name}: {}", error.to_string().split(" at ").next().unwrap()),
        }
    }
}
END
cat > "$dir/snmp" <<'END'
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits
Ip: 1 64 900 0 0 0 0 0 900 800 0 0 0 0 0 0 0 0 0 800
Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps
Icmp: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
IcmpMsg: InType3 OutType3
IcmpMsg: 0 0
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 21 8 2 0 4 700 650 0 0 3 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 200 0 0 150 0 0 0 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
END
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml" -- "$dir/snmp")
echo "$seen"
[[ $seen == "with UDP-Lite: 21 TCP connections opened
without: Internal error: bug" ]] || { echo "this has changed"; exit 1; }
