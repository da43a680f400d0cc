//! Events in the order of their records. An event that needs the next record of its socket waits for it, and all events
//! after it wait, too.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::super::EventVisitor;
use crate::model::{Ending, Event, Owner, Protocol, Socket, Syn};

/// Limit of waiting events. One more fills a buffer that grows by doubling.
const MOST: usize = 2_047;

/// Events to be reported.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: VecDeque<Waiting>,
    told: usize,
    /// Ended connections whose events were all reported.
    ended: Vec<u64>,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    /// True if a port, the peer or the cookie is missing.
    is_lacking: bool,
    /// Connections that end with it.
    ended: Vec<u64>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Adds an event, which a later record may complete; returns its position.
    pub(super) fn push(&mut self, event: Event, is_lacking: bool) -> usize {
        self.events.push_back(Waiting {
            event,
            is_lacking,
            ended: Vec::new(),
        });
        self.told + self.events.len() - 1
    }

    /// Ends a connection that has no further events without being CLOSED.
    pub(super) fn end(&mut self, connection: u64) {
        let last = self.events.back_mut();
        let ended = last.map_or(&mut self.ended, |last| &mut last.ended);
        ended.push(connection);
    }

    pub(super) fn take_ended(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.ended)
    }

    /// Completes the event at a position, if not reported yet.
    pub(super) fn complete(&mut self, place: usize, later: &Event) {
        let place = place.checked_sub(self.told);
        if let Some(waiting) = place.and_then(|place| self.events.get_mut(place)) {
            waiting.is_lacking = false;
            let event = &mut waiting.event;
            event.socket.local.clone_from(&later.socket.local);
            event.socket.peer.clone_from(&later.socket.peer);
            event.socket.cookie = later.socket.cookie;
            if event.owner == Some(Owner::default()) {
                event.owner.clone_from(&later.owner);
            }
            if matches!(later.ending, Some(Ending::NotBegun | Ending::NoPort)) {
                event.syn = Syn::NotSent;
            }
        }
    }

    /// True if a TCP event that waits since `since` or longer lacks its local port.
    pub(super) fn lacks_port(&self, since: Timestamp) -> bool {
        let waiting = self.events.iter();
        let mut due = waiting.take_while(|waiting| waiting.event.time <= since);
        due.any(
            |Waiting {
                 event, is_lacking, ..
             }| {
                let is_tcp = event.socket.protocol == Protocol::Tcp;
                *is_lacking && is_tcp && event.socket.local.port.is_none()
            },
        )
    }

    /// Completes the event at a position from a list with local end and cookie, if not reported yet. It still waits for
    /// the rest.
    pub(super) fn complete_from_list(&mut self, place: usize, listed: &Socket) {
        let place = place.checked_sub(self.told);
        if let Some(waiting) = place.and_then(|place| self.events.get_mut(place)) {
            let socket = &mut waiting.event.socket;
            socket.local.clone_from(&listed.local);
            // Before 5.12 a program cannot have the kernel assign a cookie.
            socket.cookie = socket.cookie.or(listed.cookie);
        }
    }

    /// Reports the events that are complete, or have waited since `waited` or longer.
    pub(super) fn tell(
        &mut self,
        waited: Option<Timestamp>,
        visitor: &mut EventVisitor<'_>,
    ) -> ControlFlow<()> {
        while let Some(Waiting {
            event,
            is_lacking,
            ended,
        }) = self.events.front()
        {
            let is_due = waited.is_some_and(|waited| event.time <= waited);
            let must_wait = *is_lacking && !is_due;
            if must_wait && self.events.len() <= MOST {
                break;
            }
            let flow = visitor.take(event);
            self.ended.extend(ended);
            self.events.pop_front();
            self.told += 1;
            flow?;
        }
        ControlFlow::Continue(())
    }
}
