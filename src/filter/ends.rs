//! Parses endpoints into tests: hosts, names of unix sockets, netlink families, packet protocols.

use super::error::{Compared, Refusal, expected};
use super::hosts::{self, End, Version};
use super::lexer::{Relation, Word};
use super::ports::ports;
use super::value::Values;
use super::words::one_word;
use super::{Case, Expr, Field, Op, Operand, Pattern};
use crate::model::{Family, netlink_family_name};
use crate::text::{escape, nearest, unescape};

impl Values<'_> {
    /// A test of an address, or of an address and a port.
    pub(super) fn end(&self, field: Field, op: Op, word: &Word<'_>) -> Compared {
        let (version, text) = match word.text.split_once(':') {
            Some(("unix", path)) => return Ok(name(field, op, path, word.quoted)),
            Some(("netlink", rest)) => return self.netlink(field, op, rest),
            Some(("link" | "packet", rest)) => return self.packet(field, op, rest),
            Some(("vsock", rest)) => return self.numbered(field, op, "vsock", rest),
            Some(("tipc", rest)) => return self.numbered(field, op, "tipc", rest),
            Some(("xdp", rest)) => return self.numbered(field, op, "xdp", rest),
            Some(("inet", rest)) => (Some(Family::Inet), rest),
            Some(("inet6", rest)) => (Some(Family::Inet6), rest),
            _ => (None, &*word.text),
        };
        if version.is_none() && self.names.only_unix() {
            return Ok(name(field, op, &word.text, word.quoted));
        }
        if !word.quoted && is_netlink_family(&word.text) {
            return self.netlink(field, op, &word.text);
        }
        if version.is_none() && is_path(word) {
            return Ok(name(field, op, &word.text, word.quoted));
        }
        self.hosts(field, op, version, text)
    }

    /// `10/8,fe80::/10`: in one of them, or in none.
    fn hosts(&self, field: Field, op: Op, version: Version, text: &str) -> Compared {
        let mut prefixes = Vec::new();
        let mut others = Vec::new();
        for word in text.split(',') {
            match hosts::end(word, version, self.names)? {
                End {
                    prefixes: Some(more),
                    scope: None,
                    port: None,
                } if version.is_none() => prefixes.extend(more),
                end => others.push(self.parts(field, op, version, end)?),
            }
        }
        if !prefixes.is_empty() {
            others.push(Expr::field(field, op, Operand::Hosts(prefixes)));
        }
        Ok(Expr::list(others, op == Op::Unequal))
    }

    /// Tests address, interface and port together.
    fn parts(&self, field: Field, op: Op, version: Version, end: End<'_>) -> Compared {
        let family = version.map(|family| one_word(Field::Family, op, family.name()));
        let mut parts: Vec<Expr> = family.into_iter().collect();
        parts.extend(
            end.prefixes
                .map(|prefixes| Expr::field(field, op, Operand::Hosts(prefixes))),
        );
        if let Some(name) = end.scope {
            parts.push(self.named(Field::Interface, op, name)?);
        }
        if let Some(port) = end.port {
            let items = ports(port, self.names)?;
            parts.extend(
                items.map(|items| Expr::field(field.side().port(), op, Operand::Ports(items))),
            );
        }
        Ok(Expr::list(parts, op == Op::Equal))
    }

    /// `netlink:FAMILY[:PORT]`
    fn netlink(&self, field: Field, op: Op, text: &str) -> Compared {
        let (family, port) = text.split_once(':').unwrap_or((text, "*"));
        let mut parts = vec![one_word(Field::Protocol, op, "netlink")];
        if !matches!(family, "" | "*") {
            let name = match family.parse() {
                Ok(number) => netlink_family_name(number).into_owned(),
                Err(_) if is_glob(family) => family.to_owned(),
                Err(_) => netlink_family(family)?,
            };
            let pattern = Pattern::Glob(name, Case::Insensitive);
            parts.push(Expr::field(field, op, Operand::Text(pattern)));
        }
        parts.extend(self.number_or_name(field, op, port)?);
        Ok(Expr::list(parts, op == Op::Equal))
    }

    /// `vsock:CID[:PORT]`, `tipc:NODE[:REFERENCE]`, `xdp:DEVICE[:QUEUE]`
    fn numbered(&self, field: Field, op: Op, family: &'static str, text: &str) -> Compared {
        let (address, port) = text.split_once(':').unwrap_or((text, "*"));
        let mut parts = vec![one_word(Field::Protocol, op, family)];
        match address {
            "" | "*" => {}
            device if family == "xdp" => parts.push(self.named(Field::Interface, op, device)?),
            number => {
                let pattern = Pattern::Glob(number.to_owned(), Case::Insensitive);
                parts.push(Expr::field(field, op, Operand::Text(pattern)));
            }
        }
        parts.extend(self.number_or_name(field, op, port)?);
        Ok(Expr::list(parts, op == Op::Equal))
    }

    /// `link:PROTOCOL[:INTERFACE]`
    fn packet(&self, field: Field, op: Op, text: &str) -> Compared {
        let (protocol, interface) = text.split_once(':').unwrap_or((text, "*"));
        let mut parts = vec![one_word(Field::Protocol, op, "packet")];
        parts.extend(self.number_or_name(field, op, protocol)?);
        if !matches!(interface, "" | "*") {
            parts.push(self.named(Field::Interface, op, interface)?);
        }
        Ok(Expr::list(parts, op == Op::Equal))
    }

    fn number_or_name(&self, field: Field, op: Op, text: &str) -> Result<Option<Expr>, Refusal> {
        if matches!(text, "" | "*") {
            return Ok(None);
        }
        let (port, word) = (field.side().port(), Word::plain(text));
        self.field(port, Relation::compare(op), &word, true)
            .map(Some)
    }
}

/// A path, an abstract name, or a glob.
fn name(field: Field, op: Op, text: &str, quoted: bool) -> Expr {
    if text == "*" && !quoted {
        return one_word(Field::Protocol, op, "unix");
    }
    let pattern = if !quoted && is_glob(text) {
        Pattern::Glob(text.to_owned(), Case::Sensitive)
    } else if let Some(rest) = text.strip_prefix('@') {
        Pattern::Exact([&[0], unescape(rest).as_slice()].concat())
    } else {
        Pattern::Exact(unescape(text))
    };
    Expr::field(field, op, Operand::Name(pattern))
}

/// The netlink family with this name, in any case.
fn netlink_family(text: &str) -> Result<String, Refusal> {
    let names = (0..NETLINK_FAMILIES).map(|family| netlink_family_name(family).into_owned());
    let names: Vec<String> = names.collect();
    let lower = text.to_ascii_lowercase();
    if names.contains(&lower) {
        return Ok(lower);
    }
    match nearest(&lower, &names) {
        Some(near) => Err(Refusal::Because(format!(
            "there is no netlink family \"{}\"; did you mean {near}?",
            escape(text.as_bytes())
        ))),
        None => expected("a netlink family, like route, or its number"),
    }
}

/// True if a netlink socket is shown with this address, with or without a port.
fn is_netlink_family(text: &str) -> bool {
    let name = text.split_once(':').map_or(text, |(name, _)| name);
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic());
    named && (0..NETLINK_FAMILIES).any(|family| netlink_family_name(family) == name)
}

/// `MAX_LINKS` (`include/uapi/linux/netlink.h`).
const NETLINK_FAMILIES: u32 = 32;

/// True if it can only be the name of a unix socket.
fn is_path(word: &Word<'_>) -> bool {
    let text = &*word.text;
    let any = matches!(text.strip_prefix('*'), Some(rest) if rest.is_empty() || rest.starts_with([':', '%']));
    text.starts_with(['/', '@']) || !word.quoted && is_glob(text) && !any && !text.contains(':')
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}
