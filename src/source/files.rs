//! What the files of `/proc/net` list, in their order, and most of it sooner.

use std::ops::ControlFlow;

use super::{NetlinkSource, Outcome, ProcfsSource, Recorder, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Protocol, Socket, Source as Kind, State, StateSet, Table};

/// Reads the files, but for TCP connections, if their columns of the file are not asked for: those
/// come over netlink, for which the kernel walks the same table in the same order. So does what no file tells of.
///
/// Listeners come from the file, where they are the first lines: netlink tells the limit of their queue
/// in the place of another number.
pub struct FilesSource {
    netlink: NetlinkSource,
    procfs: ProcfsSource,
}

impl FilesSource {
    /// Of this machine.
    pub fn live() -> Self {
        Self {
            netlink: NetlinkSource::new(Recorder::default()),
            procfs: ProcfsSource::new("/proc", Recorder::default()),
        }
    }

    /// Lends the listeners, which the file lists first, and reads hardly further.
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
            // Whatever netlink has against it, the file lists the same.
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
