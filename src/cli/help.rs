//! Help: `-h`, `--help`, and the manual pages of `lsock help`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use clap::error::ErrorKind;

use super::Terminal;
use crate::error::Error;
use crate::text::{escape, nearest};

/// The greatest width of help.
const WIDEST: usize = 100;

pub(super) const ABOUT: &str = "\
Lists the sockets of this machine and their TCP states.

Default: connected and connecting TCP, UDP and raw sockets over IPv4 and IPv6.
Host names are looked up only with -r. The manual: lsock help, or man lsock.";

pub(super) const AFTER: &str = include_str!("help.txt").trim_ascii_end();

const BRIEF_ABOUT: &str = "Lists the sockets of this machine and their TCP states.";

const BRIEF_AFTER: &str = include_str!("brief.txt").trim_ascii_end();

/// The arguments shown by `-h`.
const BRIEF: [&str; 24] = [
    "tcp",
    "udp",
    "unix",
    "all",
    "listening",
    "numeric",
    "processes",
    "extended",
    "timers",
    "info",
    "summary",
    "continuous",
    "events",
    "format",
    "columns",
    "sort",
    "limit",
    "quiet",
    "expect",
    "wait",
    "kill",
    "netns",
    "explain",
    "help",
];

/// The width of help in columns.
pub(super) fn width(terminal: Terminal) -> usize {
    let width = terminal.width.map_or(WIDEST, usize::from);
    width.min(WIDEST)
}

/// True if `-h` was given and not `--help`.
pub(super) fn is_brief(error: &clap::Error, arguments: &[OsString]) -> bool {
    error.kind() == ErrorKind::DisplayHelp && !arguments.iter().any(|word| word == "--help")
}

/// The text of `-h`.
pub(super) fn brief(definition: clap::Command) -> String {
    let mut definition = definition
        .about(BRIEF_ABOUT)
        .after_help(BRIEF_AFTER)
        .override_usage("lsock [OPTIONS] [FILTER]...")
        .mut_arg("format", |format| {
            format.help("table, plain, json, ndjson, csv ...")
        })
        .mut_args(|argument| {
            let is_shown = BRIEF.contains(&argument.get_id().as_str());
            argument.hide(!is_shown).help_heading("Options")
        });
    definition.render_help().to_string()
}

/// Groups the arguments under headings.
pub(super) fn under_headings(definition: clap::Command) -> clap::Command {
    let mut heading = "";
    definition.mut_args(|argument| {
        let id = argument.get_id().as_str();
        if let Some((_, begins)) = HEADINGS.iter().find(|(first, _)| *first == id) {
            heading = begins;
        }
        // Their help describes the values.
        let is_told = argument.get_action().takes_values();
        argument
            .hide_possible_values(is_told)
            .hide_default_value(is_told)
            .help_heading(heading)
    })
}

/// The headings of the help, each with its first argument.
const HEADINGS: [(&str, &str); 7] = [
    ("tcp", "Sockets"),
    ("numeric", "Details"),
    ("format", "Output"),
    ("quiet", "Checks and ending sockets"),
    ("netns", "Sources"),
    ("filter", "Sockets"),
    ("help", "Other"),
];

/// The manual pages as rendered by `mandoc -T ascii`. `tests/manual.rs` compares them with `man/`;
/// `LSOCK_BLESS=1` rewrites them.
const PAGES: [(&str, &str); 12] = [
    ("options", include_str!("../../man/text/options.txt")),
    ("filter", include_str!("../../man/text/filter.txt")),
    ("output", include_str!("../../man/text/output.txt")),
    ("states", include_str!("../../man/text/states.txt")),
    ("summary", include_str!("../../man/text/summary.txt")),
    ("watch", include_str!("../../man/text/watch.txt")),
    ("events", include_str!("../../man/text/events.txt")),
    ("checks", include_str!("../../man/text/checks.txt")),
    ("netns", include_str!("../../man/text/netns.txt")),
    ("source", include_str!("../../man/text/source.txt")),
    ("netstat", include_str!("../../man/text/netstat.txt")),
    ("ss", include_str!("../../man/text/ss.txt")),
];

/// The output of `lsock help` and `lsock help TOPIC`; `None` = another command line.
pub(super) fn topic(arguments: &[OsString]) -> Option<Result<String, Error>> {
    match arguments {
        [_, help] if help == "help" => Some(Ok(topics())),
        [_, help, topic] if help == "help" => Some(page(topic)),
        [_, help, ..] if help == "help" => {
            Some(Err(Error::Usage("help takes one topic".to_owned())))
        }
        _ => None,
    }
}

/// A page by topic, or by its name.
fn page(topic: &OsString) -> Result<String, Error> {
    let name = topic.to_string_lossy().to_ascii_lowercase();
    let name = name.strip_prefix("lsock-").unwrap_or(&name);
    let found = PAGES.iter().find(|(topic, _)| *topic == name);
    found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| {
        let topics: Vec<String> = PAGES.iter().map(|(topic, _)| (*topic).to_owned()).collect();
        let meant = nearest(name, &topics);
        let meant = meant.map(|meant| format!("did you mean {meant}? "));
        Error::Usage(format!(
            "unknown topic \"{}\"; {}the topics are: {}",
            escape(topic.as_bytes()),
            meant.unwrap_or_default(),
            topics.join(", ")
        ))
    })
}

/// Every topic with the one-line description of its page.
fn topics() -> String {
    let mut out = "Usage: lsock help TOPIC\n\nTopics:\n".to_owned();
    for (topic, text) in PAGES {
        let title = text.lines().nth(1).unwrap_or_default();
        let (_, title) = title.split_once(" - ").unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {topic:8} {title}");
    }
    out
}
