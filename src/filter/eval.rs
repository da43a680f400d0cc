//! Does an expression hold for a socket?

use super::{Expr, Field, Op, Pattern, Rule, Side, Test};
use crate::model::{
    Endpoint, Family, ProcessStatus, Protocol, Row, Shutdown, Socket, SocketType, State,
};

mod fields;
mod lists;
mod short;

use fields::process_text;
use lists::{any_contains, port_holds, some_number, some_text};
use short::Short;

/// Hexadecimal digits in the name that the kernel gives a unix socket (`unix_autobind`).
const AUTOBIND_DIGITS: usize = 5;

/// What a row holds so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The socket alone.
    Socket,
    /// The names of interface, user, cgroup and network namespace too.
    Names,
    /// Everything.
    Owners,
}

impl Stage {
    /// Where a test of a socket that has everything can be answered.
    pub(super) const fn of(test: &Test) -> Self {
        match test {
            Test::Interface { index: None, .. } | Test::Cgroup { id: None, .. } => Self::Names,
            Test::Text { field, .. } | Test::Missing { field, .. } => match field {
                Field::Process
                | Field::Command
                | Field::ProcessUser
                | Field::Pid
                | Field::Fd
                | Field::ProcessStatus => Self::Owners,
                Field::Interface | Field::User | Field::Cgroup | Field::Netns => Self::Names,
                _ => Self::Socket,
            },
            Test::Number {
                field: Field::Pid | Field::Fd,
                ..
            }
            | Test::Word {
                field: Field::ProcessStatus,
                ..
            }
            | Test::Shown(_) => Self::Owners,
            _ => Self::Socket,
        }
    }
}

impl Rule {
    /// Does it hold for this row? `None` = that cannot be told yet; at [`Stage::Owners`] it always
    /// can. `shown` tells whether a shown field contains a text, and is asked then only.
    pub fn holds(
        &self,
        row: &Row<'_>,
        stage: Stage,
        shown: &mut dyn FnMut(&str) -> bool,
    ) -> Option<bool> {
        self.holds_without(&[], row, stage, shown)
    }

    /// The same where a source did not tell some fields: `None` also where it depends on one of them
    /// that the row lacks, though its socket may have it.
    pub fn holds_without(
        &self,
        untold: &[Field],
        row: &Row<'_>,
        stage: Stage,
        shown: &mut dyn FnMut(&str) -> bool,
    ) -> Option<bool> {
        let mut look = Look {
            row,
            stage,
            shown,
            untold,
        };
        look.expr(self.expr()).ok()
    }
}

/// What decides comes at a later stage.
struct NotYet;

type Told<T> = Result<T, NotYet>;

/// A row at one stage.
struct Look<'l, 'r> {
    row: &'l Row<'r>,
    stage: Stage,
    shown: &'l mut dyn FnMut(&str) -> bool,
    untold: &'l [Field],
}

impl<'r> Look<'_, 'r> {
    fn expr(&mut self, expr: &Expr) -> Told<bool> {
        match expr {
            Expr::All(members) => self.until(members, false),
            Expr::Any(members) => self.until(members, true),
            Expr::Not(inner) => self.expr(inner).map(|holds| !holds),
            Expr::Test(test) => self.test(test),
        }
    }

    /// The first member with the answer that decides gives it; without one it is the other answer.
    fn until(&mut self, members: &[Expr], decisive: bool) -> Told<bool> {
        let mut answer = Ok(!decisive);
        for member in members {
            match self.expr(member) {
                Ok(holds) if holds == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(NotYet) => answer = Err(NotYet),
            }
        }
        answer
    }

    fn test(&mut self, test: &Test) -> Told<bool> {
        let socket = self.row.socket;
        if !self.untold.is_empty() && self.is_untold(test)? {
            return Err(NotYet);
        }
        Ok(match test {
            Test::State(states) => states.contains(socket.state),
            Test::Word {
                field,
                equal,
                words,
            } => {
                let word = self.word(*field)?;
                word.is_some_and(|word| words.contains(&word) == *equal)
            }
            Test::Host {
                side,
                equal,
                prefixes,
            } => self
                .end(*side)
                .ip
                .is_some_and(|ip| any_contains(prefixes, ip) == *equal),
            Test::Name {
                side,
                equal,
                pattern,
            } => self
                .unix_name(*side)
                .is_some_and(|name| pattern.matches_name(name) == *equal),
            Test::Port { side, op, items } => self
                .end(*side)
                .port
                .is_some_and(|port| port_holds(port, *op, items)),
            Test::Number { field, op, value } => return self.number(*field, *op, *value),
            Test::Mark { equal, value, mask } => socket
                .mark
                .is_some_and(|mark| (mark & mask == *value) == *equal),
            Test::Interface { equal, name, index } => return self.interface(*equal, name, *index),
            Test::Cgroup { equal, path, id } => return self.cgroup(*equal, path, *id),
            Test::Text {
                field,
                equal,
                pattern,
            } => return self.text(*field, *equal, pattern),
            Test::Missing { field, equal } => return Ok(self.has(*field)? != *equal),
            Test::Autobound { first, last } => self.is_autobound(*first, *last),
            Test::HalfClosed => self.row.socket.is_half_closed(),
            Test::Orphan => self.row.socket.is_orphan(),
            Test::Shown(_) if self.stage < Stage::Owners => return Err(NotYet),
            Test::Shown(part) => (self.shown)(part),
        })
    }

    /// Does the test look at a field that the row lacks because it was not told?
    fn is_untold(&self, test: &Test) -> Told<bool> {
        let socket = self.row.socket;
        let Some(field) = test.told_field(socket.protocol) else {
            return Ok(false);
        };
        if !self.untold.contains(&field) || is_never_told(socket, field) {
            return Ok(false);
        }
        match test {
            Test::Word {
                field: Field::ProcessStatus,
                equal,
                words,
            } => self.is_status_untold(&|status| words.contains(&status.name()) == *equal),
            _ => Ok(!self.has(field)?),
        }
    }

    /// Does it ask whether some process holds the socket, where that cannot be told? (Whether it can
    /// be told is another question, and has an answer.)
    fn is_status_untold(&self, accepts: &dyn Fn(ProcessStatus) -> bool) -> Told<bool> {
        let asks_that = accepts(ProcessStatus::Found) != accepts(ProcessStatus::None);
        let unreadable = ProcessStatus::Unreadable;
        Ok(self.process_status()? == Some(unreadable) && asks_that && !accepts(unreadable))
    }

    fn end(&self, side: Side) -> &'r Endpoint {
        match side {
            Side::Local => &self.row.socket.local,
            Side::Peer => &self.row.socket.peer,
        }
    }

    fn unix_name(&self, side: Side) -> Option<&'r [u8]> {
        let name = self.end(side).name.as_slice();
        (self.row.socket.family == Family::Unix && !name.is_empty()).then_some(name)
    }

    fn word(&self, field: Field) -> Told<Option<&'static str>> {
        let socket = self.row.socket;
        Ok(match field {
            Field::Protocol => Some(socket.protocol.name()),
            Field::Family => Some(socket.family.name()),
            Field::Type => socket.kind.map(SocketType::name),
            Field::Shutdown => socket.shutdown.map(Shutdown::name),
            Field::Timer => socket.timer.map(|timer| timer.kind.name()),
            Field::ProcessStatus => self.process_status()?.map(ProcessStatus::name),
            _ => None,
        })
    }

    fn number(&self, field: Field, op: Op, value: u64) -> Told<bool> {
        Ok(match field {
            Field::Pid => {
                let pids = self.processes()?.iter().map(|process| process.pid);
                some_number(pids, op, value)
            }
            Field::Fd => {
                let fds = self.processes()?.iter().flat_map(|process| &process.fds);
                some_number(fds.copied(), op, value)
            }
            _ => self
                .own_number(field)
                .is_some_and(|number| op.holds(&number, &value)),
        })
    }

    fn interface(&self, equal: bool, name: &str, index: Option<u32>) -> Told<bool> {
        let Some(own) = self.row.socket.interface else {
            return Ok(false);
        };
        if let Some(index) = index {
            return Ok((own == index) == equal);
        }
        let known = self.name(self.row.interface)?;
        let same = known == Some(name) || Short::of(own) == *name || Short::interface(own) == *name;
        Ok(same == equal)
    }

    fn cgroup(&self, equal: bool, path: &[u8], id: Option<u64>) -> Told<bool> {
        let Some(own) = self.row.socket.cgroup_id else {
            return Ok(false);
        };
        if let Some(id) = id {
            return Ok((own == id) == equal);
        }
        let known = self.from(Stage::Names, self.row.cgroup)?;
        Ok(known.is_some_and(|known| (known == path) == equal))
    }

    fn text(&self, field: Field, equal: bool, pattern: &Pattern) -> Told<bool> {
        let socket = self.row.socket;
        let own = match field {
            Field::LocalAddress => return Ok(self.address(Side::Local, equal, pattern)),
            Field::PeerAddress => return Ok(self.address(Side::Peer, equal, pattern)),
            Field::Process | Field::Command | Field::ProcessUser => {
                let processes = self.processes()?.iter();
                let texts = processes.filter_map(|process| process_text(process, field));
                return Ok(some_text(texts, equal, pattern));
            }
            Field::Interface => match socket.interface {
                None => None,
                Some(index) => {
                    let Some(name) = self.name(self.row.interface)? else {
                        let names = [Short::of(index), Short::interface(index)];
                        let texts = names.iter().map(Short::as_bytes);
                        return Ok(some_text(texts, equal, pattern));
                    };
                    Some(name.as_bytes())
                }
            },
            Field::User => self.user()?.map(str::as_bytes),
            Field::Cgroup => self.cgroup_path()?,
            Field::Netns => self.name(self.row.netns)?.map(str::as_bytes),
            Field::Congestion => socket.congestion(),
            _ => None,
        };
        Ok(own.is_some_and(|text| pattern.matches(text) == equal))
    }

    fn address(&self, side: Side, equal: bool, pattern: &Pattern) -> bool {
        let end = self.end(side);
        let matches = match (end.ip, &*end.name) {
            (Some(ip), _) => pattern.matches(Short::of(ip).as_bytes()),
            (None, []) => return false,
            (None, name) if self.row.socket.family == Family::Unix => pattern.matches_name(name),
            (None, name) => pattern.matches(name),
        };
        matches == equal
    }

    fn is_autobound(&self, first: u16, last: u16) -> bool {
        let socket = self.row.socket;
        match socket.protocol {
            Protocol::Unix => match &*socket.local.name {
                [0, digits @ ..] => {
                    digits.len() == AUTOBIND_DIGITS && digits.iter().all(u8::is_ascii_hexdigit)
                }
                _ => false,
            },
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Mptcp => {
                let range = u32::from(first)..=u32::from(last);
                socket.local.port.is_some_and(|port| range.contains(&port))
            }
            Protocol::Raw | Protocol::Icmp | Protocol::Packet | Protocol::Netlink => false,
        }
    }
}

/// Does nobody tell this field of such a socket?
///
/// Of a connection the kernel keeps less than a socket before and after there is one
/// (`inet_request_sock`, `inet_timewait_sock`; the latter may be in `FIN_WAIT_2` too), and of sockets
/// in BOUND it tells nothing of the protocol's own. Who holds it is no question where no descriptor
/// can exist.
fn is_never_told(socket: &Socket, field: Field) -> bool {
    if Field::OWNERS.contains(&field) {
        return socket.inode.is_none();
    }
    let kept = matches!(
        field,
        Field::Cookie | Field::Interface | Field::LocalAddress | Field::PeerAddress
    );
    match socket.state {
        State::TimeWait | State::SynRcvd => !kept,
        State::FinWait2 if socket.inode.is_none() => !kept,
        State::Bound => matches!(
            field,
            Field::Congestion | Field::TcpInfo(_) | Field::MptcpInfo(_)
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
