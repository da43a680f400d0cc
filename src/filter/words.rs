//! Values that are words of a few: states, protocols and their like.

use super::lexer::{Relation, Word};
use super::refusal::{Compared, Refusal, expected};
use super::{Case, Expr, Field, Op, Pattern, Test};
use crate::model::{Protocol, State, StateSet};
use crate::text::{escape, nearest};

/// Other names of words, as other tools have them.
const ALIASES: [(&str, &str); 12] = [
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
    ("unknown", "unreadable"),
    ("local", "unix"),
];

/// States and groups of them: `name,name`.
pub(super) fn states(text: &str) -> Result<StateSet, Refusal> {
    let mut set = StateSet::EMPTY;
    for word in text.split(',') {
        set = set.union(state(word)?);
    }
    Ok(set)
}

/// The states whose names a glob meets.
pub(super) fn states_like(glob: &str) -> Result<StateSet, Refusal> {
    let pattern = Pattern::Glob(glob.to_owned(), Case::Insensitive);
    let all = State::NAMED.into_iter().chain([State::Unknown(0)]);
    let met = all
        .filter(|state| pattern.matches(state.name().as_bytes()))
        .fold(StateSet::EMPTY, StateSet::with);
    if met == StateSet::EMPTY {
        return expected("a glob that meets the name of a state");
    }
    Ok(met)
}

/// One state, or a group of them.
fn state(word: &str) -> Result<StateSet, Refusal> {
    let connected = Protocol::Tcp.connected();
    let bucket = StateSet::EMPTY.with(State::SynRcvd).with(State::TimeWait);
    let lower = word.to_ascii_lowercase();
    Ok(match &*lower {
        "all" => StateSet::ALL,
        "connected" => connected,
        "synchronized" => connected.without(State::SynSent),
        "bucket" => bucket,
        "big" => bucket.complement(),
        "unknown" => StateSet::EMPTY.with(State::Unknown(0)),
        // What ss means by it: the kernel's one code for both.
        "closed" | "close" => StateSet::EMPTY.with(State::Closed).with(State::Unconn),
        _ => match State::from_name(&lower) {
            Some(state) => StateSet::EMPTY.with(state),
            None => return Err(unknown_state(&lower)),
        },
    })
}

fn unknown_state(word: &str) -> Refusal {
    let groups = ["all", "connected", "synchronized", "bucket", "big"];
    let names = State::NAMED.map(|state| state.name().to_ascii_lowercase());
    let all: Vec<&str> = groups
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    match nearest(&word.replace('-', "_"), &all) {
        Some(name) => Refusal::Because(format!(
            "unknown state \"{}\"; did you mean {name}?",
            escape(word.as_bytes())
        )),
        None => Refusal::Expected(format!("a state ({})", all.join(", "))),
    }
}

/// The field holds this word, or another one.
pub(super) fn one_word(field: Field, word: &'static str, equal: bool) -> Expr {
    let words = vec![word];
    Expr::Test(Test::Word {
        field,
        equal,
        words,
    })
}

/// `tcp,udp`, or the words a glob meets.
pub(super) fn words(field: Field, relation: Relation, word: &Word<'_>) -> Compared {
    let all = field.words().iter().copied();
    let mut named: Vec<&str> = Vec::new();
    if let Relation::Like | Relation::Unlike = relation {
        let pattern = Pattern::Glob(word.text.to_string(), Case::Insensitive);
        named.extend(all.clone().filter(|word| pattern.matches(word.as_bytes())));
        if named.is_empty() {
            let words = field.words().join(", ");
            return expected(format!("a glob that meets one of {words}"));
        }
    } else {
        for part in word.text.split(',') {
            named.push(one_of(field, part)?);
        }
    }
    let equal = relation.op() == Op::Equal;
    let words: Vec<_> = all.filter(|word| named.contains(word)).collect();
    if !equal && words.len() == field.words().len() {
        return Ok(Expr::NEVER);
    }
    Ok(Expr::Test(Test::Word {
        field,
        equal,
        words,
    }))
}

fn one_of(field: Field, word: &str) -> Result<&'static str, Refusal> {
    let all = field.words();
    let plain = word.to_ascii_lowercase().replace('-', "_");
    let find = |name: &str| all.iter().copied().find(|other| *other == name);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
    if let Some(known) = find(&plain).or_else(|| find(alias?.1)) {
        return Ok(known);
    }
    match nearest(&plain, all) {
        Some(name) => Err(Refusal::Because(format!(
            "unknown {} \"{}\"; did you mean {name}?",
            field.name(),
            escape(word.as_bytes())
        ))),
        None => expected(format!("one of {}", all.join(", "))),
    }
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
