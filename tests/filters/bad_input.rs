//! Expressions that mean nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::support::{Run, lsock, skip};

/// Whether the message is `lsock: filter: …`, the text, and a mark below it at `column`.
fn is_refused(attempt: &Run, text: &str, column: Option<usize>, part: &str) -> bool {
    attempt.assert_speaks_plainly();
    let lines: Vec<&str> = attempt.stderr.lines().collect();
    let [first, shown, mark, ..] = lines[..] else {
        return false;
    };
    let spaces = mark.len() - mark.trim_start().len();
    let is_mark = !mark.trim().is_empty() && mark.trim().bytes().all(|byte| byte == b'^');
    attempt.status == Some(2)
        && attempt.stdout.is_empty()
        && first.starts_with("lsock: filter: ")
        && attempt.stderr.contains(part)
        && shown == format!("  {text}")
        && is_mark
        && column.is_none_or(|column| spaces == column + 2)
}

/// Each expression is refused, with the mark at this column and this in the message.
fn assert_refused(rows: &[(&str, Option<usize>, &str)]) {
    let mut wrong = Vec::new();
    for (text, column, part) in rows {
        let attempt = lsock(["-t", text]);
        if !is_refused(&attempt, text, *column, part) {
            wrong.push(format!("{text}: {column:?} {part:?}: {attempt:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn value_that_is_none_is_marked() {
    assert_refused(&[
        ("sport >= )", Some(9), ")"),
        ("sport = 70000", Some(8), "70000"),
        ("sport = :70000", None, "70000"),
        ("sport = 90-80", Some(8), ""),
        ("sport = 80-", None, ""),
        ("sport = nosuchservice", Some(8), "nosuchservice"),
        ("sport > 80,443", None, ""),
        ("pid = abc", Some(6), "abc"),
        ("pid = -1", Some(6), ""),
        ("inode = abc", Some(8), "abc"),
        ("recv_queue > 5Q", Some(13), "5Q"),
        ("recv_queue > 99999999999999999999", Some(13), ""),
        ("timer < 5x", Some(8), "5x"),
        ("cookie = xyz", Some(9), "xyz"),
        ("fwmark = 5/", None, ""),
        ("protocol = tpc", Some(11), "tcp"),
        ("state listn", Some(6), "listen"),
        ("state listen,", None, ""),
        ("src 1.2.3.4/33", None, "33"),
        ("src ::1/129", None, "129"),
        ("src [::1", None, ""),
    ]);
}

#[test]
fn operator_that_does_not_fit_is_refused() {
    assert_refused(&[
        ("cookie > 5", None, "cookie"),
        ("recv_queue ~ 5", None, "recv_queue"),
        ("protocol > tcp", None, "protocol"),
        ("sport ~ 8*", None, "sport"),
        ("src > 10/8", None, "src"),
        ("process > sleep", None, "process"),
        ("state > listen", None, ""),
    ]);
}

#[test]
fn unknown_name_is_refused_with_a_near_one() {
    assert_refused(&[
        ("sorce 10/8", Some(0), "src"),
        ("sprot = 80", Some(0), "sport"),
        ("tcp_info.rrt > 5ms", Some(0), "rtt"),
        ("sport = 80 and recv_qeue > 0", Some(15), "recv_queue"),
        ("zzzzzzzz = 1", Some(0), "zzzzzzzz"),
    ]);
}

#[test]
fn name_of_what_is_not_on_this_machine_is_refused_with_a_near_one() {
    assert_refused(&[
        ("dev lo0typo", Some(4), "there is no interface \"lo0typo\""),
        ("dev != loo", Some(7), "did you mean lo?"),
        ("not interface = lo,loo", Some(16), "did you mean lo?"),
        ("src fe80::1%loo", Some(4), "did you mean lo?"),
        ("user rooot", Some(5), "did you mean root?"),
        ("process_user = rooot", Some(15), "did you mean root?"),
        ("cong = renno", Some(7), "did you mean reno?"),
        ("netns = nosuch", Some(8), "there is no network namespace"),
        ("sport = htpp", Some(8), "did you mean http?"),
        ("src netlink:rotue", Some(4), "did you mean route?"),
    ]);
}

#[test]
fn cgroup_that_is_not_there_is_refused() {
    if lsock(["-tl", "cgroup = /"]).status != Some(0) {
        skip("cgroup2 is not mounted");
        return;
    }
    let part = "there is no cgroup \"/nosuch\"";
    assert_refused(&[
        ("cgroup /nosuch", Some(7), part),
        ("cgroup != /nosuch", Some(10), part),
    ]);
}

#[test]
fn in_a_recording_every_name_stays_a_test() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("sockets");
    let file = file.to_str().unwrap();
    lsock(["-tan", "-D", file]).done();
    for (filter, is_untold) in [
        ("dev = lo0typo", false),
        ("dev != lo0typo", false),
        ("cong = renno", true),
        ("user = nosuchuser", true),
        ("cgroup = /nosuch", true),
    ] {
        let run = lsock(["-tanj", "--replay", file, filter]);
        let allowed = [0, if is_untold { 2 } else { 0 }];
        assert!(allowed.contains(&run.status.unwrap()), "{filter}: {run:?}");
        let wanted = filter.contains("!=");
        assert!(wanted || run.sockets().is_empty(), "{filter}: {run:?}");
    }
}

#[test]
fn name_of_several_fields_is_refused_with_all_of_them() {
    // A part of the timer, of `tcp_info` and of `mptcp_info`.
    assert_refused(&[("retransmits > 0", Some(0), "tcp_info.retransmits")]);
}

#[test]
fn expression_that_is_cut_or_joined_wrongly_is_refused() {
    assert_refused(&[
        ("sport", None, "sport"),
        ("sport =", None, ""),
        ("state", None, ""),
        ("exclude", None, ""),
        ("and", Some(0), ""),
        ("not", None, ""),
        ("()", Some(1), ""),
        ("= 80", Some(0), ""),
        ("~ x", Some(0), ""),
        ("(sport = 80", None, ""),
        ("sport = 80)", Some(10), ")"),
        ("((sport = 80)", None, ""),
        ("sport = 80 and", None, ""),
        ("sport = 80 or or dport = 1", Some(14), ""),
        ("or sport = 80", Some(0), ""),
        ("src \"/run/x", None, ""),
    ]);
}

#[test]
fn name_of_a_host_needs_resolve() {
    assert_refused(&[
        ("src example.org", Some(4), "-r"),
        ("dst localhost:80", Some(4), "-r"),
    ]);
}

#[test]
fn words_of_several_arguments_are_shown_as_one_text() {
    let attempt = lsock(["-t", "sport", ">=", ")"]);
    assert!(
        is_refused(&attempt, "sport >= )", Some(9), ")"),
        "{attempt:?}"
    );
}

#[test]
fn control_characters_of_the_text_reach_no_terminal() {
    for text in [
        "src \u{1b}]0;title\u{7}",
        "\u{1b}[2J = 5",
        "sport = \u{9b}31m",
        "sport = 80\u{1b}[31m)",
        "foo\u{7f}bar = 1",
        "state \u{202e}netsil",
        "sport = 1\r\nlsock: all is well",
    ] {
        let attempt = lsock(["-t", text]);
        assert_eq!(attempt.status, Some(2), "{attempt:?}");
        assert!(attempt.stdout.is_empty());
        let raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!attempt.stderr.contains(raw), "{attempt:?}");
        let invented = |line: &str| line.starts_with("lsock: all");
        assert!(!attempt.stderr.lines().any(invented), "{attempt:?}");
    }
}

#[test]
fn argument_that_is_no_text_is_refused() {
    for bytes in [&b"src /tmp/\xff*"[..], b"\xff", b"sport = 80 \xc3("] {
        let words: Vec<OsString> = vec!["-t".into(), OsStr::from_bytes(bytes).to_owned()];
        let attempt = lsock(words);
        attempt.assert_speaks_plainly();
        assert_eq!(attempt.status, Some(2), "{attempt:?}");
        assert!(attempt.stdout.is_empty(), "{attempt:?}");
        assert!(attempt.stderr.starts_with("lsock: "), "{attempt:?}");
    }
}

#[test]
fn error_is_told_before_anything_is_asked() {
    // No format, and no other wish, makes any data of it.
    for words in [
        &["-j"][..],
        &["--format", "csv"],
        &["-H", "--format", "plain"],
        &["--sort", "uid", "--limit", "1"],
        &["-p", "-i", "-m"],
    ] {
        let attempt = lsock([words, &["-ta", "sport >= )"]].concat());
        assert!(
            is_refused(&attempt, "sport >= )", Some(9), ")"),
            "{attempt:?}"
        );
    }
}
