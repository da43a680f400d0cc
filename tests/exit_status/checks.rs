//! Counts and durations that are none, and checks that do not go together.

use super::assert_refused;
use crate::support::lsock;

/// Each value of an option is refused, and named in the message.
fn assert_no_value(option: &str, values: &[&str], message: &str) {
    for value in values {
        for mode in [&["-tl"][..], &["-tlq"], &["-E"]] {
            let attempt = lsock([mode, &[option, value, "sport = 1"]].concat());
            attempt.assert_speaks_plainly();
            let said = format!("lsock: {option}: \"{}\" {message}\n", value.escape_debug());
            assert_eq!(attempt.stderr, said, "{mode:?}");
            assert_eq!(attempt.status, Some(2), "{mode:?} {value}");
            assert!(attempt.stdout.is_empty(), "{mode:?} {value}");
        }
    }
}

#[test]
fn count_that_is_none_is_a_usage_error() {
    let values = [
        "",
        "..",
        "-1",
        "-1..",
        "..-1",
        "+1",
        "1.5",
        "4..2",
        "1-2",
        "1...",
        "one",
        "0x10",
        "1 ",
        "-q",
        "18446744073709551616",
        "1..99999999999999999999",
        "..=3",
    ];
    let message = "is not a count (expected 3, 1.., ..5 or 2..4)";
    assert_no_value("--expect", &values, message);
}

#[test]
fn duration_that_is_none_is_a_usage_error() {
    let values = [
        "",
        "soon",
        "-1",
        "-1s",
        "+1",
        "1 s",
        "1.s",
        ".5s",
        "3k",
        "1h30m",
        "s",
        "1e3",
        "inf",
        "-q",
        "99999999999999999999",
        "18446744073709551615s",
        "999999999d",
    ];
    let message = "is not a duration (expected 500ms, 30s or 5m)";
    assert_no_value("--wait", &values, message);
}

#[test]
fn option_without_its_value_is_a_usage_error() {
    assert_refused(&[
        ("count", &["--expect"], "a value is required", "--expect"),
        ("duration", &["--wait"], "a value is required", "--wait"),
    ]);
}

#[test]
fn checks_that_do_not_go_together_are_a_usage_error() {
    assert_refused(&[
        (
            "wait for a recording",
            &["--wait", "1s", "--replay", "x"],
            "--replay cannot be combined with --wait",
            "never changes",
        ),
        (
            "wait for no time for a recording",
            &["--wait", "0", "--replay", "x"],
            "--replay cannot be combined with --wait",
            "",
        ),
        (
            "recording of a wait",
            &["--wait", "1s", "-D", "/nonexistent/x"],
            "-D cannot be combined with --wait",
            "",
        ),
        (
            "wait for a summary",
            &["-s", "--wait", "1s"],
            "-s cannot be combined with --wait",
            "",
        ),
        (
            "summary that nobody sees",
            &["-sq"],
            "-q with -s needs --expect or --fail-on",
            "--fail-on",
        ),
        (
            "check of an explanation",
            &["--explain", "listen", "-q"],
            "the argument '--explain <STATE>' cannot be used",
            "",
        ),
    ]);
}
