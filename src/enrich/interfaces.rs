//! Names of network interfaces.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netdevice::{index_to_name_inlined, name_to_index};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// The source of interface names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Interfaces {
    /// The kernel, in the network namespace of the calling thread.
    #[default]
    Live,
    /// No source, for a recording of another machine: names like `if7`.
    NumbersOnly,
}

/// The name of an interface. If it is gone, or its name is not UTF-8, its index: `if7`.
pub(super) fn name_of(index: u32) -> Box<str> {
    let ask = |socket| index_to_name_inlined(socket, index).ok();
    let name = any_socket().and_then(ask);
    name.map_or_else(|| numbered(index), |name| name.as_str().into())
}

pub(super) fn numbered(index: u32) -> Box<str> {
    format!("if{index}").into()
}

/// The index of the interface with this name, in the network namespace of the calling thread
/// (`SIOCGIFINDEX`).
pub(super) fn index_of(name: &str) -> Option<u32> {
    name_to_index(any_socket()?, name).ok()
}

/// True if an interface has this index, whatever its name.
pub(super) fn is_there(index: u32) -> bool {
    let ask = |socket| index_to_name_inlined(socket, index).err();
    any_socket().and_then(ask) != Some(Errno::NODEV)
}

/// Any socket serves the lookup. It is closed at once, so that no listing of unix sockets shows it; interfaces are
/// few.
fn any_socket() -> Option<OwnedFd> {
    let family = AddressFamily::UNIX;
    socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()
}

#[cfg(test)]
mod tests {
    use super::{index_of, name_of};

    #[test]
    fn loopback_is_the_first_interface() {
        assert_eq!(&*name_of(1), "lo");
    }

    #[test]
    fn names_have_their_indexes() {
        assert_eq!(index_of("lo"), Some(1));
        for name in [
            "",
            "nosuchinterface",
            "longer than any name of an interface",
        ] {
            assert_eq!(index_of(name), None, "{name}");
        }
    }

    #[test]
    fn unknown_interface_is_called_by_its_index() {
        assert_eq!(&*name_of(2_000_000_007), "if2000000007");
    }
}
