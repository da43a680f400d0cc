//! Parses values from a fixed set of words: states, protocols and others.

use super::error::{Compared, Refusal, expected};
use super::lexer::{Relation, Word};
use super::{Case, Expr, Field, Op, Operand, Pattern, Test};
use crate::model::{Protocol, State, StateSet};
use crate::text::{escape, nearest};

/// Names that other tools use.
const ALIASES: [(&str, &str); 11] = [
    ("ipv4", "inet"),
    ("ipv6", "inet6"),
    ("link", "packet"),
    ("ping", "icmp"),
    ("udp_lite", "udplite"),
    ("datagram", "dgram"),
    ("on", "retransmit"),
    ("persist", "probe"),
    ("timewait", "time_wait"),
    ("recv", "receive"),
    ("local", "unix"),
];

/// A list of states and groups: `name,name`.
pub(super) fn states(text: &str) -> Result<StateSet, Refusal> {
    text.split(',')
        .try_fold(StateSet::EMPTY, |set, word| Ok(set.union(state(word)?)))
}

/// A `state` test, with states or a glob.
pub(super) fn state_test(relation: Relation, text: &str) -> Compared {
    let named = if relation.like {
        states_like(text)?
    } else {
        states(text)?
    };
    Ok(Expr::Test(Test::State(match relation.op {
        Op::Unequal => named.complement(),
        _ => named,
    })))
}

/// The states whose names match a glob.
fn states_like(glob: &str) -> Result<StateSet, Refusal> {
    let pattern = Pattern::Glob(glob.to_owned(), Case::Insensitive);
    let all = State::all_named().chain([State::Unknown(0)]);
    let met = all
        .filter(|state| pattern.matches(state.name().as_bytes()))
        .fold(StateSet::EMPTY, StateSet::with);
    if met == StateSet::EMPTY {
        return expected("a glob that matches the name of a state");
    }
    Ok(met)
}

/// A state, or a group of states.
fn state(word: &str) -> Result<StateSet, Refusal> {
    let connected = Protocol::Tcp.connected().union(StateSet::OTHER);
    let bucket = StateSet::EMPTY.with(State::SynRcvd).with(State::TimeWait);
    let lower = word.to_ascii_lowercase();
    Ok(match &*lower {
        "all" => StateSet::ALL,
        "connected" => connected,
        "synchronized" => connected.without(State::SynSent),
        "bucket" => bucket,
        "big" => bucket.complement(),
        "unknown" => StateSet::EMPTY.with(State::Unknown(0)),
        // As in ss: the kernel has one code for both.
        "closed" | "close" => StateSet::EMPTY.with(State::Closed).with(State::Unconn),
        _ => match State::from_name(&lower) {
            Some(state) => StateSet::EMPTY.with(state),
            None => return Err(unknown_state(&lower)),
        },
    })
}

fn unknown_state(word: &str) -> Refusal {
    let groups = ["all", "connected", "synchronized", "bucket", "big"];
    let names = State::all_named().map(|state| state.name().to_ascii_lowercase());
    let names: Vec<String> = names.collect();
    let all: Vec<&str> = groups
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let of_tcp = all.iter().take(groups.len() + State::NAMED.len());
    let of_tcp: Vec<&str> = of_tcp.copied().collect();
    let states = format!("a state ({})", of_tcp.join(", "));
    unknown("state", word, &all).unwrap_or(Refusal::Expected(states))
}

/// Refuses a word that is similar to one of these.
fn unknown(what: &str, word: &str, all: &[&str]) -> Option<Refusal> {
    let name = nearest(&plain(word), all)?;
    let word = escape(word.as_bytes());
    Some(Refusal::Because(format!(
        "unknown {what} \"{word}\"; did you mean {name}?"
    )))
}

fn plain(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

pub(super) fn one_word(field: Field, op: Op, word: &'static str) -> Expr {
    Expr::field(field, op, Operand::Words(vec![word]))
}

/// `tcp,udp`, or the words that match a glob.
pub(super) fn words(field: Field, relation: Relation, word: &Word<'_>) -> Compared {
    let all = field.words().iter().copied();
    let mut named: Vec<&str> = Vec::new();
    if relation.like {
        let pattern = Pattern::Glob(word.text.to_string(), Case::Insensitive);
        named.extend(all.clone().filter(|word| pattern.matches(word.as_bytes())));
        if named.is_empty() {
            let words = field.words().join(", ");
            return expected(format!("a glob that matches one of {words}"));
        }
    } else {
        for part in word.text.split(',') {
            named.push(one_of(field, part)?);
        }
    }
    let words = all.filter(|word| named.contains(word)).collect();
    Ok(Expr::field(field, relation.op, Operand::Words(words)))
}

fn one_of(field: Field, word: &str) -> Result<&'static str, Refusal> {
    let all = field.words();
    let plain = plain(word);
    let find = |name: &str| all.iter().copied().find(|other| *other == name);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
    find(&plain).or_else(|| find(alias?.1)).ok_or_else(|| {
        let words = format!("one of {}", all.join(", "));
        unknown(field.own_name(), word, all).unwrap_or(Refusal::Expected(words))
    })
}

#[cfg(test)]
mod tests {
    use super::{ALIASES, Field};
    use crate::model::Protocol;

    #[test]
    fn aliases_are_names_of_words() {
        for (alias, word) in ALIASES {
            let known = |name| Field::comparable().any(|field| field.words().contains(&name));
            assert!(known(word), "{word}");
            assert!(!known(alias), "{alias}");
        }
    }

    #[test]
    fn the_words_of_protocol_are_its_names() {
        let names = Protocol::ALL.map(Protocol::name);
        assert_eq!(Field::Protocol.words(), names);
    }
}
