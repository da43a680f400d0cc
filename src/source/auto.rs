//! Netlink first, `/proc/net` for the tables that netlink does not list.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::{NetlinkSource, Outcome, ProcfsSource, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Cause, Table, Warning};

/// Chooses per table, before its first row.
pub struct AutoSource {
    netlink: NetlinkSource,
    procfs: ProcfsSource,
    /// The refusal that concerns netlink as a whole was told.
    told: bool,
}

impl AutoSource {
    /// From its two halves.
    pub const fn new(netlink: NetlinkSource, procfs: ProcfsSource) -> Self {
        Self {
            netlink,
            procfs,
            told: false,
        }
    }

    /// A refusal for lack of rights is worth a word: `/proc/net` tells less. A protocol that this
    /// kernel does not list over netlink is nothing to warn of.
    fn warning(&mut self, refusal: Refusal, reason: &Cause) -> Option<Warning> {
        if refusal == Refusal::NotSupported || self.told {
            return None;
        }
        self.told = true;
        Some(Warning::FewerFields(reason.clone()))
    }
}

/// Why netlink lists a table not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// For lack of rights: seccomp, an LSM, a sandbox.
    NotAllowed,
    /// This kernel has no such thing.
    NotSupported,
}

fn refusal(cause: &io::Error) -> Option<Refusal> {
    let code = cause.raw_os_error()?;
    let is_one_of = |errors: &[Errno]| errors.iter().any(|errno| errno.raw_os_error() == code);
    if is_one_of(&[Errno::PERM, Errno::ACCESS]) {
        Some(Refusal::NotAllowed)
    } else if is_one_of(&[
        Errno::NOENT,
        Errno::PROTONOSUPPORT,
        Errno::AFNOSUPPORT,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::INVAL,
    ]) {
        Some(Refusal::NotSupported)
    } else {
        None
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
            Err(error @ Error::Netlink { .. }) => error,
            other => return other,
        };
        let Error::Netlink { cause, .. } = &error else {
            return Err(error);
        };
        let Some(refusal) = refusal(cause) else {
            return Err(error);
        };
        if table.protocol.proc_net().is_none() {
            return Ok(unlisted(table, error.into()));
        }
        let mut outcome = match self.procfs.visit(table, request, visitor) {
            Ok(outcome) => outcome,
            Err(procfs) => {
                return Err(Error::NoSource {
                    netlink: Box::new(error),
                    procfs: Box::new(procfs),
                });
            }
        };
        let reason = error.into();
        let warning = self.warning(refusal, &reason);
        outcome.warnings.splice(0..0, warning);
        outcome.reason = Some(reason);
        Ok(outcome)
    }

    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        self.netlink.visit_both(request, visitor)
    }

    fn vary_chunk_boundary(&mut self) {
        self.netlink.vary_chunk_boundary();
        self.procfs.vary_chunk_boundary();
    }
}

/// `/proc/net` does not list the protocol either: where the kernel speaks it, sockets may be missing.
fn unlisted(table: Table, reason: Cause) -> Outcome {
    let settings = Path::new("/proc/sys/net").join(table.protocol.name());
    let gap = settings.exists().then(|| Warning::Failed(reason.clone()));
    let mut outcome = Outcome::absent(reason);
    outcome.warnings.extend(gap);
    outcome
}
