//! Counts of sockets by protocol and state, in the format of `OpenMetrics`. Nothing is kept of a socket that was counted.
#![allow(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::ControlFlow;

use lsock::Sockets;

fn main() -> Result<(), Box<dyn Error>> {
    let mut counts = BTreeMap::new();
    let completeness = Sockets::new().visit(|row| {
        *counts.entry((row.protocol(), row.state())).or_insert(0_u64) += 1;
        ControlFlow::Continue(())
    })?;
    println!("# TYPE sockets gauge\n# HELP sockets Sockets by protocol and state.");
    for ((protocol, state), count) in counts {
        println!("sockets{{protocol=\"{protocol}\",state=\"{state}\"}} {count}");
    }
    let is_complete = u8::from(completeness.is_complete());
    println!("# TYPE sockets_complete gauge\nsockets_complete {is_complete}\n# EOF");
    Ok(())
}
