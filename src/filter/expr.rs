//! The tree of an expression's tests, and how it is written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tree::Tree;
use super::{Field, Pattern};
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

    /// `=` or `!=`.
    pub const fn equal(equal: bool) -> Self {
        if equal { Self::Equal } else { Self::Unequal }
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

/// One property of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Its state is one of these.
    State(StateSet),
    /// A field is compared with something; what has no order is equal or unequal. Of a field with several
    /// values (`pid`, `process`) one has to match; for `!=` none may be equal.
    Field(Field, Op, Operand),
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

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Words of a field that holds one of few, in the order of [`Field::words`].
    Words(Vec<&'static str>),
    /// Addresses in one of these prefixes; never empty. IPv4 prefixes also meet IPv4-mapped addresses. Other
    /// families have no such address.
    Hosts(Vec<Prefix>),
    /// Names of unix sockets. An abstract one begins with a NUL.
    Name(Pattern),
    /// Ports; never empty, and a single one where they are ordered.
    Ports(Vec<PortItem>),
    /// A number in the unit of the field, but for durations, which are compared in microseconds.
    Number(u64),
    /// `mark & mask == value`.
    Masked {
        /// What the masked mark is compared with.
        value: u32,
        /// Which bits count; all of them where none were given.
        mask: u32,
    },
    /// What has a name here: an interface, or a cgroup by its path below the cgroup2 mount.
    Named {
        /// The name, as it is written.
        name: Vec<u8>,
        /// Its index or id, which is what is compared.
        number: u64,
    },
    /// Text.
    Text(Pattern),
    /// No value: the socket has no such thing, `= none`; or that, or it is unknown, `= unknown`.
    Missing {
        /// True if it must be known that there is none.
        told: bool,
    },
}

impl Operand {
    /// What has this number here; of what has none, the rows tell the name.
    pub fn named(name: Vec<u8>, number: Option<u64>) -> Self {
        match number {
            Some(number) => Self::Named { name, number },
            None => Self::Text(Pattern::Exact(name)),
        }
    }
}

impl Test {
    /// The field it looks at, where it is one.
    pub(super) const fn field(&self) -> Option<Field> {
        match self {
            Self::Field(field, ..) => Some(*field),
            _ => None,
        }
    }

    /// The field that must be reported for it to be answered; of a half-close, where the state does not
    /// tell it. Whether a field is told is no question to it.
    pub(super) fn needed_field(&self, protocol: Protocol) -> Option<Field> {
        match self {
            // `::` stands for every IPv4 address too.
            Self::Field(Field::LocalAddress, _, Operand::Hosts(prefixes))
                if prefixes.iter().any(|prefix| prefix.contains(ANY_IPV4)) =>
            {
                Some(Field::V6Only)
            }
            Self::HalfClosed if !protocol.is_tcp_like() => Some(Field::Shutdown),
            Self::Field(_, _, Operand::Missing { told: false }) => None,
            other => other.field(),
        }
    }

    /// How far a row must be looked up for it.
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Shown(_) => Stage::Owners,
            Self::Field(_, _, Operand::Named { .. }) => Stage::Socket,
            Self::Field(field, ..) => field.cost().stage(),
            _ => Stage::Socket,
        }
    }
}

impl Expr {
    /// The same, where a socket of IP without a port at an end has port 0 there: as `ss` takes it.
    #[must_use]
    pub fn counting_no_port_as_0(self) -> Self {
        let each = |members: Vec<Self>| members.into_iter().map(Self::counting_no_port_as_0);
        match self {
            Self::All(members) => Self::all(each(members)),
            Self::Any(members) => Self::any(each(members)),
            Self::Not(inner) => inner.counting_no_port_as_0().negated(),
            Self::Test(Test::Field(field, Op::Unequal, ports @ Operand::Ports(_))) => {
                Self::field(field, Op::Equal, ports)
                    .counting_no_port_as_0()
                    .negated()
            }
            Self::Test(Test::Field(field, op, Operand::Ports(items))) => {
                let holds = |item: &PortItem| match (op, item.range()) {
                    (Op::Equal, (first, _)) => first == 0,
                    (op, (only, _)) => op.holds(&0, &only),
                };
                let is_met = items.iter().any(holds);
                let test = Self::field(field, op, Operand::Ports(items));
                let none = Self::field(field, Op::Equal, Operand::Missing { told: true });
                let families = [Family::Inet, Family::Inet6].map(Family::name);
                let of_ip = Self::field(Field::Family, Op::Equal, Operand::Words(families.into()));
                if is_met {
                    Self::any([test, Self::all([of_ip, none])])
                } else {
                    test
                }
            }
            other @ Self::Test(_) => other,
        }
    }

    /// A field compared with something.
    pub const fn field(field: Field, op: Op, operand: Operand) -> Self {
        Self::Test(Test::Field(field, op, operand))
    }
}

/// Holds of the sockets of IPv6 that speak this version: [`Socket::speaks`](crate::model::Socket::speaks).
pub fn speaks(version: Family) -> Expr {
    let is_at = |address: Ipv6Addr, length, op| {
        let prefixes = vec![Prefix::new(address.into(), length)];
        Expr::field(Field::LocalAddress, op, Operand::Hosts(prefixes))
    };
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    if version == Family::Inet6 {
        return is_at(mapped, 96, Op::Unequal);
    }
    let open = StateSet::EMPTY.with(State::Listen).with(State::Bound);
    let takes_both = [
        Expr::Test(Test::State(open.with(State::Unconn))),
        is_at(Ipv6Addr::UNSPECIFIED, 128, Op::Equal),
        Expr::field(
            Field::V6Only,
            Op::Equal,
            Operand::Words(vec![Datum::flag(false)]),
        ),
    ];
    Expr::any([is_at(mapped, 96, Op::Equal), Expr::all(takes_both)])
}
