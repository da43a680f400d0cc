//! Sockets above TCP connections: MPTCP sockets above their subflows, SMC sockets above the connection that set them
//! up, whose own inode no descriptor has.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Enricher;
use crate::model::{Endpoint, ProcessStatus, Protocol, Socket, Structure};

/// What an MPTCP socket and its subflows share: the inode, or before `accept` the token.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Common {
    Inode(u64),
    Token(u64),
}

type End = Option<(IpAddr, u32)>;

/// Subflows of MPTCP sockets and SMC sockets, by network namespace.
#[derive(Debug, Default)]
pub struct Layers {
    subflows: HashMap<(Option<u32>, Common), Vec<Socket>>,
    smc: HashMap<(Option<u32>, End, End), u64>,
}

impl Layers {
    /// Adds an MPTCP subflow or an SMC connection.
    pub fn add(&mut self, socket: &Socket) {
        let details = socket.details.as_ref();
        if socket.protocol == Protocol::Smc {
            if let (Some((local, peer)), Some(inode)) = (ends(socket), socket.inode) {
                self.smc.insert((socket.netns, local, peer), inode);
            }
        } else if details.is_some_and(|details| details.ulp == b"mptcp")
            && let Some(common) = common(socket, Structure::UlpInfo, "token_loc")
        {
            let of = self.subflows.entry((socket.netns, common)).or_default();
            of.push(socket.clone());
        }
    }

    pub(super) fn subflows(&self, socket: &Socket) -> Option<&[Socket]> {
        let common = (socket.protocol == Protocol::Mptcp)
            .then(|| common(socket, Structure::MptcpInfo, "token"));
        let found = self.subflows.get(&(socket.netns, common.flatten()?))?;
        Some(found)
    }

    /// The inode of the SMC socket above a connection of TCP.
    fn above(&self, socket: &Socket) -> Option<u64> {
        let (local, peer) = ends(socket).filter(|_| socket.protocol == Protocol::Tcp)?;
        self.smc.get(&(socket.netns, local, peer)).copied()
    }
}

fn common(socket: &Socket, structure: Structure, token: &str) -> Option<Common> {
    let token = || socket.info(structure)?.value(token).map(Common::Token);
    socket.inode.map(Common::Inode).or_else(token)
}

/// Both ends of a connection.
fn ends(socket: &Socket) -> Option<(End, End)> {
    let end = |end: &Endpoint| Some((end.ip?.to_canonical(), end.port?));
    let ends = (end(&socket.local), end(&socket.peer));
    (ends.0.is_some() && ends.1.is_some()).then_some(ends)
}

impl Enricher {
    /// True if the sockets above or below this one must be read to complete its row.
    pub fn lacks_layers(&self, socket: &Socket) -> bool {
        self.layers.is_none()
            && match socket.protocol {
                Protocol::Mptcp => self.subflows,
                Protocol::Tcp => self.status.is_some_and(ProcessStatus::is_unknown),
                _ => false,
            }
    }

    /// Sets the sockets that were read.
    pub fn use_layers(&mut self, layers: Layers) {
        self.layers = Some(layers);
    }

    /// Finds the processes of the SMC socket above a connection without known holders.
    pub fn prepare_above(&mut self, socket: &Socket) {
        let is_unknown = self.status.is_some_and(ProcessStatus::is_unknown);
        let above = self.layers.as_ref().filter(|_| is_unknown);
        if let Some(inode) = above.and_then(|layers| layers.above(socket)) {
            self.prepare_owners(&Socket {
                inode: Some(inode),
                ..socket.clone()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::Layers;
    use crate::model::{Family, Protocol, Socket, Structure};

    fn socket(protocol: Protocol, ports: [u32; 2], inode: Option<u64>) -> Socket {
        let mut socket = Socket::new(protocol, Family::Inet);
        for (end, port) in [&mut socket.local, &mut socket.peer].into_iter().zip(ports) {
            end.ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
            end.port = Some(port).filter(|port| *port != 0);
        }
        socket.inode = inode;
        socket
    }

    #[test]
    fn subflow_has_the_inode_of_its_connection_or_its_token() {
        let mut layers = Layers::default();
        let subflow = |ports, inode, token: u64, ulp: &[u8]| {
            let mut socket = socket(Protocol::Tcp, ports, inode);
            let details = socket.details_mut();
            details.ulp = ulp.to_vec();
            details.set_part(Structure::UlpInfo, 64, &token.to_ne_bytes());
            socket
        };
        layers.add(&subflow([1, 2], Some(7), 9, b"mptcp"));
        layers.add(&subflow([3, 2], Some(7), 9, b"mptcp"));
        layers.add(&subflow([5, 2], None, 11, b"mptcp"));
        layers.add(&subflow([6, 2], Some(7), 9, b"tls"));
        let ports = |inode, token: u32| {
            let mut of = socket(Protocol::Mptcp, [1, 2], inode);
            let details = of.details_mut();
            details.set_part(Structure::MptcpInfo, 12, &token.to_ne_bytes());
            let found = layers.subflows(&of).unwrap_or_default();
            found.iter().map(|one| one.local.port).collect::<Vec<_>>()
        };
        assert_eq!(ports(Some(7), 9), [Some(1), Some(3)]);
        assert_eq!(ports(None, 11), [Some(5)]);
        assert_eq!(ports(Some(8), 9), []);
        let tcp = socket(Protocol::Tcp, [1, 2], Some(7));
        assert!(layers.subflows(&tcp).is_none());
    }

    #[test]
    fn connection_below_smc_has_its_ends() {
        let mut layers = Layers::default();
        layers.add(&socket(Protocol::Smc, [1, 2], Some(70)));
        layers.add(&socket(Protocol::Smc, [2, 1], None));
        layers.add(&socket(Protocol::Smc, [3, 0], Some(71)));
        let above = |ports| layers.above(&socket(Protocol::Tcp, ports, Some(5)));
        assert_eq!(above([1, 2]), Some(70));
        assert_eq!(
            (above([2, 1]), above([3, 0]), above([3, 4])),
            (None, None, None)
        );
        assert_eq!(layers.above(&socket(Protocol::Udp, [1, 2], Some(5))), None);
        let mut elsewhere = socket(Protocol::Tcp, [1, 2], Some(5));
        elsewhere.netns = Some(1);
        assert_eq!(layers.above(&elsewhere), None);
    }
}
