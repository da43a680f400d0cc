//! What the options of `netstat` come to.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use super::super::{Command, Terminal};
use super::getopt::{Given, Options};
use super::parse;
use crate::exit::Verdict;
use crate::model::Protocol;
use crate::query::netstat::{Absence, Netstat, Rounds, Step};
use crate::render::{Banner, Bytes, Hosts, Section};

fn netstat(words: &str) -> Netstat {
    let words = words.split_whitespace().map(Into::into);
    match parse(words, Terminal::default()) {
        Command::Netstat(query) => *query,
        other => panic!("{other:?}"),
    }
}

/// The steps in short: `inet tcp46 sctp! …`, with `!` what must be there and with `?` what is told.
fn steps(words: &str) -> String {
    let mark = |absence| match absence {
        Absence::Silent => "",
        Absence::Told => "?",
        Absence::Final => "!",
    };
    let step = |step: &Step| match step {
        Step::Begin(Section::Internet) => "inet:".to_owned(),
        Step::Begin(Section::Unix) => "unix:".to_owned(),
        Step::Tables(tables, absence) => {
            let protocol = tables.first().unwrap().protocol;
            let families = tables.iter().map(|table| match table.family {
                crate::model::Family::Inet => "4",
                crate::model::Family::Inet6 => "6",
                _ => "",
            });
            let families: String = families.collect();
            format!("{protocol}{families}{}", mark(*absence))
        }
        Step::Other(other, absence) => {
            let name = other.files.first().unwrap().trim_start_matches("net/");
            format!("{name}{}", mark(*absence))
        }
        Step::Never(name) => format!("{name}!"),
    };
    let steps: Vec<String> = netstat(words).steps.iter().map(step).collect();
    steps.join(" ")
}

#[test]
fn without_a_protocol_everything_is_listed_and_nothing_must_be_there() {
    assert_eq!(
        steps(""),
        "inet: tcp46 sctp/assocs udp46 udplite46 raw46 unix: unix ipx/socket ax25 x25 nr rose"
    );
    assert_eq!(
        steps("-av"),
        "inet: tcp46? sctp/eps? sctp/assocs? udp46? udplite46? raw46? unix: unix? ipx/socket? \
         ax25? x25? nr? rose?"
    );
}

#[test]
fn a_protocol_named_must_be_there_unless_its_family_was_named() {
    assert_eq!(steps("-t"), "inet: tcp46!");
    assert_eq!(steps("-tul"), "inet: tcp46! udp46!");
    assert_eq!(steps("-Sl"), "inet: sctp/eps!");
    assert_eq!(steps("-6"), "inet: tcp6 udp6 udplite6 raw6");
    assert_eq!(steps("-4"), "inet: tcp4 sctp/assocs udp4 udplite4 raw4");
    assert_eq!(steps("-4 -t"), "inet: tcp4!");
    assert_eq!(steps("-46w"), "inet: raw46!");
}

#[test]
fn families_add_to_protocols() {
    assert_eq!(steps("-x"), "unix: unix!");
    assert_eq!(steps("-xt"), "inet: tcp46! unix: unix!");
    assert_eq!(
        steps("-A unix,inet"),
        "inet: tcp4 sctp/assocs udp4 udplite4 raw4 unix: unix!"
    );
    assert_eq!(steps("--ipx --x25"), "ipx/socket! x25!");
    assert_eq!(steps("-2"), "AF BLUETOOTH!");
    assert_eq!(steps("-xf"), "unix: unix! AF BLUETOOTH!");
    // Known, and without sockets.
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
        Options::new(words.split_whitespace().map(Into::into)).collect()
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
    assert!(!netstat("-tanpW").extensions.proc_net);
    assert!(netstat("-tane").extensions.proc_net);
    assert!(netstat("-tano").extensions.proc_net);
    let plain = netstat("-t");
    assert_eq!(plain.lookups.owners, None);
    assert!(!plain.lookups.users);
    assert!(netstat("-tep").lookups.owners.is_some());
    assert!(netstat("-te").lookups.users);
    assert!(!netstat("-te --numeric-users").lookups.users);
    assert!(plain.names_hosts());
    for words in ["-n", "--numeric", "--numeric-hosts"] {
        assert_eq!(netstat(words).layout.hosts, Hosts::Numeric, "{words}");
    }
}

#[test]
fn all_wins_over_listening_and_rounds_are_endless_when_asked() {
    assert_eq!(netstat("-la").layout.banner, Banner::All);
    assert_eq!(netstat("-l").layout.banner, Banner::Listening);
    assert_eq!(netstat("").layout.banner, Banner::Connected);
    assert_eq!(netstat("").rounds, Rounds::One);
    assert_eq!(netstat("-c").rounds, Rounds::Endless);
}

#[test]
fn no_byte_reaches_a_terminal_raw() {
    let terminal = Terminal {
        is_terminal: true,
        ..Terminal::default()
    };
    let Command::Netstat(query) = parse([], terminal) else {
        panic!("no listing");
    };
    assert_eq!(query.layout.bytes, Bytes::Escaped);
    assert_eq!(netstat("").layout.bytes, Bytes::Raw);
}

#[test]
fn first_mistake_ends_the_reading() {
    let verdict = |words: &str| match parse(words.split(' ').map(Into::into), Terminal::default()) {
        Command::Refuse(_, verdict) => verdict,
        Command::Print(_) => Verdict::Done,
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
    use crate::model::{Endpoint, Family, Socket, State};
    let end = |ip: &str, port| Endpoint {
        ip: Some(ip.parse().unwrap()),
        port,
        ..Endpoint::default()
    };
    let socket = |protocol, state, peer: Endpoint| {
        let mut socket = Socket::new(protocol, Family::Inet);
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
        assert!(netstat("-a").lists(&socket), "{socket:?}");
        assert_eq!(netstat("-l").lists(&socket), waits, "{socket:?}");
        assert_eq!(netstat("").lists(&socket), !waits, "{socket:?}");
    }
}
