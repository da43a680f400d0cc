//! `csv`: RFC 4180, lines end in CR LF. Nested fields are flattened; unknown is empty.
//!
//! `timer` becomes `timer_kind`, `timer_expires_ms`, `timer_retransmits`; `processes` becomes `pids`,
//! `process_names`, `process_commands`, `process_users` and `fds`, one entry a process, joined with
//! `;` (a `;` inside a name is `\x3b`), the descriptors of one process joined with `,`; `tcp_info`,
//! `mptcp_info` and `memory` become one column a field, `tcp_info_rtt`.

pub(in crate::render) mod counts;
pub(in crate::render) mod events;
mod records;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Row, Summary};
use crate::render::out::Out;
use crate::render::{Column, Header, Layout, Sink};
pub(in crate::render) use records::Records;
use records::flat;

/// Writes rows as records.
pub(in crate::render) struct Csv<'w> {
    records: Records<'w>,
    columns: Vec<Column>,
    /// What every record begins with.
    time: Option<String>,
}

impl<'w> Csv<'w> {
    pub(in crate::render) fn new(layout: &Layout, out: Out<'w>) -> Self {
        Self::of(layout, None, out)
    }

    /// With a time before the columns.
    pub(in crate::render) fn timed(layout: &Layout, time: String, out: Out<'w>) -> Self {
        Self::of(layout, Some(time), out)
    }

    fn of(layout: &Layout, time: Option<String>, out: Out<'w>) -> Self {
        let mut records = Records::new(out);
        let columns = flat(&layout.columns);
        if layout.header == Header::Shown {
            let time = time.iter().map(|_| "time".to_owned());
            let names = time.chain(Records::names(&columns));
            records.header(&names.collect::<Vec<_>>());
        }
        Self {
            records,
            columns,
            time,
        }
    }
}

impl Sink for Csv<'_> {
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
