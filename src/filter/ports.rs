//! Ports, and sets of them: `80`, `:80`, `:http`, `8000-8999`, `80,443`.

use super::error::{Refusal, expected};
use super::{Names, PortItem};

/// Parses ports; `None` = any (`*`).
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

/// True if it has the form of a service name.
fn is_name(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    let inner =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '*');
    begins && word.chars().all(inner)
}

/// A numeric port; `None` = not a number.
fn number(word: &str) -> Option<Result<u16, Refusal>> {
    let (digits, radix) = match word.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (word, 10),
    };
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let port = u16::from_str_radix(digits, radix);
    is_number.then(|| port.or_else(|_| expected("a port from 0 to 65535")))
}

/// A set of ports as inclusive ranges: ascending, with a gap between any two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    pub(super) fn of(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let mut ranges: Vec<_> = ranges
            .into_iter()
            .filter(|(first, last)| first <= last)
            .collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joined = next.0 <= kept.1.saturating_add(1);
            if joined {
                kept.1 = kept.1.max(next.1);
            }
            joined
        });
        Self(ranges)
    }

    pub(super) fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    pub(super) fn complement(&self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut begin = Some(0);
        for (first, last) in &self.0 {
            rest.extend(begin.zip(first.checked_sub(1)));
            begin = last.checked_add(1);
        }
        rest.extend(begin.map(|begin| (begin, u16::MAX)));
        Self::of(rest)
    }

    /// Adds a range.
    pub(super) fn and(self, range: (u16, u16)) -> Self {
        Self::of(self.0.into_iter().chain([range]))
    }

    /// A set of at most `count` ranges that contains all these ports: closes the smallest gaps.
    pub(super) fn widened(self, count: usize) -> Self {
        let excess = self.0.len().saturating_sub(count);
        if excess == 0 {
            return self;
        }
        let neighbours = self.0.iter().zip(self.0.iter().skip(1));
        let mut gaps: Vec<_> = neighbours
            .map(|((_, last), (next, _))| (next - last, *last, *next))
            .collect();
        gaps.sort_unstable();
        let closed = gaps.into_iter().take(excess);
        let closed: Vec<_> = closed.map(|(_, last, next)| (last, next)).collect();
        Self::of(self.0.into_iter().chain(closed))
    }
}

#[cfg(test)]
mod tests {
    use super::PortSet;

    #[test]
    fn ranges_that_touch_are_one() {
        let ports = PortSet::of([(80, 80), (10, 20), (21, 30), (15, 18), (9, 3)]);
        assert_eq!(ports.ranges(), [(10, 30), (80, 80)]);
    }

    #[test]
    fn complement_has_all_other_ports() {
        let complement = |ranges: &[(u16, u16)]| PortSet::of(ranges.iter().copied()).complement().0;
        assert_eq!(complement(&[]), [(0, 65_535)]);
        assert_eq!(complement(&[(0, 65_535)]), []);
        assert_eq!(complement(&[(0, 5), (9, 65_535)]), [(6, 8)]);
        assert_eq!(complement(&[(80, 80)]), [(0, 79), (81, 65_535)]);
    }

    #[test]
    fn smallest_gaps_are_closed() {
        let ports = PortSet::of([(1, 1), (3, 3), (10, 10), (12, 12), (50, 60)]);
        assert_eq!(ports.clone().widened(5), ports);
        assert_eq!(ports.clone().widened(3).0, [(1, 3), (10, 12), (50, 60)]);
        assert_eq!(ports.clone().widened(2).0, [(1, 12), (50, 60)]);
        let even = PortSet::of((1..=500).map(|n| (2 * n, 2 * n)));
        assert_eq!(even.widened(64).0.len(), 64);
    }
}
