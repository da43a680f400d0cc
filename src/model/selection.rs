//! Which sockets a listing shows.

use super::{Protocol, StateSet};

/// Which sockets of a table are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Selection {
    /// Connected and connecting ones.
    #[default]
    Connected,
    /// Those that wait for peers.
    Listening,
    /// Everything.
    All,
}

impl Selection {
    /// The states shown for a protocol.
    pub const fn states(self, protocol: Protocol) -> StateSet {
        match self {
            Self::Connected => protocol.connected(),
            Self::Listening => protocol.listening(),
            Self::All => StateSet::ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::model::{Protocol, State, StateSet};

    #[test]
    fn listening_asks_tcp_for_listen_alone() {
        let states = Selection::Listening.states(Protocol::Tcp);
        assert_eq!(states, StateSet::EMPTY.with(State::Listen));
    }

    #[test]
    fn connected_shows_the_handshake_and_the_close() {
        let states = Selection::Connected.states(Protocol::Tcp);
        for state in [
            State::SynSent,
            State::SynRcvd,
            State::TimeWait,
            State::LastAck,
            State::Unknown(14),
        ] {
            assert!(states.contains(state), "{state}");
        }
        for state in [State::Listen, State::Bound, State::Unconn] {
            assert!(!states.contains(state), "{state}");
        }
    }
}
