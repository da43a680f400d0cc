//! The part of a program that drops what the filter cannot accept.
//!
//! It passes what may be wanted, and other records of a life that explain it: how it begins and ends, what completes
//! its first record, the origin of a transition, and who uses the socket. Unknown values pass.

use super::super::Watched;
use super::fields::{HELD, LAST_PORT};
use super::writer::{CONTEXT, NEW_STATE, OLD_STATE, SOCKET, Writer};
use crate::bpf::Size::{Eight, Four, Two};
use crate::bpf::{Condition, Label, Malformed, Register as R};
use crate::model::{Protocol, State, StateSet, TRANSITIONS};
use crate::source::checks::{COMMON, Checks, FAMILIES, Ways, When};

/// The ports, until they are stored for the checks.
const LOCAL_PORT: R = R::R8;
const PEER_PORT: R = R::R7;

/// `BPF_FUNC_skc_to_tcp_sock`.
pub(super) const SKC_TO_TCP_SOCK: i32 = 137;

// `include/net/tcp_states.h`.
const SYN_SENT: i32 = 2;
const SYN_RECV: i32 = 3;
const CLOSE: i32 = 7;

/// The sockets that a program handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Sockets that change their state.
    Step,
    /// Sockets closed in `FIN_WAIT_2`, or what is left of them.
    Rest,
}

impl Writer<'_> {
    /// Jumps to the end unless wanted.
    pub(super) fn let_pass(&mut self, subject: Subject) -> Result<(), Malformed> {
        let wanted = self.plan.watched;
        if wanted.iter().any(tests_ends) {
            self.read_ports(subject)?;
        }
        let pass = self.code.label();
        for watched in wanted {
            let fail = self.code.label();
            let ways = Ways { pass, fail };
            if self.is_of(watched, subject, fail)? {
                if subject == Subject::Step {
                    self.test_states(watched, fail)?;
                }
                if tests_ends(watched) {
                    let operations = watched.narrow.operations();
                    self.checks()
                        .write(&operations, watched.table.family, ways)?;
                }
                self.code.jump(Condition::Always, pass);
            }
            self.code.place(fail);
        }
        self.code.jump(Condition::Always, self.end);
        self.code.place(pass);
        Ok(())
    }

    fn read_ports(&mut self, subject: Subject) -> Result<(), Malformed> {
        self.checks().read_ports(LOCAL_PORT, PEER_PORT)?;
        if subject == Subject::Step {
            self.complete_ports()?;
        }
        self.checks().keep_ports(LOCAL_PORT, PEER_PORT);
        Ok(())
    }

    fn checks(&mut self) -> Checks<'_, '_> {
        Checks {
            code: &mut self.code,
            btf: self.btf,
            socket: SOCKET,
            ports: -8,
            when: When::Step,
        }
    }

    /// Completes the ports. An end may be known only from the next record: the local port of an active open, and the
    /// peer's port of an accepted connection. At the end the port is released; then the last one counts, until the
    /// socket gets another.
    fn complete_ports(&mut self) -> Result<(), Malformed> {
        let known = self.code.label();
        self.code.jump(Condition::IsNot(LOCAL_PORT, 0), known);
        self.code.load(Eight, R::R1, CONTEXT, NEW_STATE);
        self.code.jump(Condition::IsNot(R::R1, CLOSE), known);
        self.code.copy(R::R1, SOCKET);
        self.code.call(SKC_TO_TCP_SOCK);
        self.code.jump(Condition::Is(R::R0, 0), known);
        self.read(Two, LOCAL_PORT, R::R0, ["tcp_sock", LAST_PORT])?;
        self.code.from_network(Two, LOCAL_PORT);
        self.code.place(known);
        self.code.load(Eight, R::R1, CONTEXT, OLD_STATE);
        for (state, port) in [(SYN_SENT, LOCAL_PORT), (SYN_RECV, PEER_PORT)] {
            let other = self.code.label();
            self.code.jump(Condition::IsNot(R::R1, state), other);
            self.code.set(port, 0);
            self.code.place(other);
        }
        Ok(())
    }

    /// Continues for sockets of a table; false = the table has none here.
    fn is_of(
        &mut self,
        watched: &Watched,
        subject: Subject,
        fail: Label,
    ) -> Result<bool, Malformed> {
        let protocol = match watched.table.protocol {
            Protocol::Tcp => 6,
            Protocol::Mptcp if subject == Subject::Step => 262,
            _ => return Ok(false),
        };
        let family = FAMILIES
            .iter()
            .find(|known| known.0 == watched.table.family);
        let Some((_, family)) = family else {
            return Ok(false);
        };
        self.read(Two, R::R1, SOCKET, [COMMON, "skc_family"])?;
        self.code.jump(Condition::IsNot(R::R1, *family), fail);
        if subject == Subject::Step {
            self.read(Two, R::R1, SOCKET, ["sock", "sk_protocol"])?;
            self.code.jump(Condition::IsNot(R::R1, protocol), fail);
        }
        Ok(true)
    }

    fn test_states(&mut self, watched: &Watched, fail: Label) -> Result<(), Malformed> {
        let [left, entered] = needed(watched.states).map(StateSet::kernel_mask);
        if left == u32::MAX || entered == u32::MAX {
            return Ok(());
        }
        let passed = self.code.label();
        for (states, place) in [(left, OLD_STATE), (entered, NEW_STATE)] {
            self.code.load(Eight, R::R1, CONTEXT, place);
            self.code.set_unsigned(R::R2, states);
            self.code.shift_down_by(R::R2, R::R1);
            self.code.jump(Condition::HasBits(R::R2, 1), passed);
        }
        if watched.owners {
            self.read(Four, R::R1, SOCKET, HELD)?;
            self.code.jump(Condition::IsNot(R::R1, 0), passed);
        }
        self.code.jump(Condition::Always, fail);
        self.code.place(passed);
        Ok(())
    }
}

/// The sockets of which every recorded transition passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whole {
    /// None for certain: transitions pass by their states.
    #[default]
    None,
    /// Those with a passed transition made when both ends were known.
    WithEnds,
    /// All.
    All,
}

impl Whole {
    /// The value at which a passed transition from this state proves that every other one of its socket passes, too.
    pub(super) fn shown_from(old: State) -> Self {
        let opening = [State::Closed, State::Listen, State::SynSent, State::SynRcvd];
        if opening.contains(&old) {
            Self::All
        } else {
            Self::WithEnds
        }
    }

    pub(super) fn of(watched: &Watched) -> Self {
        match watched.states {
            StateSet::ALL if tests_ends(watched) => Self::WithEnds,
            StateSet::ALL => Self::All,
            _ => Self::None,
        }
    }
}

/// True if the filter tests ends. MPTCP gets its ends later, from its subflows.
fn tests_ends(watched: &Watched) -> bool {
    let narrow = &watched.narrow;
    let is_narrow =
        !narrow.program.is_empty() || narrow.local_port.is_some() || narrow.peer_port.is_some();
    watched.table.protocol == Protocol::Tcp && is_narrow
}

/// The states such that a transition must pass if it leaves one of the first set, or enters one of the second.
fn needed(wanted: StateSet) -> [StateSet; 2] {
    let open = StateSet::EMPTY.with(State::Closed).with(State::Listen);
    let open = open.with(State::SynSent).with(State::SynRcvd);
    let mut left = wanted.union(open);
    if wanted.contains(State::TimeWait) {
        // In the kernel, the socket is CLOSED then.
        left = left.with(State::FinWait2).with(State::Closing);
    }
    let before = TRANSITIONS.iter().filter(|step| wanted.contains(step.to));
    let entered = before.fold(wanted, |entered, step| entered.with(step.from));
    [left, entered.with(State::Closed)]
}
