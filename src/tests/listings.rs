//! What is listed, and what is said of it.

use std::io;

use super::*;
use crate::mode::fake::{list_again, repeating};
use crate::model::{Cause, Warning};
use crate::render::Order;

fn refused(table: Table) -> Error {
    Error::Netlink(table, io::ErrorKind::PermissionDenied.into())
}

fn unnamed() -> Warning {
    Warning::UnnamedPeers(Cause::from(Error::NotInProc(TCP)))
}

const LOST: &str = "lsock: incomplete list: IPv4 TCP sockets: ";

#[test]
fn whole_list_is_shown_without_a_word() {
    let run = list(&["-tlnH"], look(listeners(3)));
    assert_eq!((run.told(), run.lines()), ((0, ""), 3));
    assert!(run.out.contains(" 127.0.0.1:2 "), "{}", run.out);
}

#[test]
fn sockets_of_other_states_and_tables_are_left_out() {
    let sockets = [
        tcp(State::Established, "10.0.0.1:22", "10.0.0.2:40000"),
        listener(80),
        listener_at("[::1]:81"),
    ];
    for (words, shown) in [
        ("-tlnH", 2),
        ("-tln4H", 1),
        ("-tnH", 1),
        ("-tanH", 3),
        ("-xanH", 0),
    ] {
        let run = list(&[words], look(sockets.clone()));
        assert_eq!((run.told(), run.lines()), ((0, ""), shown), "{words}");
    }
}

#[test]
fn table_that_cannot_be_read_is_an_error_and_the_others_are_shown() {
    let look = look([listener(80), listener_at("[::1]:81")]).fails(TCP, || refused(TCP));
    let run = list(&["-tlnH"], look);
    assert_eq!((run.status(), run.lines()), (2, 1));
    assert_eq!(run.messages.lines().count(), 1, "{}", run.messages);
    assert!(run.messages.contains("IPv4 TCP"), "{}", run.messages);
}

#[test]
fn table_that_must_not_be_asked_for_ends_the_run() {
    let look = look(listeners(1)).fails(TCP, || Error::Usage("not so".to_owned()));
    let run = list(&["-tln"], look);
    assert!(matches!(run.verdict, Err(Error::Usage(_))), "{run:?}");
}

#[test]
fn table_that_the_kernel_does_not_have_is_no_trouble() {
    let look = look(listeners(2)).lacks(TCP6, Cause::from(Error::NotInProc(TCP6)));
    let run = list(&["-tlnH"], look);
    assert_eq!((run.told(), run.lines()), ((0, ""), 2));
}

#[test]
fn gap_makes_the_list_incomplete() {
    let gap = Warning::failed("/proc/net/tcp: empty, not even a header");
    let run = list(&["-tlnH"], look(listeners(2)).warns(TCP, gap.clone()));
    let message = format!("lsock: incomplete list: {gap}\n");
    assert_eq!((run.told(), run.lines()), ((2, message.as_str()), 2));
    let json = list(&["-tlnj"], look(listeners(2)).warns(TCP, gap));
    assert!(json.out.contains("\"complete\":false"), "{}", json.out);
}

#[test]
fn warning_is_said_and_the_list_is_complete() {
    let run = list(&["-tlnj"], look(listeners(2)).warns(TCP, unnamed()));
    let message = format!("lsock: warning: {}\n", unnamed());
    assert_eq!(run.told(), (0, message.as_str()));
    assert!(run.out.contains("\"complete\":true"), "{}", run.out);
}

#[test]
fn warning_of_round_after_round_is_said_once_and_a_gap_when_it_comes() {
    let gap = Warning::failed("/proc/net/tcp: empty, not even a header");
    let mut said = Vec::new();
    let mut messages = repeating(&mut said);
    let query = query(&["-tlnH"]);
    for has_gap in [false, true, true, false, true] {
        let look = look(listeners(1)).warns(TCP, unnamed());
        let look = if has_gap {
            look.warns(TCP, gap.clone())
        } else {
            look
        };
        list_again(&query, look, &mut messages).unwrap();
    }
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.matches("warning: ").count(), 1, "{said}");
    assert_eq!(said.matches("incomplete list: ").count(), 2, "{said}");
}

#[test]
fn limit_ends_the_list() {
    for (limit, shown) in [("1", 1), ("3", 3), ("4", 4), ("9", 4)] {
        let run = list(&["-tlnH", "--limit", limit], look(listeners(4)));
        assert_eq!((run.told(), run.lines()), ((0, ""), shown), "{limit}");
    }
    let beyond = look(listeners(2)).fails(TCP6, || refused(TCP6));
    let run = list(&["-tlnH", "--limit", "1"], beyond);
    assert_eq!(
        (run.told(), run.lines()),
        ((0, ""), 1),
        "not asked for any more"
    );
}

#[test]
fn rows_are_in_an_order_for_reading_on_a_terminal_alone() {
    let order = |words: &[&str], is_terminal| match parsed_at(words, is_terminal).unwrap() {
        Command::List(query) => query.order,
        other => panic!("{words:?}: {other:?}"),
    };
    assert_eq!(order(&["-tan"], true), Order::Usual);
    assert_eq!(order(&["-tan", "--format", "table"], true), Order::Usual);
    assert_eq!(order(&["-tan"], false), Order::Kernel);
    for more in [
        &["--format", "plain"][..],
        &["--json"],
        &["--sort", "none"],
        &["--output", "file"],
    ] {
        assert_eq!(
            order(&[&["-tan"], more].concat(), true),
            Order::Kernel,
            "{more:?}"
        );
    }
    assert!(
        matches!(order(&["-tan", "--sort", "inode"], true), Order::Keys(keys) if keys.len() == 1)
    );
}

#[test]
fn sorted_rows_come_in_their_order_and_limited_behind_it() {
    let ports = |words: &[&str]| {
        let run = list(words, look([80, 22, 443, 8080].map(listener)));
        assert_eq!(run.told(), (0, ""));
        run.out.trim().replace("\r\n", " ")
    };
    let sorted = |key| {
        ports(&[
            "-tlH",
            "--format",
            "csv",
            "--columns",
            "local_port",
            "--sort",
            key,
        ])
    };
    assert_eq!(sorted("local_port"), "22 80 443 8080");
    assert_eq!(sorted("-local_port"), "8080 443 80 22");
    let words = ["-tlH", "--columns", "local_port", "--format", "csv"];
    let limited = [&words[..], &["--sort", "-local_port", "--limit", "2"]].concat();
    assert_eq!(ports(&limited), "8080 443");
}

#[test]
fn filter_for_what_the_source_does_not_tell_cannot_be_answered() {
    let mut known = listener(80);
    known.mark = Some(7);
    let run = list(&["-tlnH", "mark = 7"], look([known, listener(81)]));
    assert_eq!((run.status(), run.lines()), (2, 1));
    let message = "lsock: incomplete list: IPv4 TCP sockets: the filter needs mark, which requires \
                   CAP_NET_ADMIN; run as root\n";
    assert_eq!(run.messages, message);
}

#[test]
fn filter_for_what_is_not_listed_is_warned_of() {
    let run = list(&["-tlnH", "protocol = udp"], look(listeners(1)));
    let message = "lsock: warning: the filter excludes everything that the options list\n";
    assert_eq!((run.told(), run.lines()), ((0, message), 0));
}

#[test]
fn disturbed_dump_is_repeated_while_its_rows_are_kept() {
    for words in [
        &["-tlnH", "--sort", "local_port"][..],
        &["-tlnH", "--format", "table"],
        &["-tlnH", "--limit", "9"],
        &["-tlnH", "--sort", "local_port", "--limit", "4"],
    ] {
        for behind in 0..=4 {
            let run = list(words, look(listeners(4)).disturbed(TCP, behind));
            assert_eq!(
                (run.told(), run.lines()),
                ((0, ""), 4),
                "{words:?}, {behind}"
            );
        }
    }
}

#[test]
fn disturbed_dump_is_repeated_before_its_first_row_and_not_behind_it() {
    for format in ["plain", "ndjson", "csv"] {
        let words = ["-tlnH", "--format", format];
        let whole = list(&words, look(listeners(4)).disturbed(TCP, 0));
        assert_eq!((whole.told(), whole.lines()), ((0, ""), 4), "{format}");
        for behind in 1..=4 {
            let run = list(&words, look(listeners(4)).disturbed(TCP, behind));
            assert_eq!((run.status(), run.lines()), (2, behind), "{format}");
            assert!(run.messages.starts_with(LOST), "{}", run.messages);
        }
    }
}

#[test]
fn rows_that_were_left_out_are_no_rows_shown() {
    let run = list(
        &["-tlnH", "sport > 2"],
        look(listeners(4)).disturbed(TCP, 2),
    );
    assert_eq!((run.told(), run.lines()), ((0, ""), 2));
}

#[test]
fn loss_in_one_table_leaves_the_next_one_whole() {
    let sockets = [listener(80), listener(81), listener_at("[::1]:82")];
    let run = list(&["-tlnH"], look(sockets).disturbed(TCP, 1));
    assert_eq!((run.status(), run.lines()), (2, 2));
    assert!(run.out.contains(" [::1]:82 "), "{}", run.out);
}

#[test]
fn reader_that_leaves_ends_the_list() {
    let page = Page {
        is_closed: true,
        ..Page::default()
    };
    let run = list_to(&page, &["-tln"], look(listeners(3)));
    let error = run.verdict.unwrap_err();
    assert!(error.is_broken_pipe(), "{error:?}");
    let run = list_to(&page, &["-tln", "--expect", "3"], look(listeners(3)));
    assert_eq!(run.told(), (0, ""), "somebody still asks for the status");
    let run = list_to(&page, &["-tln", "--expect", "2"], look(listeners(3)));
    assert_eq!(run.status(), 1);
}
