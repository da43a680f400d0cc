//! Random programs, in the kernel and in an interpreter of its kind.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;

use lsock::filter::{Expr, Field, Narrow, Op, Operand, PortItem, Prefix, Side, Test};
use lsock::model::{Endpoint, Socket, State, StateSet};
use lsock::source::{
    Detail, Extensions, NetlinkSource, Recorder, Request, Source as _, Use, WalkSource,
};

use super::kernel::{Entry, audit, runs};
use super::{TCP, TCP6, identity, listed, tables, whole};
use crate::support::{skip, stage};

/// Expressions tried on each table.
const EXPRESSIONS: usize = 150;

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 0
    }

    fn of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[usize::try_from(self.roll(things.len() as u64)).unwrap()]
    }

    fn end<'s>(&mut self, sockets: &'s [Socket]) -> &'s Endpoint {
        let socket = self.of(sockets);
        if self.coin() {
            &socket.local
        } else {
            &socket.peer
        }
    }

    fn side(&mut self) -> Side {
        if self.coin() { Side::Local } else { Side::Peer }
    }

    fn port(&mut self, sockets: &[Socket]) -> u16 {
        u16::try_from(self.end(sockets).port.unwrap_or(0)).unwrap()
    }

    fn ports(&mut self, sockets: &[Socket]) -> Test {
        let ordered = [Op::Less, Op::AtMost, Op::Greater, Op::AtLeast];
        let (op, count) = if self.coin() {
            (*self.of(&[Op::Equal, Op::Unequal]), 1 + self.roll(20))
        } else {
            (*self.of(&ordered), 1)
        };
        let items = (0..count).map(|_| {
            let first = self.port(sockets);
            let more = if count > 1 { *self.of(&[0, 0, 300]) } else { 0 };
            PortItem::Range(first, first.saturating_add(more))
        });
        let items = items.collect();
        Test::Field(self.side().port(), op, Operand::Ports(items))
    }

    fn prefix(&mut self, sockets: &[Socket]) -> Prefix {
        let address = self.end(sockets).ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let address = address.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = *self.of(&[0, 8, 31, 32, 96, 127, 128]);
        Prefix {
            address,
            length: length.min(longest),
        }
    }

    fn test(&mut self, sockets: &[Socket]) -> Test {
        let equal = self.coin();
        match self.roll(8) {
            0..=2 => self.ports(sockets),
            3..=4 => Test::Field(
                self.side().address(),
                Op::equal(equal),
                Operand::Hosts((0..=self.roll(4)).map(|_| self.prefix(sockets)).collect()),
            ),
            5 => Test::Field(
                Field::Interface,
                Op::equal(equal),
                Operand::Named {
                    name: "lo".into(),
                    number: u32::try_from(self.roll(4)).unwrap().into(),
                },
            ),
            6 => Test::Field(
                Field::Mark,
                Op::equal(equal),
                Operand::Masked {
                    value: self.of(sockets).mark.unwrap_or(0),
                    mask: *self.of(&[u32::MAX, 0xff, 0]),
                },
            ),
            _ => Test::Field(
                Field::Cgroup,
                Op::equal(equal),
                Operand::named(b"/".to_vec(), self.of(sockets).cgroup_id),
            ),
        }
    }

    fn expr(&mut self, sockets: &[Socket], depth: u32) -> Expr {
        match self.roll(if depth == 0 { 2 } else { 5 }) {
            0..=1 => Expr::Test(self.test(sockets)),
            2 => self.expr(sockets, depth - 1).negated(),
            list => {
                let count = 2 + self.roll(3);
                let members = (0..count).map(|_| self.expr(sockets, depth - 1));
                let members: Vec<Expr> = members.collect();
                if list == 3 {
                    Expr::all(members)
                } else {
                    Expr::any(members)
                }
            }
        }
    }
}

/// A socket as a program sees it; root is told every mark.
fn entry(socket: &Socket) -> Entry {
    let port = |end: &Endpoint| u16::try_from(end.port.unwrap_or(0)).unwrap();
    let local = socket.local.ip.unwrap();
    let none = match local {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    Entry {
        sport: port(&socket.local),
        dport: port(&socket.peer),
        interface: socket.interface.unwrap_or(0),
        mark: socket.mark.unwrap_or(0),
        cgroup: socket.cgroup_id.unwrap_or(0),
        ..Entry::between(local, socket.peer.ip.unwrap_or(none))
    }
}

#[test]
fn kernel_takes_random_programs_and_runs_them_as_expected() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let mut dice = Dice(0x5ca1_ab1e);
    let mut both = HashSet::new();
    for table in tables() {
        let all = whole(table);
        for _ in 0..if all.is_empty() { 0 } else { EXPRESSIONS } {
            let expr = dice.expr(&all, 4);
            // Without the ids, so that the program alone decides.
            let narrow = Narrow {
                program: Narrow::of(&expr.for_table(table)).program,
                ..Narrow::default()
            };
            let program = narrow.bytecode();
            if program.is_empty() {
                continue;
            }
            assert!(audit(&program));
            let rows = listed(table, narrow);
            let accepted = all.iter().filter(|socket| runs(&program, &entry(socket)));
            let accepted: Vec<_> = accepted.map(identity).collect();
            let rows: Vec<_> = rows.iter().map(identity).collect();
            assert_eq!(rows, accepted, "{table}: {program:?}");
            both.insert((rows.is_empty(), rows.len() == all.len()));
        }
    }
    // Nothing, something and everything was listed.
    assert_eq!(both.len(), 3, "{both:?}");
}

/// What tells connections apart that have no cookie, in order.
fn ends<'s>(rows: impl IntoIterator<Item = &'s Socket>) -> Vec<String> {
    let ends = rows.into_iter().map(|row| {
        let (_, local, peer, state) = identity(row);
        format!("{state} {local:?} {peer:?} {:?}", row.inode)
    });
    let mut ends: Vec<String> = ends.collect();
    ends.sort();
    ends
}

/// A program that walks knows neither mark nor cgroup of what is no full socket.
fn is_full(socket: &Socket) -> bool {
    socket.inode.is_some()
}

#[test]
fn walk_runs_random_programs_as_expected() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let mut dice = Dice(0x0dd_ba11);
    let mut both = HashSet::new();
    let states = StateSet::ALL.without(State::Listen).without(State::Bound);
    for table in [TCP, TCP6] {
        let mut all = Vec::new();
        for turn in 0..EXPRESSIONS {
            if turn % 20 == 0 {
                all = whole(table);
                all.retain(|socket| states.contains(socket.state));
            }
            let narrow = Narrow {
                exact: None,
                ..Narrow::without_bound(&dice.expr(&all, 4).for_table(table))
            };
            let state = dice.of(&all).state;
            let wanted = if turn % 4 == 0 {
                StateSet::EMPTY.with(state)
            } else {
                states
            };
            let program = narrow.bytecode();
            let [local, peer] = [narrow.local_port, narrow.peer_port];
            let request = Request {
                states: wanted,
                extensions: Extensions {
                    detail: Detail::Usual,
                    ..Extensions::default()
                },
                narrow,
                netns: None,
            };
            let mut rows = Vec::new();
            let mut source = WalkSource::new(NetlinkSource::new(Recorder::default()), Use::Always);
            let visited = source.visit(table, &request, &mut |socket: &Socket| {
                rows.push(socket.clone());
                ControlFlow::Continue(())
            });
            match visited {
                Ok(outcome) => assert_eq!(outcome.warnings, []),
                Err(error) if both.is_empty() => return skip(format_args!("{error:?}")),
                Err(error) => panic!("{error:?}: {program:?}"),
            }
            let accepts = |socket: &&Socket| {
                let entry = entry(socket);
                wanted.contains(socket.state)
                    && local.is_none_or(|port| port == entry.sport)
                    && peer.is_none_or(|port| port == entry.dport)
                    && (program.is_empty() || runs(&program, &entry))
            };
            let accepted = ends(all.iter().filter(accepts));
            // Whoever knows neither mark nor cgroup may be let through.
            for row in ends(rows.iter().filter(|row| is_full(row))) {
                assert!(accepted.contains(&row), "{row} {program:?}");
            }
            let rows = ends(&rows);
            let is_missing = |row: &&String| !rows.contains(row);
            let missing: Vec<_> = accepted.iter().filter(is_missing).collect();
            if !missing.is_empty() {
                // What tries or waits ends after a minute or two.
                let there = ends(&whole(table));
                let is_gone = missing.iter().all(|row| !there.contains(row));
                assert!(is_gone, "{missing:?} {program:?}");
            }
            both.insert((rows.is_empty(), rows.len() == all.len()));
        }
    }
    // Nothing, something and everything was walked.
    assert_eq!(both.len(), 3, "{both:?}");
}
