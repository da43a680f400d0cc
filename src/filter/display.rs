//! An expression as text that reads back as the same expression.

use std::fmt::{self, Display, Formatter};

use super::{Expr, Field, Pattern, PortItem, Prefix, Side, Test};
use crate::model::{State, StateSet, Unit};
use crate::text::{escape, escape_also};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            always if *always == Self::ALWAYS => f.write_str("addr = *"),
            never if *never == Self::NEVER => f.write_str("addr != *"),
            Self::All(members) => f.write_str(&joined(members, " and ", member)),
            Self::Any(members) => f.write_str(&joined(members, " or ", member)),
            Self::Not(inner) => write!(f, "not {}", member(inner)),
            Self::Test(test) => test.fmt(f),
        }
    }
}

/// A member of a list, a list in parentheses.
fn member(expr: &Expr) -> String {
    match expr {
        Expr::All(_) | Expr::Any(_) => format!("({expr})"),
        Expr::Not(_) | Expr::Test(_) => expr.to_string(),
    }
}

fn joined<T>(items: &[T], between: &str, text: impl Fn(&T) -> String) -> String {
    let texts: Vec<String> = items.iter().map(text).collect();
    texts.join(between)
}

impl Side {
    /// The word for an end with its address and port.
    pub(super) const fn word(self) -> &'static str {
        self.pick(["src", "dst"])
    }

    /// The word for its port.
    const fn port_word(self) -> &'static str {
        self.pick(["sport", "dport"])
    }
}

const fn equals(equal: bool) -> &'static str {
    if equal { "=" } else { "!=" }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(states) => write_states(f, *states),
            Self::Word {
                field,
                equal,
                words,
            } => write!(f, "{} {} {}", field.name(), equals(*equal), words.join(",")),
            Self::Host {
                side,
                equal,
                prefixes,
            } => {
                let prefixes = joined(prefixes, ",", Prefix::to_string);
                write!(f, "{} {} {prefixes}", side.word(), equals(*equal))
            }
            Self::Name {
                side,
                equal,
                pattern,
            } => write!(f, "{} {} {}", side.word(), equals(*equal), name(pattern)),
            Self::Port { side, op, items } => {
                let items = joined(items, ",", PortItem::to_string);
                write!(f, "{} {} {items}", side.port_word(), op.sign())
            }
            Self::Number { field, op, value } => {
                let value = number(*field, *value);
                write!(f, "{} {} {value}", field.name(), op.sign())
            }
            Self::Mark { equal, value, mask } if *mask == u32::MAX => {
                write!(f, "mark {} {value:#x}", equals(*equal))
            }
            Self::Mark { equal, value, mask } => {
                write!(f, "mark {} {value:#x}/{mask:#x}", equals(*equal))
            }
            Self::Interface { equal, name, .. } => {
                let name = exact("", name.as_bytes());
                write!(f, "interface {} {name}", equals(*equal))
            }
            Self::Cgroup { equal, path, .. } => {
                write!(f, "cgroup {} {}", equals(*equal), exact("", path))
            }
            Self::Text {
                field,
                equal,
                pattern,
            } => match pattern {
                Pattern::Exact(bytes) => {
                    let bytes = exact("", bytes);
                    write!(f, "{} {} {bytes}", field.name(), equals(*equal))
                }
                Pattern::Glob(glob, _) => {
                    let sign = if *equal { "~" } else { "!~" };
                    write!(f, "{} {sign} {}", field.name(), quoted(glob))
                }
            },
            Self::Missing { field, equal, told } => {
                let word = if *told { "none" } else { "unknown" };
                write!(f, "{} {} {word}", field.name(), equals(*equal))
            }
            Self::Autobound { .. } => f.write_str("autobound"),
            Self::HalfClosed => f.write_str("half-closed"),
            Self::Orphan => f.write_str("orphan"),
            Self::Shown(text) => write!(f, "any {}", quoted(text)),
        }
    }
}

fn write_states(f: &mut Formatter<'_>, states: StateSet) -> fmt::Result {
    if states == StateSet::ALL {
        return f.write_str("state all");
    }
    let names = |states: StateSet| -> Vec<&str> {
        let members = State::NAMED.into_iter().chain([State::Unknown(0)]);
        let members = members.filter(|state| states.contains(*state));
        members.map(State::name).collect()
    };
    let (inside, outside) = (names(states), names(states.complement()));
    if inside.len() > outside.len() {
        write!(f, "exclude {}", outside.join(","))
    } else if inside.is_empty() {
        f.write_str("exclude all")
    } else {
        write!(f, "state {}", inside.join(","))
    }
}

impl Display for Prefix {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

impl Display for PortItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Service { name, .. } => f.write_str(name),
        }
    }
}

fn number(field: Field, value: u64) -> String {
    match (field, field.unit()) {
        (Field::Cookie, _) => format!("{value:#x}"),
        (_, Some(Unit::Millis | Unit::Micros)) => format!("{value}us"),
        _ => value.to_string(),
    }
}

/// The name of a unix socket: quoted it stands for itself, bare it is a glob.
fn name(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Exact(name) => match name.as_slice() {
            [0, rest @ ..] => exact("unix:@", rest),
            [b'@', rest @ ..] => exact("unix:\\x40", rest),
            path => exact("unix:", path),
        },
        Pattern::Glob(glob, _) => format!("unix:{glob}"),
    }
}

/// Bytes that stand for themselves.
fn exact(before: &str, bytes: &[u8]) -> String {
    let clean = escape_also(escape(bytes), |c| c == '"');
    format!("\"{before}{clean}\"")
}

/// A text in quotation marks; each double one of its own stands between single ones.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"'\"'\""))
}
