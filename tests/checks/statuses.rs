//! Every exit status of every mode.

use std::fs::OpenOptions;
use std::process::Stdio;

use super::*;
use crate::recording;

/// What is there: a listener, a connection, one half-closed.
struct Stage {
    port: u16,
    cut: tempfile::NamedTempFile,
    _held: [crate::scene::Held; 2],
    _listener: OwnedFd,
    _namespace: crate::scene::Namespace,
}

impl Stage {
    fn new() -> Option<Self> {
        let namespace = fresh()?;
        let port = free_port();
        let whole = recording::of_tcp(3);
        let mut bytes = std::fs::read(whole.path()).unwrap();
        // Without the end of the dump.
        bytes.truncate(bytes.len() - 20);
        Some(Self {
            port,
            cut: recording::file_of(&bytes),
            _held: [
                tcp::states::established(V4).unwrap(),
                tcp::states::half_closed(V4).unwrap(),
            ],
            _listener: listen_at(V4, port),
            _namespace: namespace,
        })
    }

    /// The words of a row: `PORT` and `FREE` are ports with and without a listener, `CUT` is a recording
    /// that is incomplete.
    fn run(&self, row: &str) -> Run {
        let (port, free) = (self.port.to_string(), (self.port - 1).to_string());
        let cut = self.cut.path().to_str().unwrap();
        let words = row.split(' ').map(|word| match word {
            "PORT" => &port,
            "FREE" => &free,
            "CUT" => cut,
            other => other,
        });
        lsock(words)
    }
}

/// The command line, and the status it ends with.
const ROWS: &[(&str, i32)] = &[
    // Listings.
    ("-ta", 0),
    ("-taj state close-wait", 0),
    ("-tl sport = FREE", 0),
    ("-ta --replay CUT", 2),
    ("-ta --replay /nonexistent", 2),
    ("-ta --proc-root /nonexistent", 2),
    ("-ta --source procfs rtt > 1ms", 2),
    ("-ta --strict", 0),
    // -q.
    ("-tlq sport = PORT", 0),
    ("-tlq sport = FREE", 1),
    ("-taq --replay CUT", 0),
    ("-taq --replay CUT sport = 1", 2),
    ("-taq --source procfs rtt > 1ms", 2),
    ("-taq --replay /nonexistent", 2),
    // --expect.
    ("-tl --expect 1 sport = PORT", 0),
    ("-tl --expect 0 sport = FREE", 0),
    ("-tl --expect 0 sport = PORT", 1),
    ("-tl --expect 2.. sport = PORT", 1),
    ("-ta --expect 1.. --replay CUT", 2),
    ("-ta --expect 0 --replay CUT", 2),
    ("-ta --expect x", 2),
    // Both.
    ("-tlq --expect 1 sport = PORT", 0),
    ("-tlq --expect 0 sport = PORT", 1),
    ("-taq --expect 0 --replay CUT", 1),
    ("-taq --expect ..99 --replay CUT", 2),
    // --wait.
    ("-tl --wait 1s sport = PORT", 0),
    ("-tl --wait 0 sport = PORT", 0),
    ("-tl --wait 50ms sport = FREE", 1),
    ("-tl --wait 0 sport = FREE", 1),
    ("-tl --wait 50ms --expect 0 sport = FREE", 0),
    ("-tl --wait 50ms --expect 0 sport = PORT", 1),
    ("-tlq --wait 50ms sport = PORT", 0),
    ("-tlq --wait 50ms sport = FREE", 1),
    ("-ta --source procfs --wait 50ms rtt > 1h", 2),
    ("-ta --wait 1s --replay CUT", 2),
    ("-ta --wait soon", 2),
    ("-ta --wait 1s --proc-root /nonexistent", 2),
    // Summaries.
    ("-st", 0),
    ("-st --expect 1.. state close-wait", 0),
    ("-st --expect 0 state close-wait", 1),
    ("-st --fail-on critical state listen", 0),
    ("-stq --expect 0 state close-wait", 1),
    ("-st --replay CUT", 2),
    ("-stq", 2),
    // Events, by looking again and again: what is between two looks is not seen.
    ("-E --source netlink --wait 100ms", 0),
    ("-E --source netlink --wait 100ms --expect 0..", 0),
    ("-E --source netlink --wait 100ms --expect 0", 2),
    ("-Eq --source netlink --wait 100ms", 2),
    ("-E --wait soon", 2),
    ("-Es", 2),
    // The others.
    ("--explain listen", 0),
    ("--explain nothing", 2),
    ("--completions bash", 0),
    ("--help", 0),
    ("--nope", 2),
];

#[test]
fn every_mode_ends_with_the_status_that_says_how() {
    let Some(stage) = Stage::new() else { return };
    let mut wrong = Vec::new();
    for (row, status) in ROWS {
        let attempt = stage.run(row);
        attempt.assert_speaks_plainly();
        let is_silent = attempt.stderr.is_empty();
        // Whoever is told that it failed, or that there is no answer, is told why.
        let is_quiet = row.contains('q') && *status == 1;
        if attempt.status != Some(*status) || *status > 0 && is_silent != is_quiet {
            wrong.push(format!("lsock {row}: {status} expected: {attempt:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn failed_write_is_2_whatever_is_checked() {
    let Some(stage) = Stage::new() else { return };
    let filter = at(stage.port);
    for more in [
        &["--expect", "1"][..],
        &["--expect", "0"],
        &["--wait", "1s"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut program = program();
        program
            .args([&["-tl", &filter], more].concat())
            .stdout(full);
        let attempt = Child::start(program.stderr(Stdio::piped())).end();
        let message = "lsock: cannot write to standard output: no space left on device\n";
        assert_eq!(told(&attempt), (Some(2), message), "{more:?}");
    }
}
