//! Listings that follow each other in a pipe, and how that ends.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::run::Running;
use crate::scene::{V4, tcp};
use crate::support::{Child, close, fresh, lsock, program};

/// The line that tells when a round began.
fn time(line: &str) -> Option<Timestamp> {
    line.parse().ok()
}

fn times(lines: &[String]) -> Vec<Timestamp> {
    lines.iter().filter_map(|line| time(line)).collect()
}

/// Lets it run for so many rounds of text and one more that may be cut, and ends it.
fn rounds(words: &[&str], count: usize) -> Vec<Vec<String>> {
    let running = Running::begin(words);
    running.wait_for("rounds", |lines| times(lines).len() > count);
    let (lines, run) = running.end();
    run.clean();
    let mut rounds: Vec<Vec<String>> = Vec::new();
    for line in lines {
        match (time(&line), rounds.last_mut()) {
            (Some(_), _) => rounds.push(Vec::new()),
            (None, Some(round)) => round.push(line),
            (None, None) => panic!("{line} before any time"),
        }
    }
    rounds.truncate(count);
    rounds
}

#[test]
fn every_round_of_text_is_the_listing_behind_its_time() {
    let Some(_namespace) = fresh() else { return };
    let _listeners: Vec<_> = (0..5).map(|_| tcp::listener(V4, 1).unwrap()).collect();
    for words in [
        &["-tln"][..],
        &["-tln", "--format", "table"],
        &["-tlnH"],
        &["-tln", "--sort", "-local_port", "--limit", "3"],
        &["-tlnme", "--sort", "local_port"],
        &["-tln", "sport", ">", "0"],
    ] {
        let once = lsock(words).clean();
        let once = once.lines();
        for round in rounds(&[words, &["-c", "0.05"]].concat(), 3) {
            assert_eq!(round, once, "{words:?}");
        }
    }
}

#[test]
fn rounds_show_what_comes_and_goes() {
    let Some(_namespace) = fresh() else { return };
    let running = Running::begin(&["-tlnHc", "0.05"]);
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let end = listener.local_addr().unwrap().to_string();
    let last = |lines: &[String]| {
        let begin = lines.iter().rposition(|line| time(line).is_some());
        lines[begin.unwrap_or(0)..].join("\n")
    };
    running.wait_for("the listener", |lines| last(lines).contains(&end));
    close(listener);
    running.wait_for("its end", |lines| {
        lines.join("\n").contains(&end) && !last(lines).contains(&end)
    });
    running.end().1.clean();
}

#[test]
fn rounds_begin_no_nearer_to_each_other_than_asked_for() {
    let Some(_namespace) = fresh() else { return };
    for (words, least) in [
        (&["-tlnc", "0.2"][..], 200),
        (&["-tlnc0.2"], 200),
        (&["-c=200ms", "-tln"], 200),
        (&["-tln", "--continuous", "0.2"], 200),
        (&["-tln", "--continuous=.2s"], 0),
        (&["-ctln"], 1_000),
    ] {
        if least == 0 {
            assert_eq!(lsock(words).status, Some(2), "{words:?}");
            continue;
        }
        let running = Running::begin(words);
        running.wait_for("three rounds", |lines| times(lines).len() >= 3);
        let (lines, run) = running.end();
        run.clean();
        for pair in times(&lines).windows(2) {
            let apart = pair[1].duration_since(pair[0]).as_millis();
            // The time of a round is told a little after it began.
            assert!(apart + 20 >= least, "{words:?}: {apart} ms");
        }
    }
}

#[test]
fn word_of_a_filter_is_no_number_of_seconds() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let _other = TcpListener::bind((V4, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let words = ["-tlnHc", "sport", "=", &port.to_string()];
    for round in rounds(&words, 1) {
        assert_eq!(round.len(), 1, "{round:?}");
        assert!(round[0].contains(&format!(":{port} ")), "{round:?}");
    }
}

#[test]
fn rounds_of_json_are_documents_and_of_csv_one_table() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    let running = Running::begin(&["-tlnjc", "0.05"]);
    running.wait_for("documents", |lines| lines.len() >= 3);
    let (lines, run) = running.end();
    run.clean();
    let documents: Vec<Value> = super::run::read(&lines);
    let mut times: Vec<&str> = documents
        .iter()
        .map(|d| d["time"].as_str().unwrap())
        .collect();
    times.dedup();
    assert_eq!(times.len(), documents.len());
    assert!(
        documents
            .iter()
            .all(|d| d["sockets"].as_array().unwrap().len() == 1)
    );

    let running = Running::begin(&["-tlnc", "0.05", "--format", "csv"]);
    running.wait_for("records", |lines| lines.len() >= 4);
    let (lines, run) = running.end();
    run.clean();
    assert!(lines[0].starts_with("time,host,protocol,"), "{}", lines[0]);
    let host = rustix::system::uname();
    let host = host.nodename().to_str().unwrap();
    let is_of_now = |line: &String| line.contains(&format!("Z,{host},tcp,inet,,LISTEN,"));
    assert!(lines[1..].iter().all(is_of_now), "{lines:#?}");
}

#[test]
fn counts_are_repeated_too() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    let once = lsock(["-stl"]).clean();
    for round in rounds(&["-stl", "-c", "0.05"], 2) {
        assert_eq!(round, once.lines());
    }
}

#[test]
fn signals_end_it_in_order() {
    let Some(_namespace) = fresh() else { return };
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        for format in ["plain", "ndjson"] {
            let _listener = tcp::listener(V4, 1).unwrap();
            // Amid a long pause, too.
            let running = Running::begin(&["-tlnc", "1000", "--format", format]);
            running.wait_for("a round", |lines| !lines.is_empty());
            let begun = Instant::now();
            let (_, run) = running.end_by(signal);
            assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{signal}");
            assert!(begun.elapsed() < Duration::from_secs(100));
        }
    }
}

#[test]
fn a_second_signal_ends_it_where_nobody_reads() {
    let Some(_namespace) = fresh() else { return };
    let _listeners: Vec<_> = (0..50).map(|_| tcp::listener(V4, 1).unwrap()).collect();
    let mut child = Child::piped(program().args(["-tlnc", "0.001"]));
    child.wait_for_full_pipe();
    child.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(100));
    assert!(!child.is_over());
    child.signal(Signal::SIGTERM);
    assert_eq!(child.end().signal, Some(15));
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let Some(_namespace) = fresh() else { return };
    for format in ["plain", "table", "json", "csv"] {
        let _listener = tcp::listener(V4, 1).unwrap();
        let mut child = Child::piped(program().args(["-tlnc", "0.01", "--format", format]));
        child.stdout().read_exact(&mut [0; 20]).unwrap();
        child.end().clean();
    }
}

#[test]
fn a_reader_that_leaves_is_noticed_though_nothing_changes() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    for words in [
        &["-tlnc", "0.05", "--format", "ndjson"][..],
        &["-tlnc", "1000", "--format", "plain"],
    ] {
        let mut child = Child::piped(program().args(words));
        child.stdout().read_exact(&mut [0; 20]).unwrap();
        child.end().clean();
    }
}

#[test]
fn an_output_that_cannot_be_written_ends_it_with_2() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    for format in ["plain", "table", "json", "ndjson", "csv"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = program();
        command
            .args(["-tlnc", "0.01", "--format", format])
            .stdout(full);
        let run = Child::start(command.stderr(Stdio::piped())).end();
        assert_eq!(run.status, Some(2), "{format}: {run:?}");
        let text = "lsock: cannot write to standard output: no space left on device\n";
        assert_eq!(run.stderr, text, "{format}");
    }
}

#[test]
fn what_is_wrong_in_every_round_is_said_once() {
    let Some(_namespace) = fresh() else { return };
    let running = Running::begin(&["-tlnc", "0.05", "--proc-root", "/dev/null"]);
    let (_, run) = running.outcome();
    // A root that is none is no round at all.
    assert_eq!(run.status, Some(2), "{run:?}");
    let root = tempfile::TempDir::new().unwrap();
    for table in ["tcp", "tcp6"] {
        // A file that opens and cannot be read.
        std::fs::create_dir_all(root.path().join("net").join(table)).unwrap();
    }
    let root = root.path().to_str().unwrap();
    let running = Running::begin(&["-tlnc", "0.05", "--proc-root", root]);
    running.wait_for("rounds", |lines| times(lines).len() > 4);
    let (_, run) = running.end();
    assert_eq!(run.status, Some(2), "{run:?}");
    assert_eq!(
        run.stderr.lines().count(),
        2,
        "IPv4 and IPv6: {}",
        run.stderr
    );
}
