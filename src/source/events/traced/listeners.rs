//! The owners of listeners: an accepted connection belongs to them until a program uses it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Owner, Socket, State};

/// Network namespace, address and port of a listener.
pub(super) type Local = (u32, IpAddr, u16);

/// Listeners by local end, then by inode.
#[derive(Debug, Default)]
pub(super) struct Listeners(HashMap<Local, BTreeMap<u64, Owner>>);

impl Listeners {
    /// Adds one that existed before the watch.
    pub(super) fn add_held(&mut self, socket: &Socket) {
        let port = socket.local.port.and_then(|port| u16::try_from(port).ok());
        if let (State::Listen, Some(ip), Some(port), Some(inode)) =
            (socket.state, socket.local.ip, port, socket.inode)
        {
            let owner = Owner {
                inode: Some(inode),
                ..Owner::default()
            };
            self.add((socket.netns.unwrap_or_default(), ip, port), inode, owner);
        }
    }

    pub(super) fn add(&mut self, local: Local, inode: u64, owner: Owner) {
        self.0.entry(local).or_default().insert(inode, owner);
    }

    pub(super) fn remove(&mut self, local: Local, inode: u64) {
        if let Entry::Occupied(mut at) = self.0.entry(local) {
            at.get_mut().remove(&inode);
            if at.get().is_empty() {
                at.remove();
            }
        }
    }

    /// The owner of a connection with this local end: if several listeners could have accepted it, only if they have
    /// the same owner.
    pub(super) fn owner_at(&self, (netns, ip, port): Local) -> Owner {
        let any: IpAddr = match ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let at = self.0.get(&(netns, ip, port));
        let mut found = at
            .or_else(|| self.0.get(&(netns, any, port)))
            .into_iter()
            .flatten();
        let first = found
            .next()
            .filter(|(_, first)| found.all(|(_, other)| other == *first));
        first.map(|(_, first)| first.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Listeners;
    use crate::model::Owner;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const ANY6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn held(inode: u64) -> Owner {
        Owner {
            inode: Some(inode),
            ..Owner::default()
        }
    }

    #[test]
    fn connection_belongs_to_the_listener_with_its_address_or_with_any_of_its_family() {
        let mut listeners = Listeners::default();
        listeners.add((1, ANY, 80), 1, held(1));
        listeners.add((1, ANY6, 80), 2, held(2));
        assert_eq!(listeners.owner_at((1, HERE, 80)), held(1));
        listeners.add((1, HERE, 80), 3, held(3));
        assert_eq!(listeners.owner_at((1, HERE, 80)), held(3));
        assert_eq!(listeners.owner_at((1, HERE, 81)), Owner::default());
        assert_eq!(listeners.owner_at((2, HERE, 80)), Owner::default());
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(listeners.owner_at((1, mapped, 80)), held(2));
    }

    #[test]
    fn of_several_that_share_a_port_nothing_is_said() {
        let mut listeners = Listeners::default();
        listeners.add((1, ANY, 80), 1, held(1));
        listeners.add((1, ANY, 80), 2, held(2));
        assert_eq!(listeners.owner_at((1, HERE, 80)), Owner::default());
        listeners.remove((1, ANY, 80), 1);
        assert_eq!(listeners.owner_at((1, HERE, 80)), held(2));
    }
}
