//! Combines the results of several namespaces.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Error;
use crate::model::{Family, Protocol, Socket, Table};
use crate::netns::Namespace;
use crate::source::{Outcome, Request, Source, Visitor};

/// Reads a table of every namespace, until the visitor wants no more.
pub(in crate::source) fn each<P>(
    parts: impl Iterator<Item = (P, Arc<Namespace>)>,
    request: &Request,
    visitor: &mut dyn Visitor,
    mut read: impl FnMut(P, &Request, &mut dyn Visitor) -> Outcome,
) -> Outcome {
    let mut outcomes = Vec::new();
    let mut lent = Lent {
        visitor,
        is_over: false,
    };
    for (part, namespace) in parts {
        if lent.is_over {
            break;
        }
        lent.visitor.next_part();
        let request = Request {
            netns: Some(namespace.inode),
            ..request.clone()
        };
        outcomes.push(Outcome {
            netns: Some(namespace.network()),
            ..read(part, &request, &mut lent)
        });
    }
    together(outcomes)
}

pub(super) fn together(outcomes: Vec<Outcome>) -> Outcome {
    let mut outcomes = outcomes.into_iter();
    let first = outcomes.next().unwrap_or_default();
    Outcome {
        others: outcomes.collect(),
        ..first
    }
}

/// The tables of TCP.
pub(super) const TCP: [Table; 2] = [
    Table::new(Protocol::Tcp, Family::Inet),
    Table::new(Protocol::Tcp, Family::Inet6),
];

/// Reads both tables in sequence.
pub(super) fn one_by_one(
    source: &mut dyn Source,
    request: &Request,
    visitor: &mut dyn Visitor,
) -> Result<Outcome, Error> {
    let mut lent = Lent {
        visitor,
        is_over: false,
    };
    let mut outcome = source.visit(TCP[0], request, &mut lent)?;
    if !lent.is_over {
        lent.visitor.next_part();
        outcome.add(source.visit(TCP[1], request, &mut lent)?);
    }
    Ok(outcome)
}

/// Remembers whether the visitor wants more.
struct Lent<'v> {
    visitor: &'v mut dyn Visitor,
    is_over: bool,
}

impl Visitor for Lent<'_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        let flow = self.visitor.take(socket);
        self.is_over = flow.is_break();
        flow
    }

    fn announce(&mut self, inodes: &[u64]) {
        self.visitor.announce(inodes);
    }

    fn can_rewind(&self) -> bool {
        self.visitor.can_rewind()
    }

    fn rewind(&mut self) -> bool {
        self.visitor.rewind()
    }
}
