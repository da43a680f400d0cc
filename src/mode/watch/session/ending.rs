//! `-K` in a view: a key destroys the listed sockets, after a question.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Session;
use crate::filter::Expr;
use crate::mode::Messages;
use crate::mode::kill::{Found, end, questions};
use crate::model::{Change, ChangedRow, OwnedRow, Summary};
use crate::render::view::Input;
use crate::text::enumeration;

/// Settings for destroying the listed sockets.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// True if allowed without a filter.
    pub is_all: bool,
    /// The connection of the current `ssh` session: local endpoint and peer.
    pub ssh: Option<[SocketAddr; 2]>,
}

impl Session {
    /// Asks whether to destroy the listed sockets, or says why not. Rows are frozen until the answer.
    pub(super) fn ask_to_end(&mut self) {
        let Some(ending) = self.ending.filter(|_| !self.is_held) else {
            return;
        };
        let listed = self.listed();
        let why_not = if self.query.filter == Expr::ALWAYS && !ending.is_all {
            "no filter: type / to enter one"
        } else if !self.is_whole {
            "the list is incomplete"
        } else if listed.is_empty() {
            "no socket is listed"
        } else {
            self.questions = questions(&listed, ending.ssh).collect();
            self.page.question = self.questions.pop_front();
            self.is_held = true;
            return;
        };
        self.page.notice = Some(format!("nothing is ended: {why_not}"));
    }

    /// Destroys them only on a yes.
    pub(super) fn answer(&mut self, input: Input) {
        if !matches!(input, Input::Char('y' | 'Y')) {
            self.page.notice = Some("nothing is ended".to_owned());
            (self.page.question, self.is_held) = (None, false);
            return;
        }
        self.page.question = self.questions.pop_front();
        if self.page.question.is_none() {
            self.end();
        }
    }

    /// Destroys the listed sockets, and shows each result until a key is pressed.
    fn end(&mut self) {
        let mut found = Found {
            rows: self.listed(),
            summary: Summary::default(),
        };
        let mut messages = Messages::new("lsock", &mut self.messages);
        self.page.notice = Some(match end(&self.query, &mut found, &mut messages) {
            Ok(verdict) => {
                self.verdict = self.verdict.max(verdict);
                format!("{}; space continues", results(&found.rows))
            }
            Err(error) => error.chain(),
        });
        let rows = found.rows.into_iter().map(Arc::new);
        let change = Change::None;
        self.rows = rows.map(|row| ChangedRow { row, change }).collect();
        self.page.is_paused = true;
        self.sort();
    }

    fn listed(&self) -> Vec<OwnedRow> {
        let rows = self.rows.iter().filter(|row| row.change != Change::Gone);
        rows.map(|row| OwnedRow::clone(&row.row)).collect()
    }
}

/// `2 destroyed and 1 still_bound`.
fn results(rows: &[OwnedRow]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for result in rows.iter().filter_map(|row| row.row().result) {
        *counts.entry(result).or_default() += 1;
    }
    let counts = counts
        .iter()
        .map(|(result, count)| format!("{count} {result}"));
    enumeration(&counts.collect::<Vec<_>>(), "and")
}
