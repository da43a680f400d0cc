//! The content of the files of `/proc/net` in their order, most of it read faster.

use std::ops::ControlFlow;

use super::{NetlinkSource, Outcome, ProcfsSource, Recorder, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Protocol, Socket, Source as Kind, State, StateSet, Table};

/// Reads TCP connections over netlink, unless the file's own columns are requested: the kernel walks the same table in
/// the same order. Other sockets come from the files, and from netlink if no file lists them.
///
/// Listeners come from the start of the file: netlink replaces one of their numbers by the backlog limit.
pub struct FilesSource {
    netlink: NetlinkSource,
    procfs: ProcfsSource,
}

impl FilesSource {
    /// For this machine.
    pub fn live() -> Self {
        Self {
            netlink: NetlinkSource::new(Recorder::default()),
            procfs: ProcfsSource::new("/proc", Recorder::default()),
        }
    }

    /// Lends the listeners, which come first in the file, and hardly reads further.
    fn listeners(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<(Outcome, ControlFlow<()>), Error> {
        let mut flow = ControlFlow::Continue(());
        let outcome = self.procfs.visit(table, request, &mut |socket: &Socket| {
            if !is_listener(socket) {
                return ControlFlow::Break(());
            }
            flow = visitor.take(socket);
            flow
        })?;
        Ok((outcome, flow))
    }
}

impl Source for FilesSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        if !table.protocol.in_proc_net() {
            return self.netlink.visit(table, request, visitor);
        }
        if table.protocol != Protocol::Tcp || request.extensions.proc_net {
            return self.procfs.visit(table, request, visitor);
        }
        let mut listeners = Outcome::complete(Kind::Procfs);
        if request.states.contains(State::Listen) {
            let (outcome, flow) = self.listeners(table, request, visitor)?;
            if flow.is_break() || outcome.source.is_none() {
                return Ok(outcome);
            }
            listeners = outcome;
        }
        let connections = Request {
            states: request.states.intersection(table.protocol.connected()),
            ..request.clone()
        };
        if connections.states == StateSet::EMPTY {
            return Ok(listeners);
        }
        let Ok(mut outcome) = self.netlink.visit(table, &connections, visitor) else {
            // If netlink fails, the file lists the same.
            return self.procfs.visit(table, request, &mut |socket: &Socket| {
                if is_listener(socket) {
                    return ControlFlow::Continue(());
                }
                visitor.take(socket)
            });
        };
        outcome.warnings.splice(0..0, listeners.warnings);
        Ok(outcome)
    }
}

fn is_listener(socket: &Socket) -> bool {
    socket.state == State::Listen
}
