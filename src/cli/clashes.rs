//! Options that do not go together.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use crate::error::Error;

/// An option, what is said of another one that does not go with it, `{}`, and the others: some that are
/// separated by commas, and what stands behind one of these.
type Clash = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const CLASHES: [Clash; 9] = [
    (
        "-c",
        "-c lists again and again and {}: they do not go together",
        &[
            ("-E", " shows each step as it happens"),
            ("-q", " shows nothing"),
            ("--expect", " judges one listing"),
            ("--wait", " shows one listing, when it holds"),
            ("--replay", " lists what never changes"),
            ("-D", " keeps one listing, to be listed again"),
        ],
    ),
    (
        "-E",
        "-E shows steps of TCP and MPTCP: {} has no state machine to show",
        &[("-u, -w, -x, -0, --netlink", "")],
    ),
    (
        "-E",
        "-E shows events as they happen and {} is for listings: they do not go together",
        &[
            ("-s, -r, -e, -o, -i, -m, -O", ""),
            ("--columns, --sort, --proc-root, --replay, -D", ""),
        ],
    ),
    (
        "-s",
        "-s counts sockets and {} is about each of them: they do not go together",
        &[("-r, -p, -e, -o, -i, -m, -O, --columns, --sort", "")],
    ),
    (
        "--wait",
        "--wait looks again and again and {}: they do not go together",
        &[
            ("--replay", " lists a recording, which does not change"),
            ("-D", " records one list"),
            ("-s", " counts once"),
        ],
    ),
    (
        "--format netstat",
        "the lines of --format netstat are those of netstat: {} does not go with it",
        // It cannot tell what first threads show.
        &[("-s, -E, -i, -m, -O, --columns, --owners bpf", "")],
    ),
    (
        "--replay",
        "{} and --replay do not go together",
        &[("--source netlink, --source procfs, --owners bpf", "")],
    ),
    (
        "-N",
        "-N looks into network namespaces of this machine: {} does not go with it",
        &[("--proc-root, --replay", ""), ("--format netstat", "")],
    ),
    (
        "--proc-root",
        "{} and --proc-root do not go together",
        &[("--source netlink, --owners bpf", "")],
    ),
];

/// Options that mean nothing without another one.
const ALONE: [(&str, &str, &str); 2] = [
    ("--fail-on", "-s", "--fail-on judges what -s finds: add -s"),
    ("--by", "-E", "--by groups the events of -E: add -E"),
];

/// Refuses options that do not go together, or mean nothing alone.
pub(super) fn check(given: &ArgMatches, definition: &clap::Command) -> Result<(), Error> {
    let is_given = |typed: &str| {
        let (option, value) = typed.split_once(' ').unwrap_or((typed, ""));
        let mut arguments = definition.get_arguments();
        let argument = arguments.find(|argument| is_called(argument, option));
        argument.is_some_and(|argument| {
            let id = argument.get_id().as_str();
            let mut values = given.get_raw(id).into_iter().flatten();
            given.value_source(id) == Some(ValueSource::CommandLine)
                && (value.is_empty() || values.any(|given| given == value))
        })
    };
    for (option, other, text) in ALONE {
        if is_given(option) && !is_given(other) {
            return Err(Error::Usage(text.to_owned()));
        }
    }
    for (_, text, clashing) in CLASHES.iter().filter(|(option, ..)| is_given(option)) {
        for (others, behind) in *clashing {
            if let Some(other) = others.split(", ").find(|other| is_given(other)) {
                let text = text.replace("{}", &format!("{other}{behind}"));
                return Err(Error::Usage(text));
            }
        }
    }
    Ok(())
}

fn is_called(argument: &Arg, option: &str) -> bool {
    match option.strip_prefix("--") {
        Some(name) => argument.get_long() == Some(name),
        None => argument.get_short() == option.chars().nth(1),
    }
}
