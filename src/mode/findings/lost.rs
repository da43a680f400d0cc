//! Searches for sockets that processes hold and no table lists.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::Looker;
use super::hunt::Hunt;
use crate::filter::{Expr, Rule};
use crate::mode::no_table::in_no_table;
use crate::model::{Found, Holder, Limits, Protocol, Socket, State, Table};

impl Looker<'_> {
    /// Finds held sockets of a protocol that its tables lack. The query must select everything of it.
    pub(super) fn look_for_lost(&mut self, rules: &[Rule], limits: &dyn Limits, hunt: &mut Hunt) {
        let Some(held) = self.matcher.enricher.held() else {
            return;
        };
        let (mut held, mut is_whole) = (held.descriptors, held.is_whole);
        let is_asked = |table: &Table| rules.iter().any(|rule| rule.table() == *table);
        // Other lost sockets are not among those that unreadable processes may hold.
        let is_like = |table: &Table| matches!(table.protocol, Protocol::Tcp | Protocol::Udp);
        let looked_at = Table::all().filter(|table| is_asked(table) || !is_whole && is_like(table));
        let mut listed = BTreeSet::new();
        let mut tables = Vec::new();
        let mut bound = 0;
        for table in looked_at {
            let request = self.query.request(&Expr::ALWAYS.for_table(table));
            let mut visit = |socket: &Socket| {
                listed.extend(socket.inode);
                bound += u64::from(socket.state == State::Bound);
                ControlFlow::Continue(())
            };
            match self.source.visit(table, &request, &mut visit) {
                Ok(outcome) if outcome.lists_every_state() => tables.push(table),
                Ok(_) | Err(_) => {}
            }
        }
        held.retain(|held| !listed.contains(&held.inode));
        let mut found: BTreeMap<u64, Found> = BTreeMap::new();
        for lost in in_no_table(held, &tables, limits) {
            let held = lost.held;
            is_whole &= lost.table.is_some();
            let is_here = lost.namespace.is_none() && !limits.is_elsewhere(held.pid);
            let Some(table) = lost.table.filter(|_| is_here) else {
                continue;
            };
            let name = limits.text(&format!("{}/comm", held.pid));
            let name = name.as_deref().map(|name| name.trim_end_matches('\n'));
            let of_socket = found.entry(held.inode).or_insert_with(|| Found {
                socket: Socket::new(table.protocol, table.family),
                holders: Vec::new(),
            });
            let place = self.matcher.enricher.place_of_pid(held.pid);
            let holder = Holder::process(held.pid, name.map(str::as_bytes), place.as_deref());
            of_socket.holders.push(holder);
        }
        if !is_whole || !rules.iter().all(|rule| tables.contains(&rule.table())) {
            let known = |protocol| {
                let known = found.values();
                let known = known.filter(|found| found.socket.protocol == protocol);
                u64::try_from(known.count()).unwrap_or(u64::MAX)
            };
            let all = limits.tcp_in_no_table(known(Protocol::Udp));
            hunt.undecided = all.saturating_sub(bound + known(Protocol::Tcp));
        }
        let found = found.into_values();
        hunt.found = found
            .filter(|found| is_asked(&found.socket.table()))
            .collect();
    }
}
