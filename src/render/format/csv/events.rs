//! Events as records.

use std::io;
use std::ops::ControlFlow;

use super::records::{Records, flat};
use crate::model::{Event, EventSummary, Row};
use crate::render::events::{ENDS, EventSink, OWNERS, Step, rfc_3339};
use crate::render::out::Out;
use crate::render::{Field, HeaderLine};

/// Writes each event as a record.
pub(super) struct CsvEvents<'w> {
    records: Records<'w>,
    owners: Vec<Field>,
}

impl<'w> CsvEvents<'w> {
    /// Begins with the names of the fields.
    pub(super) fn new(header: HeaderLine, out: Out<'w>) -> Self {
        let mut records = Records::new(out);
        let owners = flat(&OWNERS);
        if header == HeaderLine::Shown {
            records.text("time");
            records.headers(&ENDS);
            for name in ["old_state", "new_state", "step"] {
                records.text(name);
            }
            records.headers(&owners);
            records.text("sampled");
            records.close();
        }
        Self { records, owners }
    }
}

impl EventSink for CsvEvents<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let records = &mut self.records;
        let step = Step::of(event);
        records.text(&rfc_3339(step.time));
        records.columns(&ENDS, row);
        records.text(&step.old.map(|old| old.to_string()).unwrap_or_default());
        records.text(&step.new.to_string());
        records.text(step.words.unwrap_or_default());
        records.columns(&self.owners, row);
        records.text(if step.sampled { "true" } else { "false" });
        records.end()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.records.flush()
    }

    fn finish(&mut self, _: &EventSummary) -> io::Result<()> {
        self.records.flush()
    }
}
