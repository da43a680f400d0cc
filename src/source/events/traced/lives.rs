//! Turns records into events: assigns them to connections and owners.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::{Scope, Watched};
use super::RecordClock;
use super::left::{Left, Rests, Span};
use super::listeners::Listeners;
use super::queue::Queue;
use super::record::StepRecord;
use super::rests::RestRecord;
use super::wanted::Whole;
use crate::model::{Endpoint, Event, Owner, Process, Protocol, Socket, State, StateSet, Table};
use crate::source::{Request, Source};

/// Sockets from their first record to their end.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// By the address of the kernel's structure. If the end of one was not recorded, the next one at that address
    /// replaces it.
    living: HashMap<u64, Life>,
    listeners: Listeners,
    rests: Rests,
    connections: u64,
    /// True if events name their namespace.
    tells_netns: bool,
    whole: Whole,
    /// Transitions of TCP sockets without a record, as the next record shows, or the end of the socket.
    pub(super) missing: u64,
}

/// One socket.
#[derive(Debug)]
struct Life {
    connection: u64,
    state: State,
    /// Port 0 = unknown.
    local: (IpAddr, u16),
    peer: (IpAddr, u16),
    /// The port of the socket's previous use; 0 = none, or no longer in records.
    port_before: u16,
    owner: Owner,
    /// The position in the queue of an event that the next record completes.
    lacking: Option<usize>,
    span: Span,
    /// True if each of its transitions has a record or is missing.
    is_whole: bool,
    /// 0 = unknown.
    cookie: u64,
    /// 0 = unknown.
    inode: u64,
}

/// Identifies a socket in the kernel's lists: cookie or inode.
type Name = [Option<u64>; 2];

impl Lives {
    /// Of existing sockets, only listeners and structures left in `FIN_WAIT_2` are known.
    pub(super) fn new(watched: &[Watched], scope: Scope, source: &mut dyn Source) -> Self {
        let mut lives = Self {
            tells_netns: scope != Scope::Own,
            whole: watched.iter().map(Whole::of).min().unwrap_or_default(),
            ..Self::default()
        };
        let states = StateSet::EMPTY.with(State::Listen).with(State::FinWait2);
        let request = Request::plain(states);
        for watched in watched {
            // If it fails, these are unknown.
            let _ = source.visit(watched.table, &request, &mut |socket: &Socket| {
                lives.listeners.add_held(socket);
                lives.rests.add_found(socket);
                ControlFlow::Continue(())
            });
        }
        lives
    }

    /// Adds the event of a record, if any, and completes the event before it.
    pub(super) fn follow(
        &mut self,
        record: &StepRecord,
        command: &[u8],
        clock: RecordClock,
        queue: &mut Queue,
    ) {
        let [old, in_kernel] = record.kernel_states();
        let Some(table) = record.table().filter(|_| old != in_kernel) else {
            return;
        };
        self.begin(record, queue);
        let Some(life) = self.living.get_mut(&record.socket) else {
            return;
        };
        let is_whole = record.is_tcp() && self.whole >= Whole::shown_from(old);
        life.is_whole |= is_whole;
        if life.state != old {
            life.span.state = None;
            self.missing += u64::from(is_whole);
        }
        let netns = Some(record.netns).filter(|_| self.tells_netns);
        // An unbound listener gets its port after the record.
        let listened_at = (netns.unwrap_or_default(), life.local.0, life.local.1);
        life.learn(record, command, netns, &self.listeners);
        let new = record.new_state();
        let mut event = life.event(record, table, new.unwrap_or(old), clock);
        event.socket.netns = netns;
        let span = life.span;
        life.span.state = Some(record.time_ns);
        if let Some(place) = life.lacking.take() {
            queue.complete(place, &event);
        }
        let (connection, inode) = (life.connection, record.inode);
        match (old, in_kernel) {
            (_, State::Listen) => self.listeners.add(listened_at, inode, life.owner.clone()),
            (State::Listen, State::Closed) => self.listeners.remove(listened_at, inode),
            _ => {}
        }
        let rest = self.rests.take_place(record.socket);
        let rest = rest.filter(|_| new.is_none());
        if new.is_some() {
            let is_lacking = life.lacks(record);
            let place = queue.push(event, is_lacking);
            life.lacking = Some(place).filter(|_| is_lacking);
        } else if let Some(rest) = rest {
            let left = Left {
                event,
                span,
                came_ns: record.time_ns,
            };
            self.rests.add(rest, left, queue);
        }
        if in_kernel == State::Closed {
            self.living.remove(&record.socket);
            if new != Some(State::Closed) && rest.is_none() {
                queue.end(connection);
            }
        }
    }

    /// Handles a record of a structure left of a socket.
    pub(super) fn follow_rest(&mut self, rest: RestRecord, clock: RecordClock, queue: &mut Queue) {
        let time = clock.time_of(rest.time_ns);
        if let Some(event) = self.rests.follow(rest, time, &mut self.connections) {
            let connection = event.connection;
            queue.push(event, false);
            queue.end(connection);
        }
    }

    /// Begins a life, unless the record continues one.
    fn begin(&mut self, record: &StepRecord, queue: &mut Queue) {
        let [old, _] = record.kernel_states();
        let begins = old == State::Closed || record.is_accepted();
        let known = self.living.get(&record.socket).filter(|_| !begins);
        if known.is_some_and(|life| life.goes_on(record)) {
            return;
        }
        self.connections += 1;
        let life = Life {
            connection: self.connections,
            state: old,
            local: record.local(),
            peer: record.peer(),
            port_before: if begins && record.port == 0 {
                u16::from_be_bytes(record.last_port)
            } else {
                0
            },
            owner: Owner {
                inode: Some(record.inode).filter(|inode| *inode != 0 && !begins),
                ..Owner::default()
            },
            lacking: None,
            is_whole: false,
            cookie: 0,
            inode: record.inode,
            span: Span {
                life: begins.then_some(record.time_ns),
                state: None,
            },
        };
        if let Some(replaced) = self.living.insert(record.socket, life) {
            self.missing += u64::from(replaced.is_whole);
            queue.end(replaced.connection);
        }
    }

    /// The sockets that lack a local port, by their names in lists.
    pub(super) fn without_port(&self) -> HashMap<Name, u64> {
        let lacking = self.living.iter();
        let lacking = lacking.filter(|(_, life)| life.local.1 == 0 && life.lacking.is_some());
        let named = lacking.flat_map(|(socket, life)| {
            let names = names(Some(life.cookie), Some(life.inode));
            names.map(|name| (name, *socket))
        });
        named.collect()
    }

    /// Completes a socket that lacks a port from its entry in a list.
    pub(super) fn complete(
        &mut self,
        lacking: &HashMap<Name, u64>,
        listed: &Socket,
        queue: &mut Queue,
    ) {
        let mut found = names(listed.cookie, listed.inode).filter_map(|name| lacking.get(&name));
        let port = listed.local.port.and_then(|port| u16::try_from(port).ok());
        let life = found.next().and_then(|socket| self.living.get_mut(socket));
        let (Some(life), Some(ip), Some(port)) = (life, listed.local.ip, port) else {
            return;
        };
        if life.state != listed.state || life.local.1 != 0 {
            return;
        }
        if life.state == State::Listen {
            let netns = listed.netns.unwrap_or_default();
            self.listeners.remove((netns, life.local.0, 0), life.inode);
            self.listeners
                .add((netns, ip, port), life.inode, life.owner.clone());
        }
        life.local = (ip, port);
        if let Some(place) = life.lacking {
            queue.complete_from_list(place, listed);
        }
    }

    /// The cookies of the TCP sockets that are open by their records, with their addresses.
    pub(super) fn open(&self) -> HashMap<u64, u64> {
        let lives = self.living.iter();
        let whole = lives.filter(|(_, life)| life.is_whole && life.cookie != 0);
        whole.map(|(socket, life)| (life.cookie, *socket)).collect()
    }

    pub(super) fn is_open(&self, cookie: u64, socket: u64) -> bool {
        let life = self.living.get(&socket);
        life.is_some_and(|life| life.cookie == cookie)
    }
}

impl Life {
    /// True if a record with the same address is of this life. If records were lost, another socket may have reused the
    /// address. The last record of a life may lack the port.
    fn goes_on(&self, record: &StepRecord) -> bool {
        let (known, port) = (self.local.1, record.local().1);
        if known == 0 || port == 0 {
            return self.state == record.kernel_states()[0];
        }
        let is_listener = self.state == State::Listen;
        known == port && (is_listener || self.peer.1 == 0 || self.peer.1 == record.peer().1)
    }

    /// Updates the socket from a record.
    fn learn(
        &mut self,
        record: &StepRecord,
        command: &[u8],
        netns: Option<u32>,
        listeners: &Listeners,
    ) {
        let [old, new] = record.kernel_states();
        self.state = new;
        if record.cookie != 0 && !record.is_accepted() {
            self.cookie = record.cookie;
        }
        let (_, port) = record.local();
        if port != 0 && (record.port != 0 || port != self.port_before) {
            (self.local, self.peer) = (record.local(), record.peer());
        }
        let is_new = record.is_accepted() || old == State::SynRcvd;
        if is_new && self.owner == Owner::default() {
            let (ip, port) = self.local;
            self.owner = listeners.owner_at((netns.unwrap_or_default(), ip, port));
        }
        let cgroup_id = Some(record.task_cgroup).filter(|id| *id != 0);
        // Another name means that the process runs another program.
        let name = record.process_name();
        let is_known = |known: &Process| {
            known.pid == record.process
                && known.name.as_deref() == Some(name)
                && self.owner.cgroup_id == cgroup_id
        };
        if self.owner.process.as_deref().is_some_and(is_known) {
            return;
        }
        if let Some(process) = record.user(command) {
            self.owner.process = Some(Arc::new(process));
            self.owner.cgroup_id = cgroup_id;
            // A different inode is the listener's, whose holders no longer own it.
            self.owner.inode = self.owner.inode.filter(|inode| *inode == record.inode);
        }
    }

    /// True if this record lacks a part of its event. The record of an active open comes before the SYN, and perhaps
    /// before the choice of a port, as that of an unbound listener does. The record of an accepted connection comes
    /// before its peer (up to Linux 6.12) and its cookie are set.
    fn lacks(&self, record: &StepRecord) -> bool {
        let is_unbound = self.state == State::Listen && self.local.1 == 0;
        self.state == State::SynSent || is_unbound || record.is_accepted()
    }

    fn event(&self, record: &StepRecord, table: Table, state: State, clock: RecordClock) -> Event {
        let mut socket = Socket::new(table.protocol, table.family);
        set(&mut socket.local, self.local);
        set(&mut socket.peer, self.peer);
        let is_known = |end: &Endpoint| end.port.is_some();
        if table.protocol == Protocol::Mptcp && !is_known(&socket.local) {
            // The first subflow has them, until it is connected.
            (socket.local.ip, socket.peer.ip) = (None, None);
        }
        socket.state = state;
        // Until it is accepted, the cookie is the listener's.
        let has_cookie = record.cookie != 0 && !record.is_accepted();
        socket.cookie = Some(record.cookie).filter(|_| has_cookie);
        socket.inode = Some(record.inode).filter(|inode| *inode != 0);
        socket.cgroup_id = Some(record.cgroup).filter(|id| *id != 0);
        socket.interface = Some(record.interface).filter(|index| *index != 0);
        (socket.uid, socket.mark) = (Some(record.uid), Some(record.mark));
        Event {
            time: clock.time_of(record.time_ns),
            old_state: Some(record.kernel_states()[0]),
            socket,
            sampled: false,
            connection: self.connection,
            syn: record.syn(),
            ending: record.ending(),
            owner: Some(self.owner.clone()),
            task: record.task(),
            traffic: record.traffic(),
            spent: self.span.until(record.time_ns),
        }
    }
}

fn names(cookie: Option<u64>, inode: Option<u64>) -> impl Iterator<Item = Name> {
    let names = [[cookie, None], [None, inode]].into_iter();
    names.filter(|name| name.iter().flatten().any(|number| *number != 0))
}

fn set(end: &mut Endpoint, (ip, port): (IpAddr, u16)) {
    end.ip = Some(ip);
    end.port = Some(u32::from(port)).filter(|port| *port != 0);
}

#[cfg(test)]
mod tests;
