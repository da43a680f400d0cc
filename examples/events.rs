//! Steps of TCP sockets as they happen: `events [FILTER [SECONDS]]`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

use lsock::Sockets;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut sockets = Sockets::new();
    if let Some(filter) = arguments.next() {
        sockets = sockets.filter(&filter)?;
    }
    let seconds = arguments.next().map_or(Ok(60), |seconds| seconds.parse())?;
    let mut events = sockets.watch()?;
    if let Some(why) = events.polls_because() {
        eprintln!("polling: {why}");
    }
    println!("watching");
    io::stdout().flush()?;
    events.visit(Duration::from_secs(seconds), |event| {
        let row = event.row();
        let old = event.old_state();
        let old = old.map_or_else(|| "?".to_owned(), |state| state.to_string());
        println!(
            "{:?} {:?} {old} -> {}",
            row.local(),
            row.peer(),
            row.state()
        );
        match io::stdout().flush() {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    for gap in events.completeness().gaps() {
        eprintln!("missing: {gap}");
    }
    Ok(())
}
