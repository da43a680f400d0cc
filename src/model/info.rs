//! Kernel structures that grow from version to version: `tcp_info`, `mptcp_info` and smaller ones.

use std::sync::LazyLock;

use super::{Protocol, named};

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

named! {
    /// Which structure.
    pub enum Structure {
        /// `struct tcp_info` (`include/uapi/linux/tcp.h`), without the prefix `tcpi_`.
        TcpInfo = "tcp_info",
        /// `struct mptcp_info` (`include/uapi/linux/mptcp.h`), without the prefix `mptcpi_`.
        MptcpInfo = "mptcp_info",
        /// What a program, or the system, has set of the socket.
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
        /// What carries a connection of SMC.
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
    /// That which is about the sockets of a protocol, and no others.
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

    /// Its fields, in the order of the kernel.
    pub fn fields(self) -> &'static [InfoField] {
        FIELDS.get(self.place()).map_or(&[], Vec::as_slice)
    }

    /// Its place in [`Structure::ALL`].
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
    /// What it is a part of.
    pub structure: Structure,
    /// Its name, without the structure's prefix.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    span: Span,
    /// The names of its bits, the lowest first; none where it is no set of flags.
    pub flags: Vec<&'static str>,
    /// The names of its values, where they are codes.
    pub words: Vec<(u64, &'static str)>,
    /// True if its values use all of 64 bits: numbers of many programs are exact below 2^53 only.
    pub is_wide: bool,
    /// The value that says nothing, for most sockets have it.
    pub usual: u64,
    /// True if the kernel tells it of a listener too; every other field is 0 there, and says nothing.
    of_listener: bool,
    /// The numbers that stand for none: no limit, nothing measured yet, or not sent.
    none: Vec<u64>,
    /// True if it is the rate of [`Info::send_rate`], of what stands up to its place.
    is_computed: bool,
    /// The count of what the field is about: while it is 0, the field says nothing.
    counter: Option<Span>,
}

impl InfoField {
    /// Reads the line of a field among all of its structure; `None` = it is a remark.
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

/// Of every rate: no limit.
const NO_RATE: u64 = u64::MAX;

/// `TCP_LISTEN` (`include/net/tcp_states.h`).
const TCP_LISTEN: u8 = 10;

/// Such a structure as one kernel sent it. A field beyond its end is absent, not zero; bytes beyond
/// the fields known here are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info<'b> {
    /// Which one.
    pub structure: Structure,
    bytes: &'b [u8],
}

impl<'b> Info<'b> {
    /// A structure of these bytes.
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

    /// The value of a field; `None` when this kernel did not send it, or it means that there is none.
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

    /// Bytes per second: a congestion window in each round trip; `None` = none was measured yet.
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

    /// True if this kernel sent the field, whatever it says.
    pub const fn was_sent(self, field: &InfoField) -> bool {
        self.has(field.span)
    }

    /// True if a socket of this kind has no such field.
    pub fn lacks(self, field: &InfoField) -> bool {
        self.is_listener() && !field.of_listener
    }

    /// What the kernel sent for the field with this name, whatever it means.
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
