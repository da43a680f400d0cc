//! Over many short rounds, with a thousand sockets that come and go in a second, memory does not grow.

use std::collections::HashSet;

use super::churn::{Churn, listener};
use super::run::{Running, memory};
use crate::scene::{V4, tcp};
use crate::support::fresh;

/// Rounds in all, and those in which everything that is kept gets its size.
const ROUNDS: usize = 500;
const BEFORE: usize = 100;
/// What may come on top, in KiB: the allocator's.
const SLACK: u64 = 1_024;

fn assert_flat(format: &str, rounds: fn(&[String]) -> usize) {
    let Some(_namespace) = fresh() else { return };
    let _still: Vec<_> = (0..200).map(|_| tcp::listener(V4, 1).unwrap()).collect();
    let churn = Churn::begin(1, listener);
    let running = Running::begin(&["-tlnc", "0.01", "--format", format]);
    running.wait_for("some rounds", |lines| rounds(lines) >= BEFORE);
    let before = memory(running.pid());
    running.wait_for("all rounds", |lines| rounds(lines) >= ROUNDS);
    let after = memory(running.pid());
    assert!(churn.opened() > ROUNDS, "{}", churn.opened());
    running.end().1.clean();
    assert!(
        after <= before + SLACK,
        "{format}: {before} KiB, {after} KiB"
    );
    eprintln!("{format}: {before} KiB after {BEFORE} rounds, {after} KiB after {ROUNDS}");
}

#[test]
fn of_listings_it_does_not() {
    assert_flat("plain", |lines| {
        lines.iter().filter(|line| line.ends_with('Z')).count()
    });
}

#[test]
fn of_changes_it_does_not() {
    // Something changes in every round.
    assert_flat("ndjson", |lines| {
        let times = lines.iter().filter_map(|line| line.split('"').nth(3));
        times.collect::<HashSet<_>>().len()
    });
}
