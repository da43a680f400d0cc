//! The use of a port: listeners, connections, `TIME_WAIT`, and their processes.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use crate::model::{Endpoint, Family, Holder, Row, Socket, State, Summary, TimerKind};
use crate::render::Sink;
use crate::text::{enumeration, unix_name};

/// The most processes or addresses named.
const NAMED: usize = 3;

/// Sockets that use a port, by kind of use.
#[derive(Debug, Default)]
pub(super) struct PortUsage {
    /// Listening or only bound.
    pub(super) bound: Group,
    /// Connections, except in `TIME_WAIT`.
    pub(super) connected: Group,
    pub(super) time_wait: u64,
    /// Milliseconds until the last of these ends.
    pub(super) rest_ms: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) count: u64,
    pub(super) holders: BTreeSet<String>,
    /// Their addresses as text: wildcards, and others.
    wildcards: BTreeSet<&'static str>,
    addresses: BTreeSet<IpAddr>,
    /// Their IP versions.
    pub(super) versions: BTreeSet<Family>,
    /// True if one of IPv6 may also accept IPv4.
    pub(super) may_speak_ipv4: bool,
    pub(super) listens: bool,
}

impl Sink for &mut PortUsage {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let socket = row.socket;
        match socket.state {
            State::TimeWait => {
                let timer = socket
                    .timer
                    .filter(|timer| timer.kind == TimerKind::TimeWait);
                self.time_wait += 1;
                self.rest_ms = self.rest_ms.max(timer.map(|timer| timer.expires_ms));
            }
            state if state.is_bound() => self.bound.add(row),
            _ => self.connected.add(row),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

impl Group {
    fn add(&mut self, row: &Row<'_>) {
        let socket = row.socket;
        self.count += 1;
        self.holders.insert(holder(row));
        match socket.local.ip.map(|ip| ip.to_canonical()) {
            Some(ip) if ip.is_unspecified() => _ = self.wildcards.insert(wildcard(socket, ip)),
            ip => self.addresses.extend(ip),
        }
        let versions = [Family::Inet, Family::Inet6].into_iter();
        self.versions
            .extend(versions.filter(|version| socket.speaks(*version) == Some(true)));
        self.may_speak_ipv4 |= socket.speaks(Family::Inet) != Some(false);
        self.listens |= socket.state != State::Bound;
    }

    /// `nginx[812], nginx[813], api[900] and 2 more`
    pub(super) fn holders(&self) -> String {
        listed(self.holders.iter().cloned())
    }

    /// ` on 127.0.0.1 and ::1 only`, ` on every address (0.0.0.0)`; empty without a known address.
    pub(super) fn places(&self) -> String {
        if !self.wildcards.is_empty() {
            let wildcards = self.wildcards.iter().map(ToString::to_string);
            return format!(" on every address ({})", listed(wildcards));
        }
        if self.addresses.is_empty() {
            return String::new();
        }
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        format!(" on {} only", listed(addresses))
    }
}

/// The wildcard address for the IP versions that a socket uses.
fn wildcard(socket: &Socket, ip: IpAddr) -> &'static str {
    match (ip, socket.takes_ipv4_too()) {
        (IpAddr::V4(_), _) => "0.0.0.0",
        (_, Some(true)) => "*",
        _ => "::",
    }
}

/// The holders of a socket: `nginx[812] and nginx[813]`
pub(in crate::mode) fn holder(row: &Row<'_>) -> String {
    listed(Holder::of(row).iter().map(Holder::to_string))
}

/// `a, b and c`, or `a, b, c and 2 more`
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        return format!("{} and {more} more", names.join(", "));
    }
    enumeration(&names, "and")
}

/// An endpoint as text; `None` = nothing to write.
pub(in crate::mode) fn end(end: &Endpoint) -> Option<String> {
    if !end.name.is_empty() {
        let port = end.port.map_or_else(String::new, |port| format!(":{port}"));
        return Some(unix_name(&end.name) + &port);
    }
    let port = u16::try_from(end.port?).ok()?;
    Some(SocketAddr::new(end.ip?, port).to_string())
}
