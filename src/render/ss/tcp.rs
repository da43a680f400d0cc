//! `tcp_info`, `mptcp_info` and their like.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::SsLayout;
use super::details::{put, word};
use super::float::{float, general};
use crate::model::{Info, Row, Socket, State};
use crate::text::escape;

/// What `ss` tells of `tcp_info`, in its order: its word and the field, with `:` a number, with `%` milliseconds
/// of microseconds, with ` ` a rate. Of a `@` more is to be said.
const TCP: &str = "@options @congestion @wscale rto%rto backoff:backoff @rtt ato%ato mss:snd_mss pmtu:pmtu \
    rcvmss:rcv_mss advmss:advmss cwnd:snd_cwnd @ssthresh bytes_sent:bytes_sent bytes_retrans:bytes_retrans \
    bytes_acked:bytes_acked bytes_received:bytes_received segs_out:segs_out segs_in:segs_in \
    data_segs_out:data_segs_out data_segs_in:data_segs_in @control @send lastsnd:last_data_sent \
    lastrcv:last_data_recv lastack:last_ack_recv @pacing @delivery delivered:delivered \
    delivered_ce:delivered_ce @app_limited @busy unacked:unacked @retrans lost:lost @sacked \
    dsack_dups:dsack_dups fackets:fackets @reordering reord_seen:reord_seen rcv_rtt%rcv_rtt \
    rcv_space:rcv_space rcv_ssthresh:rcv_ssthresh notsent:notsent_bytes minrtt%min_rtt \
    rcv_ooopack:rcv_ooopack snd_wnd:snd_wnd";
/// Likewise of `mptcp_info`; `#` = hexadecimal.
const MPTCP: &str = "subflows:subflows add_addr_signal:add_addr_signal add_addr_accepted:add_addr_accepted \
    subflows_max:subflows_max add_addr_signal_max:add_addr_signal_max \
    add_addr_accepted_max:add_addr_accepted_max @flags token#token write_seq#write_seq snd_una#snd_una \
    rcv_nxt#rcv_nxt";
/// Bits of `tcpi_options`; the third is the window scale.
const OPTIONS: [(u64, &str); 5] = [
    (1, "ts"),
    (2, "sack"),
    (8, "ecn"),
    (16, "ecnseen"),
    (32, "fastopen"),
];
/// `TCP_TIMEOUT_INIT` of old kernels, which is not worth a word.
const FIRST_RTO: u64 = 3_000_000;

pub(super) fn info(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    let socket = row.socket;
    let (info, words) = match (socket.tcp_info(), socket.mptcp_info()) {
        (Some(info), _) => (info, TCP),
        (None, Some(info)) => (info, MPTCP),
        (None, None) => return,
    };
    let value = |name: &str| info.value(name).unwrap_or_default();
    for entry in words.split(' ') {
        let at = entry.find(['@', ':', '%', '#']).unwrap_or_default();
        let (word, field) = entry.split_at_checked(at).unwrap_or_default();
        let (sign, field) = field.split_at_checked(1).unwrap_or_default();
        match (sign, value(field)) {
            ("@", _) => computed(out, layout, field, socket, info),
            (_, 0) => {}
            ("%", FIRST_RTO) if field == "rto" => {}
            ("%", micros) => {
                put!(out, " {word}:{}", millis(micros));
            }
            ("#", number) => {
                put!(out, " {word}:{number:x}");
            }
            (_, number) => {
                put!(out, " {word}:{number}");
            }
        }
    }
}

fn millis(micros: u64) -> String {
    general(float(micros) / 1_000.0, 6)
}

/// A rate in bits per second.
fn rate(layout: &SsLayout, bits: f64) -> String {
    if layout.has(b'n') {
        return format!("{bits:.0}bps");
    }
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(unit, _)| bits >= *unit) {
        Some((unit, letter)) => format!("{}{letter}bps", general(bits / unit, 3)),
        None => format!("{}bps", general(bits, 6)),
    }
}

/// What is not one field.
fn computed(out: &mut Vec<u8>, layout: &SsLayout, what: &str, socket: &Socket, info: &Info) {
    let value = |name: &str| info.value(name).unwrap_or_default();
    match what {
        "options" if layout.has(b'o') => {
            let options = value("options");
            for (_, name) in OPTIONS.iter().filter(|(bit, _)| options & bit != 0) {
                put!(out, " {name}");
            }
        }
        "congestion" => {
            if let Some(name) = socket.congestion() {
                put!(out, " {}", escape(name));
            }
        }
        "wscale" if value("options") & 4 != 0 => {
            put!(
                out,
                " wscale:{},{}",
                value("snd_wscale"),
                value("rcv_wscale")
            );
        }
        "rtt" if value("rtt") > 0 => {
            put!(
                out,
                " rtt:{}/{}",
                millis(value("rtt")),
                millis(value("rttvar"))
            );
        }
        "ssthresh" if (1..0xffff).contains(&value("snd_ssthresh")) => {
            put!(out, " ssthresh:{}", value("snd_ssthresh"));
        }
        "control" => control(out, layout, socket),
        "send" => {
            let [window, segment, rtt] =
                ["snd_cwnd", "snd_mss", "rtt"].map(|name| float(value(name)));
            let bits = window * segment * 8_000_000.0 / vegas_rtt(socket).unwrap_or(rtt);
            if bits.is_finite() && bits > 0.0 {
                put!(out, " send {}", rate(layout, bits));
            }
        }
        "pacing" if value("pacing_rate") > 0 => {
            put!(
                out,
                " pacing_rate {}",
                rate(layout, float(value("pacing_rate")) * 8.0)
            );
            if value("max_pacing_rate") > 0 {
                put!(
                    out,
                    "/{}",
                    rate(layout, float(value("max_pacing_rate")) * 8.0)
                );
            }
        }
        "delivery" if value("delivery_rate") > 0 => {
            put!(
                out,
                " delivery_rate {}",
                rate(layout, float(value("delivery_rate")) * 8.0)
            );
        }
        "app_limited" if value("delivery_rate_app_limited") > 0 => {
            put!(out, " app_limited");
        }
        "busy" if value("busy_time") > 0 => {
            let busy = value("busy_time");
            put!(out, " busy:{}ms", busy / 1_000);
            for name in ["rwnd_limited", "sndbuf_limited"] {
                let limited = value(name);
                if limited > 0 {
                    let part = 100.0 * float(limited) / float(busy);
                    put!(out, " {name}:{}ms({part:.1}%)", limited / 1_000);
                }
            }
        }
        "retrans" if value("retrans") + value("total_retrans") > 0 => {
            put!(
                out,
                " retrans:{}/{}",
                value("retrans"),
                value("total_retrans")
            );
        }
        "sacked" if value("sacked") > 0 && socket.state != State::Listen => {
            put!(out, " sacked:{}", value("sacked"));
        }
        "reordering" if value("reordering") != 3 => {
            put!(out, " reordering:{}", value("reordering"));
        }
        "flags" => {
            for (bit, name) in [(1, "fallback"), (2, "remote_key")] {
                if value("flags") & bit != 0 {
                    put!(out, " {name}");
                }
            }
        }
        _ => {}
    }
}

/// `struct tcpvegas_info` (`include/uapi/linux/inet_diag.h`).
fn vegas_rtt(socket: &Socket) -> Option<f64> {
    let info = socket.attribute(3)?;
    let rtt = word(info, 2);
    let is_known = word(info, 0) > 0 && rtt > 0 && rtt != 0x7fff_ffff;
    is_known.then(|| rtt.into())
}

/// `struct tcp_dctcp_info` and `struct tcp_bbr_info`.
fn control(out: &mut Vec<u8>, layout: &SsLayout, socket: &Socket) {
    if let Some([a, b, c, d, rest @ ..]) = socket.attribute(9) {
        let [enabled, state] = [[*a, *b], [*c, *d]].map(u16::from_ne_bytes);
        let [alpha, ecn, total] = [0, 1, 2].map(|place| word(rest, place));
        if enabled > 0 {
            put!(
                out,
                " dctcp:(ce_state:{state},alpha:{alpha},ab_ecn:{ecn},ab_tot:{total})"
            );
        } else {
            put!(out, " dctcp:fallback_mode");
        }
    }
    if let Some(info) = socket.attribute(16) {
        let bandwidth = u64::from(word(info, 1)) << 32 | u64::from(word(info, 0));
        let bandwidth = rate(layout, float(bandwidth) * 8.0);
        put!(
            out,
            " bbr:(bw:{bandwidth},mrtt:{}",
            millis(word(info, 2).into())
        );
        for (place, name) in [(3, "pacing_gain"), (4, "cwnd_gain")] {
            let gain = word(info, place);
            if gain > 0 {
                put!(out, ",{name}:{}", general(f64::from(gain) / 256.0, 6));
            }
        }
        out.push(b')');
    }
}

/// MD5 signatures, without their keys, and what runs above TCP.
pub(super) fn above(out: &mut Vec<u8>, row: &Row<'_>) {
    let socket = row.socket;
    // `struct tcp_diag_md5sig`.
    let (signatures, _) = socket.attribute(18).unwrap_or_default().as_chunks::<100>();
    for (place, [family, length, _, _, address @ ..]) in signatures.iter().enumerate() {
        put!(out, "{}", if place == 0 { " md5keys:" } else { "," });
        let six = address.first_chunk::<16>().copied().map(Ipv6Addr::from);
        match (
            *family,
            six.zip(address.first_chunk::<4>().copied().map(Ipv4Addr::from)),
        ) {
            (10, Some((six, _))) => {
                put!(out, "{six}/{length}=***");
            }
            (_, Some((_, four))) => {
                put!(out, "{four}/{length}=***");
            }
            (_, None) => {}
        }
    }
    // `INET_ULP_INFO_*`, `TLS_INFO_*` and `MPTCP_SUBFLOW_ATTR_*`.
    if let Some(name) = socket.attribute(0x1301) {
        let name = name.split(|byte| *byte == 0).next();
        put!(out, " tcp-ulp-{}", escape(name.unwrap_or_default()));
    }
    let told = |number| socket.attribute(number).map(number_of);
    if let Some(version) = told(0x13_0201) {
        match version {
            0x303 | 0x304 => {
                put!(out, " version: 1.{}", version - 0x301);
            }
            other => {
                put!(out, " version: unknown({other})");
            }
        }
    }
    if let Some(cipher @ (51 | 52)) = told(0x13_0202) {
        put!(
            out,
            " cipher: aes-gcm-{}",
            if cipher == 51 { 128 } else { 256 }
        );
    }
    for (number, name) in [(0x13_0204, "rxconf"), (0x13_0203, "txconf")] {
        match told(number) {
            None | Some(0) => {}
            Some(known @ 1..=4) => {
                let names = ["", "none", "sw", "hw", "hw-record"];
                let known = usize::try_from(known).unwrap_or_default();
                put!(out, " {name}: {}", names.get(known).unwrap_or(&""));
            }
            Some(other) => {
                put!(out, " {name}: unknown({other})");
            }
        }
    }
    if told(0x13_0205).is_some() {
        put!(out, " zc_ro_tx");
    }
    if let Some(flags) = told(0x13_0308).filter(|flags| *flags > 0) {
        put!(out, " flags:");
        for (bit, letter) in b"MmJjBbecv".iter().enumerate() {
            if flags & 1 << bit != 0 {
                out.push(*letter);
            }
        }
    }
    if let (Some(peer), Some(own)) = (told(0x13_0301), told(0x13_0302)) {
        let [peer_id, own_id] =
            [0x13_0309, 0x13_030a].map(|number| told(number).unwrap_or_default());
        put!(
            out,
            " token:{peer:04x}(id:{peer_id})/{own:04x}(id:{own_id})"
        );
    }
    for (number, name) in [(4, "seq"), (5, "sfseq"), (6, "ssnoff"), (7, "maplen")] {
        if let Some(value) = told(0x13_0300 + number) {
            put!(out, " {name}:{value:x}");
        }
    }
}

/// A number of one, two, four or eight bytes.
fn number_of(bytes: &[u8]) -> u64 {
    let two = bytes.first_chunk().copied().map(u16::from_ne_bytes);
    let eight = bytes.first_chunk().copied().map(u64::from_ne_bytes);
    match bytes.len() {
        0 | 1 => bytes.first().copied().unwrap_or_default().into(),
        2 => two.unwrap_or_default().into(),
        4 => word(bytes, 0).into(),
        _ => eight.unwrap_or_default(),
    }
}
