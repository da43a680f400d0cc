//! Finds out which protocols a kernel supports, if none of its sockets can be listed.

use std::path::Path;

use crate::model::{Family, Protocol, Table};
use crate::procfs::file::read_path;

/// Limit of bytes read of the file; the kernel writes some 2,000.
const MOST: usize = 64 * 1024;

/// True if the kernel supports this table, according to a root like `/proc`; `None` = unknown.
pub(super) fn speaks(root: impl AsRef<Path>, table: Table) -> Option<bool> {
    let root = root.as_ref();
    is_listed(root, table).or_else(|| lacks_traces(root, table).then_some(false))
}

/// By `net/protocols`. gVisor's is only a header.
fn is_listed(root: &Path, table: Table) -> Option<bool> {
    let text = protocols(root)?;
    let mut names = text.lines().skip(1).peekable();
    names.peek()?;
    Some(names.any(|line| is_of(line, table)))
}

/// The number of sockets of a table in the network namespace, if the kernel counts them (`sock_prot_inuse_add`).
pub(super) fn in_use(root: impl AsRef<Path>, table: Table) -> Option<u64> {
    let is_counted = matches!(table.protocol, Protocol::Sctp | Protocol::Xdp);
    let text = is_counted.then(|| protocols(root.as_ref()))??;
    let line = text.lines().skip(1).find(|line| is_of(line, table))?;
    line.split_ascii_whitespace().nth(2)?.parse().ok()
}

fn protocols(root: &Path) -> Option<String> {
    let text = read_path(&root.join("net/protocols"), MOST).ok()?;
    String::from_utf8(text).ok()
}

/// True if a line of `net/protocols` is about this table.
fn is_of(line: &str, table: Table) -> bool {
    let version = if table.family == Family::Inet6 {
        "v6"
    } else {
        ""
    };
    let name = match table.protocol {
        Protocol::Vsock => "AF_VSOCK",
        other => other.title(),
    };
    let listed = line.split(' ').next().unwrap_or_default();
    letters(listed).eq(letters(&format!("{name}{version}")))
}

/// True if there are no traces of MPTCP or IPv6, where IPv4 has its own.
fn lacks_traces(root: &Path, table: Table) -> bool {
    let traces: &[&str] = match table {
        Table {
            protocol: Protocol::Mptcp,
            ..
        } => &["sys/net/mptcp"],
        Table {
            family: Family::Inet6,
            ..
        } => &IPV6,
        _ => return false,
    };
    let has = |name: &str| root.join(name).exists();
    has("sys/net/ipv4") && has("net/tcp") && !traces.iter().any(|trace| has(trace))
}

/// Files of a kernel with IPv6, whatever else it hides.
const IPV6: [&str; 6] = [
    "sys/net/ipv6",
    "net/if_inet6",
    "net/snmp6",
    "net/sockstat6",
    "net/tcp6",
    "net/udp6",
];

/// Letters to compare: the file has `UDP-Lite`, and `UDPLITEv6`.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(|byte| *byte != b'-');
    letters.map(|byte| byte.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::speaks;
    use crate::model::{Family, Protocol, Table};
    use std::path::Path;

    #[test]
    fn this_kernel_speaks_tcp() {
        let root = Path::new("/proc");
        for (protocol, family) in [
            (Protocol::Tcp, Family::Inet),
            (Protocol::Udp, Family::Inet),
            (Protocol::Raw, Family::Inet),
            (Protocol::Icmp, Family::Inet),
            (Protocol::Unix, Family::Unix),
            (Protocol::Netlink, Family::Netlink),
        ] {
            let table = Table::new(protocol, family);
            assert_eq!(speaks(root, table), Some(true), "{table}");
        }
        let nowhere = Path::new("/nowhere");
        let tcp = Table::new(Protocol::Tcp, Family::Inet);
        assert_eq!(speaks(nowhere, tcp), None);
    }

    #[test]
    fn what_is_not_in_the_file_is_not_spoken_unless_nothing_is() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("net")).unwrap();
        let told = |text: &str, table| {
            std::fs::write(root.path().join("net/protocols"), text).unwrap();
            speaks(root.path(), table)
        };
        let lite = |family| Table::new(Protocol::UdpLite, family);
        let header = "protocol  size sockets\n";
        let some = format!("{header}UDP-Lite 1344 0\nTCPv6 2432 0\nTCP 2304 1\n");
        assert_eq!(told(&some, lite(Family::Inet)), Some(true));
        assert_eq!(told(&some, lite(Family::Inet6)), Some(false));
        assert_eq!(told(header, lite(Family::Inet)), None);
        assert_eq!(told("", lite(Family::Inet)), None);
    }

    #[test]
    fn what_leaves_no_trace_beside_ipv4_is_not_spoken() {
        let root = tempfile::tempdir().unwrap();
        let table = |protocol, family| Table::new(protocol, family);
        let told = || {
            [
                table(Protocol::Tcp, Family::Inet6),
                table(Protocol::Mptcp, Family::Inet),
                table(Protocol::Udp, Family::Inet),
            ]
            .map(|table| speaks(root.path(), table))
        };
        let make = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        make("net/tcp");
        assert_eq!(told(), [None; 3], "a copy may have been made of one file");
        make("sys/net/ipv4/tcp_rmem");
        assert_eq!(told(), [Some(false), Some(false), None]);
        make("sys/net/mptcp/enabled");
        make("net/if_inet6");
        assert_eq!(told(), [None; 3]);
    }
}
