//! Connections in `CLOSE_WAIT` by process: the peer has closed, the program has not.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::ControlFlow;

use lsock::{Owners, Protocol, Sockets, State};

fn main() -> Result<(), Box<dyn Error>> {
    let sockets = Sockets::new()
        .protocols([Protocol::Tcp])
        .states([State::CloseWait])
        .owners(Owners::Auto);
    let mut counts = BTreeMap::new();
    let completeness = sockets.visit(|row| {
        for process in row.processes() {
            let name = process.name().unwrap_or_default();
            *counts
                .entry((process.pid, name.to_owned()))
                .or_insert(0_u32) += 1;
        }
        ControlFlow::Continue(())
    })?;
    for ((pid, name), count) in counts {
        println!("{count:6} {}[{pid}]", name.display());
    }
    for gap in completeness.gaps() {
        eprintln!("missing: {gap}");
    }
    Ok(())
}
