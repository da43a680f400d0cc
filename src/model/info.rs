//! Kernel structures that grow from version to version: `tcp_info` and `mptcp_info`.

use std::sync::LazyLock;

use super::named;

named! {
    /// What a number counts.
    pub enum Unit {
        /// Things, codes and bits.
        Count = "count",
        /// Bytes.
        Bytes = "bytes",
        /// Bytes of which each one counts: a segment, a window.
        Octets = "octets",
        /// Bytes per second.
        Rate = "rate",
        /// Microseconds.
        Micros = "micros",
        /// Milliseconds.
        Millis = "millis",
    }
}

/// Where a number stands in a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    offset: usize,
    /// Bytes.
    size: usize,
    /// Its bits: where in the first byte they begin, how many.
    shift: u32,
    bits: u32,
}

impl Span {
    /// Reads `68 4`, or `6 1:4:4` of a bit field.
    fn read(offset: &str, size: &str) -> Option<Self> {
        let mut numbers = size.split(':').map(str::parse);
        let bytes: u32 = numbers.next()?.ok()?;
        Some(Self {
            offset: offset.parse().ok()?,
            size: usize::try_from(bytes).ok()?,
            shift: numbers.next().unwrap_or(Ok(0)).ok()?,
            bits: numbers.next().unwrap_or(Ok(8 * bytes)).ok()?,
        })
    }
}

/// One field of a kernel structure.
#[derive(Debug, PartialEq, Eq)]
pub struct InfoField {
    /// Its name, without the structure's prefix.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    span: Span,
    /// The names of its bits, the lowest first; none where it is no set of flags.
    pub flags: Vec<&'static str>,
    /// True if the kernel tells it of a listener too; every other field is 0 there, and says nothing.
    of_listener: bool,
    /// The number that stands for none: no limit, or nothing measured yet.
    none: Option<u64>,
    /// The count of what the field is about: while it is 0, the field says nothing.
    counter: Option<Span>,
}

impl InfoField {
    /// Reads the line of a field among all of its structure; `None` = it is a remark.
    fn read(line: &'static str, all: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (name, offset, size) = (words.next()?, words.next()?, words.next()?);
        let unit = words.next()?;
        let notes = || {
            words
                .clone()
                .map(|note| note.split_once('=').unwrap_or((note, "")))
        };
        let note = |name| {
            notes()
                .find(|(note, _)| *note == name)
                .map(|(_, text)| text)
        };
        let span_of = |name: &str| {
            let mut lines = all.lines().map(|line| line.split(' '));
            let mut words = lines
                .find(|words| words.clone().next() == Some(name))?
                .skip(1);
            Span::read(words.next()?, words.next()?)
        };
        Some(Self {
            name,
            unit: Unit::ALL.into_iter().find(|known| known.name() == unit)?,
            span: Span::read(offset, size)?,
            flags: note("flags")
                .into_iter()
                .flat_map(|flags| flags.split(','))
                .collect(),
            of_listener: note("listener").is_some(),
            none: note("none").and_then(|number| number.parse().ok()),
            counter: note("counter").and_then(span_of),
        })
    }
}

fn fields(text: &'static str) -> Vec<InfoField> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| InfoField::read(line, text))
        .collect()
}

/// `struct tcp_info` (`include/uapi/linux/tcp.h`), without the prefix `tcpi_`.
pub static TCP_INFO: LazyLock<Vec<InfoField>> =
    LazyLock::new(|| fields(include_str!("info/tcp.txt")));

/// `struct mptcp_info` (`include/uapi/linux/mptcp.h`), without the prefix `mptcpi_`.
pub static MPTCP_INFO: LazyLock<Vec<InfoField>> =
    LazyLock::new(|| fields(include_str!("info/mptcp.txt")));

/// Of every rate: no limit.
const NO_RATE: u64 = u64::MAX;

/// `TCP_LISTEN` (`include/net/tcp_states.h`).
const TCP_LISTEN: u8 = 10;

/// Bytes of the longest structure that is decoded; eight from the begin of its last field on.
const MAX_LEN: usize = 280;

/// Such a structure as one kernel sent it. A field beyond its end is absent, not zero; bytes beyond
/// the fields known here are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Every field known here, sent or not.
    pub fields: &'static [InfoField],
    bytes: [u8; MAX_LEN],
    len: usize,
    is_listener: bool,
}

impl Info {
    /// Keeps the bytes of a `tcp_info`.
    pub fn tcp(payload: &[u8]) -> Self {
        Self {
            is_listener: payload.first() == Some(&TCP_LISTEN),
            ..Self::new(&TCP_INFO, payload)
        }
    }

    /// Keeps the bytes of an `mptcp_info`.
    pub fn mptcp(payload: &[u8]) -> Self {
        Self::new(&MPTCP_INFO, payload)
    }

    fn new(fields: &'static [InfoField], payload: &[u8]) -> Self {
        let mut bytes = [0; MAX_LEN];
        let len = payload.len().min(MAX_LEN);
        for (slot, byte) in bytes.iter_mut().zip(payload) {
            *slot = *byte;
        }
        Self {
            fields,
            bytes,
            len,
            is_listener: false,
        }
    }

    /// The value of a field; `None` when this kernel did not send it, or it means that there is none.
    pub fn get(&self, field: &InfoField) -> Option<u64> {
        if self.lacks(field) {
            return None;
        }
        let value = self.number(field.span)?;
        let is_none = field.none == Some(value)
            || field.unit == Unit::Rate && value == NO_RATE
            || field
                .counter
                .is_some_and(|counter| self.number(counter) == Some(0));
        (!is_none).then_some(value)
    }

    fn number(&self, span: Span) -> Option<u64> {
        if !self.has(span) {
            return None;
        }
        let word = u64::from_ne_bytes(*self.bytes.get(span.offset..)?.first_chunk()?);
        // C compilers fill bit fields from the low end on little-endian machines.
        let shift = if cfg!(target_endian = "little") {
            span.shift
        } else {
            u64::BITS - span.shift - span.bits
        };
        Some(word >> shift & u64::MAX >> (u64::BITS - span.bits))
    }

    const fn has(&self, span: Span) -> bool {
        span.offset + span.size <= self.len
    }

    /// True if this kernel sent the field, whatever it says.
    pub const fn was_sent(&self, field: &InfoField) -> bool {
        self.has(field.span)
    }

    /// True if a socket of this kind has no such field.
    pub const fn lacks(&self, field: &InfoField) -> bool {
        self.is_listener && !field.of_listener
    }

    /// Every field known here, with its value where the kernel sent one.
    pub fn values(&self) -> impl Iterator<Item = (&'static InfoField, Option<u64>)> + '_ {
        self.fields.iter().map(|field| (field, self.get(field)))
    }

    /// The value of the field with this name.
    pub fn value(&self, name: &str) -> Option<u64> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        self.get(field)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::indexing_slicing,
        reason = "a test stops at the first surprise"
    )]

    use super::{Info, MPTCP_INFO, TCP_INFO};

    fn counting() -> Vec<u8> {
        (0..=255).cycle().take(400).collect()
    }

    #[test]
    fn fields_stand_at_the_offsets_of_the_header() {
        let info = Info::tcp(&counting());
        assert_eq!(info.value("snd_wscale"), Some(6));
        assert_eq!(info.value("rcv_wscale"), Some(0));
        assert_eq!(info.value("delivery_rate_app_limited"), Some(1));
        assert_eq!(info.value("fastopen_client_fail"), Some(3));
        assert_eq!(
            info.value("rtt"),
            Some(u64::from(u32::from_ne_bytes([68, 69, 70, 71])))
        );
        assert_eq!(
            info.value("total_rto_recoveries"),
            Some(u64::from(u16::from_ne_bytes([242, 243])))
        );
        let rate = u64::from_ne_bytes([160, 161, 162, 163, 164, 165, 166, 167]);
        assert_eq!(info.value("delivery_rate"), Some(rate));
    }

    #[test]
    fn every_line_is_a_field() {
        for (fields, text) in [
            (&TCP_INFO, include_str!("info/tcp.txt")),
            (&MPTCP_INFO, include_str!("info/mptcp.txt")),
        ] {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let names: Vec<_> = fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), lines.clone().count(), "{names:?}");
            let count = |note| text.lines().filter(|line| line.contains(note)).count();
            let counted = fields.iter().filter(|field| field.counter.is_some());
            assert_eq!(counted.count(), count(" counter="), "{names:?}");
            let limited = fields.iter().filter(|field| field.none.is_some());
            assert_eq!(limited.count(), count(" none="), "{names:?}");
        }
    }

    #[test]
    fn a_field_the_kernel_did_not_send_is_absent() {
        let bytes = counting();
        for fields in [&*TCP_INFO, &MPTCP_INFO] {
            for len in 0..=bytes.len() {
                let info = Info::new(fields, bytes.get(..len).unwrap_or_default());
                for field in fields {
                    let sent = field.span.offset + field.span.size <= len;
                    assert_eq!(
                        info.get(field).is_some(),
                        sent,
                        "{} of {len} bytes",
                        field.name
                    );
                }
            }
        }
    }

    #[test]
    fn what_a_listener_cannot_have_is_not_zero() {
        let mut bytes = vec![0; 280];
        bytes[0] = 10;
        let info = Info::tcp(&bytes);
        let told = info.values().filter(|(_, value)| value.is_some());
        let told: Vec<&str> = told.map(|(field, _)| field.name).collect();
        let kernel = "state unacked sacked snd_cwnd reordering pacing_rate max_pacing_rate";
        assert_eq!(told.join(" "), kernel);
        bytes[0] = 1;
        assert_eq!(Info::tcp(&bytes).value("rto"), Some(0));
    }

    #[test]
    fn what_was_never_measured_or_sent_is_none() {
        let mut bytes = vec![0; 280];
        let is = |bytes: &[u8], name: &str| Info::tcp(bytes).value(name);
        for (name, at, counted_at) in [
            ("rtt", 68, 68),
            ("rttvar", 72, 68),
            ("rcv_rtt", 92, 92),
            ("delivery_rate", 160, 160),
            ("notsent_bytes", 144, 136),
        ] {
            bytes[at] = 7;
            bytes[counted_at] = 0;
            assert_eq!(is(&bytes, name), None, "{name}");
            bytes[counted_at] = 1;
            assert!(is(&bytes, name).is_some(), "{name}");
        }
    }

    #[test]
    fn number_that_means_none_is_none() {
        let mut bytes = vec![0; 280];
        let is = |bytes: &[u8], name: &str| Info::tcp(bytes).value(name);
        for (name, at, len) in [
            ("pacing_rate", 104, 8),
            ("max_pacing_rate", 112, 8),
            ("min_rtt", 148, 4),
        ] {
            assert_eq!(is(&bytes, name), Some(0));
            bytes[at..at + len].fill(0xff);
            assert_eq!(is(&bytes, name), None, "{name}");
            bytes[at] = 0xfe;
            assert!(is(&bytes, name).is_some(), "{name}");
        }
        bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
        assert_eq!(is(&bytes, "snd_ssthresh"), None);
    }

    #[test]
    fn time_since_what_never_happened_is_none() {
        let mut bytes = vec![0; 280];
        for (name, count, end) in [
            ("last_data_recv", 152, 156),
            ("last_data_sent", 156, 160),
            ("last_ack_recv", 140, 144),
        ] {
            let value = |bytes: &[u8]| Info::tcp(bytes).value(name);
            assert_eq!(value(&bytes), None, "{name}");
            assert_eq!(value(&bytes[..count]), Some(0), "{name}: not counted");
            bytes[count] = 1;
            assert_eq!(value(&bytes[..end]), Some(0), "{name}");
        }
        let mut bytes = vec![0; 96];
        assert_eq!(Info::mptcp(&bytes).value("last_data_recv"), None);
        bytes[64] = 1;
        assert_eq!(Info::mptcp(&bytes).value("last_data_recv"), Some(0));
    }

    #[test]
    fn fields_do_not_overlap() {
        for fields in [&*TCP_INFO, &MPTCP_INFO] {
            for pair in fields.windows(2) {
                let [a, b] = pair else { continue };
                let (a, b, names) = (a.span, b.span, [a.name, b.name]);
                let same_byte = a.offset == b.offset && a.shift + a.bits <= b.shift;
                assert!(a.offset + a.size <= b.offset || same_byte, "{names:?}");
            }
        }
    }
}
