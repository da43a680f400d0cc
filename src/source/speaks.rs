//! Which protocols a kernel speaks, of which nobody can list a socket.

use std::path::Path;

use crate::model::{Family, Table};
use crate::procfs::file::read_path;

/// Bytes that are read of the file; the kernel writes some 2,000.
const MOST: usize = 64 * 1024;

/// True if the kernel has sockets of this table, by `net/protocols` below a root like `/proc`; `None` = it
/// does not tell, as that of gVisor, which is a header and nothing else.
pub(super) fn speaks(root: impl AsRef<Path>, table: Table) -> Option<bool> {
    let text = read_path(&root.as_ref().join("net/protocols"), MOST).ok()?;
    let text = std::str::from_utf8(&text).ok()?;
    let lines = text.lines().skip(1);
    let mut names = lines.filter_map(|line| line.split(' ').next()).peekable();
    names.peek()?;
    let version = if table.family == Family::Inet6 {
        "v6"
    } else {
        ""
    };
    let wanted = format!("{}{version}", table.protocol.title());
    Some(names.any(|name| letters(name).eq(letters(&wanted))))
}

/// UDP-Lite is `UDP-Lite` there, and `UDPLITEv6`.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(|byte| *byte != b'-');
    letters.map(|byte| byte.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
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
        let root = tempfile::tempdir().map_err(|error| error.kind());
        let told = |text: &str, table| {
            let root = root.as_ref().ok()?.path();
            std::fs::create_dir_all(root.join("net")).ok()?;
            std::fs::write(root.join("net/protocols"), text).ok()?;
            speaks(root, table)
        };
        let lite = |family| Table::new(Protocol::UdpLite, family);
        let header = "protocol  size sockets\n";
        let some = format!("{header}UDP-Lite 1344 0\nTCPv6 2432 0\nTCP 2304 1\n");
        assert_eq!(told(&some, lite(Family::Inet)), Some(true));
        assert_eq!(told(&some, lite(Family::Inet6)), Some(false));
        assert_eq!(told(header, lite(Family::Inet)), None);
        assert_eq!(told("", lite(Family::Inet)), None);
    }
}
