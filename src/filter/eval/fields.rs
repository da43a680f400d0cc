//! The values of fields.

use super::{Look, NotYet, Stage, Told};
use crate::filter::Field;
use crate::model::{Endpoint, Info, Process, ProcessStatus, Timer, Unit};

impl<'r> Look<'_, 'r> {
    pub(super) fn process_status(&self) -> Told<Option<ProcessStatus>> {
        match self.row.socket.inode {
            None => Ok(Some(ProcessStatus::None)),
            Some(_) => self.from(Stage::Owners, self.row.process_status),
        }
    }

    /// What a later stage brings.
    pub(super) fn from<T>(&self, stage: Stage, value: Option<T>) -> Told<Option<T>> {
        if self.stage < stage {
            return Err(NotYet);
        }
        Ok(value)
    }

    /// The same of a name; an empty one is none.
    pub(super) fn name(&self, name: Option<&'r str>) -> Told<Option<&'r str>> {
        self.from(Stage::Names, name.filter(|name| !name.is_empty()))
    }

    /// Who holds the socket, as far as it can be told.
    pub(super) fn processes(&self) -> Told<&'r [Process]> {
        match self.row.socket.inode {
            // Nobody can.
            None => Ok(&[]),
            Some(_) => self
                .from(Stage::Owners, self.row.processes)
                .map(Option::unwrap_or_default),
        }
    }

    pub(super) fn own_number(&self, field: Field) -> Option<u64> {
        let socket = self.row.socket;
        match field {
            Field::RecvQueue => socket.recv_queue.map(u64::from),
            Field::SendQueue => socket.send_queue.map(u64::from),
            Field::Uid => socket.uid.map(u64::from),
            Field::Inode => socket.inode,
            Field::Cookie => socket.cookie,
            Field::TimerExpires => socket
                .timer
                .map(|Timer { expires_ms, .. }| u64::from(expires_ms) * 1_000),
            Field::TimerRetransmits => socket.timer.map(|timer| timer.retransmits.into()),
            Field::Mark => socket.mark.map(u64::from),
            Field::PeerInode => socket.peer_inode,
            Field::TcpInfo(_) => info_number(socket.tcp_info()?, field),
            Field::MptcpInfo(_) => info_number(socket.mptcp_info()?, field),
            Field::Memory(place) => {
                let (_, value) = *socket.memory()?.fields().get(place)?;
                value.map(u64::from)
            }
            _ => None,
        }
    }

    pub(super) fn user(&self) -> Told<Option<&'r str>> {
        match self.row.socket.uid {
            None => Ok(None),
            Some(_) => self.name(self.row.user),
        }
    }

    pub(super) fn cgroup_path(&self) -> Told<Option<&'r [u8]>> {
        match self.row.socket.cgroup_id {
            None => Ok(None),
            Some(_) => self.from(Stage::Names, self.row.cgroup),
        }
    }

    /// Has the field a value?
    pub(super) fn has(&self, field: Field) -> Told<bool> {
        let socket = self.row.socket;
        Ok(match field {
            Field::Protocol | Field::Family => true,
            Field::Type => socket.kind.is_some(),
            Field::LocalAddress => is_named(&socket.local),
            Field::LocalPort => socket.local.port.is_some(),
            Field::PeerAddress => is_named(&socket.peer),
            Field::PeerPort => socket.peer.port.is_some(),
            Field::Interface => socket.interface.is_some(),
            Field::User => self.user()?.is_some(),
            Field::Shutdown => socket.shutdown.is_some(),
            Field::Timer => socket.timer.is_some(),
            Field::Cgroup => self.cgroup_path()?.is_some(),
            Field::Netns => self.name(self.row.netns)?.is_some(),
            Field::Pid | Field::Process | Field::Command => !self.processes()?.is_empty(),
            Field::ProcessUser => self.processes()?.iter().any(|one| one.user.is_some()),
            Field::Fd => self.processes()?.iter().any(|one| !one.fds.is_empty()),
            Field::ProcessStatus => self.process_status()?.is_some(),
            Field::Congestion => socket.congestion().is_some(),
            number => self.own_number(number).is_some(),
        })
    }
}

fn is_named(end: &Endpoint) -> bool {
    end.ip.is_some() || !end.name.is_empty()
}

/// The value of a structure's field, a duration in microseconds.
fn info_number(info: &Info, field: Field) -> Option<u64> {
    let (Field::TcpInfo(field) | Field::MptcpInfo(field)) = field else {
        return None;
    };
    let value = info.get(field)?;
    Some(match field.unit {
        Unit::Millis => value.saturating_mul(1_000),
        Unit::Count | Unit::Bytes | Unit::Rate | Unit::Micros => value,
    })
}

pub(super) fn process_text(process: &Process, field: Field) -> Option<&[u8]> {
    match field {
        Field::Process => Some(&process.name),
        Field::Command => Some(&process.command),
        _ => process.user.as_deref().map(str::as_bytes),
    }
}
