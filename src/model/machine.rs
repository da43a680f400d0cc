//! The TCP state machine: its transitions (RFC 9293, figure 5, as Linux implements them) and an explanation
//! of each state.

mod explanation;

pub use explanation::{EXPLANATIONS, Explanation};

use std::sync::LazyLock;

use super::State::{self, Bound, Closed, Listen, SynRcvd, Unconn};

/// One transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The segments or system calls that cause it: `receive FIN, send ACK`.
    pub cause: &'static str,
    /// Its text as an event: `handshake 1/3: SYN sent`.
    pub step: &'static str,
}

/// Every transition, in the order of a connection's life; of several between the same states the usual one is
/// first.
///
/// The kernel has one code for CLOSED, BOUND and UNCONN, and reports no transitions between them. It goes
/// from `FIN_WAIT_1` to `TIME_WAIT` in one step, through `FIN_WAIT_2`. On entering `TIME_WAIT` it reports a
/// transition to CLOSED, because a smaller structure replaces the socket.
pub static TRANSITIONS: LazyLock<Vec<Transition>> = LazyLock::new(|| {
    let lines = include_str!("machine/steps.txt").lines();
    lines.filter_map(Transition::read).collect()
});

/// The transitions of SCTP associations and of SMC. They have no event texts.
pub static OTHER_TRANSITIONS: LazyLock<Vec<Transition>> = LazyLock::new(|| {
    let lines = include_str!("machine/other_steps.txt").lines();
    lines.filter_map(Transition::read).collect()
});

impl Transition {
    /// Parses `SYN_SENT -> CLOSED | cause | step`, where the step is optional; other lines are comments.
    fn read(line: &'static str) -> Option<Self> {
        let (ends, words) = line.split_once(" | ")?;
        let (from, to) = ends.split_once(" -> ")?;
        let (cause, step) = words.split_once(" | ").unwrap_or((words, ""));
        Some(Self {
            from: State::from_name(from)?,
            to: State::from_name(to)?,
            cause,
            step,
        })
    }
}

/// The transition between two states, the usual one if there are several; `None` = there is none.
///
/// CLOSED can be reached from every named state, at least by an abort.
pub fn transition(from: State, to: State) -> Option<&'static Transition> {
    TRANSITIONS
        .iter()
        .find(|step| step.from == from && step.to == to)
}

/// The transitions, in order, that a TCP socket must have made between two states seen at different times
/// with the same ends: those common to all paths. The last leads to `to`; its old state is `None` if unknown.
///
/// BOUND does not appear: the kernel's code for it is that of CLOSED.
pub fn steps(from: State, to: State) -> Vec<(Option<State>, State)> {
    let mut ways = ways(from, to);
    let mut certain = ways.pop().unwrap_or_default();
    certain.retain(|step| ways.iter().all(|way| way.contains(step)));
    let mut steps: Vec<_> = certain.iter().map(|s| (Some(s.from), s.to)).collect();
    if steps.last().is_none_or(|(_, last)| *last != to) {
        steps.push((None, to));
    }
    steps
}

/// True if a TCP socket can get from one state to another without being CLOSED in between. Always true of
/// unknown states.
pub fn can_follow(from: State, to: State) -> bool {
    let is_known = |state| !matches!(state, State::Unknown(_));
    from == to || !is_known(from) || !is_known(to) || !ways(from, to).is_empty()
}

/// The paths of a TCP socket between two states, without loops and without a second connection.
fn ways(from: State, to: State) -> Vec<Vec<&'static Transition>> {
    let mut ways = Vec::new();
    let mut begun: Vec<Vec<&Transition>> = vec![Vec::new()];
    while let Some(way) = begun.pop() {
        let here = way.last().map_or(from, |step| step.to);
        if here == to {
            ways.push(way);
        } else if here != Closed || way.is_empty() {
            let is_passed = |state| state == from || way.iter().any(|step| step.to == state);
            let steps = TRANSITIONS.iter().filter(|step| step.from == here);
            let steps = steps.filter(|step| is_of_tcp(step) && !is_passed(step.to));
            begun.extend(steps.map(|step| [way.as_slice(), &[step]].concat()));
        }
    }
    ways
}

/// True if a TCP socket makes this transition itself. A listener stays in LISTEN.
fn is_of_tcp(step: &Transition) -> bool {
    let ends = [step.from, step.to];
    let is_usual = transition(step.from, step.to) == Some(step);
    is_usual && ends != [Listen, SynRcvd] && !ends.iter().any(|s| [Bound, Unconn].contains(s))
}

#[cfg(test)]
mod tests;
