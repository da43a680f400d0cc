//! How much of a socket a query needs.

use super::{Input, Query, Report};
use crate::error::Error;
use crate::fields::{Cost, Field};
use crate::filter::{Rule, Test};
use crate::model::{Protocol, Source, Table};
use crate::render::Format;
use crate::source::Detail;

impl Query {
    /// The part of a table's sockets that is needed. Only for TCP, UDP and unix sockets can less than all be requested.
    pub fn detail(&self, rule: &Rule) -> Detail {
        let (table, is_summary) = (rule.table(), self.report != Report::Rows);
        if self.is_ended
            || self.record.is_some()
            || !matches!(
                table.protocol,
                Protocol::Tcp | Protocol::Udp | Protocol::Unix
            )
            || matches!(self.format, Format::Netstat(_) | Format::Ss(_))
        {
            return Detail::All;
        }
        let counted = if is_summary {
            Detail::Usual
        } else {
            Detail::Line
        };
        let tests = rule.expr().tests().into_iter().map(|test| match test {
            Test::State(_) => Detail::Line,
            Test::Field(field, ..) => detail(*field, table),
            _ => Detail::Usual,
        });
        let shown = self
            .looked_at()
            .into_iter()
            .map(|field| detail(field, table));
        tests.chain(shown).fold(counted, Detail::max)
    }

    /// With `--source bpf`, checks that it reports every field that is needed.
    ///
    /// # Errors
    ///
    /// When it does not; the error names the fields.
    pub fn check_walk(&self) -> Result<(), Error> {
        let tables = self.tables.iter();
        let tcp = tables
            .copied()
            .find(|table| table.protocol == Protocol::Tcp);
        let Some(table) = tcp.filter(|_| self.input == Input::Bpf) else {
            return Ok(());
        };
        let untold = self.untold_by_walk(table);
        let asked = self.extensions;
        let is_extended = asked.info || asked.options || asked.memory;
        let what = match (&*untold, self.record.is_some()) {
            (_, true) => "nothing that could be recorded".to_owned(),
            ([], _) if is_extended => "neither socket_options, tcp_info nor memory".to_owned(),
            ([], _) if matches!(self.format, Format::Netstat(_)) => {
                "not all that netstat shows".to_owned()
            }
            ([], _) => return Ok(()),
            (fields, _) => {
                let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
                format!("no {}", names.join(", "))
            }
        };
        let text =
            format!("--source bpf reports {what}: choose other --columns, or --source netlink");
        Err(Error::Usage(text))
    }

    /// The fields shown, sorted by or compared that only netlink reports for connections.
    fn untold_by_walk(&self, table: Table) -> Vec<Field> {
        let rule = self.rule(table);
        let tests = rule.expr().tests().into_iter();
        let of_filter = tests.filter_map(|test| match test {
            Test::Field(field, ..) => Some(*field),
            _ => None,
        });
        let all = self.looked_at().into_iter().chain(of_filter);
        let mut untold: Vec<_> = all
            .filter(|field| detail(*field, table) == Detail::All)
            .collect();
        untold.dedup();
        untold
    }

    fn looked_at(&self) -> Vec<Field> {
        let has_rows = self.report == Report::Rows || self.format == Format::Html;
        let is_shown = has_rows && !self.check.wants_answer_alone();
        let sorted = self.order.keys().iter().map(|key| key.column);
        if is_shown || self.filter.needs().contains(&Cost::Shown) {
            self.layout.columns.iter().copied().chain(sorted).collect()
        } else {
            Vec::new()
        }
    }
}

const fn is_in_line(field: Field) -> bool {
    matches!(
        field,
        Field::Protocol
            | Field::Family
            | Field::State
            | Field::RecvQueue
            | Field::SendQueue
            | Field::LocalAddress
            | Field::LocalPort
            | Field::PeerAddress
            | Field::PeerPort
            | Field::Interface
            | Field::Netns
            | Field::NetnsInode
            | Field::Local
            | Field::Peer
    )
}

fn detail(field: Field, table: Table) -> Detail {
    if is_in_line(field) || !field.applies_to(table) {
        Detail::Line
    } else if table.protocol == Protocol::Unix {
        // The user of a unix socket is requested separately.
        match field {
            Field::Uid | Field::User => Detail::All,
            _ => Detail::Line,
        }
    } else if field.reported_by(Source::Bpf, table) {
        Detail::Usual
    } else {
        Detail::All
    }
}
