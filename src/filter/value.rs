//! Builds tests from a field, an operator and a value.

use std::ops::RangeInclusive;

use super::error::{Compared, Refusal, expected};
use super::hosts;
use super::lexer::{Relation, Word};
use super::number::number;
use super::ports::ports;
use super::subject::Subject;
use super::words::{state_test, states, words};
use super::{Case, Expr, Field, Names, Op, Operand, Pattern, PortItem, Resolved, Test};
use crate::fields::Cost;
use crate::model::{ProcessStatus, Table, Unit};
use crate::text::unescape;

impl Subject {
    pub(super) fn takes(self, relation: Relation) -> bool {
        match self.signs() {
            ALL_SIGNS => true,
            ORDER => !relation.like,
            TEXT => !relation.is_order(),
            _ => !relation.is_order() && !relation.like,
        }
    }

    /// The operators it accepts, for a message.
    pub(super) fn signs(self) -> &'static str {
        match self {
            Self::Field(Field::Cookie) => EQUALITY,
            Self::Field(Field::TimerKind) => ALL_SIGNS,
            Self::Field(field) | Self::Either([field, _])
                if field.is_port() || field.unit().is_some() =>
            {
                ORDER
            }
            _ => TEXT,
        }
    }

    /// The kind of value it takes, for a message.
    pub(super) fn value(self, relation: Relation) -> &'static str {
        let (Self::Field(field) | Self::Either([field, _])) = self else {
            return match self {
                Self::State if relation.like => "a glob",
                Self::State => "a state",
                _ => "a value",
            };
        };
        match field {
            Field::TimerKind => "a timer or a duration",
            Field::Uid | Field::User => "a user",
            Field::LocalAddress | Field::PeerAddress => "a host",
            port if port.is_port() => "a port",
            word if !word.words().is_empty() => "a word",
            other => match other.unit() {
                Some(Unit::Millis | Unit::Micros) => "a duration",
                Some(_) => "a number",
                None => "a text",
            },
        }
    }
}

const EQUALITY: &str = "= !=";
const ORDER: &str = "= != < <= > >=";
const TEXT: &str = "= != ~ !~";
const ALL_SIGNS: &str = "= != < <= > >= ~ !~";

pub(super) struct Values<'n> {
    pub(super) names: &'n dyn Names,
    /// The tables that are read, as far as known.
    pub(super) tables: &'n [Table],
}

impl Values<'_> {
    pub(super) fn autobound(&self) -> Test {
        let range = self.names.ephemeral();
        Test::Autobound {
            ports: range.map(RangeInclusive::into_inner),
        }
    }

    /// Suggests a test for a word that does not begin one.
    pub(super) fn hint(&self, word: &str) -> Option<String> {
        let lower = word.to_ascii_lowercase();
        let field = Field::comparable().find(|field| field.words().contains(&&*lower));
        if let Some((name, value)) = word.split_once(':')
            && Subject::of(name, self.tables).is_ok()
        {
            return Some(format!("write \"{name} = {value}\""));
        }
        let port = word.strip_prefix("*:").unwrap_or(word);
        Some(if states(word).is_ok() {
            format!("write \"state {word}\"")
        } else if let Some(field) = field {
            format!("write \"{} = {word}\"", field.name())
        } else if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("a port is written \":{port}\"")
        } else if hosts::end(word, None, self.names).is_ok() || word.starts_with(['/', '@']) {
            "a host follows \"src\", \"dst\" or \"addr\"".to_owned()
        } else {
            return None;
        })
    }

    /// Builds a test from a subject and a value. The operator must be one that the subject accepts.
    pub(super) fn comparison(
        &self,
        subject: Subject,
        name: &str,
        relation: Relation,
        word: &Word<'_>,
    ) -> Compared {
        match subject {
            Subject::State => state_test(relation, &word.text),
            Subject::Field(field) => self.fields(field, name, relation, word),
            Subject::Either(fields) => {
                let fields = fields.into_iter();
                let tests = fields.map(|field| self.fields(field, name, relation, word));
                any_or_all(relation.op, tests)
            }
            _ => Ok(Expr::ALWAYS),
        }
    }

    fn port(&self, field: Field, relation: Relation, word: &Word<'_>, wide: bool) -> Compared {
        let op = relation.op;
        if wide
            && let Ok(value) = word.text.parse::<u32>()
            && value > u16::MAX.into()
        {
            return Ok(Expr::field(field, op, Operand::Number(value.into())));
        }
        let Some(items) = ports(&word.text, self.names)? else {
            return match op {
                Op::Equal => Ok(Expr::ALWAYS),
                Op::Unequal => Ok(Expr::NEVER),
                _ => expected("a port"),
            };
        };
        let single = match items.as_slice() {
            [PortItem::Range(first, last)] => first == last,
            [PortItem::Service { .. }] => true,
            _ => false,
        };
        if !single && relation.is_order() {
            return expected("a single port");
        }
        Ok(Expr::field(field, op, Operand::Ports(items)))
    }

    /// A name that is resolved on this machine.
    pub(super) fn named(&self, field: Field, op: Op, text: &str) -> Compared {
        let (name, number) = self.resolve(field, text)?;
        Ok(Expr::field(field, op, Operand::named(name, number)))
    }

    fn resolve(&self, field: Field, text: &str) -> Result<Resolved, Refusal> {
        let resolved = self.names.resolve(field, unescape(text));
        resolved.map_err(Refusal::Because)
    }

    /// `a,b`: either, or for `!=` neither. (Endpoints and fields with few words parse their own lists.)
    fn fields(&self, field: Field, name: &str, relation: Relation, word: &Word<'_>) -> Compared {
        // Netlink port ids have 32 bits.
        let wide = name.ends_with("_port");
        let is_end = matches!(field, Field::LocalAddress | Field::PeerAddress) || field.is_port();
        let has_lists = is_end || !field.words().is_empty();
        if word.quoted || relation.is_order() || !word.text.contains(',') || has_lists {
            return self.field(field, relation, word, wide);
        }
        let parts = word.text.split(',').map(|part| match part {
            "" => expected(Subject::Field(field).value(relation)),
            part => self.field(field, relation, &Word::plain(part), wide),
        });
        any_or_all(relation.op, parts)
    }

    /// `wide` = a port may have more than 16 bits.
    pub(super) fn field(
        &self,
        field: Field,
        relation: Relation,
        word: &Word<'_>,
        wide: bool,
    ) -> Compared {
        let Relation { op, like } = relation;
        let is_word = field.words().contains(&&*word.text);
        if is_missing(word) && !like && !is_word {
            return if field.cost() == Cost::Owners {
                owners(word, op)
            } else {
                missing(field, op, word)
            };
        }
        match field {
            Field::LocalAddress | Field::PeerAddress if !like => self.end(field, op, word),
            Field::LocalPort | Field::PeerPort => self.port(field, relation, word, wide),
            Field::TimerKind if !like && word.text.starts_with(|c: char| c.is_ascii_digit()) => {
                numeric(Field::TimerExpires, op, &word.text)
            }
            Field::TimerKind if relation.is_order() => expected("a duration, like 200ms or 5s"),
            Field::Uid | Field::User if !like => self.user(op, word),
            Field::Mark => mark(relation, &word.text),
            Field::Cookie => cookie(op, &word.text),
            Field::FileDevice if !like && !is_device(&word.text) => expected("a device, like 8:1"),
            // A user without a name is shown as a number.
            Field::ProcessUser if word.text.parse::<u32>().is_ok() => {
                Ok(text(field, relation, word))
            }
            Field::Interface
            | Field::Cgroup
            | Field::Congestion
            | Field::Netns
            | Field::FileDevice
            | Field::ProcessUser
                if !like =>
            {
                self.named(field, op, &word.text)
            }
            _ if !field.words().is_empty() => words(field, relation, word),
            _ if field.unit().is_some() => numeric(field, op, &word.text),
            _ => Ok(text(field, relation, word)),
        }
    }

    fn user(&self, op: Op, word: &Word<'_>) -> Compared {
        let value = match number(&word.text, Unit::Count) {
            Ok(uid) => uid,
            Err(_) if word.text.starts_with(|c: char| c.is_ascii_digit()) => {
                return expected("a user");
            }
            Err(_) => match self.resolve(Field::User, &word.text)?.1 {
                Some(uid) => uid,
                None if matches!(op, Op::Equal | Op::Unequal) => {
                    return Ok(text(Field::User, Relation::compare(op), word));
                }
                None => return expected("a uid"),
            },
        };
        Ok(Expr::field(Field::Uid, op, Operand::Number(value)))
    }
}

/// Any of them for `=`, `<` and so on, all of them for `!=`.
pub(super) fn any_or_all(op: Op, tests: impl IntoIterator<Item = Compared>) -> Compared {
    let tests: Vec<Expr> = tests.into_iter().collect::<Result<_, _>>()?;
    Ok(Expr::list(tests, op == Op::Unequal))
}

/// `none`: known to be absent; `unknown`, `null`: no value.
fn is_missing(word: &Word<'_>) -> bool {
    !word.quoted && matches!(&*word.text, "none" | "unknown" | "null")
}

/// Tests for the presence of a value.
fn missing(field: Field, op: Op, word: &Word<'_>) -> Compared {
    let told = &*word.text == "none";
    match op {
        Op::Equal | Op::Unequal => Ok(Expr::field(field, op, Operand::Missing { told })),
        _ => expected("a value that has an order"),
    }
}

/// `pid = none`: every process was searched, and none holds it. `pid = unknown`: not known, so `pid != none`
/// does not match either.
fn owners(word: &Word<'_>, op: Op) -> Compared {
    use ProcessStatus as S;
    let none = &*word.text == "none";
    let statuses = match (op, none) {
        (Op::Equal, true) => vec![S::None],
        (Op::Equal, false) => vec![S::Unseen, S::Unreadable],
        (Op::Unequal, true) => vec![S::Found, S::Partial],
        (Op::Unequal, false) => vec![S::Found, S::Partial, S::None],
        _ => return expected("a number"),
    };
    let words = statuses.into_iter().map(ProcessStatus::name).collect();
    Ok(Expr::field(
        Field::ProcessStatus,
        Op::Equal,
        Operand::Words(words),
    ))
}

fn numeric(field: Field, op: Op, text: &str) -> Compared {
    let value = number(text, field.unit().unwrap_or(Unit::Count))?;
    Ok(Expr::field(field, op, Operand::Number(value)))
}

/// `0x5`, `0x5/0xff`
fn mark(relation: Relation, text: &str) -> Compared {
    let small = |text: &str| match number(text, Unit::Count).map(u32::try_from) {
        Ok(Ok(value)) => Ok(value),
        _ => expected("a mark of 32 bits, like 5, 0x5 or 0x5/0xff"),
    };
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (small(value)?, Some(small(mask)?)),
        None => (small(text)?, None),
    };
    let operand = match mask {
        Some(_) if relation.is_order() => return expected("a mark without a mask"),
        None if relation.is_order() => Operand::Number(value.into()),
        mask => Operand::Masked {
            value,
            mask: mask.unwrap_or(u32::MAX),
        },
    };
    Ok(Expr::field(Field::Mark, relation.op, operand))
}

/// As displayed (`597576`), as `0x91e48`, or as in `ss -e` (`sk:91e48`).
fn cookie(op: Op, text: &str) -> Compared {
    let hexadecimal = text.strip_prefix("sk:").map(|digits| format!("0x{digits}"));
    match number(hexadecimal.as_deref().unwrap_or(text), Unit::Count) {
        Ok(value) => Ok(Expr::field(Field::Cookie, op, Operand::Number(value))),
        Err(_) => expected("a cookie, like 597576, 0x91e48 or sk:91e48"),
    }
}

/// `8:1`
fn is_device(text: &str) -> bool {
    let parts = text.split_once(':').map(|(major, minor)| [major, minor]);
    parts.is_some_and(|parts| parts.iter().all(|part| part.parse::<u32>().is_ok()))
}

/// A text, or a glob.
fn text(field: Field, relation: Relation, word: &Word<'_>) -> Expr {
    let pattern = if relation.like {
        Pattern::Glob(word.text.to_string(), Case::Insensitive)
    } else {
        Pattern::Exact(unescape(&word.text))
    };
    Expr::field(field, relation.op, Operand::Text(pattern))
}
