//! Finds sockets that are gone without a record of their end, in the kernel's lists.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use super::super::Watched;
use crate::model::{Socket, Source as Kind, State, StateSet};
use crate::source::{Extensions, Request, Source};

/// Removes listed sockets, by their cookies; `None` = the kernel did not list all in time.
pub(super) fn leave_out_listed(
    source: &mut dyn Source,
    tables: &[Watched],
    sockets: &mut HashMap<u64, u64>,
    until: Instant,
) -> Option<()> {
    for watched in tables {
        let request = Request {
            netns: None,
            states: StateSet::ALL.without(State::Bound),
            extensions: Extensions::default(),
            narrow: watched.narrow.clone().for_life(),
        };
        let mut count = 0_u8;
        let outcome = source.visit(watched.table, &request, &mut |socket: &Socket| {
            socket.cookie.map(|cookie| sockets.remove(&cookie));
            count = count.wrapping_add(1);
            if count == 0 && Instant::now() >= until {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let is_whole = outcome.ok()?.each().all(|one| {
            let is_known = matches!(one.source, None | Some(Kind::Netlink));
            let unlisted = one.unlisted.without(State::Bound);
            is_known && unlisted == StateSet::EMPTY && one.into_gaps().next().is_none()
        });
        (is_whole && Instant::now() < until).then_some(())?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::{Duration, Instant};

    use super::leave_out_listed;
    use crate::error::Error;
    use crate::model::{Family, Protocol, Socket, Source as Kind, State, StateSet, Table, Warning};
    use crate::source::events::Watched;
    use crate::source::{Outcome, Request, Source, Visitor};

    const TCP: Table = Table::new(Protocol::Tcp, Family::Inet);

    /// Lists sockets with these cookies; `None` = it fails.
    struct List(Vec<u64>, Option<Outcome>);

    impl Source for List {
        fn visit(
            &mut self,
            table: Table,
            _: &Request,
            visitor: &mut dyn Visitor,
        ) -> Result<Outcome, Error> {
            for cookie in &self.0 {
                let mut socket = Socket::new(table.protocol, table.family);
                socket.cookie = Some(*cookie);
                if visitor.take(&socket).is_break() {
                    break;
                }
            }
            self.1.clone().ok_or(Error::NotInProc(table))
        }
    }

    /// The cookies left of 1, 2 and 3; `None` = unknown.
    fn left(list: (Vec<u64>, Option<Outcome>), time: Duration) -> Option<Vec<u64>> {
        let mut sockets = HashMap::from([(1, 10), (2, 20), (3, 30)]);
        let tables = [Watched::all(TCP)];
        let until = Instant::now() + time;
        leave_out_listed(&mut List(list.0, list.1), &tables, &mut sockets, until)?;
        let mut left: Vec<_> = sockets.into_keys().collect();
        left.sort_unstable();
        Some(left)
    }

    #[test]
    fn what_no_list_has_is_left() {
        const TIME: Duration = Duration::from_secs(60);
        let whole = || Some(Outcome::complete(Kind::Netlink));
        assert_eq!(left((vec![], whole()), TIME), Some(vec![1, 2, 3]));
        assert_eq!(left((vec![2, 9], whole()), TIME), Some(vec![1, 3]));
        assert_eq!(left((vec![3, 2, 1], whole()), TIME), Some(vec![]));
        // BOUND was not requested.
        let outcome = Outcome {
            unlisted: StateSet::EMPTY.with(State::Bound),
            ..Outcome::complete(Kind::Netlink)
        };
        assert_eq!(left((vec![1], Some(outcome)), TIME), Some(vec![2, 3]));
        // This kernel has no such sockets.
        let outcome = Outcome::absent("none".into());
        assert_eq!(left((vec![], Some(outcome)), TIME), Some(vec![1, 2, 3]));
    }

    #[test]
    fn nothing_is_concluded_from_a_list_that_is_not_whole() {
        const TIME: Duration = Duration::from_secs(60);
        let whole = Outcome::complete(Kind::Netlink);
        let cut = Outcome {
            warnings: vec![Warning::failed("cut")],
            ..whole.clone()
        };
        let unlisted = Outcome {
            unlisted: StateSet::EMPTY.with(State::TimeWait),
            ..whole.clone()
        };
        let files = Outcome::complete(Kind::Procfs);
        for outcome in [None, Some(cut), Some(unlisted), Some(files)] {
            assert_eq!(left((vec![], outcome.clone()), TIME), None, "{outcome:?}");
        }
        // Too late.
        assert_eq!(left((vec![], Some(whole)), Duration::ZERO), None);
    }
}
