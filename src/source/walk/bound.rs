//! Which network namespaces have TCP sockets that are only bound.
//!
//! To list those the kernel goes through every bound socket of the machine, once for each namespace that is asked.
//! A program goes through them once for all, and sooner: only namespaces that may have some need be asked. Where it
//! proves nothing, every namespace is asked.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use super::program::{FUNCTION, Plan, WANTED, bound_program};
use super::reader::records;
use super::record::{Extent, Head, STRAYED, TABLE};
use super::{Scope, shift};
use crate::bpf::{self, Btf, Hook, Instruction, Map, MapKind, TypeKind};
use crate::error::Error;
use crate::model::State;
use crate::source::Request;

/// The namespaces that may have some.
#[derive(Debug, Default)]
pub(in crate::source) struct BoundIn {
    /// That of whoever looks, by inode number; `None` = any may have some.
    own: Option<u32>,
    found: BTreeSet<u32>,
}

impl BoundIn {
    /// Looks for them, where there is nothing else to walk.
    ///
    /// # Errors
    ///
    /// When the kernel does not let us look, or its types are not as they are known here.
    pub(in crate::source) fn find(btf: &Path, request: &Request) -> Result<Self, Error> {
        let shift = shift(Scope::Table);
        let map = Map::new(MapKind::Elements, 1 << shift)?;
        let plan = Plan {
            scope: Scope::Table,
            shift,
            extent: Extent::Head,
            counts: None,
        };
        let (program, function) = bpf::describe(btf, &WANTED, |btf| {
            let program = bound_program(btf, plan, request)?;
            Ok((program, btf.find(TypeKind::Function, FUNCTION)?))
        })?;
        Self::look(&program, Hook::Elements(function, map.descriptor()))
    }

    /// The program, where it is of use.
    pub(super) fn program(
        btf: &Btf<'_>,
        plan: Plan,
        request: &Request,
    ) -> Option<Vec<Instruction>> {
        // Elsewhere what is read later may have been read earlier.
        let is_possible = cfg!(target_arch = "x86_64") && request.states.contains(State::Bound);
        let program = is_possible.then(|| bound_program(btf, plan, request));
        program.and_then(Result::ok)
    }

    pub(super) fn look(program: &[Instruction], hook: Hook) -> Result<Self, Error> {
        let link = bpf::attach("lsock_bound", program, hook)?;
        let output = link.iterate().and_then(read);
        output.map_err(|cause| Error::bpf("look for bound sockets", cause))
    }

    /// True if such a namespace has none for certain; `None` = that of whoever looked.
    pub(in crate::source) fn is_proven_none(&self, inode: Option<u32>) -> bool {
        let Some(own) = self.own else { return false };
        !self.found.contains(&inode.unwrap_or(own))
    }
}

fn read(output: impl Read) -> io::Result<BoundIn> {
    let mut bound_in = BoundIn::default();
    let mut is_proven = true;
    records(output, |head: &Head| {
        match head.family {
            TABLE => bound_in.own = Some(head.netns),
            STRAYED => is_proven = false,
            _ => {
                bound_in.found.insert(head.netns);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    bound_in.own = bound_in.own.filter(|_| is_proven);
    Ok(bound_in)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::{BoundIn, read};
    use crate::bpf::BTF;
    use crate::filter::Narrow;
    use crate::model::StateSet;
    use crate::skip::skip;
    use crate::source::Request;
    use crate::source::walk::record::{Head, STRAYED, TABLE};
    use std::path::Path;
    use zerocopy::IntoBytes as _;

    #[test]
    fn what_is_not_proven_may_be_anywhere() {
        let told = |family, netns| Head {
            netns,
            family,
            ..Head::default()
        };
        let own = told(TABLE, 7);
        let unproven = told(STRAYED, 0);
        for (told, none) in [
            (vec![own.clone()], [true, true]),
            (vec![own.clone(), told(0, 8)], [true, false]),
            (vec![own.clone(), told(0, 7), told(0, 8)], [false, false]),
            (vec![own, told(0, 8), unproven], [false, false]),
            // The program was not run.
            (vec![], [false, false]),
        ] {
            let bytes: Vec<u8> = told
                .iter()
                .flat_map(|head| head.as_bytes().to_vec())
                .collect();
            let bound_in = read(bytes.as_slice()).unwrap();
            assert_eq!(
                [None, Some(8)].map(|inode| bound_in.is_proven_none(inode)),
                none
            );
        }
    }

    #[test]
    fn this_kernel_takes_the_program() {
        for local_port in [None, Some(80)] {
            let mut request = Request::plain(StateSet::ALL);
            request.narrow = Narrow {
                local_port,
                ..Narrow::default()
            };
            if let Err(error) = BoundIn::find(Path::new(BTF), &request) {
                let text = error.chain();
                let is_denied = text.contains("not permitted") || text.contains("it has no ");
                assert!(is_denied || text.contains("cannot read"), "{text}");
                return skip(text);
            }
        }
    }
}
