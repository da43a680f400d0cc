//! The TCP state machine: which step leads from where to where (RFC 9293, figure 5, as Linux makes
//! the steps), and what is to be said of each state.

mod explanation;

pub use explanation::{EXPLANATIONS, Explanation};

use std::sync::LazyLock;

use super::State::{self, Bound, Closed, Listen, SynRcvd, Unconn};

/// One step of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Where it begins.
    pub from: State,
    /// Where it leads.
    pub to: State,
    /// The segments or system calls that make it happen: `receive FIN, send ACK`.
    pub cause: &'static str,
    /// The words for it as it happens: `handshake 1/3: SYN sent`.
    pub step: &'static str,
}

/// Every step, in the order of a connection's life; of several between the same states the usual one
/// is the first.
///
/// The kernel has one code for CLOSED, BOUND and UNCONN, and reports no step between them. It goes
/// from `FIN_WAIT_1` to `TIME_WAIT` in two steps at once, by way of `FIN_WAIT_2`. Where `TIME_WAIT`
/// begins it reports a step to CLOSED, since a smaller structure takes over from the socket.
pub static TRANSITIONS: LazyLock<Vec<Transition>> = LazyLock::new(|| {
    let lines = include_str!("machine/steps.txt").lines();
    lines.filter_map(Transition::read).collect()
});

/// The steps of associations of SCTP and of SMC, which have no words of their own as they happen.
pub static OTHER_TRANSITIONS: LazyLock<Vec<Transition>> = LazyLock::new(|| {
    let lines = include_str!("machine/other_steps.txt").lines();
    lines.filter_map(Transition::read).collect()
});

impl Transition {
    /// Reads `SYN_SENT -> CLOSED | cause | step`, the step only if there is one; other lines are remarks.
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

/// The step between two states, the usual one if there are several; `None` = the machine has none.
///
/// CLOSED can be reached from every named state, if by nothing else then by an abort.
pub fn transition(from: State, to: State) -> Option<&'static Transition> {
    TRANSITIONS
        .iter()
        .find(|step| step.from == from && step.to == to)
}

/// The steps that a TCP socket made on every way from one state to another, in their order, as what it
/// left and where it arrived. The last of them leads to `to`; `None` where nobody knows from where.
/// Whoever saw the socket in the one state and later, with the same ends, in the other knows that it
/// made these.
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

/// Can a TCP socket come from one state to another within one life, that is, without being CLOSED in
/// between? Of a state that this version does not know, nothing is denied.
pub fn can_follow(from: State, to: State) -> bool {
    let is_known = |state| !matches!(state, State::Unknown(_));
    from == to || !is_known(from) || !is_known(to) || !ways(from, to).is_empty()
}

/// The ways of a TCP socket from one state to another that pass no state twice and begin no other life.
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

/// Does a TCP socket make this step itself? The listener stays where it is.
fn is_of_tcp(step: &Transition) -> bool {
    let ends = [step.from, step.to];
    let is_usual = transition(step.from, step.to) == Some(step);
    is_usual && ends != [Listen, SynRcvd] && !ends.iter().any(|s| [Bound, Unconn].contains(s))
}

#[cfg(test)]
mod tests;
