//! Evaluates an expression on a row.

use std::fmt::Display;
use std::io::Write as _;

use super::expr::ANY_IPV4;
use super::{Expr, Field, Op, Operand, Pattern, Prefix, Rule, Test};
use crate::fields::{Datum, Side, Value};
use crate::model::{ProcessStatus, Protocol, Row, Socket, Source, Stage, Unit};

mod lists;

use lists::{any_contains, port_holds};

/// Length of a name chosen by the kernel for a unix socket (`unix_autobind`).
const AUTOBIND_DIGITS: usize = 5;

/// The result of an expression on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// Unknown: it depends on a field that was not reported.
    CannotTell {
        /// The result if that field has no value.
        held: bool,
        /// True if the source lacks the field; false if processes could not be read.
        by_source: bool,
    },
    /// It depends on a lookup not done yet; never at [`Stage::Owners`].
    NotYet,
}

impl Decision {
    const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    const fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::CannotTell { held, by_source } => Self::CannotTell {
                held: !held,
                by_source,
            },
            Self::NotYet => Self::NotYet,
        }
    }

    /// Combines the results of two list members, neither of which is decisive.
    const fn joined(self, other: Self, decisive: bool) -> Self {
        match (self, other) {
            (Self::NotYet, _) | (_, Self::NotYet) => Self::NotYet,
            (
                Self::CannotTell { held, by_source },
                Self::CannotTell {
                    held: also,
                    by_source: source,
                },
            ) => Self::CannotTell {
                held: if decisive { held || also } else { held && also },
                by_source: by_source || source,
            },
            (Self::CannotTell { .. }, _) => self,
            (_, other) => other,
        }
    }

    /// The result of `self or other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if [self, other].contains(&Self::Yes) {
            Self::Yes
        } else {
            self.joined(other, true)
        }
    }

    /// True if the row counts as a match; `None` = not known yet.
    pub const fn held(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::CannotTell { held, .. } => Some(held),
            Self::NotYet => None,
        }
    }
}

impl Rule {
    /// Evaluates the rule on a row as far as it was looked up. `shown` tests if a shown field contains a
    /// text; it is only called at [`Stage::Owners`].
    pub fn decide(&self, row: &Row<'_>, shown: &mut dyn FnMut(&str) -> bool) -> Decision {
        Matcher { row, shown }.expr(self.expr())
    }
}

/// Unknown: the source does not report it.
const UNTOLD: Decision = Decision::CannotTell {
    held: false,
    by_source: true,
};

/// Unknown: processes could not be read.
const DOUBT: Decision = Decision::CannotTell {
    held: false,
    by_source: false,
};

/// The answer of a test, or why there is none.
type Answer<T = bool> = Result<T, Decision>;

struct Matcher<'l, 'r> {
    row: &'l Row<'r>,
    shown: &'l mut dyn FnMut(&str) -> bool,
}

impl<'r> Matcher<'_, 'r> {
    fn expr(&mut self, expr: &Expr) -> Decision {
        match expr {
            Expr::All(members) => self.until(members, false),
            Expr::Any(members) => self.until(members, true),
            Expr::Not(inner) => self.expr(inner).negated(),
            Expr::Test(test) => match self.test(test) {
                Ok(holds) => Decision::of(holds),
                Err(unknown) => unknown,
            },
        }
    }

    /// Returns the first decisive result, or the opposite if there is none.
    fn until(&mut self, members: &[Expr], decisive: bool) -> Decision {
        let mut answer = Decision::of(!decisive);
        for member in members {
            let next = self.expr(member);
            if next == Decision::of(decisive) {
                return next;
            }
            answer = answer.joined(next, decisive);
        }
        answer
    }

    fn test(&mut self, test: &Test) -> Answer {
        Ok(match test {
            Test::State(states) => states.contains(self.row.socket.state),
            Test::Field(field, op, operand) => return self.compare(*field, *op, operand),
            Test::Autobound { ports } => return self.is_autobound(*ports),
            Test::HalfClosed => return self.is_half_closed(test),
            Test::Orphan => self.row.socket.is_orphan(),
            Test::Shown(_) if self.row.stage < Stage::Owners => return Err(Decision::NotYet),
            Test::Shown(part) => (self.shown)(part),
        })
    }

    fn compare(&self, field: Field, op: Op, operand: &Operand) -> Answer {
        let socket = self.row.socket;
        let unequal = op == Op::Unequal;
        let is_same = match operand {
            Operand::Words(words) if field == Field::ProcessStatus => {
                return self.status(&|status| words.contains(&status.name()) != unequal);
            }
            Operand::Words(words) => match self.known(field, unequal)? {
                Datum::Word(word) => words.contains(&word),
                Datum::Flag(is_set) => words.contains(&Datum::flag(is_set)),
                _ => return Ok(false),
            },
            Operand::Hosts(prefixes) => match field.side().of(self.row).ip {
                Some(ip) if any_contains(prefixes, ip) => true,
                Some(_) if self.has_further(field.side(), prefixes) => true,
                // `::` may include every IPv4 address.
                Some(_) if field == Field::LocalAddress && any_contains(prefixes, ANY_IPV4) => {
                    let is_any_ipv4 = socket.takes_ipv4_too();
                    is_any_ipv4.ok_or_else(|| self.lacking(Field::V6Only, false))?
                }
                Some(_) => false,
                // Other address families match no IP prefix.
                None if !socket.family.has_ip() => false,
                None => return Err(self.lacking(field, unequal)),
            },
            Operand::Name(_) if socket.protocol != Protocol::Unix => false,
            Operand::Name(pattern) => {
                let known = self.known(field, unequal)?;
                matches!(known, Datum::Path(name) if pattern.matches_name(name))
            }
            Operand::Ports(items) => match field.side().of(self.row).port {
                Some(port) => return Ok(port_holds(port, op, items)),
                None => return Err(self.lacking(field, unequal)),
            },
            Operand::Number(value) => return self.number(field, op, *value),
            Operand::Masked { value, mask } => match socket.mark {
                Some(mark) => mark & mask == *value,
                None => return Err(self.lacking(field, unequal)),
            },
            Operand::Named { number, .. } => {
                let own = match field {
                    Field::Interface => socket.interface.map(u64::from),
                    _ => socket.cgroup_id,
                };
                own.ok_or_else(|| self.lacking(field, unequal))? == *number
            }
            Operand::Text(pattern) => return self.text(field, !unequal, pattern),
            Operand::Missing { told } => return self.missing(field, !unequal, *told),
        };
        Ok(is_same != unequal)
    }

    /// The value of a field, or the answer of a test without one: a known absence is `unequal` to everything;
    /// an unknown value is neither equal nor unequal to anything.
    fn known(&self, field: Field, unequal: bool) -> Answer<Datum<'r>> {
        match field.value(self.row) {
            Value::Known(datum) => Ok(datum),
            Value::Absent => Err(Decision::of(unequal)),
            Value::Void => Err(Decision::No),
            Value::NotReported if field.is_of_owners() => Err(DOUBT),
            Value::NotReported => Err(UNTOLD),
            Value::NotYet => Err(Decision::NotYet),
        }
    }

    /// The answer of a test about a field without a comparable value.
    fn lacking(&self, field: Field, unequal: bool) -> Decision {
        let known = self.known(field, unequal);
        known.err().unwrap_or(Decision::of(unequal))
    }

    /// Tests `process_status`. If the holders are unknown, a test for whether there are any is undecided; a
    /// test for the status itself is not. Without an inode nobody can hold the socket, except known earlier
    /// holders.
    fn status(&self, accepts: &dyn Fn(ProcessStatus) -> bool) -> Answer {
        let is_found = self.row.process_status.is_some_and(ProcessStatus::is_found);
        if !self.row.socket.may_be_held() && !is_found {
            return Ok(accepts(ProcessStatus::None));
        }
        self.known(Field::ProcessStatus, false)?;
        let Some(status) = self.row.process_status else {
            return Ok(false);
        };
        let asks_whether_held = accepts(ProcessStatus::Found) != accepts(ProcessStatus::None);
        let is_open = self.row.is_owner_in_doubt && status.is_unknown();
        if is_open && asks_whether_held && !accepts(status) {
            return Err(DOUBT);
        }
        Ok(accepts(status))
    }

    /// One of several values must match; if not `equal`, none may. A process that was not found, or whose
    /// value is unknown, may have any value.
    fn some<T>(
        &self,
        (mut values, field): (impl Iterator<Item = Option<T>>, Field),
        equal: bool,
        matches: impl Fn(T) -> bool,
    ) -> Answer {
        let mut is_known = !field.is_in_doubt(self.row);
        let is_match = values.any(|value| {
            is_known &= value.is_some();
            value.is_some_and(&matches)
        });
        if is_match || is_known {
            Ok(is_match == equal)
        } else {
            Err(DOUBT)
        }
    }

    /// Compares a number; durations are in microseconds.
    fn number(&self, field: Field, op: Op, value: u64) -> Answer {
        let (equal, each) = match op {
            Op::Unequal => (false, Op::Equal),
            other => (true, other),
        };
        let matches = |number: u32| each.holds(&u64::from(number), &value);
        Ok(match self.known(field, op == Op::Unequal)? {
            Datum::Processes(processes) if field.of_this_end() == Field::Pid => {
                let pids = processes.iter().map(|process| Some(process.pid));
                return self.some((pids, field), equal, matches);
            }
            Datum::Processes(processes) => {
                let fds = processes.iter().flat_map(|process| match field {
                    Field::Tid => &process.tids,
                    _ => &process.fds,
                });
                return self.some((fds.copied().map(Some), field), equal, matches);
            }
            Datum::Numbers(numbers) => numbers.iter().any(|number| matches(*number)) == equal,
            Datum::Number(number) if field.unit() == Some(Unit::Millis) => {
                op.holds(&number.saturating_mul(1_000), &value)
            }
            Datum::Number(number) | Datum::Id(number) => op.holds(&number, &value),
            _ => false,
        })
    }

    /// True if the name is only `ifINDEX`, in a recording without names: the real name is unknown here.
    fn is_nameless(&self, name: &[u8]) -> bool {
        let Socket {
            source, interface, ..
        } = self.row.socket;
        let is_number = |index| is_written(format_args!("if{index}"), |number| number == name);
        *source == Source::Replay && interface.is_some_and(is_number)
    }

    /// True if a further address of this end is in these prefixes.
    fn has_further(&self, side: Side, prefixes: &[Prefix]) -> bool {
        let mut all = self.row.socket.addresses(side.pick([0, 1]));
        all.any(|ip| any_contains(prefixes, ip))
    }

    fn text(&self, field: Field, equal: bool, pattern: &Pattern) -> Answer {
        let matches = match self.known(field, !equal)? {
            Datum::Processes(processes) => {
                let texts = processes.iter().map(|process| field.text_of(process));
                return self.some((texts, field), equal, |text| pattern.matches(text));
            }
            Datum::Index(index) => is_index(index, |text| pattern.matches(text)),
            Datum::Ip(ip) => is_written(ip, |text| pattern.matches(text)),
            Datum::Path(name) => pattern.matches_name(name),
            // From several processes.
            Datum::Name(names) if field.is_of_owners() && field != Field::PeerNetns => {
                let names = names.split(|byte| *byte == b',').map(Some);
                return self.some((names, field), equal, |name| pattern.matches(name));
            }
            Datum::List(list) => {
                let mut words = list.split(|byte| *byte == b',');
                words.any(|word| pattern.matches(word))
            }
            Datum::Name(name) => {
                let matches = pattern.matches(name);
                if !matches && field == Field::Interface && self.is_nameless(name) {
                    return Err(UNTOLD);
                }
                matches
            }
            _ => return Ok(false),
        };
        Ok(matches == equal)
    }

    /// Tests if a field has no value, or has one. If it was not reported, it may have one.
    fn missing(&self, field: Field, equal: bool, told: bool) -> Answer {
        match field.value(self.row) {
            Value::NotReported if told => {
                let untold = self.lacking(field, false);
                Err(if equal { untold.negated() } else { untold })
            }
            Value::Void if told => Ok(false),
            _ => Ok(self.has(field)? != equal),
        }
    }

    fn has(&self, field: Field) -> Answer {
        Ok(match field.value(self.row) {
            Value::NotYet => return Err(Decision::NotYet),
            _ if field == Field::ProcessStatus && !self.row.socket.may_be_held() => true,
            Value::Known(Datum::Processes(processes)) => {
                processes.iter().any(|process| match field {
                    Field::ProcessUser => process.user.is_some(),
                    Field::Fd => !process.fds.is_empty(),
                    Field::Tid => !process.tids.is_empty(),
                    Field::ProcessContext => process.context.is_some(),
                    Field::SocketContext => process.socket_context.is_some(),
                    _ => true,
                })
            }
            Value::Known(Datum::Numbers(numbers)) => !numbers.is_empty(),
            Value::Known(_) => true,
            Value::Absent | Value::Void | Value::NotReported => false,
        })
    }

    fn is_half_closed(&self, test: &Test) -> Answer {
        let socket = self.row.socket;
        match test.needed_field(socket.protocol) {
            Some(field) if socket.shutdown.is_none() => Err(self.lacking(field, false)),
            _ => Ok(socket.is_half_closed()),
        }
    }

    fn is_autobound(&self, ports: Option<(u16, u16)>) -> Answer {
        let socket = self.row.socket;
        if socket.protocol.has_service_ports() {
            let Some(port) = socket.local.port else {
                return Ok(false);
            };
            let (first, last) = ports.ok_or(UNTOLD)?;
            return Ok((first.into()..=last.into()).contains(&port));
        }
        Ok(match &*socket.local.name {
            [0, digits @ ..] if socket.protocol == Protocol::Unix => {
                digits.len() == AUTOBIND_DIGITS && digits.iter().all(u8::is_ascii_hexdigit)
            }
            _ => false,
        })
    }
}

/// True if an interface with this index may match, even if its name is unknown.
fn is_index(index: u32, matches: impl Fn(&[u8]) -> bool) -> bool {
    is_written(index, &matches) || is_written(format_args!("if{index}"), matches)
}

/// Longer than any IP address: `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
const LONGEST: usize = 48;

/// Matches the text of a value without allocating.
fn is_written(value: impl Display, matches: impl FnOnce(&[u8]) -> bool) -> bool {
    let mut bytes = [0; LONGEST];
    let mut free = bytes.as_mut_slice();
    // Fails only for a text that is too long; none is.
    let _ = write!(free, "{value}");
    let len = LONGEST - free.len();
    bytes.get(..len).is_some_and(matches)
}

#[cfg(test)]
mod tests;
