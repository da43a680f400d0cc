//! Reads netlink first, and `/proc/net` for the tables that netlink does not list.

use std::collections::HashSet;
use std::io;

use rustix::io::Errno;

use super::netlink::{NOT_ALLOWED, is_one_of, is_refusal};
use super::{Outcome, ProcfsSource, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Cause, Protocol, Socket, Table, Warning};

/// Chooses a source per table, before its first row.
pub struct AutoSource {
    netlink: Box<dyn Source>,
    procfs: ProcfsSource,
    /// Warnings given: missing modules, and `None` for missing privileges.
    told: HashSet<Option<&'static str>>,
}

impl AutoSource {
    /// Combines the two sources.
    pub fn new(netlink: Box<dyn Source>, procfs: ProcfsSource) -> Self {
        Self {
            netlink,
            procfs,
            told: HashSet::new(),
        }
    }
}

impl Source for AutoSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let error = match self.netlink.visit(table, request, visitor) {
            Err(error) if is_refusal(&error) => error,
            other => return other,
        };
        if !table.protocol.in_proc_net() {
            // If the kernel supports the protocol, sockets may be missing.
            return Err(error);
        }
        let mut outcome = match self.procfs.visit(table, request, visitor) {
            Ok(outcome) => outcome,
            Err(procfs) => {
                let both = format!("{}; {}", error.chain(), procfs.chain());
                return Err(Error::Unusable(both));
            }
        };
        // Without privileges or module, warn that `/proc/net` has fewer fields: once, as without privileges no table
        // can be listed. Few kernels have raw_diag, so its absence is normal.
        let protocol = table.protocol;
        let lacks_module = protocol != Protocol::Raw && is_one_of(&error, &[Errno::NOENT]);
        let lacks_rights = is_one_of(&error, NOT_ALLOWED);
        let reason = Cause::from(error);
        let about = lacks_module.then(|| protocol.diag_module());
        if (lacks_module || lacks_rights) && self.told.insert(about) {
            let warning = Warning::FewerFields(protocol, reason.clone());
            outcome.warnings.insert(0, warning);
        }
        outcome.reason = Some(reason);
        Ok(outcome)
    }

    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        self.netlink.visit_both(request, visitor)
    }

    fn destroy(&mut self, socket: &Socket) -> io::Result<()> {
        self.netlink.destroy(socket)
    }

    fn vary_chunk_boundary(&mut self) {
        self.netlink.vary_chunk_boundary();
        self.procfs.vary_chunk_boundary();
    }
}
