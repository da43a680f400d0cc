//! `-E`: what its options mean, and which do not go with it.

use jiff::tz::TimeZone;

use super::{Terminal, Typed};
use crate::error::Error;
use crate::query::Watching;
use crate::render::{EventLayout, Format, Grouping};

impl Typed {
    pub(super) fn watching(self, terminal: Terminal) -> Result<Watching, Error> {
        let duration = self.wait;
        let grouping = self.by.unwrap_or(Grouping::None);
        let (processes, height, output) = (self.processes, terminal.height, terminal.output);
        let mut query = self.query(terminal)?;
        // Found out where it is shown only: that reads many files.
        let zone = terminal.zone.filter(|_| query.format == Format::Table);
        let zone = zone.map_or(TimeZone::UTC, |find| find());
        if grouping == Grouping::Connection && !query.format.groups_events() {
            let text = "--by connection has lines of many steps, which csv cannot hold: use ndjson";
            return Err(Error::Usage(text.to_owned()));
        }
        if let Some(field) = query.filter.not_of_events() {
            return Err(Error::Usage(format!(
                "filter: events do not tell {}; they tell states, ends, users, interfaces, marks, \
                 cgroups and processes",
                field.name()
            )));
        }
        let mut tables = std::mem::take(&mut query.tables);
        tables.retain(|table| table.protocol.is_tcp_like() && !query.rule(*table).is_never());
        query.tables = tables;
        if query.tables.is_empty() {
            let text = "-E shows steps of TCP and MPTCP, and neither is asked for";
            return Err(Error::Usage(text.to_owned()));
        }
        let layout = EventLayout {
            header: query.layout.header,
            color: query.layout.color,
            signs: query.layout.signs,
            width: query.layout.width,
            height,
            zone,
            processes,
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
