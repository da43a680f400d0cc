//! Options of `-E`.

use jiff::tz::TimeZone;

use super::words::wrong;
use super::{Terminal, Typed};
use crate::error::Error;
use crate::query::Watching;
use crate::render::{EventLayout, Format, Grouping};

impl Typed {
    pub(super) fn watching(mut self, terminal: Terminal) -> Result<Watching, Error> {
        let duration = self.wait;
        let grouping = match self.by.take().as_deref() {
            None => Grouping::None,
            Some("connection") => Grouping::Connection,
            Some("pair") => Grouping::Pair,
            Some(other) => {
                let why = "does not group events (expected connection or pair)";
                return Err(wrong("--by", other, why));
            }
        };
        // The drawing shows the processes of both ends.
        self.processes |= u8::from(grouping == Grouping::Pair);
        let height = terminal.height;
        // The reader of a file does not leave, as that of a pipe may.
        let output = terminal.output.filter(|_| self.output.is_none());
        let mut query = self.query(terminal)?;
        // Read only if shown, because it opens many files.
        let zone = terminal.zone.filter(|_| query.format == Format::Table);
        let zone = zone.map_or(TimeZone::UTC, |find| find());
        if grouping != Grouping::None && !query.format.groups_events() {
            let what = match grouping {
                Grouping::Pair => "--by pair writes exchanges",
                _ => "--by connection writes lines",
            };
            let text = format!("{what} of many steps, which csv cannot hold: use ndjson");
            return Err(Error::Usage(text));
        }
        if query.format == Format::Html && grouping != Grouping::Pair {
            let text = "--format html draws connections: add --by pair to -E";
            return Err(Error::Usage(text.to_owned()));
        }
        let shown = query.layout.columns.iter().copied();
        let untold = shown
            .map(|field| ("", field))
            .find(|(_, field)| !field.is_in_events());
        let filter = query.filter.not_of_events();
        if let Some((place, field)) = filter.map(|field| ("filter: ", field)).or(untold) {
            return Err(Error::Usage(format!(
                "{place}events do not include {}; they include states, ends, users, interfaces, marks, \
                 cgroups, processes and containers",
                field.name()
            )));
        }
        let mut tables = std::mem::take(&mut query.tables);
        tables.retain(|table| table.protocol.is_tcp_like() && !query.rule(*table).is_never());
        query.tables = tables;
        if query.tables.is_empty() {
            let text = "-E shows TCP and MPTCP only: select at least one of them";
            return Err(Error::Usage(text.to_owned()));
        }
        let layout = EventLayout {
            header: query.layout.header,
            color: query.layout.color,
            signs: query.layout.signs,
            width: query.layout.width,
            height,
            zone,
            columns: query.layout.columns.clone(),
            most_pairs: query.limit,
        };
        Ok(Watching {
            query,
            grouping,
            layout,
            duration,
            output,
        })
    }
}
