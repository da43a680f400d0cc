//! Records what the kernel tells, and reads it again: `recording FILE`.
#![allow(clippy::print_stdout, reason = "a program")]

use std::env;
use std::error::Error;

use lsock::Sockets;

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).ok_or("usage: recording FILE")?;
    let now = Sockets::new().record(&file).list()?;
    let later = Sockets::new().replay(&file).list()?;
    println!(
        "{} sockets recorded, {} read again",
        now.rows.len(),
        later.rows.len()
    );
    Ok(())
}
