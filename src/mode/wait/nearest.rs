//! Sockets that are left out for a single reason.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use super::port_usage::{end, holder};
use crate::enrich::ScanScope;
use crate::filter::{Expr, Rule, Test};
use crate::mode::matcher::Matcher;
use crate::model::{Row, Socket};
use crate::query::Query;
use crate::source::Source;

/// The sockets that lack one thing, and nothing else.
struct NearMiss {
    /// What they lack.
    what: String,
    count: u64,
    first: Socket,
}

/// One socket of those that lack what the fewest others do.
pub(super) fn nearest(query: &Query, source: &mut dyn Source, rules: &[Rule]) -> Option<String> {
    let mut matcher = Matcher::telling_owners(query, ScanScope::All).ok()?;
    let mut missed: Vec<NearMiss> = Vec::new();
    for rule in rules {
        let parts = parts(rule);
        if parts.len() < 2 {
            continue;
        }
        let all = Expr::ALWAYS.for_table(rule.table());
        // What is not seen cannot be the closest.
        let _ = source.visit(all.table(), &query.request(&all), &mut |socket: &Socket| {
            let only = matcher.only_failing(socket, &parts);
            let Some(what) = only.and_then(|only| lacking(&parts, only)) else {
                return ControlFlow::Continue(());
            };
            match missed.iter_mut().find(|missed| missed.what == what) {
                Some(missed) => missed.count += 1,
                None => missed.push(NearMiss {
                    what,
                    count: 1,
                    first: socket.clone(),
                }),
            }
            ControlFlow::Continue(())
        });
    }
    let nearest = missed.into_iter().min_by_key(|missed| missed.count)?;
    let first = words(&matcher.row_of(&nearest.first));
    Some(format!("the closest is {first}, but not {}", nearest.what))
}

/// What has to hold, each thing by itself.
fn parts(rule: &Rule) -> Vec<Rule> {
    match rule.expr() {
        Expr::All(members) => {
            let members = members.iter();
            members.map(|part| part.for_table(rule.table())).collect()
        }
        _ => Vec::new(),
    }
}

/// What is lacking, if the rest says more than in which state a socket is.
fn lacking(parts: &[Rule], only: usize) -> Option<String> {
    let is_state = |part: &Rule| matches!(part.expr(), Expr::Test(Test::State(_)));
    let mut rest = parts.iter().enumerate().filter(|(place, _)| *place != only);
    if rest.all(|(_, part)| is_state(part)) {
        return None;
    }
    let part = parts.get(only)?;
    Some(if is_state(part) {
        "in such a state".to_owned()
    } else {
        part.expr().to_string()
    })
}

/// `tcp LISTEN 127.0.0.1:8080 of python3[123]`
fn words(row: &Row<'_>) -> String {
    let socket = row.socket;
    let mut text = format!("{} {}", socket.protocol, socket.state);
    for (before, end) in [("", end(&socket.local)), ("to ", end(&socket.peer))] {
        if let Some(end) = end {
            // Writing to a String cannot fail.
            let _ = write!(text, " {before}{end}");
        }
    }
    let _ = write!(text, " of {}", holder(row));
    text
}
