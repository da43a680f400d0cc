//! Real sockets in every state, and what is known of each, so that a listing can be compared
//! with what is open.
//!
//! Every function that opens something returns a [`Held`]: it keeps the descriptors, children
//! and directories until it is dropped, and its `expected` says what a listing must show.
#![allow(
    dead_code,
    reason = "the scene has more than the tests of today ask for"
)]

pub mod datagram;
pub mod expected;
pub mod held;
pub mod holder;
pub mod link;
pub mod mptcp;
pub mod namespace;
pub mod option;
pub mod tcp;
pub mod unix;
pub mod witness;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::support::skip;

pub use expected::Expected;
pub use held::Held;
pub use namespace::Namespace;

/// Loopback of IPv4.
pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Loopback of IPv6.
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Everything that can be opened here.
#[derive(Debug)]
pub struct Scene {
    /// One entry for each socket, those without a descriptor included.
    pub expected: Vec<Expected>,
    /// What could not be opened, and why: `marked (inet): SO_MARK: EPERM…`.
    pub skipped: Vec<String>,
    held: Held,
}

type Recipe = (&'static str, fn(IpAddr) -> io::Result<Held>);
type Single = (&'static str, fn(&Namespace) -> io::Result<Held>);

/// What is opened over IPv4 and again over IPv6.
const FOR_EACH_FAMILY: &[Recipe] = &[
    ("listen", tcp::states::listen),
    ("bound", tcp::states::bound),
    ("syn_sent", tcp::states::syn_sent),
    ("syn_rcvd", tcp::states::syn_rcvd),
    ("established", tcp::states::established),
    ("fin_wait_1", tcp::states::fin_wait_1),
    ("half_closed", tcp::states::half_closed),
    ("last_ack", tcp::states::last_ack),
    ("closing", tcp::states::closing),
    ("time_wait", tcp::states::time_wait),
    ("orphan", tcp::states::orphan),
    ("pending", tcp::states::pending),
    ("full_queue", |ip| tcp::listeners::full_queue(ip, 3)),
    ("shared", tcp::listeners::shared),
    ("handed_over", tcp::listeners::handed_over),
    ("reuse_port", tcp::listeners::reuse_port),
    ("on_interface", tcp::listeners::on_interface),
    ("unread", |ip| tcp::options::unread(ip, 1_234)),
    ("unsent", tcp::options::unsent),
    ("receive_shut", tcp::options::receive_shut),
    ("keepalive", tcp::options::keepalive),
    ("marked", tcp::options::marked),
    ("held_many_times", |ip| {
        tcp::options::held_many_times(ip, 100)
    }),
    ("udp_bound", datagram::udp_bound),
    ("udp_connected", datagram::udp_connected),
    ("udp_unread", datagram::udp_unread),
    ("udplite", datagram::udplite),
    ("raw", datagram::raw),
    ("raw_connected", datagram::raw_connected),
    ("mptcp", mptcp::connection),
];

/// What there is once.
const ONCE: &[Single] = &[
    ("mapped", |_| tcp::listeners::mapped()),
    ("v6only", |_| tcp::listeners::v6only()),
    ("on_link_local", tcp::listeners::on_link_local),
    ("ping (inet)", |namespace| datagram::ping(namespace, V4)),
    ("ping (inet6)", |namespace| datagram::ping(namespace, V6)),
    ("packet", |_| link::packet()),
    ("packet on lo", |_| link::packet_on_lo()),
    ("netlink", |_| link::netlink()),
    ("unix states", |_| unix::states::all()),
    ("unix names", |_| unix::names::all()),
];

impl Scene {
    /// Opens all that is possible in this namespace.
    ///
    /// Only what this machine, kernel or user is denied ends up in `skipped`.
    ///
    /// # Panics
    ///
    /// When something else goes wrong: a socket that never reaches its state, for one.
    pub fn everything(namespace: &Namespace) -> Scene {
        Scene::without(namespace, &[])
    }

    /// The same without what has one of these names.
    ///
    /// # Panics
    ///
    /// Likewise.
    pub fn without(namespace: &Namespace, unwanted: &[&str]) -> Scene {
        let mut scene = Scene {
            expected: Vec::new(),
            skipped: Vec::new(),
            held: Held::new(),
        };
        for (name, open) in FOR_EACH_FAMILY {
            scene.add(&format!("{name} (inet)"), open(V4));
            scene.add(&format!("{name} (inet6)"), open(V6));
        }
        for (name, open) in ONCE.iter().filter(|(name, _)| !unwanted.contains(name)) {
            scene.add(name, open(namespace));
        }
        scene
    }

    fn add(&mut self, name: &str, opened: io::Result<Held>) {
        match opened {
            Ok(mut held) => {
                self.expected.append(&mut held.expected);
                self.held.absorb(held);
            }
            Err(error) if is_denied(&error) => self.skipped.push(format!("{name}: {error}")),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// Whether the machine does not have or not allow what was asked for.
pub fn is_denied(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, PermissionDenied, Unsupported};
    matches!(
        error.kind(),
        AddrNotAvailable | PermissionDenied | Unsupported
    )
}

/// Opens something, or says on stderr why that is not possible here.
///
/// # Panics
///
/// When it is possible and fails.
pub fn or_skip(what: &str, opened: io::Result<Held>) -> Option<Held> {
    match opened {
        Ok(held) => Some(held),
        Err(error) if is_denied(&error) => {
            skip(format_args!("{what}: {error}"));
            None
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Names the operation an error came from.
pub trait At<T> {
    /// `<operation>: <cause>`; the kind says whether the machine denies it.
    fn at(self, operation: &str) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, operation: &str) -> io::Result<T> {
        use rustix::io::Errno;
        self.map_err(|error| {
            let error = error.into();
            let kind = match Errno::from_io_error(&error) {
                Some(
                    Errno::AFNOSUPPORT
                    | Errno::PROTONOSUPPORT
                    | Errno::SOCKTNOSUPPORT
                    | Errno::OPNOTSUPP
                    | Errno::NOPROTOOPT,
                ) => io::ErrorKind::Unsupported,
                _ => error.kind(),
            };
            io::Error::new(kind, format!("{operation}: {error}"))
        })
    }
}
