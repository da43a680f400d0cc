//! `tcp_info` and related structures, from tables of templates.

use std::io::Write as _;

use super::template::{fill, float, put, rate};
use super::{SsLayout, state};
use crate::model::{Protocol, Row, Socket, SocketType, State, Structure};
use crate::text::escape;

pub(super) const TCP: &str = include_str!("tcp.txt");
pub(super) const MPTCP: &str = include_str!("mptcp.txt");
pub(super) const SCTP: &str = include_str!("sctp.txt");
pub(super) const XDP: &str = include_str!("xdp.txt");
pub(super) const ABOVE: &str = include_str!("above.txt");
pub(super) const OPTIONS: &str = include_str!("options.txt");
/// Type of service, traffic class and class id.
pub(super) const TOS: &str =
    "?tos tos:{tos!}\n?tclass tclass:{tclass!}\n?class_id class_id:{class_id!}";
/// `TCP_TIMEOUT_INIT` of old kernels, which is not shown.
const FIRST_RTO: u64 = 3_000_000;

/// Writes the templates of a table that apply.
pub(super) fn write(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>, table: &str) {
    let socket = row.socket;
    let value = |name: &str| of(layout, socket, name).unwrap_or_default();
    let is_met = |name: &str| match name.strip_prefix('?') {
        Some(name) => of(layout, socket, name).is_some(),
        None => value(name) > 0,
    };
    for (condition, text) in table.lines().filter_map(|line| line.split_once(' ')) {
        let mut choices = condition.split('+');
        match condition {
            "#" => {}
            "@" => special(out, layout, socket, text),
            _ if choices.any(|choice| choice.split('&').all(is_met)) => {
                let goes_on = text.starts_with(['/', ',', ')']);
                let begin: &[u8] = match socket.protocol {
                    Protocol::Xdp if !layout.has(b'O') => b"\n\t",
                    _ if goes_on => b"",
                    _ => b" ",
                };
                out.extend_from_slice(begin);
                fill(out, text, layout.has(b'n'), &value);
            }
            _ => {}
        }
    }
}

/// A field of any structure, or the meaning of a name in capitals; `None` = not reported.
pub(super) fn of(layout: &SsLayout, socket: &Socket, name: &str) -> Option<u64> {
    let infos = || {
        Structure::ALL
            .into_iter()
            .filter_map(|structure| socket.info(structure))
    };
    let told = |name: &str| infos().find_map(|info| info.value(name));
    let sent = |name: &str| infos().find_map(|info| info.sent(name));
    let value = |name: &str| told(name).unwrap_or_default();
    let unless = |name, is_not: bool| told(name).filter(|_| !is_not);
    // `TCPI_OPT_*`, `MPTCP_INFO_FLAG_*`
    let option = |bit| {
        told("options")
            .filter(|_| layout.has(b'o'))
            .map(|options| options & bit)
    };
    match name {
        "TS" => option(1),
        "SACK" => option(2),
        "WSCALE" => Some(value("options") & 4),
        "ECN" => option(8),
        "ECN_SEEN" => option(16),
        "SYN_DATA" => option(32),
        "RTO" => unless("rto", value("rto") == FIRST_RTO),
        "SSTHRESH" => unless("snd_ssthresh", value("snd_ssthresh") >= 0xffff),
        "SACKED" => unless("sacked", socket.state == State::Listen),
        // 0 is a reported value.
        "REORDERING" => Some(u64::from(value("reordering") != 3)),
        "DCTCP_OFF" => told("dctcp_enabled").map(|enabled| u64::from(enabled == 0)),
        "ICSK" => Some(u64::from(socket.protocol.is_tcp_like())),
        "FALLBACK" => Some(value("flags") & 1),
        "REMOTE_KEY" => Some(value("flags") & 2),
        "bbr_min_rtt" => sent(name),
        // Before the first segment the kernel counts from its own boot.
        "last_data_sent" | "last_data_recv" | "last_ack_recv" if value("segs_in") > 0 => sent(name),
        name => told(name),
    }
}

fn special(out: &mut Vec<u8>, layout: &SsLayout, socket: &Socket, what: &str) {
    let value = |name: &str| float(of(layout, socket, name).unwrap_or_default());
    match what {
        "congestion" => {
            if let Some(name) = socket.congestion() {
                put!(out, " {}", escape(name));
            }
        }
        "send" => {
            let vegas = value("vegas_rtt");
            let is_vegas = value("vegas_enabled") > 0.0 && vegas > 0.0 && vegas < 2_147_483_647.0;
            let rtt = if is_vegas { vegas } else { value("rtt") };
            let bits = value("snd_cwnd") * value("snd_mss") * 8_000_000.0 / rtt;
            if bits.is_finite() && bits > 0.0 {
                put!(out, " send {}", rate(layout.has(b'n'), bits));
            }
        }
        "ulp" => ulp(out, socket),
        "association" if socket.kind == Some(SocketType::Association) && value("state") > 0.0 => {
            put!(out, " state:{}", state(socket));
        }
        "tls" => {
            for (name, word) in ["version", "cipher", "rxconf", "txconf"]
                .into_iter()
                .filter_map(|name| {
                    let info = socket.info(Structure::UlpInfo)?;
                    let field = format!("tls_{name}");
                    let mut fields = Structure::UlpInfo.fields().iter();
                    let field = fields.find(|known| known.name == field)?;
                    let value = info.get(field)?;
                    let word = field.words.iter().find(|(code, _)| *code == value);
                    let unknown = || format!("unknown({value})");
                    Some((
                        name,
                        word.map_or_else(unknown, |(_, word)| (*word).to_owned()),
                    ))
                })
            {
                put!(out, " {name}: {word}");
            }
        }
        "subflow_flags" => {
            let flags = of(layout, socket, what).unwrap_or_default();
            let set = "MmJjBbecv"
                .chars()
                .enumerate()
                .filter(|(bit, _)| flags & 1 << bit != 0);
            let letters: String = set.map(|(_, letter)| letter).collect();
            if !letters.is_empty() {
                put!(out, " flags:{letters}");
            }
        }
        limited if value(limited) > 0.0 && value("busy_time") > 0.0 => {
            put!(out, "({:.1}%)", 100.0 * value(limited) / value("busy_time"));
        }
        _ => {}
    }
}

/// MD5 signatures without their keys, and the name of the ULP.
fn ulp(out: &mut Vec<u8>, socket: &Socket) {
    let Some(details) = &socket.details else {
        return;
    };
    let signed = details
        .md5
        .split(|byte| *byte == b',')
        .filter(|peer| !peer.is_empty());
    for (place, peer) in signed.enumerate() {
        let before = if place == 0 { " md5keys:" } else { "," };
        put!(out, "{before}{}=***", escape(peer));
    }
    if !details.ulp.is_empty() {
        put!(out, " tcp-ulp-{}", escape(&details.ulp));
    }
}
