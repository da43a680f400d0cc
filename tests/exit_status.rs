//! What is asked wrongly ends with 2 and a message, what is asked rightly with 0.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use tempfile::TempDir;

use crate::support::{Run, lsock};

mod checks;
mod usage;

/// Name, arguments, the begin of the message behind `lsock: `, another part of it.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
);

/// Each row ends with 2, its message and nothing on standard output.
fn assert_refused(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (name, arguments, begin, part) in rows {
        let attempt = lsock(*arguments);
        if !is_refused(&attempt, begin, part) {
            wrong.push(format!("{name}: lsock {arguments:?}: {attempt:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_refused(attempt: &Run, begin: &str, part: &str) -> bool {
    attempt.assert_speaks_plainly();
    attempt.status == Some(2)
        && attempt.stdout.is_empty()
        && attempt.stderr.starts_with(&format!("lsock: {begin}"))
        && attempt.stderr.contains(part)
}

#[test]
fn file_that_cannot_be_had_is_named_with_the_reason() {
    assert_refused(&[
        (
            "no such recording",
            &["--replay", "/nonexistent/x"],
            "cannot open /nonexistent/x: no such file or directory\n",
            "",
        ),
        (
            "directory as a recording",
            &["--replay", "/"],
            "cannot read /: is a directory\n",
            "",
        ),
        (
            "empty recording",
            &["--replay", "/dev/null"],
            "/dev/null: holds no netlink messages\n",
            "",
        ),
        (
            "no place to record",
            &["--record", "/nonexistent/x"],
            "cannot create /nonexistent/x: no such file or directory\n",
            "",
        ),
        (
            "directory to record to",
            &["--record", "/"],
            "cannot create /: is a directory\n",
            "",
        ),
    ]);
}

#[test]
fn missing_proc_root_is_named_with_the_reason() {
    for root in ["/nonexistent", "/dev/null"] {
        let attempt = lsock(["-tH", "--proc-root", root]);
        attempt.assert_speaks_plainly();
        assert_eq!(
            (attempt.status, attempt.stdout.len()),
            (Some(2), 0),
            "{attempt:?}"
        );
        let begin = format!("lsock: cannot open {root}/net: ");
        assert!(attempt.stderr.starts_with(&begin), "{attempt:?}");
        assert_eq!(attempt.stderr.lines().count(), 1, "{attempt:?}");
    }
}

#[test]
fn refused_command_line_leaves_an_old_recording_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("recording");
    std::fs::write(&path, "old").unwrap();
    for wrong in ["--columns=foo", "--limit=x", "--nope"] {
        let arguments = [OsStr::new("-D"), path.as_os_str(), OsStr::new(wrong)];
        assert_eq!(lsock(arguments).status, Some(2));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old", "{wrong}");
    }
}

#[test]
fn argument_that_is_not_utf8_is_a_usage_error_unless_it_is_a_path() {
    let word = OsStr::from_bytes(b"\xff");
    for before in ["", "--columns", "--sort", "--format", "-A", "--limit"] {
        let arguments = [OsStr::new(before), word];
        let from = usize::from(before.is_empty());
        let attempt = lsock(&arguments[from..]);
        attempt.assert_speaks_plainly();
        assert_eq!(attempt.status, Some(2), "{before}: {attempt:?}");
        assert!(attempt.stdout.is_empty(), "{before}: {attempt:?}");
        assert!(
            attempt.stderr.starts_with("lsock: "),
            "{before}: {attempt:?}"
        );
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(word);
    let attempt = lsock([OsStr::new("-D"), path.as_os_str(), OsStr::new("-tn")]);
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    assert!(path.exists());
}

#[test]
fn path_in_a_message_is_escaped() {
    for option in ["--replay", "--record", "--proc-root"] {
        let path = OsStr::from_bytes(b"/nonexistent/\x1b[31m\n\xff");
        let attempt = lsock([OsStr::new("-t"), OsStr::new(option), path]);
        assert_eq!(attempt.status, Some(2), "{attempt:?}");
        let text = r"/nonexistent/\x1b[31m\x0a\xff";
        assert!(attempt.stderr.contains(text), "{option}: {attempt:?}");
        assert!(!attempt.stderr.contains('\x1b'), "{option}: {attempt:?}");
    }
}

#[test]
fn good_command_line_ends_with_0_and_no_message() {
    let rows: [&[&str]; 14] = [
        &[],
        &["-h"],
        &["--help"],
        &["-V"],
        &["--version"],
        &["-tn"],
        &["-taH4", "--limit", "0"],
        &["-tan", "--limit", "18446744073709551615"],
        &[
            "-tan",
            "--sort",
            "-uid,inode",
            "--limit",
            "18446744073709551615",
        ],
        &["-tan", "--sort", "state", "--limit", "9223372036854775808"],
        &["-tan", "--sort", "local,peer"],
        &["-ttannj", "--columns", "state,local"],
        &["-ln46"],
        &["-an", "--format", "csv"],
    ];
    for arguments in rows {
        let attempt = lsock(arguments);
        assert_eq!(attempt.status, Some(0), "{arguments:?}: {attempt:?}");
        assert_eq!(attempt.stderr, "", "{arguments:?}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (word, begin) in [("-h", "Lists the sockets"), ("-V", "lsock ")] {
        let attempt = lsock([word]);
        assert!(attempt.stdout.starts_with(begin.as_bytes()), "{attempt:?}");
    }
}

#[test]
fn help_wins_over_a_source_that_cannot_be_read() {
    let attempt = lsock(["--replay", "/nonexistent", "-h"]);
    assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
}

#[test]
fn completions_are_a_script() {
    for shell in ["bash", "zsh", "fish"] {
        let made = lsock(["--completions", shell]);
        assert_eq!(
            (made.status, made.stderr.as_str()),
            (Some(0), ""),
            "{shell}"
        );
        assert!(made.stdout.len() > 500, "{shell}: {made:?}");
    }
}
