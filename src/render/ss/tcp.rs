//! `tcp_info`, `mptcp_info` and their like.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::SsLayout;
use super::template::{fill, float, put, rate, word};
use crate::model::{Info, Row, Socket, State, Structure};
use crate::text::escape;

const TCP: &str = include_str!("tcp.txt");
const MPTCP: &str = include_str!("mptcp.txt");
const BBR: &str = " bbr:(bw:{bw/},mrtt:{2%}";
const DCTCP: &str = " dctcp:(ce_state:{state},alpha:{1},ab_ecn:{2},ab_tot:{3})";
/// `TCP_TIMEOUT_INIT` of old kernels, which is not worth a word.
const FIRST_RTO: u64 = 3_000_000;

pub(super) fn info(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    let socket = row.socket;
    let (info, lines) = match (
        socket.info(Structure::TcpInfo),
        socket.info(Structure::MptcpInfo),
    ) {
        (Some(info), _) => (info, TCP),
        (None, Some(info)) => (info, MPTCP),
        (None, None) => return,
    };
    let value = |name: &str| of(layout, socket, info, name);
    let is_set = |name: &str| value(name) > 0;
    let lines = lines.lines().filter_map(|line| line.split_once(' '));
    for (condition, text) in lines {
        let mut choices = condition.split('+');
        match condition {
            "#" => {}
            "@" => special(out, layout, (socket, info), text),
            _ if choices.any(|choice| choice.split('&').all(is_set)) => {
                out.extend_from_slice(if text.starts_with('/') { b"" } else { b" " });
                fill(out, text, layout.has(b'n'), &value);
            }
            _ => {}
        }
    }
}

/// A field, or what a name in capitals stands for.
fn of(layout: &SsLayout, socket: &Socket, info: Info<'_>, name: &str) -> u64 {
    let value = |name: &str| info.value(name).unwrap_or_default();
    let unless = |name, is_not: bool| if is_not { 0 } else { value(name) };
    // `TCPI_OPT_*`, `MPTCP_INFO_FLAG_*`
    let option = |bit| {
        if layout.has(b'o') {
            value("options") & bit
        } else {
            0
        }
    };
    match name {
        "TS" => option(1),
        "SACK" => option(2),
        "WSCALE" => value("options") & 4,
        "ECN" => option(8),
        "ECN_SEEN" => option(16),
        "SYN_DATA" => option(32),
        "RTO" => unless("rto", value("rto") == FIRST_RTO),
        "SSTHRESH" => unless("snd_ssthresh", value("snd_ssthresh") >= 0xffff),
        "SACKED" => unless("sacked", socket.state == State::Listen),
        // 0 is one of those that are told.
        "REORDERING" => u64::from(value("reordering") != 3),
        // Before the first segment the kernel counts from its own beginning.
        "last_data_sent" | "last_data_recv" | "last_ack_recv" if value("segs_in") > 0 => {
            info.sent(name).unwrap_or_default()
        }
        "FALLBACK" => value("flags") & 1,
        "REMOTE_KEY" => value("flags") & 2,
        name => value(name),
    }
}

fn special(out: &mut Vec<u8>, layout: &SsLayout, of: (&Socket, Info<'_>), what: &str) {
    let (socket, info) = of;
    let value = |name: &str| float(info.value(name).unwrap_or_default());
    match what {
        "congestion" => {
            if let Some(name) = socket.congestion() {
                put!(out, " {}", escape(name));
            }
        }
        "control" => control(out, layout, socket),
        "send" => {
            // `struct tcpvegas_info` (`include/uapi/linux/inet_diag.h`).
            let vegas = socket.attribute(3).filter(|vegas| word(vegas, 0) > 0);
            let rtt = vegas.map(|vegas| word(vegas, 2));
            let rtt = rtt.filter(|rtt| ![0, 0x7fff_ffff].contains(rtt));
            let rtt = rtt.map_or_else(|| value("rtt"), f64::from);
            let bits = value("snd_cwnd") * value("snd_mss") * 8_000_000.0 / rtt;
            if bits.is_finite() && bits > 0.0 {
                put!(out, " send {}", rate(layout.has(b'n'), bits));
            }
        }
        limited if value(limited) > 0.0 && value("busy_time") > 0.0 => {
            put!(out, "({:.1}%)", 100.0 * value(limited) / value("busy_time"));
        }
        _ => {}
    }
}

/// `struct tcp_dctcp_info` and `struct tcp_bbr_info`.
fn control(out: &mut Vec<u8>, layout: &SsLayout, socket: &Socket) {
    let place = |name: &str| name.parse().unwrap_or(usize::MAX);
    if let Some(dctcp) = socket.attribute(9) {
        let [a, b, c, d, ..] = *dctcp else { return };
        let state = u16::from_ne_bytes([c, d]).into();
        let value = |name: &str| match name {
            "state" => state,
            name => word(dctcp, place(name)).into(),
        };
        let is_enabled = [a, b] != [0, 0];
        fill(
            out,
            if is_enabled {
                DCTCP
            } else {
                " dctcp:fallback_mode"
            },
            false,
            &value,
        );
    }
    if let Some(bbr) = socket.attribute(16) {
        let value = |name: &str| match name {
            "bw" => u64::from(word(bbr, 1)) << 32 | u64::from(word(bbr, 0)),
            name => word(bbr, place(name)).into(),
        };
        let gains = [("3", ",pacing_gain:{3^}"), ("4", ",cwnd_gain:{4^}")];
        let gains = gains.into_iter().filter(|(gain, _)| value(gain) > 0);
        for (_, text) in [("", BBR)].into_iter().chain(gains).chain([("", ")")]) {
            fill(out, text, layout.has(b'n'), &value);
        }
    }
}

/// What TLS tells (`TLS_INFO_*`), each with its values that have a name.
const TLS: [(u32, &str, &str); 4] = [
    (0x13_0201, "version", "771 1.2 772 1.3"),
    (0x13_0202, "cipher", "51 aes-gcm-128 52 aes-gcm-256"),
    (0x13_0204, "rxconf", "1 none 2 sw 3 hw 4 hw-record"),
    (0x13_0203, "txconf", "1 none 2 sw 3 hw 4 hw-record"),
];

/// MD5 signatures, without their keys, and what runs above TCP.
pub(super) fn above(out: &mut Vec<u8>, row: &Row<'_>) {
    let socket = row.socket;
    // `struct tcp_diag_md5sig`.
    let (signatures, _) = socket.attribute(18).unwrap_or_default().as_chunks::<100>();
    for (place, [family, length, _, _, address @ ..]) in signatures.iter().enumerate() {
        put!(out, "{}", if place == 0 { " md5keys:" } else { "," });
        let six = address.first_chunk::<16>().copied().map(Ipv6Addr::from);
        let four = address.first_chunk::<4>().copied().map(Ipv4Addr::from);
        match six.zip(four) {
            Some((six, _)) if *family == 10 => put!(out, "{six}/{length}=***"),
            Some((_, four)) => put!(out, "{four}/{length}=***"),
            None => {}
        }
    }
    // `INET_ULP_INFO_*`.
    if let Some(name) = socket.attribute(0x1301) {
        put!(
            out,
            " tcp-ulp-{}",
            escape(name.strip_suffix(&[0]).unwrap_or(name))
        );
    }
    let told = |number| socket.attribute(number).map(number_of);
    for (number, name, known) in TLS {
        let Some(value) = told(number) else { continue };
        let (digits, mut words) = (value.to_string(), known.split(' '));
        match words
            .find(|word| *word == digits)
            .and_then(|_| words.next())
        {
            Some(known) => put!(out, " {name}: {known}"),
            None => put!(out, " {name}: unknown({value})"),
        }
    }
    if told(0x13_0205).is_some() {
        put!(out, " zc_ro_tx");
    }
    // `MPTCP_SUBFLOW_ATTR_*`.
    if let Some(flags) = told(0x13_0308).filter(|flags| *flags > 0) {
        let letters = "MmJjBbecv".chars().enumerate();
        let letters = letters.filter(|(bit, _)| flags & 1 << bit != 0);
        put!(
            out,
            " flags:{}",
            letters.map(|(_, letter)| letter).collect::<String>()
        );
    }
    let ends = [0x13_0301, 0x13_0309, 0x13_0302, 0x13_030a].map(told);
    if let [Some(peer), Some(peer_id), Some(own), Some(own_id)] = ends {
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
