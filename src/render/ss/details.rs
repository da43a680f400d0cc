//! Details of `ss` after both endpoints.

use std::io::Write as _;

use super::template::{fill, put, word};
use super::{SsLayout, tcp};
use crate::model::{
    Memory, Protocol, Row, Shutdown, SocketType, Source, Structure, Thread, TimerKind,
};
use crate::render::digits;
use crate::text::escape;

/// The words for `SK_MEMINFO_*`, in the order of [`Memory::FIELDS`]; old kernels lack the last two.
const MEMORY: [&str; 9] = ["r", "rb", "t", "tb", "f", "w", "o", "bl", "d"];
/// `PACKET_FANOUT_*` (`include/uapi/linux/if_packet.h`).
const FANOUTS: [&str; 6] = ["hash", "lb", "cpu", "roll", "random", "qm"];
/// `struct packet_diag_info`, `struct packet_diag_ring`.
const PACKET: &str = "ver:{1} cpy_thresh:{3} flags( ";
const RING: &str = "(blk_size:{0},blk_nr:{1},frm_size:{2},frm_nr:{3},tmo:{4},features:0x{6#})";

pub(super) fn write(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    match row.socket.protocol {
        Protocol::Netlink => netlink(out, layout, row),
        Protocol::Unix => {
            users(out, layout, row);
            unix(out, layout, row);
        }
        Protocol::Packet => {
            users(out, layout, row);
            packet(out, layout, row);
        }
        Protocol::Vsock => users(out, layout, row),
        Protocol::Tipc => tipc(out, layout, row),
        Protocol::Xdp => {
            users(out, layout, row);
            if layout.has(b'e') {
                owner(out, row);
                tcp::write(out, layout, row, tcp::XDP);
            }
            memory(out, layout, row);
        }
        _ => {
            users(out, layout, row);
            // Of a raw socket in the file `ss` shows nothing else.
            if !(row.socket.protocol == Protocol::Raw && row.socket.source == Source::Procfs) {
                internet(out, layout, row);
            }
        }
    }
}

/// Processes, the last one first.
fn users(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    let processes = row.processes.unwrap_or_default();
    if processes.is_empty() || !layout.has(b'p') {
        return;
    }
    put!(out, " users:(");
    for process in processes.iter().rev() {
        let all = Thread {
            name: process.name.clone().unwrap_or_default(),
            fds: process.fds.clone(),
        };
        let own = process.tids.iter().map(Some).zip(&process.threads);
        let threads: Vec<_> = own.rev().collect();
        let threads = if layout.has(b'T') {
            threads
        } else {
            vec![(None, &all)]
        };
        for (tid, thread) in threads {
            for fd in thread.fds.iter().rev() {
                put!(out, "(\"{}\",pid={}", escape(&thread.name), process.pid);
                if let Some(tid) = tid {
                    put!(out, ",tid={tid}");
                }
                let told = |context: &Option<Vec<u8>>| {
                    escape(context.as_deref().unwrap_or(b"unavailable")).into_owned()
                };
                if layout.has(b'Z') || layout.has(b'z') {
                    put!(out, ",proc_ctx={}", told(&process.context));
                }
                put!(out, ",fd={fd}");
                if layout.has(b'z') {
                    put!(out, ",sock_ctx={}", told(&process.socket_context));
                }
                out.extend_from_slice(b"),");
            }
        }
    }
    out.pop();
    out.push(b')');
}

/// Starts a line of details, or continues the line.
fn line(out: &mut Vec<u8>, layout: &SsLayout) {
    out.extend_from_slice(if layout.has(b'O') { b" " } else { b"\n\t" });
}

fn memory(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    let Some(memory) = row.socket.memory().filter(|_| layout.has(b'm')) else {
        return;
    };
    put!(out, " skmem:(");
    for (name, (.., value)) in MEMORY.into_iter().zip(Memory::FIELDS) {
        if let Some(value) = value(memory) {
            put!(out, "{name}{value},");
        }
    }
    out.pop();
    out.push(b')');
}

fn owner(out: &mut Vec<u8>, row: &Row<'_>) {
    let socket = row.socket;
    if let Some(uid) = socket.uid.filter(|uid| *uid > 0) {
        put!(out, " uid:{uid}");
    }
    put!(out, " ino:{}", socket.inode.unwrap_or_default());
    put!(out, " sk:{:x}", socket.cookie.unwrap_or_default());
    if let Some(mark) = socket.mark.filter(|mark| *mark > 0) {
        put!(out, " fwmark:{mark:#x}");
    }
    cgroup(out, row);
}

fn cgroup(out: &mut Vec<u8>, row: &Row<'_>) {
    match (row.socket.cgroup_id, row.cgroup) {
        (None, _) => {}
        (_, Some(path @ [b'/', ..])) => put!(out, " cgroup:{}", escape(path)),
        (Some(id), _) => put!(out, " cgroup:unreachable:{id:x}"),
    }
}

fn shutdown(out: &mut Vec<u8>, row: &Row<'_>) {
    out.extend_from_slice(match row.socket.shutdown {
        None => b"",
        Some(Shutdown::None) => b" <->",
        Some(Shutdown::Receive) => b" -->",
        Some(Shutdown::Send) => b" <--",
        Some(Shutdown::Both) => b" ---",
    });
}

fn unix(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    memory(out, layout, row);
    if !layout.has(b'e') {
        return;
    }
    shutdown(out, row);
    if let Some(file) = row.socket.file() {
        put!(
            out,
            " ino:{} dev:{}/{}",
            file.inode,
            file.device.0,
            file.device.1
        );
    }
    let details = row.socket.details.as_ref();
    if let Some(waiting) = details.and_then(|details| details.pending_peers.as_ref()) {
        put!(out, " peers:");
        for inode in waiting {
            put!(out, " {inode}");
        }
    }
}

fn netlink(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    if layout.has(b'e') {
        let groups = row.socket.attribute(1).map_or(0, |groups| word(groups, 0));
        let cookie = row.socket.cookie.unwrap_or_default();
        put!(out, " sk={cookie:x} cb=0 groups={groups:#010x}");
    }
    if layout.has(b'm') {
        out.push(b'\t');
        memory(out, layout, row);
    }
}

fn packet(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    let told = |number| row.socket.attribute(number);
    if layout.has(b'e') {
        owner(out, row);
        if let Some(info) = told(0) {
            line(out, layout);
            fill(out, PACKET, false, &|place| at(info, place));
            let names = ["running", " auxdata", " origdev", " vnethdr", " loss"];
            let flags = word(info, 5);
            let set = names
                .iter()
                .enumerate()
                .filter(|(bit, _)| flags & 1 << bit != 0);
            set.for_each(|(_, name)| out.extend_from_slice(name.as_bytes()));
            out.extend_from_slice(if flags == 0 { b"0 )" } else { b" )" });
        }
        for (number, name) in [(2, "ring_rx"), (3, "ring_tx")] {
            if let Some(ring) = told(number) {
                line(out, layout);
                out.extend_from_slice(name.as_bytes());
                fill(out, RING, false, &|place| at(ring, place));
            }
        }
        if let Some(fanout) = told(4).map(|fanout| word(fanout, 0)) {
            line(out, layout);
            let code = usize::try_from(fanout >> 16).unwrap_or(usize::MAX);
            let name = FANOUTS.get(code).map(|name| (*name).to_owned());
            let name = name.unwrap_or_else(|| format!("{code:#x}"));
            put!(out, "fanout(id:{},type:{name})", fanout & 0xffff);
        }
    }
    if let Some(filter) = told(7).filter(|_| layout.has(b'b')) {
        let (steps, _) = filter.as_chunks::<8>();
        line(out, layout);
        put!(out, "bpf filter ({}): ", steps.len());
        for [a, b, yes, no, rest @ ..] in steps {
            let (code, operand) = (u16::from_ne_bytes([*a, *b]), u32::from_ne_bytes(*rest));
            put!(out, " {code:#04x} {yes} {no} {operand},");
        }
    }
    memory(out, layout, row);
}

fn tipc(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    if layout.has(b'e') {
        owner(out, row);
    }
    users(out, layout, row);
    if !layout.has(b'%') {
        return;
    }
    let told = |name| tcp::of(layout, row.socket, name).unwrap_or_default();
    let kind = row.socket.kind.map_or("unknown", SocketType::name);
    let congested = match (told("link_congested"), told("connection_congested")) {
        (0, 0) => "none",
        (0, _) => "conn",
        _ => "link",
    };
    out.extend_from_slice(if layout.has(b'O') { b"" } else { b"\n" });
    put!(
        out,
        " type:{} cong:{congested}  drop:{} ",
        kind.to_uppercase(),
        told("dropped")
    );
    if told("published") > 0 {
        put!(out, " publ");
    }
    if let service @ 1.. = told("service_type") {
        put!(out, " via {{{service},{}}} ", told("service_instance"));
    }
}

/// The word at this index.
fn at(bytes: &[u8], place: &str) -> u64 {
    word(bytes, place.parse().unwrap_or(usize::MAX)).into()
}

fn internet(out: &mut Vec<u8>, layout: &SsLayout, row: &Row<'_>) {
    let (socket, has) = (row.socket, |letter| layout.has(letter));
    if has(b'o') {
        timer(out, row);
    }
    if has(b'e') {
        owner(out, row);
        if let Some(only) = socket.v6only {
            put!(out, " v6only:{}", u8::from(only));
        }
        shutdown(out, row);
    }
    if has(b'@') {
        tcp::write(out, layout, row, tcp::TOS);
    }
    if has(b'/') {
        cgroup(out, row);
    }
    let options = socket.info(Structure::SocketOptions);
    if has(b'#') && options.is_some_and(|options| options.sent("recverr").is_some()) {
        line(out, layout);
        put!(out, "inet-sockopt: (");
        tcp::write(out, layout, row, tcp::OPTIONS);
        out.push(b')');
    }
    if has(b'm') || has(b'i') && socket.protocol != Protocol::Udp {
        if !has(b'O') {
            line(out, layout);
        }
        memory(out, layout, row);
        let (table, is_told) = match socket.protocol {
            Protocol::Mptcp => (tcp::MPTCP, true),
            Protocol::Sctp => (tcp::SCTP, true),
            _ => (tcp::TCP, socket.info(Structure::TcpInfo).is_some()),
        };
        let details = socket.details.iter();
        for (name, list) in
            details.flat_map(|details| ["locals", "peers"].iter().zip(&details.addresses))
        {
            if !list.is_empty() {
                put!(out, " {name}:");
                out.extend_from_slice(list);
            }
        }
        if has(b'i') && is_told {
            tcp::write(out, layout, row, table);
            tcp::write(out, layout, row, tcp::ABOVE);
        }
    }
}

fn timer(out: &mut Vec<u8>, row: &Row<'_>) {
    let Some(timer) = row.socket.timer else {
        return;
    };
    let name = match timer.kind {
        TimerKind::Retransmit if row.socket.protocol == Protocol::Sctp => "T3_RTX",
        TimerKind::Retransmit => "on",
        TimerKind::Keepalive => "keepalive",
        TimerKind::TimeWait => "timewait",
        TimerKind::Probe => "persist",
        TimerKind::DelayedAck => "unknown",
    };
    put!(out, " timer:({name},");
    duration(out, timer.expires_ms);
    put!(out, ",{})", timer.retransmits);
}

/// Minutes, seconds below ten minutes, milliseconds below ten seconds; nothing for zero.
fn duration(out: &mut Vec<u8>, milliseconds: u32) {
    let (minutes, seconds, rest) = (
        milliseconds / 60_000,
        milliseconds / 1_000 % 60,
        milliseconds % 1_000,
    );
    if minutes > 0 {
        digits::integer(out, minutes.into());
        out.extend_from_slice(b"min");
    }
    let rest = if minutes > 0 || seconds > 9 { 0 } else { rest };
    match (seconds, rest) {
        (_, _) if minutes > 9 => {}
        (0, 0) => {}
        (0, rest) => put!(out, "{rest:03}ms"),
        (seconds, 0) => put!(out, "{seconds}sec"),
        // `ss` writes `ms` here, although these are seconds.
        (seconds, rest) => put!(out, "{seconds}.{rest:03}sec"),
    }
}

#[cfg(test)]
mod tests {
    use super::{SsLayout, users, write};
    use crate::model::{
        Family, Process, Protocol, Row, Socket, SocketType, State, Structure, Thread, Timer,
        TimerKind,
    };
    use crate::render::ss::Letters;

    /// `sctp_show_info`, `sctp_timer_print`, `tipc_show_sock`, `xdp_show_sock` (`misc/ss.c` of iproute2 6.1).
    #[test]
    fn details_of_other_families_are_those_of_ss() {
        let layout = |letters: &[u8]| SsLayout {
            options: letters
                .iter()
                .copied()
                .fold(Letters::default(), Letters::with),
            shows_netid: true,
            shows_state: true,
            width: None,
        };
        let told = |socket: &Socket, letters: &[u8]| {
            let mut out = Vec::new();
            write(&mut out, &layout(letters), &Row::bare(socket));
            String::from_utf8_lossy(&out).into_owned()
        };
        let set = |socket: &mut Socket, structure, length, words: &[(usize, u32)]| {
            let details = socket.details_mut();
            details.set_info(structure, &vec![0; length]);
            for (at, word) in words {
                details.set_part(structure, *at, &word.to_ne_bytes());
            }
        };
        let mut sctp = Socket::new(Protocol::Sctp, Family::Inet);
        sctp.kind = Some(SocketType::Association);
        sctp.state = State::from_sctp_association(7);
        sctp.timer = Some(Timer {
            kind: TimerKind::Retransmit,
            expires_ms: 3_000,
            retransmits: 2,
        });
        let details = sctp.details_mut();
        details.addresses = [b"10.0.0.1,::1".to_vec(), b"10.0.0.2".to_vec()];
        set(
            &mut sctp,
            Structure::SctpInfo,
            360,
            &[(0, 0xab), (4, 7), (8, 106_496), (44, 9)],
        );
        let ends = "locals:10.0.0.1,::1 peers:10.0.0.2";
        assert_eq!(told(&sctp, b"o"), " timer:(T3_RTX,3sec,2)");
        assert_eq!(told(&sctp, b"m"), format!("\n\t {ends}"));
        let text = format!(" {ends} tag:ab state:ACK_SENT rwnd:106496 prwnd:9");
        assert_eq!(told(&sctp, b"iO"), text);

        let mut xdp = Socket::new(Protocol::Xdp, Family::Xdp);
        set(
            &mut xdp,
            Structure::XdpInfo,
            104,
            &[(0, 8), (16, 65_536), (28, 16), (32, 4_096), (52, 1)],
        );
        let umem = "umem(id:0,size:65536,num_pages:16,chunk_size:4096,headroom:0,ifindex:0,qid:0,zc:0,refs:1)";
        let stats = "stats(rx dropped:0,rx invalid:0,rx queue full:0,rx fill ring empty:0,tx invalid:0,tx ring empty:0)";
        let text = format!(" ino:0 sk:0\n\trx(entries:8)\n\t{umem}\n\t{stats}");
        assert_eq!(told(&xdp, b"e"), text);

        let mut tipc = Socket::new(Protocol::Tipc, Family::Tipc);
        tipc.kind = Some(SocketType::Stream);
        set(
            &mut tipc,
            Structure::TipcInfo,
            15,
            &[(0, 18_888), (4, 7), (12, 1)],
        );
        let text = "\n type:STREAM cong:link  drop:0  via {18888,7} ";
        assert_eq!(told(&tipc, b"%"), text);
        assert_eq!(
            told(&Socket::new(Protocol::Vsock, Family::Vsock), b"emio"),
            ""
        );
    }

    /// `user_ent_hash_build`, `find_entry` (`misc/ss.c` of iproute2).
    #[test]
    fn contexts_and_threads_stand_where_ss_has_them() {
        let thread = |name: &str, fds: &[u32]| Thread {
            name: name.into(),
            fds: fds.to_vec(),
        };
        let processes = [Process {
            pid: 7,
            name: Some(b"web".to_vec()),
            fds: vec![3, 4],
            tids: vec![7, 9],
            threads: vec![thread("web", &[3, 4]), thread("w\"rk", &[3])],
            context: Some(b"u:r:t:s0".to_vec()),
            ..Process::default()
        }];
        let socket = Socket::new(Protocol::Tcp, Family::Inet);
        let row = Row {
            processes: Some(&processes),
            ..Row::bare(&socket)
        };
        for (letters, text) in [
            (&b"p"[..], "(\"web\",pid=7,fd=4),(\"web\",pid=7,fd=3)"),
            (
                b"pT",
                "(\"w\"rk\",pid=7,tid=9,fd=3),(\"web\",pid=7,tid=7,fd=4),(\"web\",pid=7,tid=7,fd=3)",
            ),
            (
                b"pZ",
                "(\"web\",pid=7,proc_ctx=u:r:t:s0,fd=4),(\"web\",pid=7,proc_ctx=u:r:t:s0,fd=3)",
            ),
            (
                b"pz",
                "(\"web\",pid=7,proc_ctx=u:r:t:s0,fd=4,sock_ctx=unavailable),\
                 (\"web\",pid=7,proc_ctx=u:r:t:s0,fd=3,sock_ctx=unavailable)",
            ),
        ] {
            let letters = letters.iter().copied();
            let layout = SsLayout {
                options: letters.fold(Letters::default(), Letters::with),
                shows_netid: true,
                shows_state: true,
                width: None,
            };
            let mut out = Vec::new();
            users(&mut out, &layout, &row);
            assert_eq!(String::from_utf8_lossy(&out), format!(" users:({text})"));
        }
    }
}
