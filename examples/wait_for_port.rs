//! Waits until somebody listens on a TCP port: `wait_for_port PORT [SECONDS]`.
#![allow(clippy::print_stdout, reason = "a program")]

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use lsock::{Protocol, Sockets, State};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let port: u16 = arguments.next().unwrap_or_default().parse()?;
    let seconds = arguments.next().map_or(Ok(30), |seconds| seconds.parse())?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let listening = Sockets::new()
        .protocols([Protocol::Tcp])
        .states([State::Listen])
        .filter(&format!("local_port = {port}"))?;
    loop {
        if let Some(row) = listening.list()?.iter().next() {
            println!("{:?}", row.local());
            return Ok(ExitCode::SUCCESS);
        }
        if Instant::now() >= end {
            return Ok(ExitCode::FAILURE);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
