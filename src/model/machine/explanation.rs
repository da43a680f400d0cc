//! What is to be said of each state. The manual's section STATES has the same words.

use super::super::State;

/// A state in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Which state; `UNKNOWN(0)` stands for every unknown one.
    pub state: State,
    /// What it means.
    pub meaning: &'static str,
    /// Who has shut which side, and what each may still do; `None` = there is no connection to shut.
    pub half_close: Option<&'static str>,
    /// How long a socket may stay in it, and which sysctl rules that. Numbers are Linux's defaults.
    pub stays: &'static str,
    /// What it means when there are many, and what to do. Begins with a sentence that can stand alone.
    pub many: &'static str,
    /// A command that lists them.
    pub command: &'static str,
}

impl Explanation {
    /// That of a state.
    pub fn of(state: State) -> &'static Self {
        EXPLANATIONS
            .iter()
            .find(|known| known.state == state)
            .unwrap_or(&UNKNOWN)
    }
}

const BOTH_SHUT: &str = "Closed both ways: both sides have shut their sending, and nothing new can \
    be sent. What was sent before the FIN may still be repeated.";

const UNKNOWN: Explanation = Explanation {
    state: State::Unknown(0),
    meaning: "A code this version does not know.",
    half_close: None,
    stays: "Not known.",
    many: "The kernel is newer than this program. Look for a newer version, and report the number.",
    command: "lsock -tn state unknown",
};

/// The named states in the order of [`State::NAMED`], and the unknown ones.
pub const EXPLANATIONS: [Explanation; 14] = [
    Explanation {
        state: State::Closed,
        meaning: "No connection; not listed, but for an MPTCP socket about to vanish.",
        half_close: None,
        stays: "No time at all as far as a listing is concerned: the kernel lists no TCP socket \
            without a port and without a connection.",
        many: "They are not seen. A program that holds many has made sockets and uses none of them; \
            /proc/PID/fd shows those.",
        command: "lsock -tn state closed",
    },
    Explanation {
        state: State::Bound,
        meaning: "Has a local port and neither connects nor listens (Linux 6.8 and later).",
        half_close: None,
        stays: "Until the program connects, listens or closes; no sysctl ends it.",
        many: "A program binds ports and forgets them. Each takes one from others; -p names who holds \
            them.",
        command: "lsock -tnp state bound",
    },
    Explanation {
        state: State::Listen,
        meaning: "Waits for connections.",
        half_close: None,
        stays: "Until the program closes it; no sysctl ends it. Its queue of connections not accepted \
            yet is limited by the backlog of listen(2) and net.core.somaxconn (4096), handshakes \
            also by net.ipv4.tcp_max_syn_backlog unless tcp_syncookies helps out.",
        many: "One for each service and address is normal. Where RECV_Q comes near SEND_Q the program \
            accepts too slowly: a full queue drops connections, or resets them with \
            net.ipv4.tcp_abort_on_overflow.",
        command: "lsock -tlnp",
    },
    Explanation {
        state: State::SynSent,
        meaning: "Has sent a SYN and waits for the answer.",
        half_close: None,
        stays: "131 seconds by default: net.ipv4.tcp_syn_retries (6) repeated SYNs, one second apart \
            and then twice as long each time, on top of tcp_syn_linear_timeouts (4, Linux 6.5 and \
            later; without them 127 seconds). The socket options TCP_SYNCNT and TCP_USER_TIMEOUT \
            override it, and most programs give up sooner.",
        many: "The peer is down, or a firewall drops the SYN without a word; a refused connection does \
            not stay here. Look at PEER, and with -o at how often the SYN was repeated.",
        command: "lsock -tnpo state syn-sent",
    },
    Explanation {
        state: State::SynRcvd,
        meaning: "Has received a SYN, sent its own, and waits for the acknowledgement; not seen by the \
            program yet.",
        half_close: None,
        stays: "63 seconds by default: net.ipv4.tcp_synack_retries (5) repeated SYNs with ACK, the \
            first after one second and then twice as long each time; fewer while the queue of the \
            listener is more than half full. TCP_DEFER_ACCEPT keeps it until data comes.",
        many: "A SYN flood, or clients whose ACK is lost on the way. Look at how many addresses they \
            come from; net.ipv4.tcp_syncookies (1) keeps the listener reachable, and requests \
            answered with cookies are not listed at all.",
        command: "lsock -tno state syn-rcvd",
    },
    Explanation {
        state: State::Established,
        meaning: "Open: data may flow both ways. For UDP and raw sockets: connected.",
        half_close: Some(
            "Open both ways: neither side has shut anything, each may send and receive.",
        ),
        stays: "As long as both like; an idle connection is never ended by itself. With SO_KEEPALIVE \
            a dead peer is found after 2 h 11 min 15 s: net.ipv4.tcp_keepalive_time (7200 s), then \
            tcp_keepalive_probes (9) every tcp_keepalive_intvl (75 s). Data without an ACK is \
            repeated for about 15 minutes (tcp_retries2, 15) or for TCP_USER_TIMEOUT.",
        many: "Normal on a busy server. Many idle ones mean a pool that is too large, or peers that \
            vanished without a FIN: use keepalive. A growing RECV_Q is a program that does not read, \
            a growing SEND_Q a peer or network that does not take the data.",
        command: "lsock -tnp state established",
    },
    Explanation {
        state: State::FinWait1,
        meaning: "Closed first; its FIN is not acknowledged yet.",
        half_close: Some(
            "This side has shut its sending and can only receive; the FIN may still wait \
            behind data. The peer has shut nothing: it can send and receive. After close(2) nobody \
            reads here any more, and data that comes is answered with RST.",
        ),
        stays: "A round trip, usually. Without an ACK: net.ipv4.tcp_retries2 (15, about 15 minutes) \
            while a program holds it; after close(2) tcp_orphan_retries, whose 0 means 8 (about 100 \
            seconds). More orphans than tcp_max_orphans are reset. tcp_fin_timeout has no effect \
            here.",
        many: "Peers vanished, or do not read what was sent before the FIN. SEND_Q tells which waits; \
            with -o the timer `probe` means that the peer's window is closed.",
        command: "lsock -tnpo state fin-wait-1",
    },
    Explanation {
        state: State::FinWait2,
        meaning: "Its FIN is acknowledged, the peer's has not come: can only receive.",
        half_close: Some(
            "This side has shut its sending and can only receive. The peer, in CLOSE_WAIT, \
            can only send: it has read the end of the data and may go on sending. After close(2) \
            nobody reads here any more, and data that comes is answered with RST.",
        ),
        stays: "After close(2) net.ipv4.tcp_fin_timeout (60 s), or TCP_LINGER2 of the socket. While a \
            program holds it, after shutdown(2), without limit: tcp_fin_timeout has no effect then.",
        many: "Peers that do not close: look for CLOSE_WAIT at the other end. Those with a process have \
            called shutdown(2) and wait for the peer's FIN; those without go by themselves.",
        command: "lsock -tnpo state fin-wait-2",
    },
    Explanation {
        state: State::CloseWait,
        meaning: "The peer has sent its FIN, the program has not closed yet: can only send.",
        half_close: Some(
            "The peer has shut its sending and can only receive. This side can only send; \
            it may read what came before the FIN, then read(2) gives 0. \
            After its close(2) the peer cannot receive either: it answers what is sent with RST.",
        ),
        stays: "Until the program closes: no sysctl ends it, tcp_fin_timeout has no effect here. Only \
            SO_KEEPALIVE finds out that the peer is gone.",
        many: "Many of them mean a program that forgets to close. Each holds a descriptor until there \
            are none left. Nothing in the kernel helps: correct the program, or restart it; -p names \
            it.",
        command: "lsock -tnp state close-wait",
    },
    Explanation {
        state: State::Closing,
        meaning: "Both have sent a FIN, its own is not acknowledged yet.",
        half_close: Some(BOTH_SHUT),
        stays: "A round trip. Without an ACK as in FIN_WAIT_1: net.ipv4.tcp_orphan_retries after \
            close(2) (0 means 8, about 100 seconds), tcp_retries2 while a program holds it. \
            tcp_fin_timeout has no effect here.",
        many: "Rare: both ends closed at the same moment. Many that stay mean that ACKs are lost, or \
            that the peers vanished.",
        command: "lsock -tno state closing",
    },
    Explanation {
        state: State::LastAck,
        meaning: "Closed after the peer; its FIN is not acknowledged yet.",
        half_close: Some(BOTH_SHUT),
        stays: "A round trip. Without an ACK: net.ipv4.tcp_orphan_retries after close(2) (0 means 8, \
            about 100 seconds), tcp_retries2 while a program holds it. tcp_fin_timeout has no effect \
            here.",
        many: "Peers that vanished after their FIN, or that do not read what was sent before ours. They \
            go by themselves; look at SEND_Q and PEER.",
        command: "lsock -tno state last-ack",
    },
    Explanation {
        state: State::TimeWait,
        meaning: "Closed on both sides; waits 2·MSL (60 seconds on Linux) for stray segments. Belongs \
            to no process. The timer shows the rest.",
        half_close: Some(
            "Closed both ways: both FINs are sent and acknowledged, only a repeated FIN is \
            still answered.",
        ),
        stays: "60 seconds, fixed in the kernel: no sysctl changes that, tcp_fin_timeout least of all. \
            Above net.ipv4.tcp_max_tw_buckets a socket skips the state. tcp_tw_reuse (2: on loopback \
            only, 1: everywhere) lets connect(2) take the ports after a second; it needs timestamps \
            and does nothing for listeners.",
        many: "Normal for the end that closes first, and cheap. It hurts only where connections to one \
            address and port use up net.ipv4.ip_local_port_range: keep connections open, or let the \
            other end close first.",
        command: "lsock -tno state time-wait",
    },
    Explanation {
        state: State::Unconn,
        meaning: "Not connected, and of a protocol without a handshake.",
        half_close: None,
        stays: "As long as the program holds the socket; no sysctl ends it.",
        many: "Normal: it is what a UDP server looks like. A growing RECV_Q is a program that does not \
            read; with -m the drops show what was lost.",
        command: "lsock -uxanp state unconn",
    },
    UNKNOWN,
];
