//! Which states are shown beside a filter.

use serde_json::Value;

use crate::scene::tcp::states;
use crate::scene::{Held, V4, unix};
use crate::support::{fresh, list};

/// A listener, both ends of a connection, and a bound socket.
struct Small {
    held: Held,
    _bound: Held,
    bound: u16,
}

impl Small {
    fn new() -> Small {
        let bound = states::bound(V4).unwrap();
        Small {
            held: states::established(V4).unwrap(),
            bound: bound.the("BOUND").local().port(),
            _bound: bound,
        }
    }

    /// The listener's port; the accepted end has it too.
    fn port(&self) -> u16 {
        self.held.the("listener of ESTABLISHED").local().port()
    }
}

/// The states listed, in alphabetical order.
fn states_of(words: &[&str]) -> Vec<String> {
    let rows = list(words);
    let state = |row: &Value| row["state"].as_str().unwrap().to_owned();
    let mut states: Vec<String> = rows.iter().map(state).collect();
    states.sort();
    states
}

#[test]
fn state_test_shows_that_state_without_all() {
    let Some(_namespace) = fresh() else { return };
    let _small = Small::new();
    assert_eq!(states_of(&["state", "listen"]), ["LISTEN"]);
    assert_eq!(states_of(&["-t", "state listen"]), ["LISTEN"]);
    assert_eq!(states_of(&["-t", "state = listen"]), ["LISTEN"]);
    assert_eq!(states_of(&["-t", "state", "bound"]), ["BOUND"]);
    assert_eq!(
        states_of(&["-t", "state listen,bound"]),
        ["BOUND", "LISTEN"]
    );
}

#[test]
fn state_test_wins_over_listening() {
    let Some(_namespace) = fresh() else { return };
    let _small = Small::new();
    let wanted = ["ESTABLISHED", "ESTABLISHED"];
    assert_eq!(states_of(&["-l", "state", "established"]), wanted);
    assert_eq!(states_of(&["-tl", "state established"]), wanted);
    assert_eq!(states_of(&["-ta", "state established"]), wanted);
}

#[test]
fn filter_without_a_state_leaves_the_default() {
    let Some(_namespace) = fresh() else { return };
    let small = Small::new();
    let sport = format!("sport = :{}", small.port());
    assert_eq!(states_of(&["-t", &sport]), ["ESTABLISHED"]);
    assert_eq!(states_of(&["-tl", &sport]), ["LISTEN"]);
    assert_eq!(states_of(&["-ta", &sport]), ["ESTABLISHED", "LISTEN"]);
    let bound = format!("sport = :{}", small.bound);
    assert_eq!(states_of(&["-t", &bound]), Vec::<String>::new());
    assert_eq!(states_of(&["-ta", &bound]), ["BOUND"]);
}

#[test]
fn state_test_anywhere_opens_every_state_to_the_rest() {
    let Some(_namespace) = fresh() else { return };
    let small = Small::new();
    let either = format!("sport = :{} or state listen", small.bound);
    assert_eq!(states_of(&["-t", &either]), ["BOUND", "LISTEN"]);
    let others = ["BOUND", "ESTABLISHED", "ESTABLISHED"];
    assert_eq!(states_of(&["-t", "not state listen"]), others);
    assert_eq!(states_of(&["-t", "exclude listen"]), others);
    assert_eq!(states_of(&["-t", "state all"]).len(), 4);
}

#[test]
fn state_of_unix_sockets_works_alike() {
    let Some(_namespace) = fresh() else { return };
    let held = unix::states::stream().unwrap();
    assert_eq!(states_of(&["-x", "state", "listen"]), ["LISTEN"]);
    let path = held.the("unix stream listener").name.clone().unwrap();
    let path = format!("src {}", String::from_utf8(path).unwrap());
    assert_eq!(states_of(&["-x", &path]), ["ESTABLISHED"]);
    assert_eq!(states_of(&["-xa", &path]), ["ESTABLISHED", "LISTEN"]);
}

#[test]
fn empty_filter_is_no_filter() {
    let Some(_namespace) = fresh() else { return };
    let _small = Small::new();
    for words in [&["-ta"][..], &["-tl"], &["-t"]] {
        let wanted = states_of(words);
        assert_eq!(states_of(&[words, &[""]].concat()), wanted);
        assert_eq!(states_of(&[words, &["  "]].concat()), wanted);
        assert_eq!(states_of(&[words, &["", "", " "]].concat()), wanted);
    }
}
