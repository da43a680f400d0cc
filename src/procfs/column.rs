//! Splits a line into columns and parses their numbers.

use std::ops::RangeInclusive;

use super::malformed;
use crate::error::Malformed;

/// The unread columns of a line, separated by one or more blanks.
pub(super) struct Columns<'a> {
    rest: &'a [u8],
}

impl<'a> Columns<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    pub(super) fn next(&mut self, name: &'static str) -> Result<Column<'a>, Malformed> {
        let (_, rest) = cut(self.rest, |byte| byte != b' ');
        let (text, rest) = cut(rest, |byte| byte == b' ');
        self.rest = rest;
        if text.is_empty() {
            return Err(malformed(name, text, "missing"));
        }
        Ok(Column { name, text })
    }

    /// The unread rest, blanks included.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True if only blanks are left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.iter().all(|byte| *byte == b' ')
    }

    /// The next column, which older kernels lack.
    pub(super) fn optional(&mut self, name: &'static str) -> Result<Option<Column<'a>>, Malformed> {
        if self.is_empty() {
            return Ok(None);
        }
        self.next(name).map(Some)
    }

    /// Accepts further columns, of other kernels, and blanks.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        while let Some(further) = self.optional("line")? {
            further.pointer()?;
        }
        Ok(())
    }
}

/// Splits before the first byte that is `wanted`.
pub(super) fn cut(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let middle = bytes.iter().position(|byte| wanted(*byte));
    bytes.split_at(middle.unwrap_or(bytes.len()))
}

/// One column, or a part of one.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) name: &'static str,
    pub(super) text: &'a [u8],
}

impl<'a> Column<'a> {
    /// An unsigned number of digits only (`%u`, `%lu`).
    pub(super) fn decimal<N: TryFrom<u64>>(self) -> Result<N, Malformed> {
        if self.text.is_empty() {
            return Err(self.error("is not a number"));
        }
        self.number(10, "is not a number")
    }

    fn number<N: TryFrom<u64>>(self, radix: u32, reason: &'static str) -> Result<N, Malformed> {
        let mut value = 0_u64;
        for byte in self.text {
            let Some(digit) = char::from(*byte).to_digit(radix) else {
                return Err(self.error(reason));
            };
            let next = value.checked_mul(radix.into());
            let Some(next) = next.and_then(|next| next.checked_add(digit.into())) else {
                return Err(self.error("is out of range"));
            };
            value = next;
        }
        N::try_from(value).map_err(|_| self.error("is out of range"))
    }

    /// A 32-bit number that some kernels print with `%d`: negative from 2³¹ on.
    pub(super) fn counter(self) -> Result<u32, Malformed> {
        let Some(digits) = self.text.strip_prefix(b"-") else {
            return self.decimal();
        };
        let below_zero: u32 = self.part(digits).decimal()?;
        if below_zero > 1 << 31 {
            return Err(self.error("is out of range"));
        }
        Ok(0_u32.wrapping_sub(below_zero))
    }

    /// An inode number; may be negative from 2³¹ on.
    pub(super) fn inode(self) -> Result<u64, Malformed> {
        if self.text.starts_with(b"-") {
            return self.counter().map(u64::from);
        }
        self.decimal()
    }

    /// A hexadecimal number with this many digits, at most 16.
    pub(super) fn hex<N: TryFrom<u64>>(
        self,
        digits: RangeInclusive<usize>,
    ) -> Result<N, Malformed> {
        if !digits.contains(&self.text.len()) {
            return Err(self.error("has the wrong number of digits"));
        }
        self.number(16, "is not hexadecimal")
    }

    /// Splits at the colon.
    pub(super) fn pair(self, otherwise: &'static str) -> Result<(Self, Self), Malformed> {
        let (first, rest) = cut(self.text, |byte| byte == b':');
        let Some(second) = rest.strip_prefix(b":") else {
            return Err(self.error(otherwise));
        };
        Ok((self.part(first), self.part(second)))
    }

    /// A part of the column, under the same name.
    pub(super) const fn part(self, text: &'a [u8]) -> Self {
        Self { text, ..self }
    }

    /// A slot in the kernel's table: `17:`.
    pub(super) fn slot(self) -> Result<u64, Malformed> {
        let Some(digits) = self.text.strip_suffix(b":") else {
            return Err(self.error("has no colon"));
        };
        self.part(digits).decimal()
    }

    /// A kernel address: digits, or words in parentheses where the kernel hides it.
    pub(super) fn pointer(self) -> Result<(), Malformed> {
        if self.text.iter().all(u8::is_ascii_graphic) {
            Ok(())
        } else {
            Err(self.error("is not an address"))
        }
    }

    pub(super) fn error(self, reason: &'static str) -> Malformed {
        malformed(self.name, self.text, reason)
    }
}
