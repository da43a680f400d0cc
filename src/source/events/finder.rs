//! Looks up single sockets of this network namespace over netlink, without a dump where it can.

use std::fs;
use std::io;
use std::ops::ControlFlow;

use super::ends::Ends;
use crate::filter::Narrow;
use crate::model::{Socket, State, StateSet, Table};
use crate::source::channel::Channel;
use crate::source::exact::answer;
use crate::source::{Extensions, NetlinkSource, Recorder, Request, Source as _};
use crate::wire::DumpParams;

/// A socket that was not found is asked for on so many interfaces at the most.
const MOST_INTERFACES: usize = 16;

/// Finds sockets.
#[derive(Debug)]
pub(super) struct Finder {
    channel: Option<Channel>,
    dumps: NetlinkSource,
}

impl Finder {
    /// Asks nothing yet.
    pub(super) const fn new() -> Self {
        Self {
            channel: None,
            dumps: NetlinkSource::new(Recorder::off()),
        }
    }

    /// The connection with these ends, and bound to no interface.
    pub(super) fn find(&mut self, ends: Ends) -> Option<Socket> {
        self.ask(ends, None)
    }

    /// The connection with these ends, and bound to this interface or to none.
    pub(super) fn find_on(&mut self, ends: Ends, interface: u32) -> Option<Socket> {
        self.ask(ends, Some(interface))
    }

    /// The connection with these ends, on whatever interface: for sockets known to be somewhere.
    pub(super) fn find_anywhere(&mut self, ends: Ends) -> Option<Socket> {
        let found = self.find(ends);
        found.or_else(|| {
            let mut interfaces = interfaces().into_iter().take(MOST_INTERFACES);
            interfaces.find_map(|interface| self.find_on(ends, interface))
        })
    }

    fn ask(&mut self, ends: Ends, interface: Option<u32>) -> Option<Socket> {
        // An answer that did not come may come later: such a channel is of no further use.
        let mut channel = self.channel.take().map_or_else(Channel::open, Ok).ok()?;
        let found = answer(
            &mut channel,
            ends.table,
            DumpParams::PLAIN,
            [ends.local, ends.peer],
            interface,
        );
        let found: io::Result<Option<Socket>> = found;
        let found = found.ok()?;
        self.channel = Some(channel);
        found
    }

    /// The listener with this end, if there is only one.
    pub(super) fn listener(&mut self, ends: Ends) -> Option<Socket> {
        let narrow = Narrow {
            local_port: Some(ends.local.port()),
            ..Narrow::default()
        };
        let mut found = self.all(ends.table, State::Listen, narrow);
        found.retain(|socket| Ends::of(socket).is_some_and(|of| of.local == ends.local));
        let only = found.pop();
        only.filter(|_| found.is_empty())
    }

    /// The sockets that are connecting to an end.
    pub(super) fn connecting(&mut self, ends: Ends) -> Vec<Socket> {
        let narrow = Narrow {
            peer_port: Some(ends.peer.port()),
            ..Narrow::default()
        };
        let mut found = self.all(ends.table, State::SynSent, narrow);
        found.retain(|socket| {
            Ends::of(socket)
                .is_some_and(|of| of.peer == ends.peer && of.local.ip() == ends.local.ip())
        });
        found
    }

    fn all(&mut self, table: Table, state: State, narrow: Narrow) -> Vec<Socket> {
        let mut found = Vec::new();
        self.each(table, state, narrow, &mut |socket| {
            found.push(socket.clone());
        });
        found
    }

    /// Lends every socket of a table that is in a state; none where they cannot be asked for.
    pub(super) fn each(
        &mut self,
        table: Table,
        state: State,
        narrow: Narrow,
        take: &mut dyn FnMut(&Socket),
    ) {
        let request = Request {
            states: StateSet::EMPTY.with(state),
            extensions: Extensions::default(),
            narrow,
        };
        // What cannot be asked for is not known.
        let _ = self.dumps.visit(table, &request, &mut |socket: &Socket| {
            if socket.state == state {
                take(socket);
            }
            ControlFlow::Continue(())
        });
    }
}

/// The interfaces of this network namespace, by index.
fn interfaces() -> Vec<u32> {
    let Ok(directory) = fs::read_dir("/sys/class/net") else {
        return Vec::new();
    };
    let index = |entry: io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry.ok()?.path().join("ifindex")).ok()?;
        text.trim().parse().ok()
    };
    directory.filter_map(index).collect()
}
