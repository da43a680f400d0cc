//! Options of `-K`.

use super::{Terminal, Typed};
use crate::error::Error;
use crate::filter::Expr;
use crate::model::{State, StateSet};
use crate::query::{Killing, Query};
use crate::render::Field;

/// Destroyed only if the filter names the state: a listener serves others, and `TIME_WAIT` only holds ports.
const SPARED: StateSet = StateSet::EMPTY.with(State::Listen).with(State::TimeWait);

impl Typed {
    pub(super) fn killing(mut self, terminal: Terminal) -> Result<Killing, Error> {
        let (is_quiet, is_dry, yes) = (std::mem::take(&mut self.quiet), self.dry_run, self.yes);
        let is_all = self.all;
        let query = self.ended(terminal)?;
        if query.filter == Expr::ALWAYS && !is_all {
            let text = "-K ends what the filter selects, and there is no filter: add one, or -a to end every connection";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(Killing {
            query,
            is_quiet,
            is_dry,
            yes,
            ask: terminal.ask,
            ssh: terminal.ssh.and_then(|find| find()),
        })
    }

    /// The query for the sockets to destroy.
    pub(super) fn ended(mut self, terminal: Terminal) -> Result<Query, Error> {
        // Users want to see the processes before they confirm.
        self.processes = self.processes.max(1);
        let mut query = self.query(terminal)?;
        if !query.filter.names_state() {
            query.spared = SPARED;
        }
        let columns = &mut query.layout.columns;
        if !columns.contains(&Field::Result) {
            columns.push(Field::Result);
        }
        Ok(query)
    }
}
