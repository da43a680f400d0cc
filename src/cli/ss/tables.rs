//! Computes the tables and states that `ss` lists from its options, with masks like its own.

use std::collections::BTreeSet;

use crate::filter::{Expr, Field, Op, Operand, Test};
use crate::model::{Protocol, SocketType, State, StateSet, Table};

/// States, a bit for each kernel code.
type States = u16;
/// A bit for each of [`TABLES`], or of [`FAMILIES`].
type Mask = u16;

const ESTABLISHED: States = 1 << 1;
pub(super) const CLOSE: States = 1 << 7;
pub(super) const LISTEN: States = 1 << 10;
/// Codes 1 to 11: `ss` knows no others.
pub(super) const ALL_STATES: States = 0xffe;
/// Without `SYN_RECV`, `TIME_WAIT`, CLOSE and LISTEN.
pub(super) const CONNECTED: States = ALL_STATES & !(1 << 3 | 1 << 6 | CLOSE | LISTEN);
const OF_TIPC: States = ESTABLISHED | CLOSE | LISTEN;

/// Families: name for `-f`, option letter, and default states.
const FAMILIES: [(&str, u8, States); 8] = [
    ("inet", b'4', CONNECTED),
    ("inet6", b'6', CONNECTED),
    ("unix", b'x', CONNECTED),
    ("link", b'0', CLOSE),
    ("netlink", 0, CLOSE),
    ("vsock", b'+', CONNECTED),
    ("tipc", b'~', OF_TIPC),
    ("xdp", b'^', CLOSE),
];
const INET: Mask = 0b11;
const UNIX: Mask = 1 << 2;
const LINK: Mask = 1 << 3;
const NETLINK: Mask = 1 << 4;
const VSOCK: Mask = 1 << 5;
const TIPC: Mask = 1 << 6;
const XDP: Mask = 1 << 7;

/// A table: name for `-A`, its short name there or the option letter, families, protocol here, type, and
/// default states.
type Listed = (
    &'static str,
    &'static str,
    Mask,
    &'static str,
    Option<SocketType>,
    States,
);

#[rustfmt::skip]
const TABLES: [Listed; 16] = [
    ("netlink", "", NETLINK, "netlink", None, CLOSE),
    ("packet_raw", "p_raw", LINK, "packet", Some(SocketType::Raw), CLOSE),
    ("packet_dgram", "p_dgr", LINK, "packet", Some(SocketType::Dgram), CLOSE),
    ("unix_dgram", "u_dgr", UNIX, "unix", Some(SocketType::Dgram), CLOSE),
    ("unix_stream", "u_str", UNIX, "unix", Some(SocketType::Stream), CONNECTED),
    ("unix_seqpacket", "u_seq", UNIX, "unix", Some(SocketType::Seqpacket), CONNECTED),
    ("raw", "w", INET, "raw", None, ESTABLISHED),
    ("udp", "u", INET, "udp", None, ESTABLISHED),
    ("tcp", "t", INET, "tcp", None, CONNECTED),
    ("dccp", "d", INET, "dccp", None, CONNECTED),
    ("sctp", "S", INET, "sctp", None, CONNECTED),
    ("vsock_stream", "v_str", VSOCK, "vsock", Some(SocketType::Stream), CONNECTED),
    ("vsock_dgram", "v_dgr", VSOCK, "vsock", Some(SocketType::Dgram), CONNECTED),
    ("tipc", "", TIPC, "tipc", None, OF_TIPC),
    ("xdp", "", XDP, "xdp", None, CLOSE),
    ("mptcp", "M", INET, "mptcp", None, CONNECTED),
];

/// The selection so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    listed: Mask,
    families: Mask,
    states: States,
    /// States set by `-a`, `-l` and the filter; 0 = none.
    pub(super) state_filter: States,
    is_chosen: bool,
    has_query: bool,
    has_states: bool,
}

impl Tables {
    /// Adds a table or family by its letter; false = there is none.
    pub(super) fn add(&mut self, letter: u8) -> bool {
        let table = TABLES
            .iter()
            .position(|(_, known, ..)| known.as_bytes() == [letter]);
        let family = FAMILIES.iter().position(|(_, known, _)| *known == letter);
        if let Some(at) = table {
            self.set(1 << at, true);
        } else if let Some(at) = family {
            self.set_family(at);
        }
        table.or(family).is_some()
    }

    /// Adds a family by its name; false = there is none.
    pub(super) fn add_family(&mut self, name: &[u8]) -> bool {
        let at = FAMILIES
            .iter()
            .position(|(known, ..)| known.as_bytes() == name);
        at.map(|at| self.set_family(at)).is_some()
    }

    /// Adds or removes tables by their names, `tcp,!udp`. Returns the first unknown name.
    pub(super) fn query<'a>(&mut self, names: &'a [u8]) -> Option<&'a [u8]> {
        self.is_chosen = true;
        if !self.has_query {
            self.has_query = true;
            self.listed = 0;
            if self.state_filter == 0 {
                self.state_filter = CONNECTED;
            }
        }
        names.split(|byte| *byte == b',').find(|word| {
            let (name, is_on) = match word.strip_prefix(b"!") {
                Some(name) => (name, false),
                None => (*word, true),
            };
            let found = named(name);
            self.set(found, is_on);
            found == 0
        })
    }

    fn set(&mut self, tables: Mask, is_on: bool) {
        self.is_chosen = true;
        if is_on {
            self.listed |= tables;
            for (_, _, _, _, _, states) in each(tables) {
                self.states |= states;
            }
        } else {
            self.listed &= !tables;
        }
    }

    fn set_family(&mut self, at: usize) {
        self.is_chosen = true;
        self.families |= 1 << at;
        self.states |= FAMILIES.get(at).map_or(0, |(_, _, states)| *states);
    }

    /// True if nothing was selected.
    pub(super) const fn are_default(&self) -> bool {
        !self.is_chosen
    }

    /// Applies `state` or `exclude` with its states.
    pub(super) fn state(&mut self, is_included: bool, named: StateSet) {
        let codes = (1..=11_u8).filter(|code| named.contains(State::from_datagram(*code)));
        let mask = codes.fold(0, |mask, code| mask | 1 << code);
        match (self.has_states, is_included) {
            (false, true) => self.state_filter = mask,
            (false, false) => self.state_filter = ALL_STATES & !mask,
            (true, true) => self.state_filter |= mask,
            (true, false) => self.state_filter &= !mask,
        }
        self.has_states = true;
    }

    /// Completes the selection. Returns what is empty in it.
    pub(super) fn settle(&mut self) -> Option<&'static str> {
        if !self.is_chosen {
            if self.state_filter == 0 {
                self.state_filter = CONNECTED;
            }
            self.set(named(b"all"), true);
        }
        if self.state_filter != 0 {
            self.states = self.state_filter;
        }
        for (_, _, families, ..) in each(self.listed) {
            if self.families & families == 0 {
                self.families |= families;
            }
        }
        for at in 0..FAMILIES.len() {
            let of_family = of_families(1 << at);
            if self.families & 1 << at != 0 && self.listed & of_family == 0 {
                self.listed |= of_family;
            }
        }
        match (self.listed, self.families, self.states) {
            (0, ..) => Some("socket tables"),
            (_, 0, _) => Some("families"),
            (.., 0) => Some("socket states"),
            _ => None,
        }
    }

    /// Leaves only TCP; false = TCP was not selected.
    pub(super) fn keep_tcp(&mut self) -> bool {
        self.listed &= named(b"tcp");
        self.listed != 0
    }

    /// True if the first column varies.
    pub(super) const fn are_many(&self) -> bool {
        self.listed.count_ones() > 1
    }

    /// True if the second column varies.
    pub(super) const fn have_many_states(&self) -> bool {
        self.states.count_ones() > 1
    }

    pub(super) const fn are_only_unix(&self) -> bool {
        self.families == UNIX
    }

    /// The tables to list, in order. Tables with a single state are omitted if that is not wanted.
    pub(super) fn list(&self) -> Vec<Table> {
        let mut listed = Vec::new();
        for (_, _, families, protocol, _, states) in each(self.listed) {
            let is_shown = states != CLOSE || families == UNIX || self.states & CLOSE != 0;
            let tables = known(protocol)
                .filter(|_| is_shown)
                .into_iter()
                .flat_map(Protocol::tables);
            listed.extend(tables.filter(|table| self.families & family(*table) != 0));
        }
        listed.dedup();
        listed
    }

    /// The states shown.
    pub(super) fn shown_states(&self) -> StateSet {
        let codes = (1..=11_u8).filter(|code| self.states & 1 << code != 0);
        let mut states = codes
            .map(State::from_datagram)
            .fold(StateSet::EMPTY, StateSet::with);
        if self.states & CLOSE != 0 {
            states = states.with(State::Closed);
        }
        states
    }

    /// A filter for these states and types. For SCTP the kernel selects them.
    pub(super) fn shown(&self) -> Expr {
        let others = vec!["netlink", "packet", "sctp"];
        let states = Expr::Test(Test::State(self.shown_states()));
        let alike = Expr::any([word(Field::Protocol, others), states]);
        let parted = [(LINK, "packet"), (UNIX, "unix"), (VSOCK, "vsock")];
        let parted = parted.into_iter().map(|(families, protocol)| {
            let all = of_families(families);
            let kinds = each(self.listed & all).filter_map(|(_, _, _, _, kind, _)| kind);
            let kinds: BTreeSet<SocketType> = kinds.collect();
            if self.listed & all == all || kinds.is_empty() {
                return Expr::ALWAYS;
            }
            of_kinds(protocol, kinds)
        });
        Expr::all([alike].into_iter().chain(parted))
    }
}

/// A filter for sockets of a protocol that keeps only these types.
pub(in crate::cli) fn of_kinds(
    protocol: &'static str,
    kinds: impl IntoIterator<Item = SocketType>,
) -> Expr {
    let kinds = kinds.into_iter().map(SocketType::name).collect();
    let is_other = word(Field::Protocol, vec![protocol]).negated();
    Expr::any([is_other, word(Field::Type, kinds)])
}

/// Socket types with names: both names, protocol and type.
pub(in crate::cli) fn kinds()
-> impl Iterator<Item = (&'static str, &'static str, Protocol, SocketType)> {
    TABLES
        .into_iter()
        .filter_map(|(long, short, _, name, kind, _)| Some((long, short, known(name)?, kind?)))
}

fn known(name: &str) -> Option<Protocol> {
    Protocol::ALL.into_iter().find(|known| known.name() == name)
}

fn word(field: Field, words: Vec<&'static str>) -> Expr {
    Expr::field(field, Op::Equal, Operand::Words(words))
}

fn each(mask: Mask) -> impl Iterator<Item = Listed> {
    let all = TABLES.into_iter().enumerate();
    all.filter(move |(at, _)| mask & 1 << at != 0)
        .map(|(_, table)| table)
}

/// The tables of these families.
fn of_families(families: Mask) -> Mask {
    choose(|table| table.2 & families != 0)
}

fn choose(is_it: impl Fn(&Listed) -> bool) -> Mask {
    let all = TABLES.iter().enumerate().filter(|(_, table)| is_it(table));
    all.fold(0, |mask, (at, _)| mask | 1 << at)
}

/// The tables with this name in `-A`; 0 = unknown.
fn named(name: &[u8]) -> Mask {
    match name {
        // As in `ss`.
        b"all" => choose(|table| table.2 != TIPC),
        b"inet" => of_families(INET),
        b"unix" => of_families(UNIX),
        b"packet" => of_families(LINK),
        b"vsock" => of_families(VSOCK),
        name => choose(|(long, short, ..)| {
            long.as_bytes() == name || short.len() > 1 && short.as_bytes() == name
        }),
    }
}

fn family(table: Table) -> Mask {
    let name = match table.family.name() {
        "packet" => "link",
        name => name,
    };
    let at = FAMILIES.iter().position(|(known, ..)| *known == name);
    at.map_or(0, |at| 1 << at)
}
