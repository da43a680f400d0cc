//! Kernel structures that grow with each version: `tcp_info`, `mptcp_info` and smaller ones.

use std::sync::LazyLock;

use super::{Protocol, named};

named! {
    /// The unit of a number.
    pub enum Unit {
        /// Counts, codes and bits.
        Count = "count",
        /// Bytes.
        Bytes = "bytes",
        /// Bytes that count singly: a segment, a window.
        Octets = "octets",
        /// Bytes per second.
        Rate = "rate",
        /// Microseconds.
        Micros = "micros",
        /// Milliseconds.
        Millis = "millis",
    }
}

named! {
    /// A structure.
    pub enum Structure {
        /// `struct tcp_info` (`include/uapi/linux/tcp.h`), without the prefix `tcpi_`.
        TcpInfo = "tcp_info",
        /// `struct mptcp_info` (`include/uapi/linux/mptcp.h`), without the prefix `mptcpi_`.
        MptcpInfo = "mptcp_info",
        /// Socket options that a program, or the system, has set.
        SocketOptions = "socket_options",
        /// The state of the congestion control algorithm: Vegas, DCTCP or BBR.
        CongestionInfo = "congestion_info",
        /// The state of the upper layer protocol: TLS in the kernel, or the MPTCP connection of a subflow.
        UlpInfo = "ulp_info",
        /// `struct sctp_info` (`include/uapi/linux/sctp.h`), without the prefix `sctpi_`.
        SctpInfo = "sctp_info",
        /// Rings, memory and counters of `AF_XDP`.
        XdpInfo = "xdp_info",
        /// Connection and congestion of TIPC.
        TipcInfo = "tipc_info",
        /// The link of an SMC connection.
        SmcInfo = "smc_info",
    }
}

/// The fields of every structure, in the order of [`Structure::ALL`].
static FIELDS: LazyLock<Vec<Vec<InfoField>>> = LazyLock::new(|| {
    let structures = Structure::ALL.into_iter();
    structures
        .map(|structure| fields(structure, structure.text()))
        .collect()
});

impl Structure {
    /// The structure that only sockets of this protocol have.
    pub const fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Tcp => Some(Self::TcpInfo),
            Protocol::Mptcp => Some(Self::MptcpInfo),
            Protocol::Sctp => Some(Self::SctpInfo),
            Protocol::Xdp => Some(Self::XdpInfo),
            Protocol::Tipc => Some(Self::TipcInfo),
            Protocol::Smc => Some(Self::SmcInfo),
            _ => None,
        }
    }

    /// Its fields, in the kernel's order.
    pub fn fields(self) -> &'static [InfoField] {
        FIELDS.get(self.place()).map_or(&[], Vec::as_slice)
    }

    /// Its index in [`Structure::ALL`].
    pub(super) const fn place(self) -> usize {
        match self {
            Self::TcpInfo => 0,
            Self::MptcpInfo => 1,
            Self::SocketOptions => 2,
            Self::CongestionInfo => 3,
            Self::UlpInfo => 4,
            Self::SctpInfo => 5,
            Self::XdpInfo => 6,
            Self::TipcInfo => 7,
            Self::SmcInfo => 8,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::TcpInfo => include_str!("info/tcp.txt"),
            Self::MptcpInfo => include_str!("info/mptcp.txt"),
            Self::SocketOptions => include_str!("info/options.txt"),
            Self::CongestionInfo => include_str!("info/congestion.txt"),
            Self::UlpInfo => include_str!("info/ulp.txt"),
            Self::SctpInfo => include_str!("info/sctp.txt"),
            Self::XdpInfo => include_str!("info/xdp.txt"),
            Self::TipcInfo => include_str!("info/tipc.txt"),
            Self::SmcInfo => include_str!("info/smc.txt"),
        }
    }
}

/// Position of a number in a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    offset: usize,
    /// In bytes.
    size: usize,
    /// First bit in the first byte, and number of bits.
    shift: u32,
    bits: u32,
}

impl Span {
    /// Parses `68 4`, or `6 1:4:4` for a bit field.
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
    /// The structure it belongs to.
    pub structure: Structure,
    /// Its name, without the structure's prefix.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    span: Span,
    /// Names of its bits, lowest first; empty unless it is a set of flags.
    pub flags: Vec<&'static str>,
    /// Names of its values, if they are codes.
    pub words: Vec<(u64, &'static str)>,
    /// True if its values use all 64 bits; many JSON readers are exact only below 2^53.
    pub is_wide: bool,
    /// The value that most sockets have; details omit it.
    pub usual: u64,
    /// True if the kernel reports it for a listener. Every other field is 0 there, without meaning.
    of_listener: bool,
    /// Values that mean none: no limit, not measured yet, or not sent.
    none: Vec<u64>,
    /// True if it is computed: [`Info::send_rate`], from the fields up to its place.
    is_computed: bool,
    /// The counter of the same subject: while it is 0, the field has no meaning.
    counter: Option<Span>,
}

impl InfoField {
    /// Parses the line of a field among all lines of its structure; `None` = a comment.
    fn read(structure: Structure, line: &'static str, all: &str) -> Option<Self> {
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
        let list = |name| note(name).into_iter().flat_map(|list| list.split(','));
        let number = |number: &str| number.parse().ok();
        Some(Self {
            structure,
            name,
            unit: Unit::ALL.into_iter().find(|known| known.name() == unit)?,
            span: Span::read(offset, size)?,
            flags: list("flags").collect(),
            words: list("words")
                .filter_map(|word| word.split_once(':'))
                .filter_map(|(code, word)| Some((number(code)?, word)))
                .collect(),
            usual: note("usual").and_then(number).unwrap_or_default(),
            is_wide: note("wide").is_some(),
            of_listener: note("listener").is_some(),
            is_computed: note("computed").is_some(),
            none: list("none").filter_map(number).collect(),
            counter: note("counter").and_then(span_of),
        })
    }
}

fn fields(structure: Structure, text: &'static str) -> Vec<InfoField> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| InfoField::read(structure, line, text))
        .collect()
}

/// The value of every rate that means no limit.
const NO_RATE: u64 = u64::MAX;

/// `TCP_LISTEN` (`include/net/tcp_states.h`).
const TCP_LISTEN: u8 = 10;

/// A structure as one kernel sent it. A field beyond its end is absent, not zero; bytes beyond the known
/// fields are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info<'b> {
    pub structure: Structure,
    bytes: &'b [u8],
}

impl<'b> Info<'b> {
    /// Wraps the bytes of a structure.
    pub const fn new(structure: Structure, bytes: &'b [u8]) -> Self {
        Self { structure, bytes }
    }

    fn is_listener(self) -> bool {
        match self.structure {
            Structure::TcpInfo => self.bytes.first() == Some(&TCP_LISTEN),
            // An endpoint has no tag (`sctp_get_sctp_info`).
            Structure::SctpInfo => self.bytes.first_chunk() == Some(&[0; 4]),
            _ => false,
        }
    }

    /// The value of a field; `None` = not sent by this kernel, or the value means none.
    pub fn get(self, field: &InfoField) -> Option<u64> {
        if self.lacks(field) {
            return None;
        }
        if field.is_computed {
            return self.send_rate();
        }
        let value = self.number(field.span)?;
        let is_none = field.none.contains(&value)
            || field.unit == Unit::Rate && value == NO_RATE
            || field
                .counter
                .is_some_and(|counter| self.number(counter) == Some(0));
        (!is_none).then_some(value)
    }

    /// Bytes per second: one congestion window per round trip; `None` = not measured yet.
    fn send_rate(self) -> Option<u64> {
        let [window, segment, rtt] =
            ["snd_cwnd", "snd_mss", "rtt"].map(|name| self.value(name).map(u128::from));
        let rate = window? * segment? * 1_000_000 / rtt?;
        u64::try_from(rate).ok().filter(|rate| *rate > 0)
    }

    fn number(self, span: Span) -> Option<u64> {
        if !self.has(span) {
            return None;
        }
        let rest = self.bytes.get(span.offset..)?;
        let word = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut word = [0; 8];
            word.iter_mut()
                .zip(rest)
                .for_each(|(slot, byte)| *slot = *byte);
            word
        });
        let word = u64::from_ne_bytes(word);
        // C compilers fill bit fields from the low end on little-endian machines.
        let shift = if cfg!(target_endian = "little") {
            span.shift
        } else {
            u64::BITS - span.shift - span.bits
        };
        Some(word >> shift & u64::MAX >> (u64::BITS - span.bits))
    }

    const fn has(self, span: Span) -> bool {
        span.offset + span.size <= self.bytes.len()
    }

    /// True if this kernel sent the field, whatever its value.
    pub const fn was_sent(self, field: &InfoField) -> bool {
        self.has(field.span)
    }

    /// True if such a socket has no such field.
    pub fn lacks(self, field: &InfoField) -> bool {
        self.is_listener() && !field.of_listener
    }

    /// The raw value of the field with this name.
    pub fn sent(self, name: &str) -> Option<u64> {
        let mut fields = self.structure.fields().iter();
        self.number(fields.find(|field| field.name == name)?.span)
    }

    /// The value of the field with this name.
    pub fn value(self, name: &str) -> Option<u64> {
        let field = self
            .structure
            .fields()
            .iter()
            .find(|field| field.name == name)?;
        self.get(field)
    }
}

#[cfg(test)]
mod tests;
