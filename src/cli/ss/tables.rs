//! Which tables and states `ss` lists, by its options: as its own masks come to it.

use std::collections::BTreeSet;

use crate::filter::{Expr, Field, Op, Operand, Test};
use crate::model::{Protocol, SocketType, State, StateSet, Table};

/// States by the kernel's code.
type States = u16;
/// Tables by their places in [`TABLES`], or families in [`FAMILIES`].
type Mask = u16;

const ESTABLISHED: States = 1 << 1;
pub(super) const CLOSE: States = 1 << 7;
pub(super) const LISTEN: States = 1 << 10;
/// From 1 to 11: `ss` knows no other.
pub(super) const ALL_STATES: States = 0xffe;
/// But for `SYN_RECV`, `TIME_WAIT`, CLOSE and LISTEN.
pub(super) const CONNECTED: States = ALL_STATES & !(1 << 3 | 1 << 6 | CLOSE | LISTEN);
const OF_TIPC: States = ESTABLISHED | CLOSE | LISTEN;

/// Families: what `-f` calls them, the letter of the option, and the states that are shown by default.
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

/// What is listed one after another: what `-A` calls it, its short name there or the letter of the option, the
/// families, the protocol here and the type, and the states that are shown by default.
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

/// What was chosen so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    listed: Mask,
    families: Mask,
    states: States,
    /// What `-a`, `-l` and the states of the filter say; 0 = nothing.
    pub(super) state_filter: States,
    is_chosen: bool,
    has_query: bool,
    has_states: bool,
}

impl Tables {
    /// Takes the letter of a table or family; false = it is none.
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

    /// Takes a family by its name; false = there is none.
    pub(super) fn add_family(&mut self, name: &[u8]) -> bool {
        let at = FAMILIES
            .iter()
            .position(|(known, ..)| known.as_bytes() == name);
        at.map(|at| self.set_family(at)).is_some()
    }

    /// Takes tables by their names, `tcp,!udp`. Gives a name that none has.
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

    /// Was nothing chosen?
    pub(super) const fn are_default(&self) -> bool {
        !self.is_chosen
    }

    /// Takes `state` or `exclude` and its states.
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

    /// Completes what was chosen. Gives what of it is nothing.
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

    /// Leaves out everything but TCP; false = that was not chosen.
    pub(super) fn keep_tcp(&mut self) -> bool {
        self.listed &= named(b"tcp");
        self.listed != 0
    }

    /// True if the first column tells rows apart.
    pub(super) const fn are_many(&self) -> bool {
        self.listed.count_ones() > 1
    }

    /// The same of the second one.
    pub(super) const fn have_many_states(&self) -> bool {
        self.states.count_ones() > 1
    }

    pub(super) const fn are_only_unix(&self) -> bool {
        self.families == UNIX
    }

    /// What is listed, in order. Of what always is in one state, nothing where that is not wanted.
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

    /// The states that are shown.
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

    /// What is shown of them: these states and types. Those of SCTP the kernel chooses.
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

/// Of this protocol, sockets of these types alone.
pub(in crate::cli) fn of_kinds(
    protocol: &'static str,
    kinds: impl IntoIterator<Item = SocketType>,
) -> Expr {
    let kinds = kinds.into_iter().map(SocketType::name).collect();
    let is_other = word(Field::Protocol, vec![protocol]).negated();
    Expr::any([is_other, word(Field::Type, kinds)])
}

/// Types of which there are names: both names, the protocol and the type.
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

/// The tables of some of these families.
fn of_families(families: Mask) -> Mask {
    choose(|table| table.2 & families != 0)
}

fn choose(is_it: impl Fn(&Listed) -> bool) -> Mask {
    let all = TABLES.iter().enumerate().filter(|(_, table)| is_it(table));
    all.fold(0, |mask, (at, _)| mask | 1 << at)
}

/// The tables that `-A` calls so; 0 = it has no such name.
fn named(name: &[u8]) -> Mask {
    match name {
        // So `ss` has it.
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
