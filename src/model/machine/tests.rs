#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use super::{
    EXPLANATIONS, Explanation, OTHER_TRANSITIONS, TRANSITIONS, Transition, can_follow, transition,
};
use crate::model::{OtherState, Shutdown, State, StateSet};

#[test]
fn every_state_can_be_reached_and_left() {
    for state in State::NAMED {
        assert!(TRANSITIONS.iter().any(|step| step.to == state), "{state}");
        assert!(TRANSITIONS.iter().any(|step| step.from == state), "{state}");
    }
}

#[test]
fn every_state_can_end() {
    for from in State::NAMED {
        let end = transition(from, State::Closed);
        assert_eq!(end.is_some(), from != State::Closed, "{from}");
    }
}

#[test]
fn every_state_that_tcp_does_not_have_begins_and_ends() {
    for state in OtherState::ALL.map(State::Other) {
        let mut steps = OTHER_TRANSITIONS.iter();
        assert!(steps.any(|step| step.to == state), "{state}");
        let mut steps = OTHER_TRANSITIONS.iter();
        let is_end = |step: &Transition| (step.from, step.to) == (state, State::Closed);
        assert!(steps.any(is_end), "{state}");
    }
    let lines = include_str!("other_steps.txt").lines();
    let steps = lines.filter(|line| !line.starts_with('#')).count();
    assert_eq!(OTHER_TRANSITIONS.len(), steps);
}

#[test]
fn a_step_leads_between_two_named_states() {
    for step in TRANSITIONS.iter() {
        assert!(State::NAMED.contains(&step.from), "{step:?}");
        assert!(State::NAMED.contains(&step.to), "{step:?}");
        assert_ne!(step.from, step.to);
    }
}

#[test]
fn no_step_is_there_twice() {
    let all: BTreeSet<_> = TRANSITIONS
        .iter()
        .map(|step| (step.from, step.to, step.cause))
        .collect();
    assert_eq!(all.len(), TRANSITIONS.len());
}

#[test]
fn usual_step_comes_first() {
    let words = |from, to| transition(from, to).unwrap().step;
    assert_eq!(
        words(State::LastAck, State::Closed),
        "close 4/4: FIN acknowledged"
    );
    assert_eq!(words(State::TimeWait, State::Closed), "2·MSL over");
    assert_eq!(transition(State::TimeWait, State::Established), None);
    assert_eq!(transition(State::Unknown(14), State::Closed), None);
}

/// The arrows of figure 5 of RFC 9293. On RST, `SYN_RCVD` returns to LISTEN there; in Linux it is a new
/// socket that ends.
#[test]
fn every_step_of_the_rfc_is_there() {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd,
        SynSent, TimeWait,
    };
    for (from, to) in [
        (Closed, Listen),
        (Closed, SynSent),
        (Listen, SynRcvd),
        (Listen, Closed),
        (SynSent, SynRcvd),
        (SynSent, Established),
        (SynSent, Closed),
        (SynRcvd, Established),
        (SynRcvd, FinWait1),
        (Established, FinWait1),
        (Established, CloseWait),
        (FinWait1, FinWait2),
        (FinWait1, Closing),
        (FinWait1, TimeWait),
        (FinWait2, TimeWait),
        (Closing, TimeWait),
        (CloseWait, LastAck),
        (LastAck, Closed),
        (TimeWait, Closed),
    ] {
        assert!(transition(from, to).is_some(), "{from} {to}");
    }
}

#[test]
fn every_state_is_explained_in_the_order_of_their_names() {
    let named = State::all_named().chain([State::Unknown(0)]);
    let explained = EXPLANATIONS.iter().map(|explanation| explanation.state);
    let explained: Vec<State> = explained.collect();
    assert!(named.eq(explained));
    for state in State::all_named() {
        assert_eq!(Explanation::of(state).unwrap().state, state);
    }
    assert_eq!(
        Explanation::of(State::Unknown(14)).unwrap().state,
        State::Unknown(0)
    );
}

/// Checks for one line, no doubled space, printable ASCII and `·` only.
fn assert_clean(text: &str) {
    let clean = |c: char| c == '·' || c == ' ' || c.is_ascii_graphic();
    assert!(!text.is_empty() && text.trim() == text, "{text:?}");
    assert!(text.chars().all(clean) && !text.contains("  "), "{text:?}");
}

#[test]
fn texts_are_clean_sentences() {
    for explanation in EXPLANATIONS.iter() {
        let Explanation {
            meaning,
            half_close,
            stays,
            many,
            command,
            elsewhere,
            ..
        } = explanation;
        let texts = [meaning, stays, many].into_iter().chain(half_close);
        for text in texts.chain(elsewhere) {
            assert_clean(text);
            assert!(text.ends_with('.'), "{text:?}");
        }
        assert_clean(command);
        assert!(command.starts_with("lsock -"), "{command}");
    }
    for step in TRANSITIONS.iter() {
        for text in [step.cause, step.step] {
            assert_clean(text);
            assert!(!text.ends_with('.'), "{text:?}");
        }
    }
    for step in OTHER_TRANSITIONS.iter() {
        assert_clean(step.cause);
        assert!(
            step.step.is_empty() && !step.cause.ends_with('.'),
            "{step:?}"
        );
    }
}

/// The shut directions in a state.
const fn shut(state: State) -> Option<Shutdown> {
    match state {
        State::Established => Some(Shutdown::None),
        State::FinWait1 | State::FinWait2 => Some(Shutdown::Send),
        State::CloseWait => Some(Shutdown::Receive),
        State::Closing | State::LastAck | State::TimeWait => Some(Shutdown::Both),
        _ => None,
    }
}

#[test]
fn half_close_is_told_in_the_words_of_the_field() {
    for explanation in EXPLANATIONS.iter() {
        let told = explanation.half_close.map(str::to_lowercase);
        let words = shut(explanation.state).map(Shutdown::words);
        assert_eq!(told.is_some(), words.is_some(), "{}", explanation.state);
        if let (Some(told), Some(words)) = (told, words) {
            assert!(told.contains(words), "{told}");
        }
    }
}

#[test]
fn steps_tell_what_can_be_done_after_them() {
    let tell = [
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::LastAck,
        State::Closing,
    ]
    .into_iter()
    .fold(StateSet::EMPTY, StateSet::with);
    for step in TRANSITIONS.iter().filter(|step| tell.contains(step.to)) {
        let words = shut(step.to).unwrap().words();
        assert!(step.step.ends_with(words), "{step:?}");
    }
}

#[test]
fn certain_steps_are_those_of_every_way() {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd,
        SynSent, TimeWait,
    };
    for (from, to, steps) in [
        (Closed, SynSent, &[(Closed, SynSent)][..]),
        (Closed, Established, &[(Closed, SynSent)]),
        (SynSent, Established, &[]),
        (SynRcvd, Established, &[(SynRcvd, Established)]),
        (
            Established,
            FinWait2,
            &[(Established, FinWait1), (FinWait1, FinWait2)],
        ),
        (
            Established,
            LastAck,
            &[(Established, CloseWait), (CloseWait, LastAck)],
        ),
        (Established, TimeWait, &[(Established, FinWait1)]),
        (FinWait1, Closing, &[(FinWait1, Closing)]),
        (FinWait2, TimeWait, &[(FinWait2, TimeWait)]),
        (TimeWait, Closed, &[(TimeWait, Closed)]),
        (LastAck, Closed, &[(LastAck, Closed)]),
        (Established, Closed, &[]),
        (Listen, Closed, &[(Listen, Closed)]),
        (Listen, Listen, &[]),
    ] {
        let mut expected: Vec<_> = steps.iter().map(|step| (Some(step.0), step.1)).collect();
        if steps.last().is_none_or(|last| last.1 != to) {
            expected.push((None, to));
        }
        assert_eq!(super::steps(from, to), expected, "{from} to {to}");
    }
}

#[test]
fn one_life_leads_onwards_and_never_back() {
    use State::{
        Closed, Established, FinWait1, FinWait2, Listen, SynRcvd, SynSent, TimeWait, Unknown,
    };
    for (from, to, can) in [
        (Established, Established, true),
        (SynRcvd, TimeWait, true),
        (FinWait1, FinWait2, true),
        (FinWait2, FinWait1, false),
        (TimeWait, Closed, true),
        (TimeWait, SynSent, false),
        (TimeWait, Established, false),
        (Established, SynRcvd, false),
        (Listen, SynRcvd, false),
        (Unknown(20), SynSent, true),
        (Established, Unknown(20), true),
    ] {
        assert_eq!(can_follow(from, to), can, "{from} to {to}");
    }
}
