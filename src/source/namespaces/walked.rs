//! Lists the TCP connections of several namespaces in one walk: they share a table, unless a namespace has its own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use super::{NamespacesSource, One, TCP, Way, each, one_by_one, together};
use crate::bpf::BTF;
use crate::model::{Source as Kind, StateSet, Warning};
use crate::source::walk::{Rows, Scope, Walk, paying};
use crate::source::{Outcome, Request, Visitor};

/// The number of buckets in the table of the reader's namespace; negative = it shares the first namespace's table.
const BUCKETS: &str = "/proc/sys/net/ipv4/tcp_ehash_entries";

impl NamespacesSource {
    /// Lists TCP of all namespaces; `None` = the walk does not apply, and nothing was lent.
    pub(super) fn walk(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        let is_asked = self.way == Way::Bpf;
        let is_possible = is_asked || self.way == Way::Auto && request.narrow.exact.is_none();
        if !is_possible || !Walk::tells(request) || self.recorder.is_on() {
            return None;
        }
        // The sockets of all namespaces are counted together.
        if !is_asked && paying(Scope::Table, self.each.len(), request).is_none() {
            return None;
        }
        let networks = self.in_one_table();
        if networks.is_empty() {
            return None;
        }
        let counted = visitor.counts().then_some(&*networks);
        let mut walk = match Walk::load(Path::new(BTF), Scope::Table, request, counted) {
            Ok(walk) => walk,
            Err(error) if is_asked => return Some(Outcome::failed(error.into())),
            Err(_) => return None,
        };
        walk.look_for_bound();
        let rest = walk.rest(request);
        let mut first = walk.first(&mut *visitor);
        let read = self.read(request, &mut first, |one, request| {
            if networks.contains(&one.namespace.inode) {
                Request {
                    netns: request.netns,
                    ..rest.clone()
                }
            } else {
                request.clone()
            }
        });
        let walked = |outcome: &&mut Outcome| {
            let netns = outcome.netns.as_ref();
            netns.is_some_and(|netns| networks.contains(&netns.inode))
        };
        let mut outcomes: Vec<_> = read.each().collect();
        for one in outcomes.iter_mut().filter(walked) {
            one.source = Some(Kind::Bpf);
        }
        let mut rows = Rows {
            networks: networks.clone(),
            ..Rows::default()
        };
        if !first.finish(request, &mut rows) {
            return Some(together(outcomes));
        }
        let gaps = match walk.lend(Path::new(BTF), request, visitor, &rows) {
            Ok(warnings) => warnings,
            Err(error) if is_asked => vec![Warning::failed(error)],
            Err(error) => {
                let rest = self.go_on(request, visitor, &networks);
                for (one, rest) in outcomes.iter_mut().zip(rest.each()) {
                    one.source = rest.source.or(one.source);
                    one.add(rest);
                }
                if let Some(first) = outcomes.first_mut() {
                    first.reason = Some(error.into());
                }
                Vec::new()
            }
        };
        // Connections of any of them may be missing.
        for one in outcomes.iter_mut().filter(walked) {
            one.warnings.extend(gaps.iter().cloned());
        }
        Some(together(outcomes))
    }

    /// Lists over netlink what was to be walked.
    fn go_on(&mut self, request: &Request, visitor: &mut dyn Visitor, networks: &[u32]) -> Outcome {
        self.read(request, visitor, |one, request| {
            if networks.contains(&one.namespace.inode) {
                Walk::part(request)
            } else {
                Request {
                    states: StateSet::EMPTY,
                    ..request.clone()
                }
            }
        })
    }

    /// Reads a part of each namespace.
    fn read(
        &mut self,
        request: &Request,
        visitor: &mut dyn Visitor,
        part: impl Fn(&One, &Request) -> Request,
    ) -> Outcome {
        let parts = self.each.iter_mut().map(|one| {
            let namespace = Arc::clone(&one.namespace);
            (one, namespace)
        });
        each(parts, request, visitor, |one, request, visitor| {
            let request = part(one, request);
            if request.states == StateSet::EMPTY {
                return Outcome::default();
            }
            one.ask(TCP[0], |source| {
                match source.visit_both(&request, visitor) {
                    Some(outcome) => Ok(outcome),
                    None => one_by_one(source, &request, visitor),
                }
            })
        })
    }

    /// The namespaces whose connections are in the calling thread's table, sorted, if that is the first namespace's.
    fn in_one_table(&self) -> Vec<u32> {
        let own = fs::metadata("/proc/thread-self/ns/net").map(|own| own.ino());
        let own = own.ok().and_then(|own| u32::try_from(own).ok());
        let is_in = |one: &&One| {
            let buckets = || {
                let anchor = one.anchor.as_ref()?;
                anchor.run(|| fs::read_to_string(BUCKETS)).ok()?.ok()
            };
            let inode = one.namespace.inode;
            Some(inode) == own || buckets().is_some_and(|buckets| buckets.starts_with('-'))
        };
        let shared = self.each.iter().filter(is_in);
        let mut networks: Vec<_> = shared.map(|one| one.namespace.inode).collect();
        networks.sort_unstable();
        networks
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::{NamespacesSource, One, Way};
    use crate::model::{Socket, Source as Kind, State, StateSet};
    use crate::netns::{Anchor, List, Namespace, Namespaces, Search, Wanted, here};
    use crate::skip::skip;
    use crate::source::{Detail, Recorder, Request, Source as _};
    use std::ops::ControlFlow;
    use std::process::id;
    use std::sync::Arc;

    #[test]
    fn files_of_a_process_that_is_elsewhere_are_not_read() {
        let own = here().unwrap().inode;
        let has_source = |inode, leader| {
            let mut namespace = Namespace::recorded(b"gone".as_slice().into(), inode);
            namespace.leader = leader;
            let one = One::new(Arc::new(namespace), Way::Auto, &Recorder::default());
            assert!(one.anchor.is_none());
            one.source.is_some()
        };
        assert!(has_source(own, Some(id())));
        assert!(!has_source(u32::MAX, Some(id())));
        assert!(!has_source(own, Some(u32::MAX)));
        assert!(!has_source(own, None));
    }

    #[test]
    fn one_that_cannot_be_entered_keeps_no_other_from_the_walk() {
        let here = [Wanted::Path("/proc/thread-self/ns/net".into())];
        let search = Search::new(&here, &List::default()).unwrap();
        let (found, _) = search.select(&here).unwrap();
        let own = Arc::clone(found.first().unwrap());
        let anchor = Anchor::drop_in(&own).unwrap();
        let gone = Arc::new(Namespace::recorded(b"gone".as_slice().into(), u32::MAX));
        let namespaces = Namespaces::from([
            (own.inode, (own, Some(Arc::new(anchor)))),
            (gone.inode, (gone, None)),
        ]);
        let mut source = NamespacesSource::beside(namespaces, Way::Bpf);
        let mut request = Request::plain(StateSet::EMPTY.with(State::Established));
        request.extensions.detail = Detail::Line;
        let mut take = |_: &Socket| ControlFlow::Continue(());
        let outcome = source.visit_both(&request, &mut take).unwrap();
        if let Some(why) = outcome.reason {
            return skip(why.to_string());
        }
        let sources: Vec<_> = outcome.each().map(|one| one.source).collect();
        assert_eq!(sources, [Some(Kind::Bpf), None]);
    }
}
