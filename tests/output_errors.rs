//! Writing fails, the reader goes away, nobody reads.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use nix::sys::signal::Signal;
use tempfile::NamedTempFile;

use crate::recording;
use crate::support::{Child, LSOCK, Run, program, skip};

const FORMATS: [&str; 5] = ["table", "plain", "json", "ndjson", "csv"];

/// A recording whose listing is larger than any pipe.
fn large() -> NamedTempFile {
    recording::of_tcp(20_000)
}

/// A recording of no socket.
fn empty() -> NamedTempFile {
    recording::of_tcp(0)
}

/// The program that lists a recording, its output into a pipe.
fn listing(format: &str, recording: &Path) -> Child {
    let mut program = program();
    program.args(["-an", "--format", format, "--replay"]);
    program.arg(recording);
    Child::piped(&mut program)
}

fn onto_full_device(arguments: &[&str]) -> Run {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut program = program();
    program.args(arguments).stdout(full);
    program.output().unwrap().into()
}

/// The message of a full device, and 2.
fn assert_full(attempt: &Run, what: &str) {
    assert_eq!(attempt.status, Some(2), "{what}: {attempt:?}");
    assert_eq!(
        attempt.stderr, "lsock: cannot write to standard output: no space left on device\n",
        "{what}"
    );
}

#[test]
fn full_device_is_an_error_of_every_format_of_a_long_list() {
    let recording = large();
    for format in FORMATS {
        let path = recording.path().to_str().unwrap();
        let arguments = ["-an", "--format", format, "--replay", path];
        assert_full(&onto_full_device(&arguments), format);
    }
}

#[test]
fn full_device_is_an_error_of_every_format_that_says_something_of_no_socket() {
    let recording = empty();
    for format in FORMATS.into_iter().filter(|format| *format != "ndjson") {
        let path = recording.path().to_str().unwrap();
        let arguments = ["-an", "--format", format, "--replay", path];
        assert_full(&onto_full_device(&arguments), format);
    }
}

#[test]
fn full_device_is_an_error_of_a_sorted_or_limited_list() {
    let recording = large();
    let path = recording.path().to_str().unwrap();
    for more in [["--sort", "local_port"], ["--limit", "3"]] {
        let arguments = [&["-anH", "--replay", path], &more[..]].concat();
        assert_full(&onto_full_device(&arguments), more[0]);
    }
}

#[test]
fn full_device_is_an_error_of_what_is_no_list() {
    for arguments in [&["-h"][..], &["-V"], &["--completions", "bash"]] {
        assert_full(&onto_full_device(arguments), arguments[0]);
    }
}

#[test]
fn recording_that_cannot_be_written_is_an_error() {
    let attempt: Run = program()
        .args(["-ta", "--record", "/dev/full"])
        .output()
        .unwrap()
        .into();
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    assert_eq!(
        attempt.stderr,
        "lsock: cannot write /dev/full: no space left on device\n"
    );
}

#[test]
fn message_that_cannot_be_written_changes_no_status() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut program = program();
    program.arg("--nope").stderr(full);
    assert_eq!(program.output().unwrap().status.code(), Some(2));
}

#[test]
fn reader_of_one_line_ends_the_list_quietly() {
    let recording = large();
    for format in FORMATS {
        let mut child = listing(format, recording.path());
        let mut reader = BufReader::new(child.stdout());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "{format}");
        drop(reader);
        let attempt = child.end();
        assert_eq!(attempt.status, Some(0), "{format}: {attempt:?}");
        assert_eq!(attempt.stderr, "", "{format}");
    }
}

#[test]
fn reader_that_never_reads_ends_the_list_quietly() {
    for recording in [large(), empty()] {
        for format in FORMATS {
            let mut child = listing(format, recording.path());
            drop(child.stdout());
            let attempt = child.end();
            // A list of nothing may be written before the reader has gone.
            assert_eq!(attempt.status, Some(0), "{format}: {attempt:?}");
            assert_eq!(attempt.stderr, "", "{format}");
        }
    }
}

#[test]
fn reader_that_leaves_ends_the_help_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let attempt: Run = program().arg("-h").stdout(writer).output().unwrap().into();
    assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
}

#[test]
fn document_cut_by_its_reader_does_not_parse() {
    let recording = large();
    let mut child = listing("json", recording.path());
    let mut cut = vec![0; 100_000];
    child.stdout().read_exact(&mut cut).unwrap();
    assert_eq!(child.end().status, Some(0));
    let parsed = serde_json::from_slice::<serde_json::Value>(&cut);
    assert!(parsed.is_err_and(|error| error.is_eof()));
}

#[test]
fn slow_reader_gets_everything() {
    let recording = recording::of_tcp(3_000);
    let whole = listing("ndjson", recording.path()).end();
    assert_eq!(
        std::str::from_utf8(&whole.stdout).unwrap().lines().count(),
        3_000
    );
    let mut child = listing("ndjson", recording.path());
    let mut reader = child.stdout();
    let mut found = Vec::new();
    let mut piece = vec![0; 8 * 1024];
    loop {
        // The writer meets a full pipe again and again.
        std::thread::yield_now();
        match reader.read(&mut piece).unwrap() {
            0 => break,
            count => found.extend_from_slice(&piece[..count]),
        }
    }
    assert!(found == whole.stdout);
    assert_eq!(child.end().status, Some(0));
}

#[test]
fn closed_standard_output_is_like_dev_null() {
    let recording = large();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" -an --replay \"$1\" >&-"]);
    shell.arg(LSOCK).arg(recording.path());
    let attempt: Run = shell.output().unwrap().into();
    // Rust opens /dev/null in its place before `main`, and nothing tells that from one that was given.
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    attempt.assert_speaks_plainly();
}

#[test]
fn interrupt_ends_a_list_that_nobody_reads() {
    let recording = large();
    for format in FORMATS {
        let mut child = listing(format, recording.path());
        let reader = child.stdout();
        let id = child.pid();
        if ignores_interrupts(id) {
            skip("SIGINT is ignored in what this test starts");
            return;
        }
        child.wait_for_full_pipe();
        child.signal(Signal::SIGINT);
        let attempt = child.end();
        assert_eq!(attempt.signal, Some(2), "{format}: {attempt:?}");
        drop(reader);
    }
}

/// A shell that starts the tests in the background makes them, and all they start, deaf to SIGINT.
fn ignores_interrupts(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap_or("0").trim(), 16).unwrap();
    ignored & 1 << (Signal::SIGINT as u32 - 1) != 0
}
