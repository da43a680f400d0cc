//! The `netstat` drop-in: the same rows, order and words.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::mem;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::Messages;
use super::list::{Listing, Output};
use super::sources::Open;
use crate::enrich::Sight;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::sources::matching;
use crate::model::{Family, Origin, Protocol, Table, Warning};
use crate::query::netstat::{Absence, Netstat, Other, Part, Step};
use crate::render::Envelope;
use crate::source::{Recorder, Source};

/// The pause between two rounds of `-c`, however long they take.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn run(
    netstat: &Netstat,
    open: Open<'_>,
    envelope: &Envelope,
    mut out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (mut source, _) = open(&netstat.query, &Recorder::default())?;
    let mut matcher = matching(&netstat.query, source.as_mut())?;
    loop {
        // Before the first row, as there may be a message.
        if let Some(sight) = matcher.enricher.look_for_owners() {
            tell(sight, messages);
        }
        let mut verdict = Verdict::Done;
        for part in &netstat.parts {
            let output = Output::of(&part.query, open, envelope, Box::new(&mut out));
            let reading = Reading {
                listing: Listing::new(&part.query, &mut matcher, output),
                source: source.as_mut(),
                messages,
                verdict,
            };
            verdict = reading.read(part)?;
            if verdict == Verdict::Failed {
                return Ok(verdict);
            }
        }
        if !netstat.is_continuous {
            return Ok(verdict);
        }
        thread::sleep(PAUSE);
        matcher.enricher.next_listing();
    }
}

fn tell(sight: Sight, messages: &mut Messages<'_>) {
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

/// A part of a listing, with messages like those of `netstat`.
struct Reading<'r, 'm> {
    listing: Listing<'r>,
    source: &'r mut dyn Source,
    messages: &'r mut Messages<'m>,
    /// [`Verdict::Trouble`] once a row is known to be missing.
    verdict: Verdict,
}

impl Reading<'_, '_> {
    /// Lists the part; [`Verdict::Failed`] if something requested by name does not exist here.
    fn read(mut self, part: &Part) -> Result<Verdict, Error> {
        for step in &part.steps {
            let flow = match step {
                Step::Tables(tables, absence) => self.tables(tables, *absence)?,
                Step::Other(other, absence) => self.other(other, *absence),
            };
            if flow.is_break() {
                self.verdict = Verdict::Failed;
                break;
            }
        }
        self.listing
            .finish(&mut Messages::new("", &mut io::sink()))?;
        Ok(self.verdict)
    }

    /// Lists all tables of a protocol, even if the first does not exist.
    fn tables(&mut self, tables: &[Table], absence: Absence) -> Result<ControlFlow<()>, Error> {
        let mut flow = ControlFlow::Continue(());
        for table in tables {
            let mut unheard = io::sink();
            let mut unheard = Messages::new("", &mut unheard);
            let _ = self.listing.read(*table, self.source, &mut unheard)?;
            let summary = mem::take(&mut self.listing.summary);
            let is_there = |origin: &Origin| origin.source.is_some();
            if summary.diagnostics.is_complete() && !summary.sources.iter().all(is_there) {
                if table.family != Family::Inet6
                    && self.absent(&title(table.protocol), absence).is_break()
                {
                    flow = ControlFlow::Break(());
                }
            } else {
                self.gaps(*table, summary.diagnostics.warnings);
            }
        }
        Ok(flow)
    }

    /// Reports what is wrong with a table; malformed lines are reported as by `netstat`.
    fn gaps(&mut self, table: Table, warnings: Vec<Warning>) {
        for gap in warnings.into_iter().filter(Warning::is_gap) {
            let Warning::BadLines { more, .. } = gap else {
                self.incomplete(&gap);
                continue;
            };
            let name = match table.protocol {
                Protocol::UdpLite => Protocol::Udp,
                protocol => protocol,
            };
            for _ in 0..=more {
                let text = format!("warning, got bogus {name} line.");
                self.messages.plain(&text);
            }
        }
    }

    fn incomplete(&mut self, why: impl Display) {
        self.messages.error(&format!("incomplete list: {why}"));
        self.verdict = Verdict::Trouble;
    }

    /// Checks that sockets which are not listed do not exist.
    fn other(&mut self, other: &Other, absence: Absence) -> ControlFlow<()> {
        if other.files.is_empty() {
            self.messages.error(&format!(
                "feature `{}' not supported.\n\
                Please recompile `net-tools' with newer kernel source or full configuration.",
                other.name
            ));
            return ControlFlow::Break(());
        }
        let files = other.files.iter().map(|file| Path::new("/proc").join(file));
        let Some(file) = files.into_iter().find(|file| file.is_file()) else {
            return self.absent(other.name, absence);
        };
        let text = fs::read(file).unwrap_or_default();
        if text.split_inclusive(|byte| *byte == b'\n').count() > other.titles {
            self.incomplete(format_args!(
                "lsock does not list sockets of {}",
                other.name
            ));
        }
        ControlFlow::Continue(())
    }

    /// Reports that there are no such sockets.
    fn absent(&mut self, name: &str, absence: Absence) -> ControlFlow<()> {
        if absence != Absence::Silent {
            let text = format!("no support for `{name}' on this system.");
            self.messages.error(&text);
        }
        match absence {
            Absence::Final => ControlFlow::Break(()),
            Absence::Silent | Absence::Told => ControlFlow::Continue(()),
        }
    }
}

/// The name of a protocol in `netstat`.
fn title(protocol: Protocol) -> String {
    match protocol {
        Protocol::Unix => "AF UNIX".to_owned(),
        protocol => format!("AF INET ({protocol})"),
    }
}
