//! Writing fails, the reader goes away, nobody reads.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::path::Path;

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use tempfile::NamedTempFile;

use crate::recording;
use crate::scene::{V4, tcp};
use crate::support::{Child, LSOCK, Run, close, command, fresh, lsock, program, run, until};

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
    Child::start(program.stderr(Stdio::piped())).end()
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
    let attempt = lsock(["-ta", "--record", "/dev/full"]);
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
    assert_eq!(Child::start(&mut program).end().status, Some(2));
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
        close(reader);
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
    close(reader);
    let mut program = program();
    let attempt = Child::start(program.arg("-h").stdout(writer).stderr(Stdio::piped())).end();
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

/// What a run gives whose output is a pipe that does not block, read in small pieces.
fn into_nonblocking_pipe(command: &mut Command) -> Run {
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let child = Child::start(command.stdout(writer).stderr(Stdio::piped()));
    // The command holds the other end, too.
    command.stdout(Stdio::null());
    let mut stdout = Vec::new();
    let mut piece = vec![0; 3_000];
    loop {
        match reader.read(&mut piece).unwrap() {
            0 => break,
            count => stdout.extend_from_slice(&piece[..count]),
        }
    }
    Run {
        stdout,
        ..child.end()
    }
}

#[test]
fn output_that_does_not_block_gets_everything() {
    let recording = recording::of_tcp(4_000);
    let path = recording.path().to_str().unwrap();
    let formats = FORMATS.map(|format| vec!["-an", "--format", format, "--replay", path]);
    let others = [
        vec!["-an", "--sort", "local_port", "--replay", path],
        vec!["--completions", "zsh"],
    ];
    for words in formats.into_iter().chain(others) {
        let whole = lsock(&words).clean();
        let found = into_nonblocking_pipe(program().args(&words)).clean();
        // A document begins with the time.
        assert_eq!(found.stdout.len(), whole.stdout.len(), "{words:?}");
        assert!(found.lines()[1..] == whole.lines()[1..], "{words:?}");
    }
}

#[test]
fn repeated_list_of_an_output_that_does_not_block_is_whole() {
    let Some(_namespace) = fresh() else { return };
    let _connections = crate::faults::connections_of(500);
    let mut shell = command("timeout");
    shell.args(["-s", "TERM", "2", LSOCK, "-tanHc", "0.1"]);
    let run = into_nonblocking_pipe(&mut shell);
    assert_eq!(run.stderr, "");
    let lines = run.lines();
    assert!(lines.len() > 2_000, "{}", lines.len());
    assert!(run.stdout.ends_with(b"\n"));
}

#[test]
fn signal_ends_a_run_whose_reader_stalls() {
    let Some(_namespace) = fresh() else { return };
    let connect = || (0..5).for_each(|_| close(tcp::pair(V4).unwrap()));
    for words in [
        &["-tanc", "0.001"][..],
        &["-tanc", "0.001", "--format", "ndjson"],
        &["-E"],
        &["-E", "--json"],
        &["-E", "--by", "connection"],
    ] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut child = Child::piped(program().args(words));
            let reader = child.stdout();
            child.fill_pipe(connect);
            // In the round that filled it everything may have been taken; the next one waits.
            std::thread::sleep(Duration::from_millis(300));
            child.signal(signal);
            assert_stalled(&child.end(), words);
            close(reader);
        }
    }
    let words = ["-E", "--wait", "5s"];
    let mut child = Child::piped(program().args(words));
    let reader = child.stdout();
    child.fill_pipe(connect);
    assert_stalled(&child.end(), &words);
    close(reader);
}

/// A pipe that is full, one that does not block or one that does.
fn full_pipe(flags: OFlag) -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while writer.write(&[b'x'; 4_096]).is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(flags)).unwrap();
    (reader, writer)
}

#[test]
fn messages_wait_for_their_reader() {
    let Some(_namespace) = fresh() else { return };
    let message =
        "lsock: warning: TCP sockets in BOUND are not listed: /proc/net does not report them\n";
    for flags in [OFlag::O_NONBLOCK, OFlag::empty()] {
        let (mut reader, writer) = full_pipe(flags);
        let mut command = program();
        command.args(["-tan", "--source", "procfs"]);
        let mut child = Child::start(command.stdout(Stdio::piped()).stderr(writer));
        drop(command);
        std::thread::sleep(Duration::from_millis(300));
        assert!(!child.is_over(), "it waits");
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said.trim_start_matches('x'), message);
        assert_eq!(child.end().status, Some(0));
    }
}

#[test]
fn signal_ends_a_run_whose_messages_nobody_reads() {
    let Some(_namespace) = fresh() else { return };
    for words in [
        &["-tanc", "0.1"][..],
        &["-ta", "--wait", "1h", "sport = 9"],
        &["-tan"],
    ] {
        for flags in [OFlag::O_NONBLOCK, OFlag::empty()] {
            let (reader, writer) = full_pipe(flags);
            let mut command = program();
            command.args(words).args(["--source", "procfs"]);
            let mut child = Child::start(command.stdout(Stdio::null()).stderr(writer));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!child.is_over(), "{words:?}: it waits");
            child.signal(Signal::SIGTERM);
            until("its end", || child.is_over().then_some(()));
            close(reader);
        }
    }
}

#[track_caller]
fn assert_stalled(run: &Run, words: &[&str]) {
    assert_eq!(run.status, Some(2), "{words:?} {run:?}");
    let told = run.stderr.lines().last();
    let expected = "lsock: cannot write to standard output: the reader takes nothing";
    assert_eq!(told, Some(expected), "{words:?} {run:?}");
}

#[test]
fn slow_reader_gets_what_there_is_at_the_end() {
    let Some(_namespace) = fresh() else { return };
    let mut child = Child::piped(program().args(["-E", "--json", "--wait", "1s"]));
    let mut reader = child.stdout();
    // More than a pipe holds, and it is full when the time is over.
    for _ in 0..200 {
        close(tcp::pair(V4).unwrap());
    }
    let mut found = Vec::new();
    let mut piece = vec![0; 8 * 1024];
    loop {
        std::thread::sleep(Duration::from_millis(100));
        match reader.read(&mut piece).unwrap() {
            0 => break,
            count => found.extend_from_slice(&piece[..count]),
        }
    }
    let run = child.end();
    assert_eq!(run.status, Some(0), "{run:?}");
    let document: serde_json::Value = serde_json::from_slice(&found).unwrap();
    assert!(document["summary"].is_object());
}

#[test]
fn closed_standard_output_is_like_dev_null() {
    let recording = large();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" -an --replay \"$1\" >&-"]);
    shell.arg(LSOCK).arg(recording.path());
    let attempt = run(&mut shell);
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
        child.wait_for_full_pipe();
        child.signal(Signal::SIGINT);
        let attempt = child.end();
        assert_eq!(attempt.signal, Some(2), "{format}: {attempt:?}");
        close(reader);
    }
}
