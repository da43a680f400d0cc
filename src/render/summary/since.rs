//! Changes since the round before in repeated counts: differences, and rates of the kernel's counters.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::model::{Counter, Counts, Protocol, State};
use crate::text::push_wrapped;

/// The round before, for comparison.
#[derive(Debug, Default)]
pub struct Since(pub(super) RefCell<Option<Round>>);

/// The counts of a round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) ended: Instant,
    pub(super) counts: Counts,
    pub(super) counters: Vec<Counter>,
}

/// ` +3`, ` -2`, or nothing: the difference of a count.
pub(in crate::render) fn difference(
    (now, before): (&Counts, &Counts),
    protocol: Protocol,
    state: State,
) -> String {
    let numbers = [now, before].map(|counts| counts.told(protocol, state));
    match numbers {
        [Some(now), Some(before)] if now != before => {
            format!(" {:+}", i128::from(now) - i128::from(before))
        }
        _ => String::new(),
    }
}

/// `tcp TIME_WAIT +3, udp UNCONN -1`: the changed counts of these protocols; `None` = none changed.
pub(super) fn changes(
    now: &Counts,
    before: &Counts,
    wanted: impl Fn(Protocol) -> bool,
) -> Option<String> {
    let protocols = Protocol::ALL
        .into_iter()
        .filter(|protocol| wanted(*protocol));
    let kinds = protocols.flat_map(|protocol| {
        let tables = [now, before].into_iter();
        let tables = tables.flat_map(move |counts| counts.of_protocol(protocol));
        let states = tables.flat_map(|table| table.states_told().map(|(state, _)| state));
        let states: BTreeSet<State> = states.collect();
        states.into_iter().map(move |state| (protocol, state))
    });
    let changes = kinds.filter_map(|(protocol, state)| {
        let difference = difference((now, before), protocol, state);
        (!difference.is_empty()).then(|| format!("{protocol} {state}{difference}"))
    });
    joined(changes)
}

/// `1.4 opened, 17 segments received`: counters per second; `None` = none changed.
pub(super) fn rates(now: &Round, before: &Round) -> Option<String> {
    let total = |round: &Round| {
        let mut all: BTreeMap<&str, u64> = BTreeMap::new();
        for counter in &round.counters {
            *all.entry(counter.name).or_default() += counter.value.unwrap_or_default();
        }
        all
    };
    let (new, old) = (total(now), total(before));
    let ms = now
        .ended
        .saturating_duration_since(before.ended)
        .as_millis()
        .max(1);
    let mut names: Vec<&str> = Vec::new();
    for counter in &now.counters {
        // Each namespace has it.
        if !names.contains(&counter.name) {
            names.push(counter.name);
        }
    }
    let rates = names.into_iter().filter_map(|name| {
        let more = new.get(name)?.saturating_sub(*old.get(name)?);
        // Tenths per second.
        let rate = u128::from(more) * 10_000 / ms;
        (more > 0).then(|| match rate {
            0..100 => format!("{}.{} {name}", rate / 10, rate % 10),
            _ => format!("{} {name}", rate / 10),
        })
    });
    joined(rates)
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Writes a text after its title, wrapped at the edge of the screen.
pub(super) fn push(out: &mut Vec<u8>, title: &str, text: &str, width: usize) {
    let mut line = format!("{title}: ");
    let indent = line.len();
    push_wrapped(&mut line, text, indent, width);
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Round, changes, difference, rates};
    use crate::model::{Counter, Counts, Family, Protocol, Socket, State, StateSet, Table};

    fn counts(sockets: &[(Protocol, State, u64)]) -> Counts {
        let mut counts = Counts::new(0);
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let family = Family::Inet;
            counts.note(Table { protocol, family }, StateSet::EMPTY);
        }
        for (protocol, state, count) in sockets {
            let mut like = Socket::new(*protocol, Family::Inet);
            like.state = *state;
            counts.add_many(&like, *count);
        }
        counts
    }

    #[test]
    fn differences_are_those_of_known_counts() {
        let before = counts(&[
            (Protocol::Tcp, State::TimeWait, 5),
            (Protocol::Udp, State::Unconn, 2),
        ]);
        let now = counts(&[
            (Protocol::Tcp, State::TimeWait, 2),
            (Protocol::Tcp, State::Listen, 1),
            (Protocol::Udp, State::Unconn, 2),
        ]);
        let of = |state| difference((&now, &before), Protocol::Tcp, state);
        assert_eq!([of(State::TimeWait), of(State::Listen)], [" -3", " +1"]);
        assert_eq!(of(State::Closing), "");
        let all = "tcp LISTEN +1, tcp TIME_WAIT -3";
        assert_eq!(changes(&now, &before, |_| true).unwrap(), all);
        let of_udp = changes(&now, &before, |protocol| protocol == Protocol::Udp);
        assert_eq!(of_udp, None);
    }

    #[test]
    fn rates_are_of_a_second_and_of_all_namespaces() {
        let begun = Instant::now();
        let round = |ms, values: &[(&'static str, u64)]| Round {
            ended: begun + Duration::from_millis(ms),
            counts: Counts::new(0),
            counters: values
                .iter()
                .map(|(name, value)| Counter {
                    name,
                    help: "",
                    value: Some(*value),
                    netns: None,
                })
                .collect(),
        };
        let before = round(
            0,
            &[("opened", 10), ("sent", 5), ("opened", 7), ("sent", 9)],
        );
        let now = round(
            2_000,
            &[("opened", 13), ("sent", 5), ("opened", 7), ("sent", 9)],
        );
        assert_eq!(rates(&now, &before).unwrap(), "1.5 opened");
        let now = round(
            500,
            &[("opened", 10), ("sent", 1_000), ("opened", 7), ("sent", 9)],
        );
        assert_eq!(rates(&now, &before).unwrap(), "1990 sent");
        // A counter that is missing or was reset has no rate.
        let now = round(500, &[("opened", 0)]);
        assert_eq!(rates(&now, &before), None);
        assert_eq!(rates(&before, &before), None);
    }
}
