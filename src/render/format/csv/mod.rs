//! `csv`: RFC 4180, lines end in CR LF. Nested fields are flattened; unknown is empty.
//!
//! `timer` becomes `timer_kind`, `timer_expires_ms`, `timer_retransmits`; `processes` becomes `pids`,
//! `process_names`, `process_commands`, `process_users` and `fds`, one entry a process, joined with
//! `;` (a `;` inside a name is `\x3b`), the descriptors of one process joined with `,`; `tcp_info`,
//! `mptcp_info` and `memory` become one column a field, `tcp_info_rtt`.
//!
//! `csv-safe` is for spreadsheets, which take a cell for a formula by its first character, quoted or not.

mod records;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Event, Row, Spent, Summary};
use crate::render::events::{ENDS, EventWriter, Lives, OWNERS, Step, carried, rfc_3339, spent};
use crate::render::out::Out;
use crate::render::summary::Totals;
use crate::render::{Envelope, Extras, Field, Format, HeaderLine, Layout, Repetition, Sink};
use crate::text::escape;
use records::{Records, flat};

/// The vocabulary; of the large structures only those that were asked for.
pub(super) fn columns(extras: Extras) -> Vec<Field> {
    let is_shown = |column: &Field| match column {
        Field::TcpInfo | Field::MptcpInfo => extras.has(Extras::INFO),
        Field::Memory => extras.has(Extras::MEMORY),
        _ => true,
    };
    Field::VOCABULARY.into_iter().filter(is_shown).collect()
}

/// A record for each table and state in which something is, or may be.
pub(super) fn counts(out: &mut Vec<u8>, totals: &Totals) {
    let mut records = Records::new(Out::new(Box::new(out)), totals.format);
    let several = (!totals.parts.is_empty()).then_some("netns");
    if totals.layout.header == HeaderLine::Shown {
        records.texts(several);
        records.texts(["protocol", "family", "state", "count"]);
        records.close();
    }
    for (netns, table, state, count) in totals.records() {
        if let Some(netns) = netns {
            records.text(&escape(netns));
        }
        records.text(table.protocol.name());
        records.text(table.family.name());
        records.text(&state.to_string());
        records.number(count);
        records.close();
    }
    // Into memory.
    let _ = records.flush();
}

pub(super) struct CsvRows<'w> {
    records: Records<'w>,
    columns: Vec<Field>,
    /// What every record begins with, where there are several listings: one table holds them all.
    time: Option<String>,
}

impl<'w> CsvRows<'w> {
    pub(super) fn new(format: Format, layout: &Layout, envelope: &Envelope, out: Out<'w>) -> Self {
        let mut records = Records::new(out, format);
        let (header, time) = match envelope.repetition {
            Repetition::Single => (layout.header, None),
            Repetition::First => (layout.header, Some(envelope.time.clone())),
            Repetition::Later => (HeaderLine::Hidden, Some(envelope.time.clone())),
        };
        let columns = flat(&layout.columns);
        if header == HeaderLine::Shown {
            if time.is_some() {
                records.text("time");
            }
            records.headers(&columns);
            records.close();
        }
        Self {
            records,
            columns,
            time,
        }
    }
}

impl Sink for CsvRows<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        if let Some(time) = &self.time {
            self.records.text(time);
        }
        self.records.columns(&self.columns, row);
        self.records.end()
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        self.records.flush()
    }
}

pub(super) struct CsvEvents<'w> {
    records: Records<'w>,
    owners: Vec<Field>,
}

impl<'w> CsvEvents<'w> {
    pub(super) fn new(format: Format, header: HeaderLine, out: Out<'w>) -> Self {
        let mut records = Records::new(out, format);
        let owners = flat(&OWNERS);
        if header == HeaderLine::Shown {
            records.text("time");
            records.headers(&ENDS);
            records.texts(["old_state", "new_state", "step"]);
            records.texts(["task_pid", "task_tid", "task_name"]);
            records.headers(&owners);
            let numbers = carried(None).into_iter().chain(spent(Spent::default()));
            records.texts(numbers.map(|(name, _)| name));
            records.text("sampled");
            records.close();
        }
        Self { records, owners }
    }
}

impl EventWriter for CsvEvents<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<()> {
        let records = &mut self.records;
        let step = Step::of(event);
        records.text(&rfc_3339(step.time));
        records.columns(&ENDS, row);
        records.text(&step.old.map(|old| old.to_string()).unwrap_or_default());
        records.text(&step.new.to_string());
        records.text(step.words.unwrap_or_default());
        let task = step.task.as_ref();
        records.number(task.map(|task| task.pid.into()));
        records.number(task.map(|task| task.tid.into()));
        records.text(&task.map(|task| escape(task.name())).unwrap_or_default());
        records.columns(&self.owners, row);
        for (_, number) in carried(event.traffic).into_iter().chain(spent(event.spent)) {
            records.number(number);
        }
        records.text(if step.sampled { "true" } else { "false" });
        records.end().map(|_| ())
    }

    fn flush(&mut self, _: &Lives) -> io::Result<()> {
        self.records.flush()
    }
}
