//! Lists TCP sockets that are only bound.
//!
//! For netlink the kernel walks every bound socket of the machine, once for each namespace requested. A BPF program
//! walks them once for all, and faster. If its result is not proven, netlink is used.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use super::program::{FUNCTION, Plan, WANTED, bound_program};
use super::reader::records;
use super::record::{Detailed, Extent, STRAYED, TABLE};
use super::{Scope, shift};
use crate::bpf::{self, Btf, Hook, Instruction, Link, Map, MapKind, Numbers, TypeKind};
use crate::error::Error;
use crate::model::State;
use crate::source::Request;

/// Records by inode number.
pub(super) type BoundRows = BTreeMap<u64, Detailed>;

/// Limit of sockets kept.
const MOST: usize = 30_000;

/// Finds those of the own namespace, without any other walk; `None` = not proven.
///
/// # Errors
///
/// When the kernel refuses, or its types have an unknown layout.
pub(super) fn find(btf: &Path, request: &Request) -> Result<Option<BoundRows>, Error> {
    let scope = Scope::Own(None);
    let shift = shift(Scope::Table);
    let plan = Plan {
        scope,
        shift,
        extent: Extent::Detailed,
        counts: None,
    };
    let (program, function) = bpf::describe(btf, &WANTED, |btf| {
        let program = bound_program(btf, plan, request)?;
        Ok((program, btf.find(TypeKind::Function, FUNCTION)?))
    })?;
    look(&program, function, shift)
}

/// The program, if it applies.
pub(super) fn program(btf: &Btf<'_>, plan: Plan, request: &Request) -> Option<Vec<Instruction>> {
    // On other architectures, loads may be reordered.
    let is_possible = cfg!(target_arch = "x86_64") && request.states.contains(State::Bound);
    let program = is_possible.then(|| bound_program(btf, plan, request));
    program.and_then(Result::ok)
}

/// Runs the program, each half of the table in a thread; `None` = not proven.
pub(super) fn look(
    program: &[Instruction],
    function: u32,
    shift: u32,
) -> Result<Option<BoundRows>, Error> {
    let maps = [half(shift, 0)?, half(shift, 1)?];
    let [first, second] = maps
        .each_ref()
        .map(|map| Hook::Elements(function, map.descriptor()));
    let program = bpf::load("lsock_bound", program, first)?;
    let [first, second] = [program.attach(first)?, program.attach(second)?];
    let run = |link: &Link| link.iterate().and_then(read);
    let found = thread::scope(|scope| {
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
    });
    found.map_err(|cause| Error::bpf("look for bound sockets", cause))
}

/// The elements for a half of the table.
fn half(shift: u32, which: u64) -> Result<Map, Error> {
    let elements = 1 << (shift - 1);
    let map = Map::new(MapKind::Elements, 8 * elements)?;
    if which != 0 {
        let numbers = Numbers::of(&map)?;
        let before = which * u64::try_from(elements).unwrap_or_default();
        (0..elements).for_each(|element| numbers.set(element, before));
    }
    Ok(map)
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
