//! What a source does not tell, and rows that depend on it.

use crate::filter::{Field, Rule};
use crate::model::{Socket, Source, Table, Warning};
use crate::query::Input;

/// Notes rows of one table of which the filter cannot tell whether it wants them.
#[derive(Debug)]
pub(super) struct Seen {
    replayed: bool,
    /// The fields that each source may leave out.
    netlink: Untold,
    procfs: Untold,
    replay: Untold,
    /// Where the first such row came from.
    undecided: Option<Source>,
}

impl Seen {
    /// None yet, of the table of a rule.
    pub(super) fn new(rule: &Rule, input: &Input) -> Self {
        Self {
            replayed: matches!(input, Input::Replay(_)),
            netlink: Untold::by(rule, Source::Netlink),
            procfs: Untold::by(rule, Source::Procfs),
            replay: Untold::by(rule, Source::Replay),
            undecided: None,
        }
    }

    /// The fields that may be missing from a socket because of its source.
    pub(super) fn untold(&self, socket: &Socket) -> &[Field] {
        self.of(self.source(socket)).by_source()
    }

    /// The same, and those of the processes that hold it.
    pub(super) fn untold_or_owner(&self, socket: &Socket) -> &[Field] {
        &self.of(self.source(socket)).fields
    }

    /// The filter depends on one of them.
    pub(super) fn note(&mut self, socket: &Socket) {
        self.undecided.get_or_insert(self.source(socket));
    }

    /// Every socket that netlink tells has a cookie.
    const fn source(&self, socket: &Socket) -> Source {
        match socket.cookie {
            _ if self.replayed => Source::Replay,
            Some(_) => Source::Netlink,
            None => Source::Procfs,
        }
    }

    const fn of(&self, source: Source) -> &Untold {
        match source {
            Source::Netlink => &self.netlink,
            Source::Procfs => &self.procfs,
            Source::Replay => &self.replay,
        }
    }

    /// Why rows may be missing, or should be.
    pub(super) fn gap(&self, table: Table) -> Option<Warning> {
        let source = self.undecided?;
        let fields = self.of(source).by_source().iter();
        Some(Warning::MissingFields {
            table,
            fields: fields.copied().map(Field::name).collect(),
            source,
        })
    }
}

/// The fields that a source may leave out, and behind them those of owners.
#[derive(Debug)]
struct Untold {
    fields: Vec<Field>,
    /// How many the source leaves out.
    by_source: usize,
}

impl Untold {
    fn by(rule: &Rule, source: Source) -> Self {
        let mut fields = rule.unknowable(source);
        let by_source = fields.len();
        fields.extend(Field::OWNERS);
        Self { fields, by_source }
    }

    fn by_source(&self) -> &[Field] {
        self.fields.get(..self.by_source).unwrap_or_default()
    }
}
