//! A page of the kernel's ring buffer, as `trace_pipe_raw` gives it. The layout is that of
//! `include/linux/ring_buffer.h`, and `events/header_page` says where its parts are.

use super::format::Place;

/// `type_len` of what is not data.
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;
/// Bits of a header that hold the time since the entry before.
const DELTA_BITS: u32 = 27;
/// Bits of a whole time stamp; those above stay as they are.
const STAMP_BITS: u32 = 59;
/// Bits of `commit` that are a length; those above say whether something was lost before.
const LENGTH: u64 = (1 << 27) - 1;
/// An entry's header, and each word behind it.
const WORD: usize = 4;

/// Where the parts of a page are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageLayout {
    time: Place,
    commit: Place,
    data: usize,
}

/// What stands at one place of a page.
enum Entry {
    /// A record: so many bytes, behind so many.
    Data { begin: usize, length: usize },
    /// Nothing to tell: so many bytes are to be passed over.
    Gap(usize),
    /// Nothing more.
    End,
}

impl PageLayout {
    /// Reads the text of `events/header_page`; the error says what is missing.
    pub(super) fn parse(header: &str) -> Result<Self, String> {
        let (data, _) = Place::of(header, "data")?.span();
        Ok(Self {
            time: Place::of(header, "timestamp")?,
            commit: Place::of(header, "commit")?,
            data,
        })
    }

    /// Lends each record of a page with its time, and gives the last time in it; 0 = there is none.
    pub(super) fn each(&self, page: &[u8], lend: &mut dyn FnMut(u64, &[u8])) -> u64 {
        let (Some(mut time), Some(commit)) = (self.time.number(page), self.commit.number(page))
        else {
            return 0;
        };
        let length = usize::try_from(commit & LENGTH).unwrap_or(usize::MAX);
        let mut rest = page.get(self.data..).unwrap_or_default();
        rest = rest.get(..length).unwrap_or(rest);
        loop {
            let (entry, now) = next(rest, time);
            time = now;
            let passed = match entry {
                Entry::Data { begin, length } => {
                    let Some(data) = rest.get(begin..).and_then(|data| data.get(..length)) else {
                        return time;
                    };
                    lend(time, data);
                    begin.saturating_add(length)
                }
                Entry::Gap(length) => length,
                Entry::End => return time,
            };
            rest = rest.get(passed..).unwrap_or_default();
        }
    }
}

/// What stands at the begin of these bytes, and the time at it.
fn next(bytes: &[u8], time: u64) -> (Entry, u64) {
    let Some(header) = word(bytes, 0) else {
        return (Entry::End, time);
    };
    let (kind, delta) = split(header);
    let since = time.wrapping_add(u64::from(delta));
    let first = word(bytes, WORD);
    let length = |words: u32| usize::try_from(words).unwrap_or(usize::MAX);
    let entry = match (kind, first) {
        (PADDING, _) if delta == 0 => Entry::End,
        (PADDING | TIME_EXTEND | TIME_STAMP | 0, None) => Entry::End,
        (PADDING, Some(skip)) => Entry::Gap(length(skip).saturating_add(WORD)),
        (TIME_EXTEND, Some(high)) => {
            let extend = u64::from(high) << DELTA_BITS;
            return (Entry::Gap(2 * WORD), since.wrapping_add(extend));
        }
        (TIME_STAMP, Some(high)) => {
            let stamp = (u64::from(high) << DELTA_BITS) | u64::from(delta);
            return (
                Entry::Gap(2 * WORD),
                (time >> STAMP_BITS << STAMP_BITS) | stamp,
            );
        }
        // The length counts itself.
        (0, Some(of_all)) => Entry::Data {
            begin: 2 * WORD,
            length: length(of_all).saturating_sub(WORD),
        },
        (words, _) => Entry::Data {
            begin: WORD,
            length: length(words) * WORD,
        },
    };
    (entry, since)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.get(..WORD)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Kind and time of a header: bit fields, which lie as the machine's order of bytes.
const fn split(header: u32) -> (u32, u32) {
    if cfg!(target_endian = "little") {
        (header & 0x1f, header >> 5)
    } else {
        (header >> DELTA_BITS, header & ((1 << DELTA_BITS) - 1))
    }
}
