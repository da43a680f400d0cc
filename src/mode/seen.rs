//! What a source could not tell of the sockets that went by.

use crate::filter::{Field, Rule};
use crate::model::{Protocol, Socket, Source, State};

/// Notes what is missing from sockets.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Sockets went by.
    any: bool,
    /// A socket without a mark that the kernel tells to those who may know it.
    unmarked: bool,
}

impl Seen {
    /// One more socket.
    pub(super) fn note(&mut self, socket: &Socket) {
        self.any = true;
        let full = !matches!(socket.state, State::TimeWait | State::SynRcvd);
        self.unmarked |= full && socket.mark.is_none() && has_mark(socket.protocol);
    }

    /// What the filter asks about and this source does not tell, so that rows may be missing.
    pub(super) fn unknown_to(&self, rule: &Rule, source: Option<Source>) -> Option<String> {
        let source = source.filter(|_| self.any)?;
        let fields = rule.unknowable(source, !self.unmarked);
        let names: Vec<String> = fields.into_iter().map(Field::name).collect();
        let why = match source {
            _ if names.is_empty() => return None,
            Source::Netlink => "the kernel tells only to CAP_NET_ADMIN; run as root",
            Source::Procfs => "/proc/net does not tell",
            Source::Replay => "the recording does not tell",
        };
        let names = names.join(", ");
        Some(format!("the filter asks for {names}, which {why}"))
    }
}

const fn has_mark(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Raw | Protocol::Mptcp
    )
}
