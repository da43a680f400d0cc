//! A listing under the name `netstat`.

use crate::enrich::Lookups;
use crate::filter::{Expr, Narrow, Op, PortItem, Side, Test};
use crate::model::{Protocol, Socket, State, StateSet, Table};
use crate::render::{Banner, Hosts, NetstatLayout, Section};
use crate::source::{Extensions, Request};

/// What to list, in which order, and how.
#[derive(Debug)]
pub struct Netstat {
    /// What is done, one after another.
    pub steps: Vec<Step>,
    /// The optional parts of a socket.
    pub extensions: Extensions,
    /// The names to look up.
    pub lookups: Lookups,
    /// Banners, columns and looks.
    pub layout: NetstatLayout,
    /// Once, or every second.
    pub rounds: Rounds,
}

/// How often a listing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// Once.
    One,
    /// `-c`: again and again.
    Endless,
}

/// One part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The banner.
    Begin(Section),
    /// The tables of a protocol, and what it means that this kernel has no such sockets; only that there
    /// are none over IPv6 never means anything.
    Tables(Vec<Table>, Absence),
    /// Sockets that `netstat` lists and `lsock` does not.
    Other(Other, Absence),
    /// Sockets that this `netstat` never lists.
    Never(&'static str),
}

/// What it means that there is no file of some sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Nothing.
    Silent,
    /// It is said.
    Told,
    /// It is said, and nothing follows.
    Final,
}

/// Sockets of a family without a place in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// What `netstat` calls it.
    pub name: &'static str,
    /// The files that may hold them, below `/proc`.
    pub files: &'static [&'static str],
    /// Lines of a file that are titles.
    pub titles: usize,
}

impl Netstat {
    /// Host names are wanted.
    pub fn names_hosts(&self) -> bool {
        self.layout.hosts == Hosts::Named
    }

    /// Is the socket listed? A TCP socket is taken for a listener when its peer has no port, others
    /// when it has no address.
    pub fn lists(&self, socket: &Socket) -> bool {
        let waits = match socket.protocol {
            Protocol::Unix => socket.state == State::Listen,
            Protocol::Tcp => socket.peer.port.is_none(),
            _ => socket.peer.ip.is_none_or(|ip| ip.is_unspecified()),
        };
        match self.layout.banner {
            Banner::All => true,
            Banner::Listening => waits,
            Banner::Connected => !waits,
        }
    }

    /// What is asked of a table: at least what is listed.
    pub fn request(&self, table: Table) -> Request {
        let tcp = table.protocol == Protocol::Tcp;
        let banner = self.layout.banner;
        Request {
            states: if tcp && banner == Banner::Connected {
                StateSet::ALL.without(State::Listen)
            } else {
                StateSet::ALL
            },
            extensions: self.extensions,
            narrow: if tcp && banner == Banner::Listening {
                Narrow::of(&without_peer_port(), table)
            } else {
                Narrow::default()
            },
        }
    }
}

/// Of listeners; a connection to port 0 can be tried, too.
fn without_peer_port() -> Expr {
    Expr::Test(Test::Port {
        side: Side::Peer,
        op: Op::Equal,
        items: vec![PortItem::Range(0, 0)],
    })
}
