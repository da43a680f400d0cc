//! An expression as text that reads back as the same expression.

use std::fmt::{self, Display, Formatter, Write as _};

use super::{Expr, Field, Pattern, PortItem, Prefix, Side, Test};
use crate::model::{State, StateSet, Unit};
use crate::text::{escape, escape_also};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            always if *always == Self::ALWAYS => f.write_str("addr = *"),
            never if *never == Self::NEVER => f.write_str("addr != *"),
            Self::All(members) => list(f, members, " and "),
            Self::Any(members) => list(f, members, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                group(f, inner, matches!(**inner, Self::All(_) | Self::Any(_)))
            }
            Self::Test(test) => test.fmt(f),
        }
    }
}

fn list(f: &mut Formatter<'_>, members: &[Expr], between: &str) -> fmt::Result {
    for (place, member) in members.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        group(f, member, matches!(member, Expr::All(_) | Expr::Any(_)))?;
    }
    Ok(())
}

fn group(f: &mut Formatter<'_>, expr: &Expr, parentheses: bool) -> fmt::Result {
    if parentheses {
        write!(f, "({expr})")
    } else {
        expr.fmt(f)
    }
}

impl Side {
    /// The word for an end with its address and port.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Local => "src",
            Self::Peer => "dst",
        }
    }

    /// The word for its port.
    const fn port_word(self) -> &'static str {
        match self {
            Self::Local => "sport",
            Self::Peer => "dport",
        }
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
                write!(f, "{} {} ", side.word(), equals(*equal))?;
                separated(f, prefixes)
            }
            Self::Name {
                side,
                equal,
                pattern,
            } => {
                write!(f, "{} {} ", side.word(), equals(*equal))?;
                write_name(f, pattern)
            }
            Self::Port { side, op, items } => {
                write!(f, "{} {} ", side.port_word(), op.sign())?;
                separated(f, items)
            }
            Self::Number { field, op, value } => {
                write!(f, "{} {} ", field.name(), op.sign())?;
                write_number(f, *field, *value)
            }
            Self::Mark { equal, value, mask } => {
                write!(f, "mark {} {value:#x}", equals(*equal))?;
                if *mask == u32::MAX {
                    Ok(())
                } else {
                    write!(f, "/{mask:#x}")
                }
            }
            Self::Interface { equal, name, .. } => {
                write!(f, "interface {} ", equals(*equal))?;
                write_exact(f, "", name.as_bytes())
            }
            Self::Cgroup { equal, path, .. } => {
                write!(f, "cgroup {} ", equals(*equal))?;
                write_exact(f, "", path)
            }
            Self::Text {
                field,
                equal,
                pattern,
            } => write_text(f, *field, *equal, pattern),
            Self::Missing { field, equal } => {
                write!(f, "{} {} unknown", field.name(), equals(*equal))
            }
            Self::Autobound { .. } => f.write_str("autobound"),
            Self::HalfClosed => f.write_str("half-closed"),
            Self::Orphan => f.write_str("orphan"),
            Self::Shown(text) => {
                f.write_str("any ")?;
                quote(f, text)
            }
        }
    }
}

fn write_states(f: &mut Formatter<'_>, states: StateSet) -> fmt::Result {
    if states == StateSet::ALL {
        return f.write_str("state all");
    }
    let names = |states: StateSet| {
        let members = State::NAMED.into_iter().chain([State::Unknown(0)]);
        let members = members.filter(move |state| states.contains(*state));
        let names: Vec<&str> = members.map(State::name).collect();
        names
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

fn separated(f: &mut Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            f.write_char(',')?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl Display for Prefix {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let full = if self.address.is_ipv4() { 32 } else { 128 };
        if self.length == full {
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

fn write_number(f: &mut Formatter<'_>, field: Field, value: u64) -> fmt::Result {
    match (field, field.unit()) {
        (Field::Cookie, _) => write!(f, "{value:#x}"),
        (_, Some(Unit::Millis | Unit::Micros)) => write!(f, "{value}us"),
        _ => write!(f, "{value}"),
    }
}

/// The name of a unix socket: quoted it stands for itself, bare it is a glob.
fn write_name(f: &mut Formatter<'_>, pattern: &Pattern) -> fmt::Result {
    match pattern {
        Pattern::Exact(name) => match name.as_slice() {
            [0, rest @ ..] => write_exact(f, "unix:@", rest),
            [b'@', rest @ ..] => write_exact(f, "unix:\\x40", rest),
            path => write_exact(f, "unix:", path),
        },
        Pattern::Glob(glob, _) => write!(f, "unix:{glob}"),
    }
}

fn write_text(f: &mut Formatter<'_>, field: Field, equal: bool, pattern: &Pattern) -> fmt::Result {
    let name = field.name();
    match pattern {
        Pattern::Exact(bytes) => {
            write!(f, "{name} {} ", equals(equal))?;
            write_exact(f, "", bytes)
        }
        Pattern::Glob(glob, _) => {
            let sign = if equal { "~" } else { "!~" };
            write!(f, "{name} {sign} ")?;
            quote(f, glob)
        }
    }
}

/// Bytes that stand for themselves.
fn write_exact(f: &mut Formatter<'_>, before: &str, bytes: &[u8]) -> fmt::Result {
    let clean = escape_also(escape(bytes), |c| c == '"');
    write!(f, "\"{before}{clean}\"")
}

/// A text in quotation marks; each double one of its own stands between single ones.
fn quote(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for (place, part) in text.split('"').enumerate() {
        if place > 0 {
            f.write_str("'\"'")?;
        }
        write!(f, "\"{part}\"")?;
    }
    Ok(())
}
