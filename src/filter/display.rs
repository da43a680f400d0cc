//! Writes an expression as text that parses to the same expression.

use std::fmt::{self, Display, Formatter};

use super::{Expr, Field, Op, Operand, Pattern, PortItem, Prefix, Test};
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

/// A member of a list; a list is in parentheses.
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

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(states) => write_states(f, *states),
            Self::Field(field, op, operand) => {
                let side = field.side();
                let word = match operand {
                    Operand::Hosts(_) | Operand::Name(_) => side.pick(["src", "dst"]).to_owned(),
                    Operand::Ports(_) => side.pick(["sport", "dport"]).to_owned(),
                    _ => field.name(),
                };
                let sign = match operand {
                    Operand::Text(Pattern::Glob(..)) if *op == Op::Equal => "~",
                    Operand::Text(Pattern::Glob(..)) => "!~",
                    _ => op.sign(),
                };
                write!(f, "{word} {sign} {}", operand_text(*field, operand))
            }
            Self::Autobound { .. } => f.write_str("autobound"),
            Self::HalfClosed => f.write_str("half-closed"),
            Self::Orphan => f.write_str("orphan"),
            Self::Shown(text) => write!(f, "any {}", quoted(text)),
        }
    }
}

fn operand_text(field: Field, operand: &Operand) -> String {
    match operand {
        Operand::Words(words) => words.join(","),
        Operand::Hosts(prefixes) => joined(prefixes, ",", Prefix::to_string),
        Operand::Name(pattern) => name(pattern),
        Operand::Ports(items) => joined(items, ",", PortItem::to_string),
        Operand::Number(value) => number(field, *value),
        Operand::Masked { value, mask } if *mask == u32::MAX => format!("{value:#x}"),
        Operand::Masked { value, mask } => format!("{value:#x}/{mask:#x}"),
        Operand::Named { name: bytes, .. } | Operand::Text(Pattern::Exact(bytes)) => {
            exact("", bytes)
        }
        Operand::Text(Pattern::Glob(glob, _)) => quoted(glob),
        Operand::Missing { told } => if *told { "none" } else { "unknown" }.to_owned(),
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
    match field.unit() {
        Some(Unit::Millis | Unit::Micros) => format!("{value}us"),
        _ => value.to_string(),
    }
}

/// The name of a unix socket: literal if quoted, else a glob.
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

/// Escapes literal bytes.
fn exact(before: &str, bytes: &[u8]) -> String {
    let clean = escape_also(escape(bytes), |c| c == '"');
    format!("\"{before}{clean}\"")
}

/// Quotes a text; each double quotation mark in it is put between single ones.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"'\"'\""))
}
