//! Options that do not go together.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::error::Error;

/// An option, with a blank and a value where only this one matters; the others that do not go with it; and
/// the sentence that says so of one of these, `{}`.
const CLASHES: [(&str, &[&str], &str); 15] = [
    (
        "continuous",
        &["events"],
        "-c lists again and again and {} shows each step as it happens: they do not go together",
    ),
    (
        "continuous",
        &["quiet"],
        "-c lists again and again and {} shows nothing: they do not go together",
    ),
    (
        "continuous",
        &["expect"],
        "-c lists again and again and {} judges one listing: they do not go together",
    ),
    (
        "continuous",
        &["wait"],
        "-c lists again and again and {} shows one listing, when it holds: they do not go together",
    ),
    (
        "continuous",
        &["replay"],
        "-c lists again and again and {} lists what never changes: they do not go together",
    ),
    (
        "continuous",
        &["record"],
        "-c lists again and again and {} keeps one listing, to be listed again: they do not go together",
    ),
    (
        "events",
        &["udp", "raw", "unix", "packet", "netlink"],
        "-E shows steps of TCP and MPTCP: {} has no state machine to show",
    ),
    (
        "events",
        &[
            "summary",
            "resolve",
            "extended",
            "timers",
            "info",
            "memory",
            "oneline",
            "columns",
            "sort",
            "proc_root",
            "replay",
            "record",
        ],
        "-E shows events as they happen and {} is for listings: they do not go together",
    ),
    (
        "summary",
        &[
            "resolve",
            "processes",
            "extended",
            "timers",
            "info",
            "memory",
            "oneline",
            "columns",
            "sort",
        ],
        "-s counts sockets and {} is about each of them: they do not go together",
    ),
    (
        "wait",
        &["replay"],
        "--wait looks again and again and {} lists a recording, which does not change: they do not go together",
    ),
    (
        "wait",
        &["record"],
        "--wait looks again and again and {} records one list: they do not go together",
    ),
    (
        "wait",
        &["summary"],
        "--wait looks again and again and {} counts once: they do not go together",
    ),
    (
        "format netstat",
        // It cannot tell what first threads show.
        &[
            "summary",
            "events",
            "info",
            "memory",
            "oneline",
            "columns",
            "owners bpf",
        ],
        "the lines of --format netstat are those of netstat: {} does not go with it",
    ),
    (
        "replay",
        &["source netlink", "source procfs", "owners bpf"],
        "{} and --replay do not go together",
    ),
    (
        "proc_root",
        &["source netlink", "owners bpf"],
        "{} and --proc-root do not go together",
    ),
];

/// Refuses options that do not go together, or mean nothing alone.
pub(super) fn check(given: &ArgMatches, definition: &clap::Command) -> Result<(), Error> {
    let is_given = |option: &str| {
        let (id, value) = option.split_once(' ').unwrap_or((option, ""));
        let mut values = given.get_raw(id).into_iter().flatten();
        given.value_source(id) == Some(ValueSource::CommandLine)
            && (value.is_empty() || values.any(|given| given == value))
    };
    let alone = [
        (
            "fail_on",
            "summary",
            "--fail-on judges what -s finds: add -s",
        ),
        ("by", "events", "--by groups the events of -E: add -E"),
    ];
    let alone = alone
        .into_iter()
        .filter(|(option, other, _)| is_given(option) && !is_given(other));
    let alone = alone.map(|(_, _, text)| text.to_owned());
    let together = CLASHES.iter().filter(|(option, ..)| is_given(option));
    let together = together.filter_map(|(_, others, text)| {
        let other = others.iter().find(|other| is_given(other))?;
        Some(text.replace("{}", &shown(other, definition)))
    });
    match alone.chain(together).next() {
        Some(text) => Err(Error::Usage(text)),
        None => Ok(()),
    }
}

/// `-r`, `--columns`, `--owners bpf`
fn shown(option: &str, definition: &clap::Command) -> String {
    let (id, value) = option.split_once(' ').unwrap_or((option, ""));
    let mut arguments = definition.get_arguments();
    let argument = arguments.find(|argument| argument.get_id() == id);
    match argument.and_then(|argument| Some((argument.get_short(), argument.get_long()?))) {
        Some((Some(letter), _)) => format!("-{letter}"),
        Some((None, name)) if value.is_empty() => format!("--{name}"),
        Some((None, name)) => format!("--{name} {value}"),
        None => option.to_owned(),
    }
}
