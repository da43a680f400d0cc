//! Ports: `80`, `:80`, `:http`, `8000-8999`, `80,443`.

use super::refusal::{Refusal, expected};
use super::{Names, PortItem};

/// Reads ports; `None` = any (`*`).
pub(super) fn ports(text: &str, names: &dyn Names) -> Result<Option<Vec<PortItem>>, Refusal> {
    let text = text.strip_prefix("*:").unwrap_or(text);
    if matches!(text, "*" | ":*") {
        return Ok(None);
    }
    text.split(',')
        .map(|word| item(word.strip_prefix(':').unwrap_or(word), names))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn item(word: &str, names: &dyn Names) -> Result<PortItem, Refusal> {
    if word.is_empty() {
        return expected("a port");
    }
    if let Some((first, last)) = word.split_once('-')
        && is_number(first)
        && is_number(last)
    {
        let (first, last) = (number(first)?, number(last)?);
        return if first <= last {
            Ok(PortItem::Range(first, last))
        } else {
            expected("a range that begins with the smaller port")
        };
    }
    if is_number(word) {
        return number(word).map(|port| PortItem::Range(port, port));
    }
    if !is_name(word) {
        return expected("a port, a range like 8000-8999, or a service");
    }
    let numbers = names.service(word);
    if numbers.is_empty() {
        return expected("a port or a service that /etc/services names");
    }
    Ok(PortItem::Service {
        name: word.to_owned(),
        numbers,
    })
}

/// A name that is written as it is read.
fn is_name(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    let inner =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '*');
    begins && word.chars().all(inner)
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let hexadecimal = digits.len() < word.len();
    let digit = |c: char| c.is_ascii_digit() || hexadecimal && c.is_ascii_hexdigit();
    !digits.is_empty() && digits.chars().all(digit)
}

fn number(word: &str) -> Result<u16, Refusal> {
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.or_else(|_| expected("a port from 0 to 65535"))
}
