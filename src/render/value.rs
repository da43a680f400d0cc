//! What a row has in a column, before any format.

use std::net::IpAddr;

use crate::model::{
    Endpoint, Family, Info, Memory, Process, ProcessStatus, Row, Shutdown, SocketType, State, Timer,
};

use super::Column;

/// Which end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Its own.
    Local,
    /// The other.
    Peer,
}

impl Side {
    /// The column that shows all of it.
    pub(super) const fn column(self) -> Column {
        match self {
            Self::Local => Column::Local,
            Self::Peer => Column::Peer,
        }
    }

    pub(super) const fn of<'a>(self, row: &Row<'a>) -> &'a Endpoint {
        match self {
            Self::Local => &row.socket.local,
            Self::Peer => &row.socket.peer,
        }
    }

    pub(super) const fn service<'a>(self, row: &Row<'a>) -> Option<&'a str> {
        match self {
            Self::Local => row.local_service,
            Self::Peer => row.peer_service,
        }
    }

    pub(super) const fn host<'a>(self, row: &Row<'a>) -> Option<&'a str> {
        match self {
            Self::Local => row.local_host,
            Self::Peer => row.peer_host,
        }
    }
}

/// The value of one field.
pub(super) enum Value<'a> {
    /// Unknown or not applicable.
    Absent,
    /// A number.
    Number(u64),
    /// A word of the vocabulary: clean text.
    Word(&'static str),
    /// A state.
    State(State),
    /// An identifier that is written in hexadecimal.
    Hex(u64),
    /// The index of an interface whose name is not known; written as text.
    Index(u32),
    /// An address.
    Ip(IpAddr),
    /// A name from outside, any bytes.
    Name(&'a [u8]),
    /// The name of a unix socket: a path, or with a leading NUL an abstract name.
    Path(&'a [u8]),
    /// A timer.
    Timer(Timer),
    /// Processes.
    Processes(&'a [Process]),
    /// A kernel structure.
    Info(&'a Info),
    /// Memory.
    Memory(&'a Memory),
    /// An end of the socket in one cell; text only.
    End(Side),
}

impl<'a> Value<'a> {
    /// The value of a row in a column.
    pub(super) fn of(column: Column, row: &Row<'a>) -> Self {
        let socket = row.socket;
        match column {
            Column::Protocol => Self::Word(socket.protocol.name()),
            Column::Family => Self::Word(socket.family.name()),
            Column::Type => word(socket.kind.map(SocketType::name)),
            Column::State => Self::State(socket.state),
            Column::RecvQueue => number(socket.recv_queue),
            Column::SendQueue => number(socket.send_queue),
            Column::LocalAddress => address(Side::Local, row),
            Column::LocalPort => number(socket.local.port),
            Column::PeerAddress => address(Side::Peer, row),
            Column::PeerPort => number(socket.peer.port),
            Column::Interface => interface(row),
            Column::Uid => number(socket.uid),
            Column::User => name(row.user),
            Column::Inode => number(socket.inode),
            Column::Cookie => socket.cookie.map_or(Self::Absent, Self::Hex),
            Column::Shutdown => word(socket.shutdown.map(Shutdown::name)),
            Column::Timer => socket.timer.map_or(Self::Absent, Self::Timer),
            Column::Mark => number(socket.mark),
            Column::Cgroup => row.cgroup.map_or(Self::Absent, Self::Name),
            Column::Netns => name(row.netns),
            Column::PeerInode => number(socket.peer_inode),
            Column::Processes => row.processes.map_or(Self::Absent, Self::Processes),
            Column::ProcessStatus => word(row.process_status.map(ProcessStatus::name)),
            Column::Congestion => socket.congestion().map_or(Self::Absent, Self::Name),
            Column::TcpInfo => socket.tcp_info().map_or(Self::Absent, Self::Info),
            Column::MptcpInfo => socket.mptcp_info().map_or(Self::Absent, Self::Info),
            Column::Memory => socket.memory().map_or(Self::Absent, Self::Memory),
            Column::Local => Self::End(Side::Local),
            Column::Peer => Self::End(Side::Peer),
        }
    }
}

fn number<'a>(value: Option<impl Into<u64>>) -> Value<'a> {
    value.map_or(Value::Absent, |value| Value::Number(value.into()))
}

fn word<'a>(word: Option<&'static str>) -> Value<'a> {
    word.map_or(Value::Absent, Value::Word)
}

/// A name; an empty one is none.
fn name(name: Option<&str>) -> Value<'_> {
    name.filter(|name| !name.is_empty())
        .map_or(Value::Absent, |name| Value::Name(name.as_bytes()))
}

fn interface<'a>(row: &Row<'a>) -> Value<'a> {
    match (name(row.interface), row.socket.interface) {
        (Value::Absent, Some(index)) => Value::Index(index),
        (known, _) => known,
    }
}

fn address<'a>(side: Side, row: &Row<'a>) -> Value<'a> {
    let end = side.of(row);
    match end.ip {
        Some(ip) => Value::Ip(ip),
        None if end.name.is_empty() => Value::Absent,
        None if row.socket.family == Family::Unix => Value::Path(&end.name),
        None => Value::Name(&end.name),
    }
}

/// The name of a unix socket in two parts, to be written one after the other: what stands for its
/// first byte, and the bytes that are still to be escaped.
///
/// An abstract name begins with `@`; a path that does so itself begins with `\x40`.
pub(super) fn path_parts(name: &[u8]) -> (&'static str, &[u8]) {
    match name {
        [0, rest @ ..] => ("@", rest),
        [b'@', rest @ ..] => ("\\x40", rest),
        path => ("", path),
    }
}
