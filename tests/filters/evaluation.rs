//! What an expression selects is what its words say, of all sockets of the scene and from each source.

use serde_json::Value;

use super::cases::{Case, check};
use super::{fields, hosts, logic};
use crate::support::{list, lsock, skip, stage};

const WORDS: &[&str] = &["-A", "all", "-a", "-n"];
/// All of which the kernel tells everything by netlink. (Raw sockets it may, ping sockets it does not.)
pub const TOLD: &[&str] = &[
    "-A",
    "tcp,udp,udplite,mptcp,unix,packet,netlink",
    "-a",
    "-n",
];
/// Shows every field.
const SHOWN: &[&str] = &["-e", "-i", "-m", "-o"];
/// What `/proc/net` lists without complaint: not the unix sockets, some of whose names have newlines.
const PROC: &[&str] = &["-A", "inet,inet6,packet", "-a", "-n", "--source", "procfs"];

/// All the scene is there while the cases are checked, made of the list of these words.
fn on_stage(words: &[&str], cases: impl Fn(&[Value]) -> Vec<Case>) {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&[words, SHOWN].concat());
    check(words, SHOWN, &cases(&rows));
}

fn joined(groups: Vec<Vec<Case>>) -> Vec<Case> {
    groups.into_iter().flatten().collect()
}

#[test]
fn states_and_their_groups_select_what_their_names_say() {
    on_stage(WORDS, |_| {
        joined(vec![fields::states(), fields::rare_states()])
    });
}

#[test]
fn words_and_what_is_missing_select_what_they_say() {
    on_stage(WORDS, |_| fields::words());
}

#[test]
fn shutdown_selects_what_it_says() {
    on_stage(TOLD, |_| fields::sides());
}

#[test]
fn timers_select_what_they_say() {
    on_stage(WORDS, |_| fields::timers());
}

#[test]
fn numbers_select_what_they_say() {
    on_stage(WORDS, fields::numbers);
}

#[test]
fn users_select_what_they_say() {
    on_stage(&["-tuxan"], |_| fields::users());
}

#[test]
fn structures_of_the_kernel_select_what_they_say() {
    on_stage(TOLD, fields::kernel);
}

#[test]
fn addresses_select_what_they_say() {
    on_stage(WORDS, |_| hosts::addresses());
}

#[test]
fn every_ipv4_address_selects_what_takes_ipv4() {
    on_stage(TOLD, |_| hosts::every_ipv4_address());
}

#[test]
fn interfaces_select_what_they_say() {
    on_stage(TOLD, |_| hosts::interfaces());
}

#[test]
fn ports_select_what_they_say() {
    on_stage(WORDS, |rows| {
        joined(vec![hosts::ports(rows), hosts::named_ports()])
    });
}

#[test]
fn unix_names_select_what_they_say() {
    on_stage(WORDS, hosts::names);
}

#[test]
fn joined_tests_select_what_they_say() {
    on_stage(WORDS, |_| logic::joined());
}

#[test]
fn compound_tests_select_what_they_say() {
    on_stage(TOLD, |_| logic::compound());
}

#[test]
fn marks_select_what_they_say() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    if scene
        .expected
        .iter()
        .all(|expected| expected.mark.is_none())
    {
        skip("no socket could be marked");
        return;
    }
    // The kernel tells the marks of these.
    check(&["-tuan"], &["-e"], &fields::marks());
}

#[test]
fn words_of_several_arguments_are_one_expression() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let joined = list(&["-tan", "sport > 0 and ( state listen or dport > 0 )"]);
    let apart = ["-tan", "sport", ">", "0", "and", "(", "state", "listen"];
    let rest = ["or", "dport > 0", ")"];
    assert_eq!(list(&[&apart[..], &rest].concat()).len(), joined.len());
    assert!(!joined.is_empty());
}

#[test]
fn proc_gives_the_same_answers() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(PROC);
    let groups = vec![
        fields::states(),
        fields::words(),
        fields::timers(),
        hosts::addresses(),
        hosts::ports(&rows),
        logic::joined(),
    ];
    // Some states and types are not told there.
    let cases: Vec<Case> = groups
        .into_iter()
        .flatten()
        .map(Case::all_or_none)
        .collect();
    check(PROC, SHOWN, &cases);
}

#[test]
fn recording_gives_the_same_answers() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("sockets");
    let file = file.to_str().unwrap();
    lsock(["-tuxaimen", "-D", file]).clean();
    let words = ["-tuxan", "--replay", file];
    let rows = list(&[&words[..], SHOWN].concat());
    let groups = vec![
        fields::states(),
        fields::words(),
        fields::sides(),
        fields::timers(),
        fields::numbers(&rows),
        fields::kernel(&rows),
        hosts::addresses(),
        hosts::ports(&rows),
        hosts::names(&rows),
        logic::joined(),
    ];
    let cases: Vec<Case> = groups
        .into_iter()
        .flatten()
        .map(Case::all_or_none)
        .collect();
    check(&words, SHOWN, &cases);
}
