//! Says at the end of `cargo test` what was skipped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first thing that is not as expected"
)]

use std::collections::BTreeSet;

#[path = "support/skip.rs"]
mod skip;

/// So many tests are named for each reason.
const NAMED: usize = 5;

fn main() {
    let reasons = skip::take();
    println!();
    for (reason, tests) in &reasons {
        let named: Vec<&str> = tests.iter().map(String::as_str).take(NAMED).collect();
        let more = match tests.len() {
            count @ 0..=NAMED => format!("{count} skipped: "),
            count => format!("{count} skipped, among them "),
        };
        println!("{reason}\n  {more}{}", named.join(", "));
    }
    let tests: BTreeSet<&String> = reasons.values().flatten().collect();
    println!("{} tests or parts of tests were skipped", tests.len());
    println!();
}
