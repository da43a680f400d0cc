//! A listing under the name `netstat`: the same rows, in the same order, with the same words.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::Messages;
use super::host_names::HostNames;
use crate::enrich::{Enricher, Mapped};
use crate::error::Error;
use crate::exit::Verdict;
use crate::model::{Family, OwnedRow, Protocol, Socket, Table, Warning};
use crate::query::netstat::{Absence, Netstat, Other, Rounds, Step};
use crate::render::{self, Sink as _};
use crate::source::{FilesSource, Outcome, Source as _};

/// Between two rounds of `-c`.
const PAUSE: Duration = Duration::from_secs(1);

/// Lists, once or again and again.
///
/// # Errors
///
/// When the output cannot be written.
pub fn netstat(
    query: &Netstat,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let mut round = Round {
        query,
        source: FilesSource::live(),
        enricher: Enricher::new(query.lookups.clone())?,
        writer: render::netstat(query.layout, out),
        waiting: Vec::new(),
        complete: true,
    };
    loop {
        let flow = round.list(messages)?;
        if flow.is_break() {
            return Ok(Verdict::Failed);
        }
        if query.rounds == Rounds::One {
            return Ok(if round.complete {
                Verdict::Done
            } else {
                Verdict::Trouble
            });
        }
        thread::sleep(PAUSE);
        round.enricher.next_listing();
    }
}

/// One listing.
struct Round<'q, 'w> {
    query: &'q Netstat,
    source: FilesSource,
    enricher: Enricher,
    writer: render::Netstat<'w>,
    /// Rows that wait for the names of their hosts.
    waiting: Vec<OwnedRow>,
    /// No row is known to be missing.
    complete: bool,
}

impl Round<'_, '_> {
    /// `Break` when something that was asked for by name does not exist here.
    fn list(&mut self, messages: &mut Messages<'_>) -> Result<ControlFlow<()>, Error> {
        let mut flow = ControlFlow::Continue(());
        let mut searched = false;
        for step in &self.query.steps {
            if let (Step::Begin(_), false) = (step, searched) {
                searched = true;
                self.look_for_owners(messages);
            }
            flow = self.take(step, messages)?;
            if flow.is_break() {
                break;
            }
        }
        self.write_waiting()?;
        self.writer.flush().map_err(Error::Output)?;
        Ok(flow)
    }

    /// Every process is looked at before the first row, as there may be something to say about it.
    fn look_for_owners(&mut self, messages: &mut Messages<'_>) {
        let Some(sight) = self.enricher.look_for_owners() else {
            return;
        };
        if sight.refused && sight.found {
            messages.plain(
                "(Not all processes could be identified, non-owned process info\n \
                will not be shown, you would have to be root to see it all.)",
            );
        } else if sight.refused {
            let user = rustix::process::geteuid();
            messages.plain(&format!(
                "(No info could be read for \"-p\": geteuid()={user} but you should be root.)"
            ));
        }
    }

    fn take(&mut self, step: &Step, messages: &mut Messages<'_>) -> Result<ControlFlow<()>, Error> {
        match step {
            Step::Begin(section) => {
                self.write_waiting()?;
                self.writer.begin(*section);
                Ok(ControlFlow::Continue(()))
            }
            Step::Tables(tables, absence) => self.read_all(tables, *absence, messages),
            Step::Other(other, absence) => Ok(self.look_at(other, *absence, messages)),
            Step::Never(name) => {
                messages.error(&format!(
                    "feature `{name}' not supported.\n\
                    Please recompile `net-tools' with newer kernel source or full configuration."
                ));
                Ok(ControlFlow::Break(()))
            }
        }
    }

    /// Reads the tables of a protocol: all of them, even if the first is not there.
    fn read_all(
        &mut self,
        tables: &[Table],
        absence: Absence,
        messages: &mut Messages<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut flow = ControlFlow::Continue(());
        for table in tables {
            let absence = match table.family {
                Family::Inet6 => Absence::Silent,
                _ => absence,
            };
            if self.read(*table, absence, messages)?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        Ok(flow)
    }

    /// Reads one table.
    fn read(
        &mut self,
        table: Table,
        absence: Absence,
        messages: &mut Messages<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let (query, enricher) = (self.query, &mut self.enricher);
        let (writer, waiting) = (&mut self.writer, &mut self.waiting);
        let waits = query.names_hosts() && table.protocol != Protocol::Unix;
        let mut end = Ok(());
        let outcome = self
            .source
            .visit(table, &query.request(table), &mut |socket: &Socket| {
                if !query.lists(socket) {
                    return ControlFlow::Continue(());
                }
                enricher.prepare(socket);
                let row = enricher.row(socket);
                if waits {
                    waiting.push(OwnedRow::keep(&row));
                    return ControlFlow::Continue(());
                }
                writer.row(&row).unwrap_or_else(|error| {
                    end = Err(Error::Output(error));
                    ControlFlow::Break(())
                })
            });
        end?;
        match outcome {
            Ok(outcome) if outcome.source.is_none() => {
                return Ok(absent(title(table), absence, messages));
            }
            Ok(outcome) => self.note(table, outcome, messages),
            Err(error) => self.incomplete(&error.chain(), messages),
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What is wrong with a table: lines that are no sockets are an old story to `netstat`.
    fn note(&mut self, table: Table, outcome: Outcome, messages: &mut Messages<'_>) {
        for gap in outcome.into_gaps() {
            let Warning::BadLines { more, .. } = gap else {
                self.incomplete(&gap.to_string(), messages);
                continue;
            };
            for _ in 0..=more {
                messages.plain(&format!("warning, got bogus {} line.", word(table)));
            }
        }
    }

    fn incomplete(&mut self, why: &str, messages: &mut Messages<'_>) {
        messages.error(&format!("incomplete list: {why}"));
        self.complete = false;
    }

    /// Sockets that are not listed must not be there.
    fn look_at(
        &mut self,
        other: &Other,
        absence: Absence,
        messages: &mut Messages<'_>,
    ) -> ControlFlow<()> {
        let files = other.files.iter().map(|file| Path::new("/proc").join(file));
        let Some(file) = files.into_iter().find(|file| file.is_file()) else {
            return absent(other.name, absence, messages);
        };
        let text = fs::read(file).unwrap_or_default();
        if text.split_inclusive(|byte| *byte == b'\n').count() > other.titles {
            let why = format!("lsock does not list sockets of {}", other.name);
            self.incomplete(&why, messages);
        }
        ControlFlow::Continue(())
    }

    /// Writes the rows that wait, once their hosts have names.
    fn write_waiting(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        HostNames::new(Mapped::AsIpv6).name(self.waiting.iter_mut().collect());
        for row in self.waiting.drain(..) {
            let flow = self.writer.row(&row.row()).map_err(Error::Output)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// There are no such sockets.
fn absent(name: &str, absence: Absence, messages: &mut Messages<'_>) -> ControlFlow<()> {
    if absence != Absence::Silent {
        messages.error(&format!("no support for `{name}' on this system."));
    }
    match absence {
        Absence::Final => ControlFlow::Break(()),
        Absence::Silent | Absence::Told => ControlFlow::Continue(()),
    }
}

/// What `netstat` calls a table.
const fn title(table: Table) -> &'static str {
    match table.protocol {
        Protocol::Unix => "AF UNIX",
        Protocol::Udp => "AF INET (udp)",
        Protocol::UdpLite => "AF INET (udplite)",
        Protocol::Raw => "AF INET (raw)",
        _ => "AF INET (tcp)",
    }
}

/// What it calls a line of it.
const fn word(table: Table) -> &'static str {
    match table.protocol {
        Protocol::Unix => "unix",
        Protocol::Udp | Protocol::UdpLite => "udp",
        Protocol::Raw => "raw",
        _ => "tcp",
    }
}
