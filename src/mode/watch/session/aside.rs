//! Lines shown in place of the list: keys, groups, or the details of a socket.

use std::sync::Arc;

use super::Session;
use crate::mode::tracked::is_same;
use crate::mode::watch::Purpose;
use crate::mode::watch::event::Question;
use crate::model::{Change, ChangedRow, Endpoint, Socket, Summary};
use crate::render::view::Aside;
use crate::render::{Envelope, Grouped, Repetition, Sink as _};

/// The fields that the key `g` groups by, in order.
const GROUPS: [&str; 3] = ["process", "peer_address", "state"];

impl Session {
    pub(super) fn show_keys(&mut self) {
        self.aside = None;
        self.page.aside = Some(Aside::Keys);
    }

    pub(super) fn close_aside(&mut self) {
        (self.page.aside, self.aside) = (None, None);
    }

    /// Groups by the first field, or the next one; after the last, shows the list again.
    pub(super) fn next_groups(&mut self) {
        let shown = match &self.page.aside {
            Some(Aside::Groups { by, .. }) => GROUPS.iter().position(|known| known == by),
            _ => None,
        };
        let Some(by) = GROUPS.get(shown.map_or(0, |shown| shown + 1)) else {
            return self.close_aside();
        };
        let aside = Aside::Groups {
            by,
            text: String::new(),
        };
        let filter = self.page.filter.clone();
        self.ask_aside(aside, &filter, Purpose::Groups(by));
    }

    /// Shows all details of the selected socket.
    pub(super) fn show_socket(&mut self) {
        let Some(row) = self.page.rows.get(self.view.current()) else {
            return;
        };
        let aside = Aside::Socket {
            row: Arc::clone(&row.row),
            is_gone: row.change == Change::Gone,
            other: None,
            columns: self.query.layout.columns.clone(),
        };
        let filter = with_its_ends(row.row.socket());
        self.ask_aside(aside, &filter, Purpose::Details);
    }

    /// Shows what is known, and requests the rest.
    fn ask_aside(&mut self, aside: Aside, filter: &str, purpose: Purpose) {
        if self.is_held {
            return;
        }
        match (self.refilter)(filter, purpose) {
            Ok(query) => {
                let query = Arc::new(query);
                self.page.aside = Some(aside);
                self.aside = Some(Arc::clone(&query));
                self.ask(Question::Aside(query));
            }
            Err(error) => self.page.notice = Some(error.chain()),
        }
    }

    /// Shows the requested rows.
    pub(super) fn take_aside(&mut self, rows: Vec<ChangedRow>) {
        let Some(query) = &self.aside else { return };
        match &mut self.page.aside {
            Some(Aside::Groups { text, .. }) => {
                let groups = query.groups.clone().unwrap_or_default();
                let (layout, format) = (query.layout.clone(), query.format);
                let envelope = Envelope {
                    host: String::new(),
                    time: String::new(),
                    repetition: Repetition::Single,
                    stamp: None,
                };
                let mut out = Vec::new();
                let mut grouped =
                    Grouped::new(groups, format, layout, envelope, Box::new(&mut out));
                // Writing to a Vec cannot fail.
                for row in rows {
                    let _ = grouped.row(&row.row.row());
                }
                let _ = grouped.finish(&Summary::default());
                drop(grouped);
                *text = String::from_utf8_lossy(&out).into_owned();
            }
            Some(Aside::Socket {
                row,
                is_gone,
                other,
                columns,
            }) => {
                let find = |is_it: &dyn Fn(&Socket) -> bool| {
                    let mut rows = rows.iter().map(|found| &found.row);
                    rows.find(|found| is_it(found.socket())).map(Arc::clone)
                };
                let now = find(&|socket| is_same(row.socket(), socket));
                *is_gone = now.is_none();
                *row = now.unwrap_or_else(|| Arc::clone(row));
                *other = find(&|socket| is_peer(row.socket(), socket));
                columns.clone_from(&query.layout.columns);
            }
            Some(Aside::Keys) | None => {}
        }
    }
}

/// The filter for a socket and its peer.
fn with_its_ends(socket: &Socket) -> String {
    let ends = match (socket.local.port, socket.peer.port, socket.inode) {
        (Some(local), Some(peer), _) => format!(
            "(local_port = {local} and peer_port = {peer}) or (local_port = {peer} and peer_port = {local})"
        ),
        (Some(local), None, _) => format!("local_port = {local}"),
        (None, _, Some(inode)) => match socket.peer_inode {
            Some(peer) => format!("inode = {inode} or inode = {peer}"),
            None => format!("inode = {inode}"),
        },
        _ => return format!("protocol = {}", socket.protocol),
    };
    format!("protocol = {} and ({ends})", socket.protocol)
}

/// True if it is the other end.
fn is_peer(socket: &Socket, other: &Socket) -> bool {
    let ends = |a: &Endpoint| (a.ip, a.port);
    match socket.peer_inode {
        Some(peer) => other.inode == Some(peer),
        None => {
            socket.peer.port.is_some()
                && ends(&socket.peer) == ends(&other.local)
                && ends(&socket.local) == ends(&other.peer)
        }
    }
}
