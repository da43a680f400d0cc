//! Says at the end of `cargo test` what was skipped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first thing that is not as expected"
)]

#[path = "support/skip.rs"]
mod skip;

fn main() {
    let skipped = skip::take();
    println!("\n{} tests or parts of tests were skipped", skipped.len());
    for line in skipped {
        println!("  {line}");
    }
    println!();
}
