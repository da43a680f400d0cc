//! Lists TCP sockets that are only bound.
//!
//! For netlink the kernel walks every bound socket of the machine, once for each namespace requested. A BPF program
//! walks them once for all, and faster. If its result is not proven, netlink is used.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use super::Scope;
use super::parts::{elements, shift, sockets};
use super::program::{FUNCTION, LISTS, Plan, WANTED, bound_program};
use super::reader::records;
use super::record::{Detailed, Extent, STRAYED, TABLE};
use crate::bpf::{self, Btf, Hook, Instruction, Link, Malformed, Map, MapKind, TypeKind};
use crate::error::Error;
use crate::model::State;
use crate::source::Request;

/// Records by inode number.
pub(super) type BoundRows = BTreeMap<u64, Detailed>;

/// Limit of sockets kept.
const MOST: usize = 30_000;

/// Average of sockets in an element: so many that their chains can advance together, and so few that they stay in the
/// caches until they are looked at.
const TOGETHER: u64 = 1 << 13;

/// Finds those of the own namespace, without any other walk; `None` = not proven.
///
/// # Errors
///
/// When the kernel refuses, or its types have an unknown layout.
pub(super) fn find(btf: &Path, request: &Request) -> Result<Option<BoundRows>, Error> {
    let lists = Map::new(MapKind::Value, LISTS)?;
    let search = bpf::describe(btf, &WANTED, |btf| {
        Search::new(btf, lists, Scope::Own(None), request)
    });
    search?.run()
}

/// A program that is not yet loaded.
#[derive(Debug)]
pub(super) struct Search {
    program: Vec<Instruction>,
    function: u32,
    _lists: Map,
}

impl Search {
    /// True if bound sockets are requested and can be found.
    pub(super) fn applies(request: &Request) -> bool {
        // On other architectures, loads may be reordered.
        cfg!(target_arch = "x86_64") && request.states.contains(State::Bound)
    }

    /// # Errors
    ///
    /// When the kernel lacks a type, field or function, which the error names.
    pub(super) fn new(
        btf: &Btf<'_>,
        lists: Map,
        scope: Scope,
        request: &Request,
    ) -> Result<Self, Malformed> {
        let plan = Plan {
            scope,
            extent: Extent::Detailed,
            counts: None,
            lists: lists.descriptor(),
        };
        Ok(Self {
            program: bound_program(btf, plan, request)?,
            function: btf.find(TypeKind::Function, FUNCTION)?,
            _lists: lists,
        })
    }

    /// Runs the program; `None` = not proven.
    pub(super) fn run(&self) -> Result<Option<BoundRows>, Error> {
        let usual = sockets(Scope::Table).unwrap_or(0) / TOGETHER;
        let parts = usual.clamp(1 << 4, 1 << 12).next_power_of_two();
        let found = match self.run_in(parts.ilog2())? {
            // The records of an element did not fit.
            Err(cause) if cause.kind() == io::ErrorKind::ArgumentListTooLong => {
                self.run_in(shift(Scope::Table))?
            }
            found => found,
        };
        found.map_err(|cause| Error::bpf("look for bound sockets", cause))
    }

    /// Runs the program, each half of the table in a thread.
    fn run_in(&self, shift: u32) -> Result<io::Result<Option<BoundRows>>, Error> {
        let maps = [elements(shift, Some(0))?, elements(shift, Some(1))?];
        let [first, second] = maps
            .each_ref()
            .map(|map| Hook::Elements(self.function, map.descriptor()));
        let program = bpf::load("lsock_bound", &self.program, first)?;
        let [first, second] = [program.attach(first)?, program.attach(second)?];
        let run = |link: &Link| link.iterate().and_then(read);
        Ok(thread::scope(|scope| {
            let other = thread::Builder::new().spawn_scoped(scope, || run(&second));
            let mut found = run(&first)?;
            let other = match other {
                Ok(other) => other
                    .join()
                    .unwrap_or_else(|_| Err(io::ErrorKind::Other.into())),
                Err(_) => run(&second),
            }?;
            found.rows.extend(other.rows);
            found.is_proven &= other.is_proven && found.rows.len() <= MOST;
            Ok(found.proven())
        }))
    }
}

/// What was found in a part of the table.
struct Found {
    rows: BoundRows,
    /// True if it began at the start of the table.
    was_run: bool,
    is_proven: bool,
}

impl Found {
    fn proven(self) -> Option<BoundRows> {
        (self.was_run && self.is_proven).then_some(self.rows)
    }
}

fn read(output: impl Read + Send) -> io::Result<Found> {
    let mut rows = BoundRows::new();
    let (mut was_run, mut is_proven) = (false, true);
    records(output, |records: &[Detailed]| {
        for record in records {
            match record.head.family {
                TABLE => was_run = true,
                STRAYED => is_proven = false,
                // A chain that is walked again repeats its sockets.
                _ => _ = rows.insert(record.inode, record.clone()),
            }
        }
        is_proven &= rows.len() <= MOST;
        Ok(if is_proven {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(Found {
        rows,
        was_run,
        is_proven,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::{find, read};
    use crate::bpf::BTF;
    use crate::filter::Narrow;
    use crate::model::StateSet;
    use crate::skip::skip;
    use crate::source::Request;
    use crate::source::walk::record::{Detailed, Head, STRAYED, TABLE};
    use std::path::Path;
    use zerocopy::IntoBytes as _;

    #[test]
    fn what_is_not_proven_is_nothing() {
        let told = |family, inode| Detailed {
            head: Head {
                family,
                ..Head::default()
            },
            inode,
            ..Detailed::default()
        };
        let (table, unproven) = (told(TABLE, 0), told(STRAYED, 0));
        let (one, other) = (told(2, 8), told(10, 9));
        for (told, inodes) in [
            (vec![table.clone()], Some(vec![])),
            (
                vec![table.clone(), other.clone(), one.clone(), other],
                Some(vec![8, 9]),
            ),
            (vec![table, one.clone(), unproven], None),
            // The program did not run.
            (vec![one], None),
            (vec![], None),
        ] {
            let bytes: Vec<u8> = told
                .iter()
                .flat_map(|record| record.as_bytes().to_vec())
                .collect();
            let found = read(bytes.as_slice()).unwrap();
            assert_eq!(
                found.proven().map(|rows| rows.into_keys().collect()),
                inodes
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
            if let Err(error) = find(Path::new(BTF), &request) {
                let text = error.chain();
                let is_denied =
                    text.contains("not permitted") || text.contains("of the expected type");
                assert!(is_denied || text.contains("cannot read"), "{text}");
                return skip(text);
            }
        }
    }
}
