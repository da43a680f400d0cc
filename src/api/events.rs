//! State changes of TCP sockets, as they happen.

use std::fmt;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{EventfdFlags, eventfd};

use super::{Completeness, GapKind, Row, Sockets};
use crate::error::Error;
use crate::fields::Field;
use crate::filter::Narrow;
use crate::model::{self, Ending, State, Warning};
use crate::reading::{Hidden, Steps, no_text, open_events};
use crate::source::Namespaces;
use crate::source::events::{EventSource, TakesEvents, Watched};

impl Sockets {
    /// Watches state changes of TCP or MPTCP sockets. An event is reported if the socket matches the filter and the
    /// selected states before or after it.
    ///
    /// With `CAP_BPF` and `CAP_PERFMON` the kernel records the events. Otherwise they are found by polling: see
    /// [`Events::polls_because`].
    ///
    /// # Errors
    ///
    /// When nothing can be watched.
    ///
    /// ```
    /// use std::net::{TcpListener, TcpStream};
    /// use std::ops::ControlFlow;
    /// use std::time::Duration;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let mut events = lsock::Sockets::new().filter(&format!("local_port = {port}"))?.watch()?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// let mut states = Vec::new();
    /// events.visit(Duration::from_secs(20), |event| {
    ///     states.push(event.row().state());
    ///     ControlFlow::Break(())
    /// })?;
    /// assert!(!states.is_empty());
    /// # drop(stream);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self) -> Result<Events, Error> {
        self.settled()?.watched()
    }

    fn watched(&self) -> Result<Events, Error> {
        let mut tables = self.tables();
        tables.retain(|table| table.protocol.is_tcp_like());
        if tables.is_empty() || !self.is_live() {
            let text = "events are of TCP and MPTCP sockets of this machine";
            return Err(Error::Usage(text.to_owned()));
        }
        let lookups = self.lookups();
        let owners = lookups.owners.is_some();
        let rules = tables.into_iter().map(|table| (table, self.rule(table)));
        let rules: Vec<_> = rules.collect();
        let watched = rules.iter().map(|(table, rule)| Watched {
            table: *table,
            states: rule.states(),
            narrow: Narrow {
                exact: None,
                ..Narrow::without_bound(rule)
            },
            owners,
        });
        let asked = self.asked(owners);
        let (source, namespaces) = open_events(&asked, watched.collect())?;
        let mut steps = Steps::new(rules, lookups, no_text(), Hidden::default(), namespaces)?;
        if source.sampled().is_none() {
            // Whose the sockets are that are there; of others the source tells.
            steps.enricher().look_for_owners();
        }
        Ok(Events {
            source,
            steps,
            fields: self.fields.clone(),
            wake: eventfd(0, EventfdFlags::CLOEXEC).map_err(|cause| Error::Watch(cause.into()))?,
            completeness: Completeness::Complete,
        })
    }
}

/// A watch over sockets. Dropping it ends the watch.
///
/// ```
/// use std::ops::ControlFlow;
/// use std::time::Duration;
///
/// let mut events = lsock::Sockets::new().watch()?;
/// events.visit(Duration::from_millis(10), |event| {
///     println!("{:?} -> {}", event.old_state(), event.row().state());
///     ControlFlow::Continue(())
/// })?;
/// # Ok::<(), lsock::Error>(())
/// ```
pub struct Events {
    source: Box<dyn EventSource>,
    steps: Steps,
    fields: Vec<Field>,
    /// Never readable: nobody wakes the wait.
    wake: OwnedFd,
    completeness: Completeness,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// Waits for events for this duration, or until the closure returns `Break`, and lends each to the closure.
    /// Events between two calls are delivered by the next call.
    ///
    /// # Errors
    ///
    /// When events can no longer be read.
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use std::time::Duration;
    /// let mut events = lsock::Sockets::new().watch()?;
    /// events.visit(Duration::from_millis(10), |_| ControlFlow::Continue(()))?;
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn visit(
        &mut self,
        time: Duration,
        visitor: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let until = Instant::now().checked_add(time);
        let mut taking = Taking {
            steps: &mut self.steps,
            fields: &self.fields,
            visitor,
        };
        loop {
            let flow = self.source.wait(self.wake.as_fd(), until, &mut taking)?;
            for connection in self.source.take_ended() {
                taking.steps.forget(connection);
            }
            taking.steps.enricher().next_batch();
            for gap in self.source.gaps() {
                self.completeness.note_of_rows(true, gap);
            }
            if flow.is_break() || until.is_some_and(|until| until <= Instant::now()) {
                return Ok(());
            }
        }
    }

    /// Why events come from polling: delayed, and without short-lived sockets. `None` = the kernel records them.
    ///
    /// ```
    /// let events = lsock::Sockets::new().watch()?;
    /// if let Some(why) = events.polls_because() {
    ///     eprintln!("{why}");
    /// }
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn polls_because(&self) -> Option<String> {
        self.source.sampled()
    }

    /// What is missing so far: dropped events, and values that could not be read.
    ///
    /// ```
    /// let events = lsock::Sockets::new().watch()?;
    /// println!("{:?}", events.completeness());
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn completeness(&self) -> Completeness {
        let mut completeness = self.completeness.clone();
        let lost = self.source.lost();
        if lost > 0 {
            let text = format!("the kernel did not report {lost} state changes");
            completeness.note(GapKind::Sockets, Warning::failed(text));
        }
        if let Some(why) = self.source.sampled() {
            let text = format!("{why}: steps are found by polling");
            completeness.note(GapKind::Sockets, Warning::failed(text));
        }
        for warning in self.steps.warnings() {
            completeness.note(GapKind::Owners, warning);
        }
        completeness
    }
}

/// Shows to a visitor what a filter wants.
struct Taking<'t, F> {
    steps: &'t mut Steps,
    fields: &'t [Field],
    visitor: F,
}

impl<F: FnMut(Event<'_>) -> ControlFlow<()>> TakesEvents for Taking<'_, F> {
    fn take(&mut self, event: &model::Event) -> ControlFlow<()> {
        let event = &*self.steps.meet(event);
        let is_wanted = self.steps.wants(event).held() == Some(true);
        let flow = if is_wanted {
            let row = Row {
                row: self.steps.row(event),
                fields: self.fields,
            };
            (self.visitor)(Event { event, row })
        } else {
            ControlFlow::Continue(())
        };
        self.steps.told(event);
        flow
    }

    fn use_namespaces(&mut self, namespaces: Namespaces) {
        self.steps.enricher().use_namespaces(namespaces);
    }
}

/// A state change of a socket, lent until the next one.
///
/// ```
/// fn show(event: &lsock::Event<'_>) -> String {
///     let row = event.row();
///     format!("{:?} {:?} -> {}", row.local(), event.old_state(), row.state())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Event<'a> {
    event: &'a model::Event,
    row: Row<'a>,
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("time", &self.time())
            .field("old_state", &self.old_state())
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

/// The examples of one event have one connection.
macro_rules! event_example {
    ($body:literal) => {
        concat!(
            "```\n# fn show(event: &lsock::Event<'_>) {\n",
            $body,
            "\n# }\n```"
        )
    };
}

impl<'a> Event<'a> {
    /// The time of the event; with polling, the time when it was found.
    ///
    #[doc = event_example!("assert!(event.time() <= std::time::SystemTime::now());")]
    pub fn time(&self) -> SystemTime {
        self.event.time.into()
    }

    /// The state before the event. `None` = unknown.
    ///
    #[doc = event_example!("assert_ne!(event.old_state(), Some(event.row().state()));")]
    pub const fn old_state(&self) -> Option<State> {
        self.event.old_state
    }

    /// The socket after the event.
    ///
    #[doc = event_example!("let peer = event.row().peer();")]
    pub const fn row(&self) -> Row<'a> {
        self.row
    }

    /// How the connection ended, in words, if not by a close of both sides: refused, reset, timed out.
    ///
    #[doc = event_example!("let how = event.ending().unwrap_or(\"closed\");")]
    pub fn ending(&self) -> Option<&'static str> {
        self.event.ending.map(Ending::name)
    }

    /// Number of the connection or listener within this watch.
    ///
    #[doc = event_example!("let number = event.connection();")]
    pub const fn connection(&self) -> u64 {
        self.event.connection
    }

    /// Bytes sent and received so far, without retransmissions. `None` = unknown.
    ///
    #[doc = event_example!("let sent = event.bytes().map(|(sent, _)| sent);")]
    pub fn bytes(&self) -> Option<(u64, u64)> {
        let traffic = self.event.traffic?;
        Some((traffic.bytes_sent, traffic.bytes_received))
    }
}
