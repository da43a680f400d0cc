//! What an expression implies before any socket is read: states, protocols, processes, fields.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Expr, Field, Op, Operand, Prefix, Rule, Test};
use crate::fields::Cost;
use crate::model::{Protocol, Source, State, StateSet};

impl Expr {
    /// True if it tests states.
    pub fn names_state(&self) -> bool {
        let tests = self.tests();
        tests.iter().any(|test| matches!(test, Test::State(_)))
    }

    /// The only processes it asks for, ascending, if an accepted socket must be held by one of them; `None`
    /// otherwise.
    pub fn pids(&self) -> Option<Vec<u32>> {
        let tests = self.tests();
        let mut pids = Vec::new();
        for test in tests {
            match test {
                Test::Field(Field::Pid, Op::Equal, Operand::Number(value)) => {
                    pids.extend(u32::try_from(*value).ok());
                }
                Test::Shown(_) => return None,
                other if other.field().is_some_and(Field::is_of_owners) => return None,
                _ => {}
            }
        }
        pids.sort_unstable();
        pids.dedup();
        self.needs_pid().then_some(pids)
    }

    /// True if it accepts only sockets held by the processes it names.
    fn needs_pid(&self) -> bool {
        let is_pid = |test: &Test, holds: bool| {
            let field = test.field();
            holds && field == Some(Field::Pid)
        };
        // In a conjunction one such member is enough.
        let of_list = |members: Vec<bool>, all: bool| members.contains(&all) == all;
        self.fold(true, &is_pid, &of_list)
    }

    /// What must be looked up for it.
    pub fn needs(&self) -> BTreeSet<Cost> {
        let needs_of = |test: &Test| match test {
            Test::Shown(_) => vec![Cost::Shown],
            Test::Field(_, _, Operand::Hosts(_) | Operand::Named { .. }) => Vec::new(),
            // A holder of the socket may see another file at its path.
            Test::Field(Field::AtPath, ..) => [Field::AtPath.needs(), vec![Cost::Owners]].concat(),
            other => other.field().map(Field::needs).unwrap_or_default(),
        };
        self.tests().into_iter().flat_map(needs_of).collect()
    }

    /// The protocols that it asks for by name.
    pub fn protocols(&self) -> BTreeSet<Protocol> {
        match self {
            Self::All(members) | Self::Any(members) => {
                members.iter().flat_map(Self::protocols).collect()
            }
            Self::Not(_) => BTreeSet::new(),
            Self::Test(test) => {
                let protocols = Protocol::ALL.into_iter();
                protocols
                    .filter(|protocol| names(test, *protocol))
                    .collect()
            }
        }
    }

    /// A field in it that events lack: it changes within a state, or must be requested.
    pub fn not_of_events(&self) -> Option<Field> {
        let fields = self.tests().into_iter().filter_map(Test::field);
        let mut untold = fields.filter(|field| !field.is_in_events());
        untold.next()
    }
}

/// True if the test asks for this protocol by name, or for a family that only it has.
fn names(test: &Test, protocol: Protocol) -> bool {
    match test {
        Test::Field(_, _, Operand::Name(_)) => protocol == Protocol::Unix,
        Test::Field(field, Op::Equal, Operand::Words(words)) => {
            match (field, protocol.families()) {
                (Field::Protocol, _) => words.contains(&protocol.name()),
                (Field::Family, [family]) => words.contains(&family.name()),
                _ => false,
            }
        }
        _ => false,
    }
}

impl Rule {
    /// Every state in which it can match.
    pub fn states(&self) -> StateSet {
        let is_tcp = self.table().protocol.is_tcp_like();
        let of_test = |test: &Test, holds: bool| match test {
            Test::State(states) if holds => *states,
            Test::State(states) => states.complement(),
            Test::Orphan if holds => StateSet::ORPHANED,
            other if is_tcp && wants_peer(other, holds) => WITH_PEER,
            _ => StateSet::ALL,
        };
        let of_list = |members: Vec<StateSet>, all: bool| {
            let members = members.into_iter();
            if all {
                members.fold(StateSet::ALL, StateSet::intersection)
            } else {
                members.fold(StateSet::EMPTY, StateSet::union)
            }
        };
        self.expr().fold(true, &of_test, &of_list)
    }

    /// The fields in it that this source may not report, without duplicates. The kernel reports marks only
    /// with `CAP_NET_ADMIN`; a recording lacks what its recorder did not request.
    pub fn unknowable(&self, source: Source) -> Vec<Field> {
        let table = self.table();
        let is_limit = |field| source == Source::Procfs && self.is_limit(field);
        self.needed(|field| !field.reported_by(source, table) || is_limit(field))
    }

    /// The fields in it that are missing if a row could not be decided: those never reported, or else those
    /// that every socket has and older kernels did not report.
    pub fn missing(&self, source: Source) -> Vec<Field> {
        let unknowable = self.unknowable(source);
        if unknowable.is_empty() && !self.lacks_range() {
            // An interface may lack only its name.
            let may_lack = |field: Field| !field.definition().is_optional;
            let is_named = |field: Field| field == Field::Interface || field.capability().is_some();
            return self.needed(|field| may_lack(field) || is_named(field));
        }
        unknowable
    }

    /// True if it tests for ephemeral ports, but their range is unknown.
    pub fn lacks_range(&self) -> bool {
        let is_unknown = |test: &Test| matches!(test, Test::Autobound { ports: None });
        self.table().protocol.has_service_ports() && self.expr().tests().into_iter().any(is_unknown)
    }

    /// The fields that it needs and that satisfy `is_meant`, without duplicates.
    fn needed(&self, is_meant: impl Fn(Field) -> bool) -> Vec<Field> {
        let table = self.table();
        let mut found = Vec::new();
        for test in self.expr().tests() {
            if let Some(field) = test.needed_field(table.protocol)
                && field.applies_to(table)
                && is_meant(field)
                && !found.contains(&field)
            {
                found.push(field);
            }
        }
        found
    }

    /// True if the field may be the limit of a listener's queue.
    fn is_limit(&self, field: Field) -> bool {
        field == Field::SendQueue
            && self.table().protocol == Protocol::Tcp
            && self.states().contains(State::Listen)
    }
}

/// The states in which TCP has a peer. Excluding the others saves the kernel a separate iteration for each.
const WITH_PEER: StateSet = StateSet::ALL.without(State::Listen).without(State::Bound);

/// True if it rejects every socket without a peer: one with no port, and with no address or the unspecified
/// one.
fn wants_peer(test: &Test, holds: bool) -> bool {
    match test {
        Test::Field(Field::PeerPort, op, Operand::Ports(_)) => (*op == Op::Unequal) != holds,
        Test::Field(Field::PeerAddress, op, Operand::Hosts(prefixes))
            if (*op == Op::Equal) == holds =>
        {
            let unspecified = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
            let holds = |prefix: &Prefix| unspecified.iter().any(|ip| prefix.contains(*ip));
            !prefixes.iter().any(holds)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
