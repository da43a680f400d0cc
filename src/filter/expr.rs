//! The tree of an expression's tests, and how it is written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tree::Tree;
use super::{Field, Pattern, Side};
use crate::fields::Datum;
use crate::model::{Family, Protocol, Stage, State, StateSet};

/// Which sockets are wanted. Lists are long where texts are; the depth is bounded.
pub type Expr = Tree<Test>;

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Op {
    /// Does it hold between these two?
    pub fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }

    /// As it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The address, with the bits behind the prefix zero.
    pub address: IpAddr,
    /// Bits that count: 0 to 32, or to 128.
    pub length: u8,
}

/// What `::` stands for too, unless it is for IPv6 only.
pub(super) const ANY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Ports named by one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortItem {
    /// From the first to the last, both included; one port where they are equal.
    Range(u16, u16),
    /// A service, an IP protocol (raw), an `EtherType` (packet) or `kernel` (netlink): its number for
    /// each protocol that has one.
    Service {
        /// As it was typed.
        name: String,
        /// What it stands for.
        numbers: Vec<(Protocol, u32)>,
    },
}

impl PortItem {
    /// The first and the last port. A rule holds no services: they became numbers.
    pub(super) const fn range(&self) -> (u16, u16) {
        match self {
            Self::Range(first, last) => (*first, *last),
            Self::Service { .. } => (u16::MAX, 0),
        }
    }
}

/// One property of a socket. `equal` = false is `!=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Its state is one of these.
    State(StateSet),
    /// A field that holds one word of few: `protocol`, `family`, `type`, `shutdown`, `timer`,
    /// `process_status`.
    Word {
        /// Which field.
        field: Field,
        /// `=` or `!=`.
        equal: bool,
        /// The words that are named, in the order of [`Field::words`].
        words: Vec<&'static str>,
    },
    /// The IP address of an end is in one of the prefixes. IPv4 prefixes also meet IPv4-mapped
    /// addresses. Other families have no such address.
    Host {
        /// Which end.
        side: Side,
        /// `=` or `!=`.
        equal: bool,
        /// Never empty.
        prefixes: Vec<Prefix>,
    },
    /// The name of an end of a unix socket. An abstract name begins with a NUL.
    Name {
        /// Which end.
        side: Side,
        /// `=` or `!=`.
        equal: bool,
        /// What it is compared with.
        pattern: Pattern,
    },
    /// The port of an end.
    Port {
        /// Which end.
        side: Side,
        /// How it is compared. With several items only `=` and `!=`; `!=` means none of them.
        op: Op,
        /// Never empty; a single port for the other operators.
        items: Vec<PortItem>,
    },
    /// A field that holds a number, in its own unit but for durations, which are compared in
    /// microseconds. Of a field with several values (`pid`, `fd`) one has to match; for `!=` none may
    /// be equal.
    Number {
        /// Which field.
        field: Field,
        /// How it is compared.
        op: Op,
        /// With what.
        value: u64,
    },
    /// `mark` under a mask: `mark & mask == value`.
    Mark {
        /// `=` or `!=`.
        equal: bool,
        /// What the masked mark is compared with.
        value: u32,
        /// Which bits count; all of them where none were given.
        mask: u32,
    },
    /// The interface, by its name here.
    Interface {
        /// `=` or `!=`.
        equal: bool,
        /// The name, or the index in digits.
        name: String,
        /// Its index, where it could be found; then nothing else is compared.
        index: Option<u32>,
    },
    /// The cgroup, by its path below the cgroup2 mount.
    Cgroup {
        /// `=` or `!=`.
        equal: bool,
        /// The path: `/system.slice`.
        path: Vec<u8>,
        /// Its id, where it could be found; then nothing else is compared.
        id: Option<u64>,
    },
    /// A field that holds text: of a field with several values (`process`) one has to match; for `!=`
    /// and `!~` none may.
    Text {
        /// Which field.
        field: Field,
        /// `=` and `~`, or `!=` and `!~`.
        equal: bool,
        /// What it is compared with.
        pattern: Pattern,
    },
    /// The field has no value: the socket has no such thing, `= none`; or that, or it is unknown,
    /// `= unknown`.
    Missing {
        /// Which field.
        field: Field,
        /// `=` or `!=`.
        equal: bool,
        /// True if it must be known that there is none.
        told: bool,
    },
    /// The kernel chose its own port, as far as can be told: it is in `ip_local_port_range`. Of unix
    /// sockets: an abstract name of five hexadecimal digits.
    Autobound {
        /// The first port of the range and the last one; `None` = unknown.
        ports: Option<(u16, u16)>,
    },
    /// One direction of the connection is shut, the other open.
    HalfClosed,
    /// A TCP connection that its program has closed, and the kernel not yet.
    Orphan,
    /// A shown field contains this text, whatever the case.
    Shown(String),
}

impl Test {
    /// The field it looks at, where it is one.
    pub(super) const fn field(&self) -> Option<Field> {
        match self {
            Self::Word { field, .. }
            | Self::Number { field, .. }
            | Self::Text { field, .. }
            | Self::Missing { field, .. } => Some(*field),
            Self::Host { side, .. } | Self::Name { side, .. } => Some(side.address()),
            Self::Port { side, .. } => Some(side.port()),
            Self::Mark { .. } => Some(Field::Mark),
            Self::Interface { .. } => Some(Field::Interface),
            Self::Cgroup { .. } => Some(Field::Cgroup),
            Self::State(_)
            | Self::Autobound { .. }
            | Self::HalfClosed
            | Self::Orphan
            | Self::Shown(_) => None,
        }
    }

    /// True if it asks for something else than what it names: what has no value passes.
    pub(super) const fn is_unequal(&self) -> bool {
        match self {
            Self::Word { equal, .. }
            | Self::Host { equal, .. }
            | Self::Name { equal, .. }
            | Self::Mark { equal, .. }
            | Self::Interface { equal, .. }
            | Self::Cgroup { equal, .. }
            | Self::Text { equal, .. } => !*equal,
            Self::Port { op, .. } | Self::Number { op, .. } => matches!(op, Op::Unequal),
            _ => false,
        }
    }

    /// The field that must be reported for it to be answered; of a half-close, where the state does not
    /// tell it. Whether a field is told is no question to it.
    pub(super) fn needed_field(&self, protocol: Protocol) -> Option<Field> {
        match self {
            Self::Host { prefixes, .. } if self.meets_dual(prefixes) => Some(Field::V6Only),
            Self::HalfClosed if !protocol.is_tcp_like() => Some(Field::Shutdown),
            Self::Missing { told: false, .. } => None,
            other => other.field(),
        }
    }

    /// True if it may hold of `::`, as that stands for every IPv4 address too.
    fn meets_dual(&self, prefixes: &[Prefix]) -> bool {
        let is_local = matches!(
            self,
            Self::Host {
                side: Side::Local,
                ..
            }
        );
        is_local && prefixes.iter().any(|prefix| prefix.contains(ANY_IPV4))
    }

    /// How far a row must be looked up for it.
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Interface { index: Some(_), .. } | Self::Cgroup { id: Some(_), .. } => {
                Stage::Socket
            }
            Self::Shown(_) => Stage::Owners,
            other => match other.field() {
                Some(field) => field.cost().stage(),
                None => Stage::Socket,
            },
        }
    }
}

/// Holds of the sockets of IPv6 that speak this version: [`Socket::speaks`](crate::model::Socket::speaks).
pub fn speaks(version: Family) -> Expr {
    let is_at = |address: Ipv6Addr, length, equal| {
        Expr::Test(Test::Host {
            side: Side::Local,
            equal,
            prefixes: vec![Prefix::new(address.into(), length)],
        })
    };
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    if version == Family::Inet6 {
        return is_at(mapped, 96, false);
    }
    let open = StateSet::EMPTY.with(State::Listen).with(State::Bound);
    let takes_both = [
        Expr::Test(Test::State(open.with(State::Unconn))),
        is_at(Ipv6Addr::UNSPECIFIED, 128, true),
        Expr::Test(Test::Word {
            field: Field::V6Only,
            equal: true,
            words: vec![Datum::flag(false)],
        }),
    ];
    Expr::any([is_at(mapped, 96, true), Expr::all(takes_both)])
}
