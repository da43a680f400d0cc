//! Listings, checks and waits over sockets and trouble that are made up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod checks;
mod findings;
mod listings;
mod netstat;
mod one_name;
mod summaries;
mod unlisted;
mod waits;
mod watches;

use std::net::SocketAddr;
use std::time::Duration;

use crate::cli::{self, Command, Terminal};
use crate::error::Error;
use crate::mode::fake::{FakeClock, Look, Page, Run, list_once, look, wait_by};
use crate::model::{Family, Protocol, Socket, State, Table};
use crate::query::{Count, Input, Query};

const TCP: Table = Table::new(Protocol::Tcp, Family::Inet);
const TCP6: Table = Table::new(Protocol::Tcp, Family::Inet6);
const UDP: Table = Table::new(Protocol::Udp, Family::Inet);

/// A TCP socket between two ends, `10.0.0.1:22`.
fn tcp(state: State, local: &str, peer: &str) -> Socket {
    let [local, peer] = [local, peer].map(|end| end.parse::<SocketAddr>().unwrap());
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    if local.is_ipv6() {
        socket.family = Family::Inet6;
    }
    socket.state = state;
    for (end, address) in [(&mut socket.local, local), (&mut socket.peer, peer)] {
        end.ip = Some(address.ip());
        end.port = Some(address.port().into());
    }
    (socket.recv_queue, socket.send_queue) = (Some(0), Some(0));
    socket
}

/// A listener at a port of `127.0.0.1`.
fn listener(port: u16) -> Socket {
    listener_at(&format!("127.0.0.1:{port}"))
}

fn listener_at(local: &str) -> Socket {
    let any = if local.starts_with('[') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let mut socket = tcp(State::Listen, local, any);
    socket.peer.port = None;
    socket
}

/// Listeners at ports from 1 on.
fn listeners(count: u16) -> Vec<Socket> {
    (1..=count).map(listener).collect()
}

/// A command line, understood or not, whose output is no terminal.
fn parsed(words: &[&str]) -> Result<Command, Error> {
    parsed_at(words, false)
}

fn parsed_at(words: &[&str], is_terminal: bool) -> Result<Command, Error> {
    let terminal = Terminal {
        width: None,
        is_terminal,
        no_color: true,
        utf8: true,
        height: None,
        zone: None,
        console: None,
        output: None,
        ask: None,
        ssh: None,
    };
    let words = [&["lsock"], words].concat();
    cli::parse(words.iter().map(Into::into), terminal)
}

/// The query of a command line.
fn query(words: &[&str]) -> Query {
    match parsed(words).unwrap() {
        Command::List(query) => *query,
        other => panic!("{words:?}: {other:?}"),
    }
}

/// Lists what there is in one look.
fn list_to(page: &Page, words: &[&str], look: Look) -> Run {
    let mut query = query(words);
    // Nothing is found out about this machine.
    query.input = Input::Replay("recording".into());
    list_once(page, &query, look)
}

fn list(words: &[&str], look: Look) -> Run {
    list_to(&Page::default(), words, look)
}

/// Waits over these looks. Gives how long it took.
fn wait_on(clock: &FakeClock, words: &[&str], looks: &[Look]) -> (Run, Duration) {
    wait_by(clock, &query(words), looks)
}

fn wait(words: &[&str], looks: &[Look]) -> (Run, Duration) {
    wait_on(&FakeClock::new(None), words, looks)
}
