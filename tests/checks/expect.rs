//! `--expect`: the listing as usual, and a line where it is not so.

use std::process::Stdio;

use super::*;

/// Three listeners, of whom two listen at loopback of IPv4.
fn three() -> [OwnedFd; 3] {
    [V4, V4, V6].map(|ip| tcp::listener(ip, 1).unwrap())
}

#[test]
fn count_that_holds_adds_nothing() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    let plain = lsock(["-tln"]);
    for count in ["3", "1..", "3..", "..3", "..5", "2..4", "0.."] {
        let checked = lsock(["-tln", "--expect", count]);
        assert_eq!(told(&checked), (Some(0), ""), "{count}");
        assert_eq!(checked.stdout, plain.stdout, "{count}");
    }
}

#[test]
fn count_that_fails_is_one_line_behind_the_same_listing() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    let plain = lsock(["-tln"]);
    for (count, expected) in [
        ("0", "no TCP listener"),
        ("1", "exactly 1 TCP listener"),
        ("..2", "at most 2 TCP listeners"),
        ("4..", "at least 4 TCP listeners"),
        ("4..9", "4 to 9 TCP listeners"),
        (
            "18446744073709551615",
            "exactly 18446744073709551615 TCP listeners",
        ),
    ] {
        let checked = lsock(["-tln", "--expect", count]);
        let message = format!("lsock: expected {expected}, found 3\n");
        assert_eq!(told(&checked), (Some(1), message.as_str()));
        assert_eq!(checked.stdout, plain.stdout, "{count}");
    }
}

#[test]
fn line_tells_what_was_asked_for_in_words() {
    let Some(_namespace) = fresh() else { return };
    for (words, expected) in [
        (&["-t4"][..], "at least 1 connected IPv4 TCP socket"),
        (&["-tual6"], "at least 1 IPv6 TCP, UDP or UDP-Lite socket"),
        (&["-xl"], "at least 1 unix listener"),
        (
            &["-l", "src", "127/8"],
            "at least 1 listener where src = 127.0.0.0/8",
        ),
        (
            &["-t", "state", "close-wait", "process", "=", "api"],
            "at least 1 TCP socket where state CLOSE_WAIT and process = \"api\"",
        ),
    ] {
        let checked = lsock([words, &["--expect", "1.."]].concat());
        let message = format!("lsock: expected {expected}, found none\n");
        // There may be a process that even root cannot read, in front of it.
        assert!(checked.stderr.ends_with(&message), "{checked:?}");
        assert_eq!(checked.status, Some(1), "{checked:?}");
    }
}

#[test]
fn every_format_is_checked_and_whole() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    for format in ["table", "plain", "json", "ndjson", "csv"] {
        let plain = lsock(["-tln", "--format", format]);
        for (count, status) in [("3", 0), ("0", 1)] {
            let checked = lsock(["-tln", "--format", format, "--expect", count]);
            assert_eq!(checked.status, Some(status), "{format}: {checked:?}");
            // The document holds the time.
            if format != "json" {
                assert_eq!(checked.stdout, plain.stdout, "{format}");
            }
        }
    }
    let failed = lsock(["-tlnj", "--expect", "0"]).document();
    assert_eq!(failed["summary"]["matched"], 3);
    assert_eq!(failed["summary"]["complete"], true);
}

#[test]
fn limit_shows_fewer_and_all_are_counted() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    for more in [&[][..], &["--sort", "local_port"]] {
        for (count, status) in [("3", 0), ("2", 1)] {
            let words = ["-tlnH", "--limit", "2", "--expect", count];
            let checked = lsock([&words, more].concat());
            assert_eq!(checked.status, Some(status), "{checked:?}");
            assert_eq!(lines(&checked).len(), 2);
        }
    }
    let limited = lsock(["-tlnj", "--limit", "1", "--expect", "3"]).document();
    assert_eq!(limited["summary"]["matched"], 1);
    assert_eq!(limited["summary"]["limited"], true);
}

#[test]
fn sockets_that_a_summary_counts_are_checked() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    let whole = lsock(["-st"]);
    for (count, status) in [("3", 0), ("0", 1)] {
        let checked = lsock(["-st", "--expect", count]);
        assert_eq!(checked.status, Some(status), "{checked:?}");
        assert_eq!(checked.stdout, whole.stdout);
    }
}

#[test]
fn reader_that_leaves_changes_no_answer() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    for (count, status) in [("3", 0), ("0", 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        close(reader);
        let mut program = program();
        program.args(["-tln", "--expect", count]).stdout(writer);
        let checked = Child::start(program.stderr(Stdio::piped())).end();
        assert_eq!(checked.status, Some(status), "{checked:?}");
    }
}

#[test]
fn recording_is_checked_like_the_machine() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = three();
    let recording = crate::recording::file_of(b"");
    let path = recording.path().to_str().unwrap();
    lsock(["-taD", path]);
    for (count, status) in [("3", 0), ("0", 1)] {
        let checked = lsock(["-tln", "--replay", path, "--expect", count]);
        assert_eq!(checked.status, Some(status), "{checked:?}");
    }
}

#[test]
fn filter_that_wants_nothing_of_what_is_listed_finds_none() {
    let checked = lsock(["-t", "--expect", "1..", "protocol", "=", "udp"]);
    assert_eq!(checked.status, Some(1), "{checked:?}");
    assert!(
        checked.stderr.contains("excludes everything"),
        "{checked:?}"
    );
}

#[test]
fn every_family_and_protocol_that_a_filter_names_is_counted() {
    let Some(_namespace) = fresh() else { return };
    let _pair = std::os::unix::net::UnixStream::pair().unwrap();
    for filter in [
        "family = unix",
        "family = unix,packet,netlink",
        "protocol = unix,packet,netlink,mptcp",
        "protocol = tcp,udp,udplite,raw,icmp,mptcp,unix,packet,netlink",
        "family ~ *i*",
        "protocol ~ *",
    ] {
        let checked = lsock(["-aq", "--expect", "0", filter]);
        assert_eq!(checked.status, Some(1), "{filter}: {}", checked.stderr);
    }
    for filter in [
        "family != unix",
        "protocol != unix,netlink",
        "not family = unix",
    ] {
        let checked = lsock(["-aq", "--expect", "0", filter]);
        assert_eq!(checked.status, Some(0), "{filter}: {}", checked.stderr);
    }
}
