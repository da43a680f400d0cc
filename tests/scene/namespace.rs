//! A network namespace of a test's own.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::process::Command;

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};

use super::At;
use crate::support::output;

/// Where the sockets of the current thread are opened.
///
/// A namespace belongs to a thread: `/proc/thread-self/net` shows it, `/proc/self/net` shows
/// the one of the process's first thread. A command started from this thread starts in it.
#[derive(Debug)]
pub enum Namespace {
    /// Empty but for what this thread opens; the thread goes back to `origin` on drop.
    Fresh {
        /// The namespace the thread came from.
        origin: File,
    },
    /// The machine's own, with everyone else's sockets in it.
    Shared {
        /// Why there is no fresh one.
        why: String,
    },
}

impl Namespace {
    /// Moves the current thread into a fresh namespace whose `lo` is up, where that is allowed.
    pub fn enter() -> Namespace {
        let origin = match File::open("/proc/thread-self/ns/net") {
            Ok(origin) => origin,
            Err(error) => {
                return Namespace::Shared {
                    why: format!("/proc/thread-self/ns/net: {error}"),
                };
            }
        };
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            return Namespace::Shared {
                why: format!("unshare(CLONE_NEWNET): {errno}"),
            };
        }
        let entered = Namespace::Fresh { origin };
        match ip(&["link", "set", "lo", "up"]) {
            Ok(()) => entered,
            // Dropping `entered` leads the thread back.
            Err(error) => Namespace::Shared {
                why: error.to_string(),
            },
        }
    }

    /// Whether nobody else's sockets can be here.
    pub fn is_fresh(&self) -> bool {
        matches!(self, Namespace::Fresh { .. })
    }

    /// Sets `/proc/sys/net/<key>` of this namespace; refused in a shared one.
    pub fn set_sysctl(&self, key: &str, value: &str) -> io::Result<()> {
        self.must_be_fresh(key)?;
        fs::write(format!("/proc/sys/net/{key}"), value).at(key)
    }

    /// Adds a veth pair `name` and `name`-peer, both up, without any IPv6 address, and
    /// returns the interface index of `name`.
    pub fn add_veth(&self, name: &str) -> io::Result<u32> {
        self.must_be_fresh(name)?;
        let peer = format!("{name}-peer");
        ip(&["link", "add", name, "type", "veth", "peer", "name", &peer])?;
        for end in [name, &peer] {
            ip(&["link", "set", end, "addrgenmode", "none"])?;
            ip(&["link", "set", end, "up"])?;
        }
        if_nametoindex(name).at("if_nametoindex")
    }

    /// Gives `interface` the address `fe80::1`, usable at once (no duplicate address
    /// detection), and returns it with the interface as its scope and port 0.
    pub fn add_link_local(&self, interface: &str) -> io::Result<SocketAddrV6> {
        self.must_be_fresh(interface)?;
        ip(&[
            "-6",
            "address",
            "add",
            "fe80::1/64",
            "dev",
            interface,
            "nodad",
        ])?;
        let scope = if_nametoindex(interface).at("if_nametoindex")?;
        Ok(SocketAddrV6::new(
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
            0,
            0,
            scope,
        ))
    }

    fn must_be_fresh(&self, what: &str) -> io::Result<()> {
        match self {
            Namespace::Fresh { .. } => Ok(()),
            Namespace::Shared { why } => {
                let text = format!("{what}: not touched in a shared namespace ({why})");
                Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
            }
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Namespace::Fresh { origin } = self {
            // With `--test-threads=1` the next test runs on this thread.
            let _ = setns(origin, CloneFlags::CLONE_NEWNET);
        }
    }
}

/// Runs `ip` in the namespace of the current thread.
pub fn ip(arguments: &[&str]) -> io::Result<()> {
    let line = format!("ip {}", arguments.join(" "));
    let output = output(Command::new("ip").args(arguments)).at(&line)?;
    if output.status.success() {
        return Ok(());
    }
    let text = format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}
