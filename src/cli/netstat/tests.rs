//! Tests of the options of `netstat`.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use super::super::getopt::Given;
use super::super::{Command, Terminal};
use super::{OPTIONS, parse};
use crate::exit::Verdict;
use crate::filter::Decision;
use crate::model::{Endpoint, Family, Protocol, Row, Selection, Socket, State, StateSet, Table};
use crate::query::netstat::{Absence, Netstat, Part, Step};
use crate::render::{Format, NetstatLayout, Section};

fn netstat(words: &str) -> Netstat {
    let words = words.split_whitespace().map(Into::into);
    match parse(words, Terminal::default()) {
        Ok(Command::Netstat(netstat)) => *netstat,
        other => panic!("{other:?}"),
    }
}

fn layout(netstat: &Netstat) -> NetstatLayout {
    match netstat.query.format {
        Format::Netstat(layout) => layout,
        other => panic!("{other:?}"),
    }
}

/// The steps in short form: `inet tcp46 sctp! …`; `!` must exist, `?` is reported if missing.
fn steps(words: &str) -> String {
    let mark = |absence| match absence {
        Absence::Silent => "",
        Absence::Told => "?",
        Absence::Final => "!",
    };
    let step = |step: &Step| match step {
        Step::Tables(tables, absence) => {
            let protocol = tables.first().unwrap().protocol;
            let families = tables.iter().map(|table| match table.family {
                Family::Inet => "4",
                Family::Inet6 => "6",
                _ => "",
            });
            let families: String = families.collect();
            format!("{protocol}{families}{}", mark(*absence))
        }
        Step::Other(other, absence) => {
            let file = other.files.first().unwrap_or(&other.name);
            format!("{}{}", file.trim_start_matches("net/"), mark(*absence))
        }
    };
    let part = |part: &Part| {
        let banner = match part.query.format {
            Format::Netstat(layout) if layout.sections == [Section::Internet] => Some("inet:"),
            Format::Netstat(layout) if layout.sections == [Section::Unix] => Some("unix:"),
            _ => None,
        };
        let banner = banner.map(str::to_owned).into_iter();
        let words: Vec<_> = banner.chain(part.steps.iter().map(step)).collect();
        words.join(" ")
    };
    let parts: Vec<String> = netstat(words).parts.iter().map(part).collect();
    parts.join(" ").trim().to_owned()
}

#[test]
fn without_a_protocol_everything_is_listed_and_nothing_must_be_there() {
    assert_eq!(
        steps(""),
        "inet: tcp46 sctp46 udp46 udplite46 raw46 unix: unix ipx/socket ax25 x25 nr rose"
    );
    assert_eq!(
        steps("-av"),
        "inet: tcp46? sctp46? sctp/eps? udp46? udplite46? raw46? unix: unix? ipx/socket? \
         ax25? x25? nr? rose?"
    );
}

#[test]
fn a_protocol_named_must_be_there_unless_its_family_was_named() {
    assert_eq!(steps("-t"), "inet: tcp46!");
    assert_eq!(steps("-tul"), "inet: tcp46! udp46!");
    assert_eq!(steps("-Sl"), "inet: sctp46!");
    assert_eq!(steps("-6"), "inet: tcp6 sctp6 udp6 udplite6 raw6");
    assert_eq!(steps("-4"), "inet: tcp4 sctp4 udp4 udplite4 raw4");
    assert_eq!(steps("-4 -t"), "inet: tcp4!");
    assert_eq!(steps("-46w"), "inet: raw46!");
}

#[test]
fn families_add_to_protocols() {
    assert_eq!(steps("-x"), "unix: unix!");
    assert_eq!(steps("-xt"), "inet: tcp46! unix: unix!");
    assert_eq!(
        steps("-A unix,inet"),
        "inet: tcp4 sctp4 udp4 udplite4 raw4 unix: unix!"
    );
    assert_eq!(steps("--ipx --x25"), "ipx/socket! x25!");
    assert_eq!(steps("-2"), "AF BLUETOOTH!");
    assert_eq!(steps("-xf"), "unix: unix! AF BLUETOOTH!");
    // Known, but without sockets.
    assert_eq!(steps("-A ddp"), steps(""));
}

#[test]
fn abbreviations_and_arguments_are_those_of_getopt() {
    for (long, short) in [
        ("--tcp --al --ex", "-t -a -e"),
        ("--ine", "-A ip"),
        ("--protocol unix", "-x"),
        ("--proto=inet6,unix", "-6x"),
        ("-tAunix", "-tx"),
        ("words -t in between", "-t"),
        ("-t -- -x", "-t"),
        ("-", ""),
    ] {
        assert_eq!(steps(long), steps(short), "{long}");
    }
    let options = |words: &str| -> Vec<Result<Given, String>> {
        let mut options = Vec::new();
        let words = words.split_whitespace().map(Into::into);
        let end: Result<(), ()> = OPTIONS.read(words, |given| {
            options.push(given);
            Ok(())
        });
        assert_eq!(end, Ok(()));
        options
    };
    let mistake = |text: &str| Err(text.to_owned());
    assert_eq!(
        options("-A"),
        [mistake("option requires an argument -- 'A'")]
    );
    assert_eq!(options("-q"), [mistake("invalid option -- 'q'")]);
    assert_eq!(options("--q=1"), [mistake("unrecognized option '--q=1'")]);
    assert_eq!(
        options("--tcp=1"),
        [mistake("option '--tcp' doesn't allow an argument")]
    );
    assert_eq!(
        options("--c"),
        [mistake(
            "option '--c' is ambiguous; possibilities: '--continuous' '--cache' '--context'"
        )]
    );
}

#[test]
fn columns_come_from_where_they_are_told() {
    assert!(!netstat("-tanpW").query.extensions.proc_net);
    assert!(netstat("-tane").query.extensions.proc_net);
    assert!(netstat("-tano").query.extensions.proc_net);
    let plain = netstat("-t").query;
    assert_eq!(plain.lookups.owners, None);
    assert!(!plain.lookups.users);
    assert!(netstat("-tep").query.lookups.owners.is_some());
    assert!(netstat("-te").query.lookups.users);
    assert!(!netstat("-te --numeric-users").query.lookups.users);
    let resolved = |words: &str| -> Vec<bool> {
        let parts = netstat(words).parts.into_iter();
        parts.map(|part| part.query.hosts.is_some()).collect()
    };
    assert_eq!(resolved("-t"), [true]);
    assert_eq!(resolved("-tx"), [true, false], "unix sockets have no hosts");
    for words in ["-n", "--numeric", "--numeric-hosts"] {
        assert_eq!(resolved(words), [false; 3], "{words}");
        assert!(!layout(&netstat(words)).names_hosts, "{words}");
    }
}

#[test]
fn all_wins_over_listening_and_rounds_are_endless_when_asked() {
    assert_eq!(layout(&netstat("-la")).selection, Selection::All);
    assert_eq!(layout(&netstat("-l")).selection, Selection::Listening);
    assert_eq!(layout(&netstat("")).selection, Selection::Connected);
    assert!(!netstat("").is_continuous);
    assert!(netstat("-c").is_continuous);
}

#[test]
fn no_byte_reaches_a_terminal_raw() {
    assert!(!layout(&netstat("")).escapes_names);
    let terminal = Terminal {
        is_terminal: true,
        ..Terminal::default()
    };
    let Ok(Command::Netstat(netstat)) = parse([], terminal) else {
        panic!("no listing");
    };
    assert!(layout(&netstat).escapes_names);
}

#[test]
fn first_mistake_ends_the_reading() {
    let verdict = |words: &str| match parse(words.split(' ').map(Into::into), Terminal::default()) {
        Ok(Command::Refuse(_, verdict)) => verdict,
        Ok(Command::Print(_)) => Verdict::Done,
        other => panic!("{other:?}"),
    };
    assert_eq!(verdict("-q -A bogus"), Verdict::Misused);
    assert_eq!(verdict("-A bogus -q"), Verdict::Failed);
    assert_eq!(verdict("-A inet,bogus,unix"), Verdict::Failed);
    assert_eq!(verdict("-r -h"), Verdict::Done);
    assert_eq!(verdict("-r"), Verdict::Trouble);
    assert_eq!(verdict("-rq"), Verdict::Misused);
}

#[test]
fn sockets_are_taken_for_listeners_as_netstat_takes_them() {
    let end = |ip: &str, port| Endpoint {
        ip: Some(ip.parse().unwrap()),
        port,
        ..Endpoint::default()
    };
    let socket = |protocol, state, peer: Endpoint| {
        let family = match peer.ip {
            _ if protocol == Protocol::Unix => Family::Unix,
            Some(ip) if ip.is_ipv6() => Family::Inet6,
            _ => Family::Inet,
        };
        let mut socket = Socket::new(protocol, family);
        (socket.state, socket.peer) = (state, peer);
        socket
    };
    for (waits, socket) in [
        (
            true,
            socket(Protocol::Tcp, State::Listen, end("0.0.0.0", None)),
        ),
        (
            true,
            socket(Protocol::Tcp, State::SynSent, end("192.0.2.1", None)),
        ),
        (
            false,
            socket(Protocol::Tcp, State::SynSent, end("192.0.2.1", Some(1))),
        ),
        (true, socket(Protocol::Udp, State::Unconn, end("::", None))),
        (
            false,
            socket(Protocol::Udp, State::Unconn, end("::ffff:0.0.0.0", None)),
        ),
        (
            false,
            socket(Protocol::Raw, State::Established, end("127.0.0.1", None)),
        ),
        (
            true,
            socket(Protocol::Unix, State::Listen, Endpoint::default()),
        ),
        (
            false,
            socket(Protocol::Unix, State::Unconn, Endpoint::default()),
        ),
    ] {
        for (words, listed) in [("-a", true), ("-l", waits), ("", !waits)] {
            let rule = netstat(words).query.rule(socket.table());
            let decision = rule.decide(&Row::bare(&socket), &mut |_| false);
            let expected = if listed { Decision::Yes } else { Decision::No };
            assert_eq!(decision, expected, "{words} {socket:?}");
        }
    }
}

#[test]
fn kernel_is_asked_for_what_is_listed_and_no_more() {
    for family in [Family::Inet, Family::Inet6] {
        let table = Table::new(Protocol::Tcp, family);
        let asked = |words: &str| {
            let query = netstat(words).query;
            let request = query.request(&query.rule(table));
            (request.states, !request.narrow.program.is_empty())
        };
        assert_eq!(asked("-ta"), (StateSet::ALL, false));
        let (states, is_narrowed) = asked("-tl");
        assert!(states.contains(State::Listen) && states.contains(State::SynSent));
        assert!(is_narrowed);
        let connected = asked("-t").0;
        assert!(!connected.contains(State::Listen));
        assert!(connected.contains(State::SynRcvd) && connected.contains(State::TimeWait));
    }
}
