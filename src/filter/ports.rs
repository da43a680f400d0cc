//! Ports: `80`, `:80`, `:http`, `8000-8999`, `80,443`.

use super::error::{Refusal, expected};
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
        && let (Some(first), Some(last)) = (number(first), number(last))
    {
        let (first, last) = (first?, last?);
        return if first <= last {
            Ok(PortItem::Range(first, last))
        } else {
            expected("a range that begins with the smaller port")
        };
    }
    if let Some(port) = number(word) {
        return port.map(|port| PortItem::Range(port, port));
    }
    if !is_name(word) {
        return expected("a port, a range like 8000-8999, or a service");
    }
    let numbers = names.service(word);
    if numbers.is_empty() {
        if let Some(near) = names.near_service(word) {
            let reason = format!("there is no service \"{word}\"; did you mean {near}?");
            return Err(Refusal::Because(reason));
        }
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

/// A port; `None` = it is no number.
fn number(word: &str) -> Option<Result<u16, Refusal>> {
    let (digits, radix) = match word.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (word, 10),
    };
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let port = u16::from_str_radix(digits, radix);
    is_number.then(|| port.or_else(|_| expected("a port from 0 to 65535")))
}
