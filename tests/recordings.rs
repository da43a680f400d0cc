//! What was recorded is listed as if live.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::recording::{NOTE, messages};
use crate::scene::{V4, V6, tcp::listeners, tcp::states, unix};
use crate::support::{fresh, is_of, list, lsock, stage, tool};

/// A place for a recording.
struct Tape {
    _directory: TempDir,
    file: PathBuf,
}

impl Tape {
    fn new() -> Tape {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("recording");
        Tape {
            _directory: directory,
            file,
        }
    }

    fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// The sockets `lsock <words>` lists while it records them.
    fn record(&self, words: &[&str]) -> Vec<Value> {
        list(&[words, &["-D", self.path()]].concat())
    }

    /// The sockets of the recording.
    fn replay(&self, words: &[&str]) -> Vec<Value> {
        list(&[words, &["--replay", self.path()]].concat())
    }
}

/// Without what a recording does not hold: names that this machine has for numbers.
fn without_names(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        for key in ["user", "cgroup", "interface"] {
            row[key] = Value::Null;
        }
    }
    rows
}

fn assert_replays(words: &[&str]) {
    let tape = Tape::new();
    let recorded = without_names(tape.record(words));
    let replayed = without_names(tape.replay(words));
    assert_eq!(recorded.len(), replayed.len(), "{words:?}");
    for (one, two) in recorded.iter().zip(&replayed) {
        assert_eq!(one, two, "{words:?}");
    }
}

#[test]
fn replay_is_the_same_field_by_field() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    assert_replays(&["-a"]);
    assert_replays(&["-a", "-A", "all"]);
    assert_replays(&["-a", "-A", "all", "-im"]);
    assert_replays(&["-l", "-A", "tcp,unix"]);
}

#[test]
fn dump_of_ss_is_replayed_as_ss_lists_it() {
    let Some(_namespace) = fresh() else { return };
    let column = |lines: &[u8], place: usize| {
        let lines = String::from_utf8(lines.to_vec()).unwrap();
        let words = lines.lines().map(|line| line.split_whitespace().nth(place));
        let mut words: Vec<_> = words.map(|word| word.unwrap().to_owned()).collect();
        words.sort();
        words
    };
    let are_alike = |sockets: usize| {
        for (words, part) in [("-tan", 1), ("-t4an", 2), ("-t6an", 2), ("-tln", 3)] {
            let tape = Tape::new();
            tool("ss", &[words, "-D", tape.path()])?;
            let listed = column(&tool("ss", &["-H", words])?, 3);
            let replayed = lsock([words, "-H", "--replay", tape.path()]).clean();
            assert_eq!(column(&replayed.stdout, 4), listed, "{words}");
            assert!(listed.len() >= sockets / part, "{words}: {listed:?}");
        }
        Some(())
    };
    if are_alike(0).is_none() {
        return;
    }
    let _four = states::half_closed(V4).unwrap();
    are_alike(0);
    let _six = states::half_closed(V6).unwrap();
    are_alike(6);
}

#[test]
fn replay_of_proc_is_the_same_field_by_field() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    assert_replays(&["-a", "--source", "auto", "-A", "raw,icmp"]);
    let tape = Tape::new();
    // /proc/net does not list BOUND.
    let words = [
        "-a",
        "-m",
        "-A",
        "inet,inet6,packet,netlink",
        "not state bound",
    ];
    let recorded = tape.record(&[&words[..], &["--source", "procfs"]].concat());
    let replayed = tape.replay(&words);
    assert_eq!(without_names(recorded), without_names(replayed));
}

#[test]
fn replay_without_protocols_lists_everything_recorded() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let tape = Tape::new();
    let recorded = tape.record(&["-a", "-A", "all"]);
    assert_eq!(without_names(recorded), without_names(tape.replay(&["-a"])));
}

#[test]
fn replay_selects_as_a_listing_does() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let tape = Tape::new();
    tape.record(&["-a", "-A", "all"]);
    for words in [&["-tl"][..], &["-u"], &["-6ta"], &["-x"]] {
        assert_eq!(tape.replay(words).len(), list(words).len(), "{words:?}");
    }
}

#[test]
fn replay_has_the_names_of_the_recording() {
    let Some(_namespace) = fresh() else { return };
    let _held = listeners::on_interface(V4).unwrap();
    let tape = Tape::new();
    // Also those that are not shown.
    let recorded = tape.record(&["-tln"]);
    let row = &tape.replay(&["-tl"])[0];
    assert_eq!(row["interface"], "lo");
    assert_eq!(row["user"], list(&["-tl"])[0]["user"]);
    assert_eq!(row["cgroup"], recorded[0]["cgroup"]);
    assert_eq!(row["processes"], Value::Null);
    assert_eq!(tape.replay(&["-tln"])[0]["user"], Value::Null);
}

#[test]
fn replay_without_names_has_numbers_for_interfaces_and_no_users() {
    let Some(_namespace) = fresh() else { return };
    let _held = listeners::on_interface(V4).unwrap();
    let tape = Tape::new();
    tape.record(&["-tl"]);
    // As versions wrote it that knew no notes.
    let mut messages = messages(&std::fs::read(tape.path()).unwrap());
    messages.retain(|message| message.kind() != NOTE);
    for message in &mut messages {
        let sequence = message.sequence() & !0x100;
        message.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
    }
    let bytes: Vec<u8> = messages.into_iter().flat_map(|message| message.0).collect();
    std::fs::write(tape.path(), bytes).unwrap();
    let row = &tape.replay(&["-tl"])[0];
    assert_eq!(row["interface"], "if1");
    for key in ["user", "cgroup", "processes"] {
        assert_eq!(row[key], Value::Null, "{key}");
    }
}

#[test]
fn recording_without_its_end_is_incomplete() {
    let Some(_namespace) = fresh() else { return };
    let tape = Tape::new();
    tape.record(&["-ta"]);
    let bytes = std::fs::read(tape.path()).unwrap();
    let messages = messages(&bytes);
    let mut at = 0;
    for message in &messages {
        std::fs::write(tape.path(), &bytes[..at]).unwrap();
        let run = lsock(["-aj", "--replay", tape.path()]);
        assert_eq!(run.status, Some(2), "{at} bytes: {run:?}");
        at += message.0.len();
    }
    assert_eq!(at, bytes.len());
    std::fs::write(tape.path(), &bytes).unwrap();
    lsock(["-aj", "--replay", tape.path()]).clean();
}

#[test]
fn what_the_kernel_does_not_have_is_none_in_a_replay_too() {
    let Some(_namespace) = fresh() else { return };
    let root = TempDir::new().unwrap();
    std::fs::create_dir(root.path().join("net")).unwrap();
    std::fs::copy("/proc/net/tcp", root.path().join("net/tcp")).unwrap();
    let tape = Tape::new();
    let root = root.path().to_str().unwrap();
    tape.record(&["-ta", "--proc-root", root]);
    for words in [&["-aj"][..], &["-taj"]] {
        let run = lsock([words, &["--replay", tape.path()]].concat());
        let warning = "warning: TCP sockets in BOUND are not listed: they are not in the recording";
        assert_eq!(run.status, Some(0));
        assert_eq!(run.stderr, format!("lsock: {warning}\n"));
        let sources = &run.document()["summary"]["sources"];
        assert_eq!(sources[0]["source"], "replay");
        assert_eq!(sources[1]["source"], Value::Null);
        let reason = format!("there is no {root}/net/tcp6");
        assert_eq!(sources[1]["reason"], reason);
    }
}

/// What a recording has not: its list is not complete, its counts are null, and no check hangs on it.
#[test]
fn recording_of_few_states_tells_of_no_others() {
    let Some(_namespace) = fresh() else { return };
    let _left = states::time_wait(V4).unwrap();
    let _listeners = listeners::on_interface(V4).unwrap();
    let tape = Tape::new();
    let replay = |words: &[&str]| lsock([words, &["--replay", tape.path()]].concat());
    let count = tape.record(&["-tln"]).len();
    let run = replay(&["-tsj"]);
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stderr.contains("not in the recording"), "{run:?}");
    let document = run.document();
    assert_eq!(document["summary"]["complete"], false);
    for path in [
        "/counts/0/states/TIME_WAIT",
        "/time_wait/count",
        "/half_closed",
        "/orphans",
    ] {
        assert_eq!(document.pointer(path), Some(&Value::Null), "{path}");
    }
    assert!(document["counts"][0]["states"]["LISTEN"].is_u64());
    let text = replay(&["-ts"]).stdout;
    assert!(String::from_utf8_lossy(&text).contains("TIME_WAIT ?"));
    for (words, status) in [
        (&["-taq", "--expect", "0", "state time-wait"][..], 2),
        (&["-tq", "--expect", "0"], 2),
        (&["-tsq", "--expect", "0", "state time-wait"], 2),
        (&["-tq", "state established"], 2),
        (&["-tlq", "--expect", "0", "sport = 1"], 0),
        (&["-tlq"], 0),
        (&["-taq"], 0),
    ] {
        assert_eq!(replay(words).status, Some(status), "{words:?}");
    }
    let same = replay(&["-tlj"]).clean().document();
    assert_eq!(same["summary"]["complete"], true);
    assert_eq!(same["sockets"].as_array().unwrap().len(), count);
    let all = replay(&["-taj"]);
    assert_eq!(all.document()["summary"]["complete"], false);
    let gone = replay(&["-tj"]);
    assert_eq!(
        gone.status,
        Some(2),
        "all that is asked for is missing: {gone:?}"
    );
    // A file of the kernel has every state, whatever was asked for.
    tape.record(&["-tln", "--source", "procfs"]);
    assert_eq!(replay(&["-taq", "state time-wait"]).status, Some(0));
    assert_eq!(
        replay(&["-taq", "--expect", "0", "state bound"]).status,
        Some(2)
    );
}

#[test]
fn recording_that_a_filter_narrowed_tells_of_no_more() {
    let Some(_namespace) = fresh() else { return };
    let held = states::established(V4).unwrap();
    let of_one = format!("sport = {}", held.expected[0].local().port());
    let tape = Tape::new();
    let replay = |words: &[&str]| lsock([words, &["--replay", tape.path()]].concat());
    for filter in [of_one.clone(), format!("{of_one} and src 127/8")] {
        tape.record(&["-tan", &filter]);
        let same = replay(&["-tanj", &filter]).clean().document();
        assert_eq!(same["summary"]["complete"], true);
        for words in [
            &["-tanj"][..],
            &["-tanj", "sport = 1"],
            &["-tsj"],
            &["-tanj", "src ::1"],
        ] {
            let run = replay(words);
            assert_eq!(run.status, Some(2), "{words:?} {run:?}");
            assert_eq!(run.document()["summary"]["complete"], false);
            assert!(
                run.stderr.contains("the filter of the recording"),
                "{run:?}"
            );
        }
        let counts = replay(&["-tsj"]).document();
        assert_eq!(counts["time_wait"]["count"], Value::Null);
        for (words, status) in [
            (&["-taq", "--expect", "0", "sport = 1"][..], 2),
            (&["-taq", "--expect", "0", &filter], 1),
            (&["-taq", "--expect", "1..", &of_one], 0),
            (&["-tsq", "--expect", "..1"], 2),
        ] {
            assert_eq!(replay(words).status, Some(status), "{words:?}");
        }
    }
}

#[test]
fn mptcp_without_netlink_is_not_told_as_none_live_and_recorded() {
    let Some(_namespace) = fresh() else { return };
    let root = TempDir::new().unwrap();
    std::fs::create_dir(root.path().join("net")).unwrap();
    std::fs::copy("/proc/net/tcp", root.path().join("net/tcp")).unwrap();
    let tape = Tape::new();
    let live = ["--proc-root", root.path().to_str().unwrap()];
    let words = ["-an", "-A", "all", "-D", tape.path()];
    let recorded = lsock([&words[..], &live].concat());
    assert_eq!(recorded.status, Some(0), "{recorded:?}");
    let replay = ["--replay", tape.path()];
    let warning = "MPTCP sockets are not listed";
    for source in [live, replay] {
        let run = |words: &[&str]| lsock([words, &source].concat());
        let all = run(&["-anj", "-A", "all"]);
        assert!(
            all.stderr.contains(&format!("warning: {warning}")),
            "{all:?}"
        );
        assert_eq!(all.document()["summary"]["complete"], false);
        let counts = run(&["-sj", "-A", "all"]).document()["counts"].clone();
        let mut counts = counts.as_array().unwrap().iter();
        let mptcp = counts.find(|counts| counts["protocol"] == "mptcp").unwrap();
        assert_eq!(
            (&mptcp["total"], &mptcp["states"]["LISTEN"]),
            (&Value::Null, &Value::Null)
        );
        for (words, status) in [
            (
                &["-q", "-A", "all", "-a", "--expect", "0", "protocol = mptcp"][..],
                2,
            ),
            (&["-anM"], 2),
            (&["-antM"], 2),
            (
                &[
                    "-q",
                    "-A",
                    "tcp,mptcp",
                    "-a",
                    "--expect",
                    "0",
                    "state listen and sport = 1 and protocol = tcp",
                ],
                0,
            ),
        ] {
            assert_eq!(run(words).status, Some(status), "{words:?} {source:?}");
        }
    }
}

#[test]
fn recording_of_the_other_order_of_bytes_is_told_as_such() {
    let Some(_namespace) = fresh() else { return };
    let tape = Tape::new();
    tape.record(&["-ta"]);
    let mut bytes = std::fs::read(tape.path()).unwrap();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    std::fs::write(tape.path(), &bytes).unwrap();
    let run = lsock(["-ta", "--replay", tape.path()]);
    let message = format!(
        "lsock: {}: recorded on a machine with the other byte order\n",
        tape.path()
    );
    assert_eq!((run.status, run.stderr), (Some(2), message));
}

#[test]
fn replay_names_its_source() {
    let Some(_namespace) = fresh() else { return };
    let tape = Tape::new();
    tape.record(&["-ta"]);
    let document = lsock(["-ta", "--json", "--replay", tape.path()])
        .clean()
        .document();
    for source in document["summary"]["sources"].as_array().unwrap() {
        assert_eq!(source["source"], "replay");
    }
}

#[test]
fn recording_changes_nothing_of_the_listing() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::names::all().unwrap();
    let tape = Tape::new();
    assert_eq!(tape.record(&["-xa"]), list(&["-xa"]));
}

#[test]
fn peers_of_unix_sockets_are_named_in_a_replay() {
    let Some(_namespace) = fresh() else { return };
    let held = unix::states::stream().unwrap();
    let tape = Tape::new();
    tape.record(&["-xa"]);
    let expected = held.the("unix stream client");
    let rows = tape.replay(&["-xa"]);
    let row = rows.iter().find(|row| is_of(row, expected)).unwrap();
    let name = held.the("unix stream listener").name.as_deref().unwrap();
    assert_eq!(row["peer_address"], crate::support::shown(name));
}

#[test]
fn user_of_a_unix_socket_is_recorded_though_it_is_not_shown() {
    let Some(_namespace) = fresh() else { return };
    let held = unix::states::stream().unwrap();
    let tape = Tape::new();
    let words = ["-xan", "--columns", "state", "-D", tape.path()];
    assert_eq!(lsock(words).status, Some(0));
    let expected = held.the("unix stream client");
    let rows = tape.replay(&["-xa"]);
    let row = rows.iter().find(|row| is_of(row, expected)).unwrap();
    assert_eq!(row["uid"], list(&["-xa"])[0]["uid"]);
    assert!(row["uid"].is_number(), "{row}");
}

#[test]
fn table_that_was_not_recorded_makes_the_list_incomplete() {
    let Some(_namespace) = fresh() else { return };
    let tape = Tape::new();
    tape.record(&["-t4a"]);
    let run = lsock(["-ua4", "--json", "--replay", tape.path()]);
    assert_eq!(run.status, Some(2));
    assert_eq!(run.document()["summary"]["complete"], false);
    assert!(
        run.stderr.starts_with("lsock: incomplete list: "),
        "{}",
        run.stderr
    );
}

#[test]
fn recording_of_ss_can_be_listed() {
    let Some(_namespace) = fresh() else { return };
    let mut held = states::established(V4).unwrap();
    held.absorb(states::half_closed(V6).unwrap());
    held.absorb(states::time_wait(V6).unwrap());
    let tape = Tape::new();
    if tool("ss", &["-D", tape.path(), "-tan"]).is_none() {
        return;
    }
    let mut rows = tape.replay(&["-ta"]);
    let mut live = list(&["-ta"]);
    for row in rows.iter_mut().chain(&mut live) {
        // The time goes on between the two.
        row["timer"] = row["timer"]["kind"].clone();
    }
    // One after the other, or both IP versions at once: the order is the kernel's.
    let sorted = |rows: Vec<Value>| {
        let mut rows = without_names(rows);
        rows.sort_by_key(ToString::to_string);
        rows
    };
    assert_eq!(sorted(rows), sorted(live));
}

#[test]
fn processes_of_a_recording_are_a_usage_error() {
    let run = lsock(["-tp", "--replay", "recording"]);
    assert_eq!((run.status, run.stdout.len()), (Some(2), 0));
    assert!(run.stderr.starts_with("lsock: "), "{}", run.stderr);
}
