//! Tests of checks that depend on unreported changes.

use super::may_miss;
use crate::filter::{Expr, Test};
use crate::model::State::{Bound, Established, FinWait1, FinWait2, Listen, TimeWait};
use crate::model::{Family, Protocol, State, StateSet, Table};

const STEP: StateSet = StateSet::EMPTY.with(FinWait2).with(TimeWait);

fn hangs(protocol: Protocol, states: &[State], untold: StateSet) -> bool {
    let states = states.iter().copied().fold(StateSet::EMPTY, StateSet::with);
    let table = Table {
        protocol,
        family: Family::Inet,
    };
    may_miss(&Expr::Test(Test::State(states)).for_table(table), untold)
}

#[test]
fn check_hangs_on_both_ends_of_a_step_that_is_not_told() {
    for (states, expected) in [
        (&[TimeWait][..], true),
        (&[FinWait2], true),
        (&[Established, TimeWait], false),
        (&[Established, FinWait1], false),
        (&[Listen], false),
        (&[Bound], false),
        (&[], false),
    ] {
        assert_eq!(hangs(Protocol::Tcp, states, STEP), expected, "{states:?}");
        assert!(!hangs(Protocol::Tcp, states, StateSet::EMPTY), "{states:?}");
    }
}

#[test]
fn mptcp_keeps_nothing_of_a_socket_that_is_closed() {
    assert!(!hangs(Protocol::Mptcp, &[TimeWait], STEP));
}
