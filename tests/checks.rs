//! `-q`, `--expect`, `--wait` and `--strict`, on servers that the tests start.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::scene::expected::local_address;
use crate::scene::{V4, V6, tcp};
use crate::support::{
    Child, Run, calls, close, fresh, lsock, program, straced, until_ok, with_faults,
};

mod events;
mod expect;
mod faults;
mod owners;
mod quiet;
mod recipes;
mod statuses;
mod wait;
mod waiting;

/// A port that nobody has, and nobody else takes: nothing connects here but the tests.
pub fn free_port() -> u16 {
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    close(listener);
    port
}

/// A server that listens. One closed just before may live on in a child that another test starts, until its exec.
fn listen_at(ip: IpAddr, port: u16) -> OwnedFd {
    let listener = tcp::socket(ip).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&listener, true).unwrap();
    let address = SocketAddr::new(ip, port);
    until_ok("a port", || rustix::net::bind(&listener, &address));
    rustix::net::listen(&listener, 5).unwrap();
    listener
}

/// A check of a port, `sport = 8080`.
fn at(port: u16) -> String {
    format!("sport = {port}")
}

/// The exit status and what was said.
fn told(attempt: &Run) -> (Option<i32>, &str) {
    attempt.assert_speaks_plainly();
    (attempt.status, attempt.stderr.as_str())
}

/// What is written to standard output.
fn lines(attempt: &Run) -> Vec<String> {
    let text = String::from_utf8_lossy(&attempt.stdout);
    text.lines().map(str::to_owned).collect()
}
