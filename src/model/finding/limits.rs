//! Limits and counters of the kernel, read from files below `/proc`.

use super::Counter;

/// Counters of a network namespace: name, description, file, protocol and counter.
const COUNTERS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "lsock_tcp_listen_overflows",
        "Connections dropped because the queue of a listener was full, since boot.",
        "netstat",
        "TcpExt:",
        "ListenOverflows",
    ),
    (
        "lsock_tcp_listen_drops",
        "Connections that a listener dropped for any reason, since boot.",
        "netstat",
        "TcpExt:",
        "ListenDrops",
    ),
    (
        "lsock_tcp_syn_cookies_sent",
        "SYN cookies sent because too many handshakes were open, since boot.",
        "netstat",
        "TcpExt:",
        "SyncookiesSent",
    ),
    (
        "lsock_tcp_request_queue_drops",
        "SYNs dropped because too many handshakes were open, since boot.",
        "netstat",
        "TcpExt:",
        "TCPReqQFullDrop",
    ),
    (
        "lsock_tcp_retransmission_timeouts",
        "Retransmission timers that fired, since boot.",
        "netstat",
        "TcpExt:",
        "TCPTimeouts",
    ),
    (
        "lsock_tcp_retransmitted_segments",
        "Segments retransmitted since boot.",
        "snmp",
        "Tcp:",
        "RetransSegs",
    ),
];

/// Counters whose rates are shown: name, file, protocol and counter.
const RATES: [(&str, &str, &str, &str); 8] = [
    ("opened", "snmp", "Tcp:", "ActiveOpens"),
    ("accepted", "snmp", "Tcp:", "PassiveOpens"),
    ("failed to open", "snmp", "Tcp:", "AttemptFails"),
    ("reset", "snmp", "Tcp:", "EstabResets"),
    ("dropped by listeners", "netstat", "TcpExt:", "ListenDrops"),
    ("segments received", "snmp", "Tcp:", "InSegs"),
    ("sent", "snmp", "Tcp:", "OutSegs"),
    ("retransmitted", "snmp", "Tcp:", "RetransSegs"),
];

/// Limits and counters of the kernel.
pub trait Limits {
    /// The text of a file below `/proc`; `None` = missing in this kernel or namespace, or not readable.
    fn text(&self, file: &str) -> Option<String>;

    /// Number of descriptors that a process has open.
    fn descriptors(&self, pid: u32) -> Option<u64>;

    /// The protocol (`TCP`, `TCPv6`, `UDP`, …) of a process's descriptor of the socket with this inode;
    /// `None` = closed meanwhile, or not readable.
    fn protocol_of(&self, pid: u32, fd: u32, inode: u64) -> Option<String>;

    /// True if the process is in another network namespace.
    fn is_elsewhere(&self, pid: u32) -> bool;

    /// Inode number of another network namespace that lists the socket with this inode.
    fn listed_elsewhere(&self, inode: u64) -> Option<u64>;

    /// Sockets of this network namespace in no protocol's table: never bound, only bound, or reset. `used` of
    /// `net/sockstat` counts all sockets except mini-sockets.
    fn sockets_in_no_table(&self) -> u64 {
        let all = self.number_behind("thread-self/net/sockstat", "sockets: used");
        let all = all.unwrap_or_default();
        all.saturating_sub(self.sockets_in_tables(|_| true))
    }

    /// Likewise for TCP, or a few more; `others` are known to be of other protocols. `alloc` of
    /// `net/sockstat` counts TCP sockets of all network namespaces.
    fn tcp_in_no_table(&self, others: u64) -> u64 {
        let every = self.sockets_in_no_table().saturating_sub(others);
        self.of_tcp("alloc").map_or(every, |tcp| {
            let listed = self.sockets_in_tables(|name| matches!(name, "TCP" | "TCPv6"));
            every.min(tcp.saturating_sub(listed))
        })
    }

    /// Sockets of this network namespace in the tables of these protocols.
    fn sockets_in_tables(&self, is_one: fn(&str) -> bool) -> u64 {
        let protocols = self.text("thread-self/net/protocols").unwrap_or_default();
        let in_use = protocols.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let count = words.nth(1)?.parse::<u64>().ok()?;
            is_one(name).then_some(count)
        });
        in_use.fold(0, u64::saturating_add)
    }

    /// A number from the line `TCP: inuse 5 orphan 0 …` of `net/sockstat`.
    fn of_tcp(&self, word: &str) -> Option<u64> {
        let text = self.text("thread-self/net/sockstat")?;
        let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
        let mut words = line.split_whitespace().skip_while(|other| *other != word);
        words.nth(1)?.parse().ok()
    }

    /// The first number of a key below `/proc/sys/net`.
    fn number(&self, key: &str) -> Option<u64> {
        self.number_behind(&format!("sys/net/{key}"), "")
    }

    /// The number after the words at the start of a line.
    fn number_behind(&self, file: &str, words: &str) -> Option<u64> {
        let text = self.text(file)?;
        let rest = text.lines().find_map(|line| line.strip_prefix(words))?;
        rest.split_whitespace().next()?.parse().ok()
    }

    /// The ephemeral ports.
    fn ephemeral(&self) -> Option<PortRange> {
        let range = self.text("sys/net/ipv4/ip_local_port_range")?;
        let reserved = self.text("sys/net/ipv4/ip_local_reserved_ports");
        PortRange::parse(&range, &reserved.unwrap_or_default())
    }

    /// Orphans of the whole machine.
    fn orphans(&self) -> Option<u64> {
        self.of_tcp("orphan")
    }

    /// Datagrams of this namespace dropped because a receive buffer was full.
    fn udp_without_room(&self) -> u64 {
        let v4 = self.counter("snmp", "Udp", "RcvbufErrors");
        let v6 = ["Udp6RcvbufErrors", "UdpLite6RcvbufErrors"];
        let v6 = v6.map(|name| self.number_behind("thread-self/net/snmp6", name));
        v6.into_iter()
            .chain([v4])
            .flatten()
            .fold(0, u64::saturating_add)
    }

    /// A counter of `net/snmp` or `net/netstat`, where each protocol has a line of names and a line of
    /// numbers. Sums all protocols whose name begins with `protocol`.
    fn counter(&self, file: &str, protocol: &str, counter: &str) -> Option<u64> {
        let text = self.text(&format!("thread-self/net/{file}"))?;
        let lines: Vec<&str> = text.lines().collect();
        let pairs = lines.as_chunks().0.iter();
        let pairs = pairs.filter(|[names, _]| names.starts_with(protocol));
        let numbers = pairs.filter_map(|[names, numbers]| {
            let mut both = names.split_whitespace().zip(numbers.split_whitespace());
            let (_, number) = both.find(|(name, _)| *name == counter)?;
            number.parse::<u64>().ok()
        });
        numbers.reduce(u64::saturating_add)
    }

    /// Counters that findings use, or that show what no socket table does.
    fn counters(&self) -> Vec<Counter> {
        let told = |name, help, value| Counter {
            name,
            help,
            value,
            netns: None,
        };
        let counters = COUNTERS
            .iter()
            .map(|(name, help, file, protocol, counter)| {
                told(name, help, self.counter(file, protocol, counter))
            });
        let help = "Datagrams dropped since boot because a socket buffer was full.";
        let snmp = self.text("thread-self/net/snmp");
        let drops = snmp.map(|_| self.udp_without_room());
        let drops = told("lsock_udp_receive_buffer_errors", help, drops);
        counters.chain([drops]).collect()
    }

    /// TCP counters whose rates are shown.
    fn rates(&self) -> Vec<Counter> {
        let rates = RATES.iter().map(|(name, file, protocol, counter)| Counter {
            name,
            help: counter,
            value: self.counter(file, protocol, counter),
            netns: None,
        });
        rates.collect()
    }

    /// The soft `RLIMIT_NOFILE` of a process; `None` = unlimited or not readable.
    fn most_descriptors(&self, pid: u32) -> Option<u64> {
        self.number_behind(&format!("{pid}/limits"), "Max open files")
    }
}

/// The ephemeral ports: `ip_local_port_range` without `ip_local_reserved_ports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange {
    /// The first port of the range.
    pub first: u16,
    /// The last port of the range.
    pub last: u16,
    /// The ranges not reserved, ascending, inclusive.
    pieces: Vec<(u16, u16)>,
}

impl PortRange {
    /// Parses both files; `None` = no port is left.
    fn parse(range: &str, reserved: &str) -> Option<Self> {
        let mut range = range.split_whitespace().map(str::parse);
        let (first, last) = (range.next()?.ok()?, range.next()?.ok()?);
        let mut next = Some(first);
        let mut pieces = Vec::new();
        // The kernel writes them in ascending order: `8080,9148,10000-10010`.
        for item in reserved.trim().split(',').filter(|item| !item.is_empty()) {
            let (from, to) = item.split_once('-').unwrap_or((item, item));
            let (from, to): (u16, u16) = (from.parse().ok()?, to.parse().ok()?);
            let before = from.checked_sub(1).map(|before| before.min(last));
            pieces.extend(next.zip(before));
            next = next.and_then(|next| Some(next.max(to.checked_add(1)?)));
        }
        pieces.extend(next.map(|next| (next, last)));
        pieces.retain(|(from, to)| from <= to);
        (!pieces.is_empty()).then_some(Self {
            first,
            last,
            pieces,
        })
    }

    /// Number of ephemeral ports.
    pub fn size(&self) -> u64 {
        let sizes = self.pieces.iter();
        sizes.map(|(from, to)| u64::from(to - from) + 1).sum()
    }

    /// True if a port of the range is reserved.
    pub fn has_reserved(&self) -> bool {
        self.pieces != [(self.first, self.last)]
    }

    /// A filter that selects these ports.
    pub fn filter(&self) -> String {
        if !self.has_reserved() {
            return format!("sport >= :{} and sport <= :{}", self.first, self.last);
        }
        let pieces = self.pieces.iter().map(|(from, to)| format!("{from}-{to}"));
        format!("sport = {}", pieces.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{Limits, PortRange};

    /// The same text for every file.
    pub(in crate::model::finding) struct Everywhere(pub(in crate::model::finding) &'static str);

    impl Limits for Everywhere {
        fn text(&self, _: &str) -> Option<String> {
            Some(self.0.to_owned())
        }

        fn descriptors(&self, _: u32) -> Option<u64> {
            None
        }

        fn protocol_of(&self, _: u32, _: u32, _: u64) -> Option<String> {
            None
        }

        fn is_elsewhere(&self, _: u32) -> bool {
            false
        }

        fn listed_elsewhere(&self, _: u64) -> Option<u64> {
            None
        }
    }

    #[test]
    fn datagrams_without_room_are_those_of_every_udp() {
        let snmp = "Tcp: RcvbufErrors\nTcp: 7\nUdp: InDatagrams RcvbufErrors SndbufErrors\n\
                    Udp: 85 3 1\nUdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 20\n";
        assert_eq!(Everywhere(snmp).udp_without_room(), 23);
        let snmp6 = "Ip6InReceives 9\nUdp6RcvbufErrors                \t4\nUdpLite6RcvbufErrors 5\n\
                     Udp6SndbufErrors 8\n";
        assert_eq!(Everywhere(snmp6).udp_without_room(), 9);
        assert_eq!(Everywhere("").udp_without_room(), 0);
    }

    #[test]
    fn counter_that_the_kernel_does_not_have_is_not_zero() {
        let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 2 3\n\
                       IpExt: InNoRoutes\nIpExt: 4\n";
        let counter = |name| Everywhere(netstat).counter("netstat", "TcpExt", name);
        assert_eq!(counter("ListenOverflows"), Some(2));
        assert_eq!(counter("ListenDrops"), Some(3));
        assert_eq!(counter("InNoRoutes"), None);
    }

    #[test]
    fn limit_of_descriptors_is_the_soft_one() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             7                    8                    processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(Everywhere(limits).most_descriptors(1), Some(1_024));
        let unlimited =
            "Max open files            unlimited            unlimited            files\n";
        assert_eq!(Everywhere(unlimited).most_descriptors(1), None);
    }

    #[test]
    fn reserved_ports_are_not_chosen() {
        for (range, reserved, pieces, size) in [
            ("10 19", "\n", &[(10, 19)][..], 10),
            ("10\t19\n", "12", &[(10, 11), (13, 19)], 9),
            ("10 19", "1-9,20-65535", &[(10, 19)], 10),
            ("10 19", "5-11,13-14,19-40", &[(12, 12), (15, 18)], 5),
            ("10 65535", "20-65535", &[(10, 19)], 10),
        ] {
            let parsed = PortRange::parse(range, reserved).unwrap();
            assert_eq!(
                (&*parsed.pieces, parsed.size()),
                (pieces, size),
                "{reserved}"
            );
        }
        assert_eq!(PortRange::parse("10 19", "10-19"), None);
        assert_eq!(PortRange::parse("10", ""), None);
        let filter = |reserved| PortRange::parse("10 19", reserved).unwrap().filter();
        assert_eq!(filter(""), "sport >= :10 and sport <= :19");
        assert_eq!(filter("12-13,19"), "sport = 10-11,14-18");
    }
}
