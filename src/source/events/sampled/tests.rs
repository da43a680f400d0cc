//! Events between rounds whose contents the test decides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

mod lives;
mod looks;

use std::cell::RefCell;
use std::io::{PipeReader, PipeWriter, pipe};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Destroyed, Sampled};
use crate::error::Error;
use crate::model::{Event, Family, Protocol, Socket, Source as Kind, State, Table, Warning};
use crate::source::events::{EventSource as _, Scope, Watched};
use crate::source::{Outcome, Request, Source, Visitor};

const TCP: Table = Table {
    protocol: Protocol::Tcp,
    family: Family::Inet,
};

/// What the rounds of one table see.
#[derive(Debug, Default)]
struct Stage {
    sockets: Vec<Socket>,
    /// Why a round is incomplete.
    gap: Option<&'static str>,
    /// The table cannot be read.
    refused: bool,
    warning: Option<Warning>,
    kind: Option<Kind>,
    /// How long a round takes.
    cost: Duration,
    /// When rounds began.
    looks: Vec<Instant>,
    requests: Vec<Request>,
}

/// A source that shows the stage.
struct Script(Rc<RefCell<Stage>>);

impl Source for Script {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let stage = &mut *self.0.borrow_mut();
        stage.looks.push(Instant::now());
        stage.requests.push(request.clone());
        std::thread::sleep(stage.cost);
        if stage.refused {
            return Err(Error::NotInProc(table));
        }
        for socket in &stage.sockets {
            let _ = visitor.take(socket);
        }
        let mut outcome = Outcome::complete(stage.kind.unwrap_or(Kind::Netlink));
        let gap = stage.gap.map(|why| Warning::Failed(why.into()));
        outcome.warnings.extend(gap);
        outcome.warnings.extend(stage.warning.clone());
        Ok(outcome)
    }
}

/// A watch over a stage.
struct Play {
    stage: Rc<RefCell<Stage>>,
    sampled: Sampled,
    wake: (PipeReader, PipeWriter),
}

/// An event in short: from, to, connection.
type Told = (Option<State>, State, u64);

impl Play {
    /// Begins with these sockets.
    fn of(sockets: Vec<Socket>) -> Self {
        Self::on(Stage {
            sockets,
            ..Stage::default()
        })
    }

    fn on(stage: Stage) -> Self {
        let stage = Rc::new(RefCell::new(stage));
        let script = Box::new(Script(Rc::clone(&stage)));
        let watched = vec![Watched::all(TCP)];
        let sampled = Sampled::new(
            script,
            Scope::Own,
            Destroyed::NotTold,
            watched,
            "no right".to_owned(),
        );
        Self {
            stage,
            sampled: sampled.unwrap(),
            wake: pipe().unwrap(),
        }
    }

    /// The events when these sockets exist.
    fn events(&mut self, sockets: Vec<Socket>) -> Vec<Event> {
        self.stage.borrow_mut().sockets = sockets;
        let mut events = Vec::new();
        let now = Some(Instant::now());
        let wake = self.wake.0.as_fd();
        let flow = self.sampled.wait(wake, now, &mut |event: &Event| {
            events.push(event.clone());
            ControlFlow::Continue(())
        });
        assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
        events
    }

    /// The same events in short.
    fn steps(&mut self, sockets: Vec<Socket>) -> Vec<Told> {
        let events = self.events(sockets);
        let short = events.iter();
        short
            .map(|event| (event.old_state, event.socket.state, event.connection))
            .collect()
    }
}

/// A connection between two fixed ends.
fn connection(state: State, cookie: u64) -> Socket {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.state = state;
    socket.local.ip = Some(Ipv4Addr::LOCALHOST.into());
    socket.peer.ip = Some(Ipv4Addr::LOCALHOST.into());
    (socket.local.port, socket.peer.port) = (Some(4_000), Some(80));
    socket.cookie = Some(cookie).filter(|cookie| *cookie != 0);
    let held = ![State::TimeWait, State::SynRcvd].contains(&state);
    socket.inode = held.then_some(7);
    socket
}

/// A listener on port 80.
fn listener(cookie: u64) -> Socket {
    let mut socket = connection(State::Listen, cookie);
    (socket.local.port, socket.peer.port) = (Some(80), None);
    socket.inode = Some(cookie);
    socket
}
