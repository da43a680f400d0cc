//! The tree of an expression's tests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tree::Tree;
use super::{Field, Pattern};
use crate::fields::Datum;
use crate::model::{Family, Protocol, Stage, State, StateSet};

/// A filter expression. Lists can be long; the depth is bounded.
pub type Expr = Tree<Test>;

/// A comparison operator.
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
    /// True if it holds between the two.
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

    /// Its notation.
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

/// An address prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The address, with all bits after the prefix 0.
    pub address: IpAddr,
    /// Length in bits: 0 to 32, or to 128.
    pub length: u8,
}

/// Also included in `::`, unless that is IPv6-only.
pub(super) const ANY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Ports given by one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortItem {
    /// A range, inclusive; one port if both are equal.
    Range(u16, u16),
    /// A service, an IP protocol (raw), an `EtherType` (packet) or `kernel` (netlink), with its number for
    /// each protocol that has one.
    Service {
        /// The name as typed.
        name: String,
        /// Its numbers.
        numbers: Vec<(Protocol, u32)>,
    },
}

impl PortItem {
    /// The first and the last port. A rule has no services: they were resolved to numbers.
    pub(super) const fn range(&self) -> (u16, u16) {
        match self {
            Self::Range(first, last) => (*first, *last),
            Self::Service { .. } => (u16::MAX, 0),
        }
    }
}

/// A test of one property of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The state is in this set.
    State(StateSet),
    /// Compares a field; values without an order are only equal or unequal. If a field has several values
    /// (`pid`, `process`), one must match; for `!=` none may be equal.
    Field(Field, Op, Operand),
    /// The kernel chose the local port, as far as is known: it is in `ip_local_port_range`. For unix sockets:
    /// an abstract name of five hexadecimal digits.
    Autobound {
        /// The first and last port of the range; `None` = unknown.
        ports: Option<(u16, u16)>,
    },
    /// Exactly one direction of the connection is shut.
    HalfClosed,
    /// A TCP connection closed by its program, but not yet by the kernel.
    Orphan,
    /// A shown field contains this text, ignoring case.
    Shown(String),
}

/// The value that a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Words of a field with few values, in the order of [`Field::words`].
    Words(Vec<&'static str>),
    /// Address prefixes; never empty. IPv4 prefixes also match IPv4-mapped addresses. Other families have no
    /// addresses of this kind.
    Hosts(Vec<Prefix>),
    /// Names of unix sockets; abstract ones begin with NUL.
    Name(Pattern),
    /// Ports; never empty, and only one for ordered comparisons.
    Ports(Vec<PortItem>),
    /// A number in the unit of the field; durations are in microseconds.
    Number(u64),
    /// `mark & mask == value`.
    Masked {
        /// The value of the masked mark.
        value: u32,
        /// The mask; all bits if none was given.
        mask: u32,
    },
    /// A name known on this machine: an interface, or a cgroup path below the cgroup2 mount.
    Named {
        /// The name as written.
        name: Vec<u8>,
        /// Its index or id, which is compared.
        number: u64,
    },
    /// Text.
    Text(Pattern),
    /// No value: `= none` if the socket lacks it, `= unknown` if it is absent or unknown.
    Missing {
        /// True if it must be known to be absent.
        told: bool,
    },
}

impl Operand {
    /// A named value by its number, or a pattern for the rows' names if it has none.
    pub fn named(name: Vec<u8>, number: Option<u64>) -> Self {
        match number {
            Some(number) => Self::Named { name, number },
            None => Self::Text(Pattern::Exact(name)),
        }
    }
}

impl Test {
    /// The field it tests, if it tests one.
    pub(super) const fn field(&self) -> Option<Field> {
        match self {
            Self::Field(field, ..) => Some(*field),
            _ => None,
        }
    }

    /// The field that must be reported to answer it; for a half-close, where the state does not show it. None
    /// if it asks whether a field is known.
    pub(super) fn needed_field(&self, protocol: Protocol) -> Option<Field> {
        match self {
            // `::` also includes every IPv4 address.
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
    /// The same test, with 0 as the port of an IP socket's end without a port, as in `ss`.
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

/// Matches IPv6 sockets that use this version: [`Socket::speaks`](crate::model::Socket::speaks).
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
