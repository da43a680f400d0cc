//! `-s`: the sockets of a listing, counted.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::recording;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{fresh, list, lsock, program, run, stage, until};

/// Protocol, family and state.
type Key = [String; 3];

const KEYS: [&str; 3] = ["protocol", "family", "state"];

fn key(row: &Value) -> Key {
    KEYS.map(|key| row[key].as_str().unwrap().to_owned())
}

/// What a document counts, without zeros.
fn counted(document: &Value) -> BTreeMap<Key, u64> {
    let mut found = BTreeMap::new();
    for table in document["counts"].as_array().unwrap() {
        let states = table["states"].as_object().unwrap();
        let counts = states.iter().map(|(state, n)| (state, n.as_u64().unwrap()));
        let sum: u64 = counts.clone().map(|(_, count)| count).sum();
        assert_eq!(table["total"], sum, "{table}");
        for (state, count) in counts.filter(|(_, count)| *count > 0) {
            let [protocol, family] = ["protocol", "family"].map(|key| table[key].as_str().unwrap());
            found.insert([protocol, family, state].map(str::to_owned), count);
        }
    }
    found
}

/// The rows of a listing, counted here.
fn of_rows(rows: &[Value]) -> BTreeMap<Key, u64> {
    let mut found = BTreeMap::new();
    for row in rows {
        *found.entry(key(row)).or_default() += 1;
    }
    found
}

fn document(words: &[&str]) -> Value {
    lsock([&["-sj"], words].concat()).clean().document()
}

/// A table on a terminal of this locale.
fn drawn(words: &[&str], locale: &[(&str, &str)]) -> String {
    let mut command = program();
    command.env_remove("LC_ALL").env_remove("LC_CTYPE");
    command.env_remove("LANG").envs(locale.iter().copied());
    let words = [&["-s", "--format", "table"], words].concat();
    run(command.args(words)).clean().text().to_owned()
}

#[test]
fn brief_is_five_lines_of_text_and_no_other_format() {
    let Some(_namespace) = fresh() else { return };
    let _pair = tcp::pair(V4).unwrap();
    for format in ["table", "plain"] {
        let brief = drawn(&["--brief", "--format", format], &[]);
        let mut lines = brief.lines();
        assert_eq!(lines.next(), Some("tcp        3: ESTABLISHED 2, LISTEN 1"));
        let titles: Vec<_> = lines.map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(titles, ["others", "closing", "listeners", "findings"]);
        assert!(
            brief.contains("\nlisteners  1; fullest queue 0 of "),
            "{brief}"
        );
    }
    for format in [
        "json",
        "ndjson",
        "csv",
        "csv-safe",
        "openmetrics",
        "prometheus",
        "svg",
    ] {
        let refused = lsock(["-s", "--brief", "--format", format]);
        assert_eq!(refused.status, Some(2), "{format}");
    }
    assert_eq!(lsock(["--brief"]).status, Some(2));
}

#[test]
fn counts_are_those_of_the_scene() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    // Netlink sockets and ping sockets come and go with those who ask.
    let counted = counted(&document(&["-A", "all"]));
    let mut wanted: BTreeMap<Key, u64> = BTreeMap::new();
    for expected in &scene.expected {
        let words = [expected.protocol, expected.family, expected.state];
        *wanted.entry(words.map(str::to_owned)).or_default() += 1;
    }
    for (key, count) in wanted {
        let found = counted.get(&key).copied().unwrap_or_default();
        assert!(found >= count, "{key:?}: {found} instead of {count}");
    }
}

#[test]
fn counts_are_those_of_the_listing() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    for words in [
        &[][..],
        &["-A", "tcp,udp,udplite,raw,unix,packet,mptcp"],
        &["-t6"],
        &["-x"],
        &["--source", "procfs", "not state bound"],
        &["-t", "state", "established"],
        &["-t", "half-closed"],
        &["-t", "sport > 1024 and not state listen"],
        &["-tu", "any 127.0.0.1"],
    ] {
        let (rows, document) = (list(&[&["-an"], words].concat()), document(words));
        assert_eq!(counted(&document), of_rows(&rows), "{words:?}");
        assert_eq!(document["summary"]["matched"], rows.len(), "{words:?}");
    }
}

#[test]
fn listening_counts_listeners_and_a_filter_of_states_what_it_says() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let states = |words: &[&str]| -> Vec<String> {
        let counted = counted(&document(words));
        let mut states: Vec<String> = counted.into_keys().map(|[_, _, state]| state).collect();
        states.dedup();
        states
    };
    assert_eq!(states(&["-t4l"]), ["LISTEN"]);
    assert_eq!(states(&["-t4l", "state", "time-wait"]), ["TIME_WAIT"]);
}

#[test]
fn half_closed_and_orphans_are_those_of_the_filters() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let document = document(&["-t"]);
    for (key, filter) in [("half_closed", "half-closed"), ("orphans", "orphan")] {
        let rows = list(&["-tan", filter]);
        assert!(!rows.is_empty(), "{filter}");
        assert_eq!(document[key], rows.len(), "{filter}");
    }
}

#[test]
fn longest_time_wait_is_below_2_msl() {
    let Some(_namespace) = fresh() else { return };
    let none = document(&["-t"])["time_wait"].clone();
    assert_eq!(none, serde_json::json!({"count": 0, "longest_ms": null}));
    let _held = tcp::states::time_wait(V4).unwrap();
    let some = document(&["-t"])["time_wait"].clone();
    assert_eq!(some["count"], 1);
    let rest = some["longest_ms"].as_u64().unwrap();
    assert!((40_000..=60_000).contains(&rest), "{rest}");
    let text = lsock(["-st"]).clean();
    assert!(
        text.text().contains("\nTIME_WAIT 1, the last for "),
        "{}",
        text.text()
    );
}

#[test]
fn listeners_are_shown_with_what_waits_and_its_limit() {
    let Some(_namespace) = fresh() else { return };
    let full = tcp::listener(V4, 2).unwrap();
    let _empty = tcp::listener(V4, 7).unwrap();
    let _client = tcp::connect(&full).unwrap();
    let queues = |document: &Value| -> Vec<(u64, u64)> {
        let listeners = document["listeners"].as_array().unwrap().iter();
        let queues = listeners.map(|l| ["recv_queue", "send_queue"].map(|key| l[key].as_u64()));
        queues.map(|[a, b]| (a.unwrap(), b.unwrap())).collect()
    };
    let document_of = |words: &[&str]| {
        until("a connection that waits", || {
            let document = document(words);
            (document["listeners"][0]["recv_queue"] == 1).then_some(document)
        })
    };
    assert_eq!(queues(&document_of(&["-t"])), [(1, 2), (0, 7)]);
    let limited = document_of(&["-t", "--limit", "1"]);
    assert_eq!(queues(&limited), [(1, 2)]);
    assert_eq!(limited["summary"]["limited"], true);
    let text = lsock(["-st", "--limit", "1"]).clean();
    assert!(text.lines().contains(&"and 1 more"), "{text:?}");
}

/// `TCP: inuse 5 orphan 0 tw 1 …` of `/proc/net/sockstat` and its like.
fn sockstat(file: &str, line: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(Path::new("/proc/thread-self/net").join(file)).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    let mut words = line.split_whitespace();
    words.find(|other| *other == word).unwrap();
    words.next().unwrap().parse().unwrap()
}

#[test]
fn numbers_agree_with_sockstat() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let document = document(&[]);
    let counted = counted(&document);
    let total = |protocol: &str, family: &str, without: &[&str]| -> u64 {
        let of_table = counted.iter().filter(|([p, f, state], _)| {
            p == protocol && f == family && !without.contains(&state.as_str())
        });
        of_table.map(|(_, count)| count).sum()
    };
    // What has no full socket, or none that is hashed, is not in use.
    let unused = ["TIME_WAIT", "SYN_RCVD", "BOUND"];
    for (family, file, tcp, udp) in [
        ("inet", "sockstat", "TCP:", "UDP:"),
        ("inet6", "sockstat6", "TCP6:", "UDP6:"),
    ] {
        assert_eq!(
            total("tcp", family, &unused),
            sockstat(file, tcp, "inuse"),
            "{tcp}"
        );
        assert_eq!(
            total("udp", family, &[]),
            sockstat(file, udp, "inuse"),
            "{udp}"
        );
    }
    assert_eq!(
        document["time_wait"]["count"],
        sockstat("sockstat", "TCP:", "tw")
    );
}

#[test]
fn diagram_has_the_numbers_of_json() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let mut of_tcp: BTreeMap<String, u64> = BTreeMap::new();
    for ([_, _, state], count) in counted(&document(&["-t"])) {
        *of_tcp.entry(state).or_default() += count;
    }
    let text = drawn(&["-t"], &[]);
    for (state, count) in of_tcp {
        let (_, behind) = text.split_once(&state).unwrap();
        let cell = behind.split_whitespace().next();
        assert_eq!(cell, Some(&*count.to_string()), "{state}\n{text}");
    }
}

#[test]
fn locale_decides_about_the_signs() {
    let _namespace = Namespace::enter();
    for (locale, is_ascii) in [
        (&[][..], true),
        (&[("LANG", "C")], true),
        (&[("LANG", "de_DE.UTF-8")], false),
        (&[("LANG", "C.UTF-8"), ("LC_ALL", "C")], true),
        (
            &[("LANG", "C"), ("LC_CTYPE", "C.utf8"), ("LC_ALL", "")],
            false,
        ),
    ] {
        assert_eq!(drawn(&["-t"], locale).is_ascii(), is_ascii, "{locale:?}");
    }
}

#[test]
fn without_tcp_nothing_is_drawn() {
    let _namespace = Namespace::enter();
    assert!(drawn(&["-u"], &[]).starts_with("PROTO "));
    assert!(drawn(&["-t"], &[]).starts_with("CLOSED -"));
}

#[test]
fn colours_are_those_of_color() {
    let _namespace = Namespace::enter();
    assert!(!drawn(&[], &[]).contains('\x1b'));
    assert!(drawn(&["--color", "always"], &[]).contains('\x1b'));
}

#[test]
fn summary_is_what_the_schema_says() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let mut schema: Value = serde_json::from_str(lsock::render::SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for words in [
        &["-A", "all"][..],
        &["-t", "--limit", "0"],
        &["-u", "pid = none"],
    ] {
        let document = lsock([&["-sj"], words].concat()).done().document();
        let wrong: Vec<String> = validator
            .iter_errors(&document)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(wrong, Vec::<String>::new(), "{words:?}");
        let mut mixed = document.clone();
        mixed["sockets"] = Value::Array(Vec::new());
        assert!(!validator.is_valid(&mixed));
    }
    let definitions = schema["$defs"].take();
    let schema = serde_json::json!({"$ref": "#/$defs/record", "$defs": definitions});
    let validator = jsonschema::validator_for(&schema).unwrap();
    for line in lsock(["-s", "-A", "all", "--format", "ndjson"])
        .clean()
        .lines()
    {
        assert!(
            validator.is_valid(&serde_json::from_str(line).unwrap()),
            "{line}"
        );
    }
}

#[test]
fn records_are_the_numbers_of_json() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let wanted = counted(&document(&["-tux"]));
    let ndjson = lsock(["-stux", "--format", "ndjson"]).clean();
    let rows = ndjson.values().into_iter();
    let rows = rows.map(|row| (key(&row), row["count"].as_u64().unwrap()));
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), wanted);
    let csv = lsock(["-stux", "--format", "csv"]).clean();
    let mut reader = csv::Reader::from_reader(&csv.stdout[..]);
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let key = [0, 1, 2].map(|place| record[place].to_owned());
        (key, record[3].parse().unwrap())
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), wanted);
}

#[test]
fn recording_has_the_same_summary() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("recording");
    let file = file.to_str().unwrap();
    let live = document(&["-tux", "-D", file]);
    let replayed = document(&["--replay", file]);
    assert_eq!(counted(&live), counted(&replayed));
    assert_eq!(live["half_closed"], replayed["half_closed"]);
}

#[test]
fn incomplete_summary_ends_with_2_and_says_so() {
    let whole = recording::fixture("tcp4.bin");
    let cut = recording::file(&whole[..whole.len() - 1]);
    let run = lsock(["-sj", "--replay", cut.path().to_str().unwrap()]);
    assert_eq!(run.status, Some(2));
    assert_eq!(run.document()["summary"]["complete"], false);
    assert!(
        run.stderr.starts_with("lsock: incomplete list: "),
        "{}",
        run.stderr
    );
}

#[test]
fn options_about_rows_are_usage_errors() {
    for (words, option) in [
        (&["-sp"][..], "-p"),
        (&["-se"], "-e"),
        (&["-so"], "-o"),
        (&["-si"], "-i"),
        (&["-sm"], "-m"),
        (&["-sr"], "-r"),
        (&["-sO"], "-O"),
        (&["-s", "--columns", "state"], "--columns"),
        (&["-s", "--sort", "state"], "--sort"),
    ] {
        let run = lsock(words);
        assert_eq!((run.status, run.stdout.len()), (Some(2), 0), "{words:?}");
        let told = format!("lsock: {option} cannot be combined with -s");
        assert!(run.stderr.starts_with(&told), "{}", run.stderr);
    }
}

#[test]
fn formats_without_a_header_and_colors_ignore_their_options() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::listener(V4, 5).unwrap();
    // But for the time.
    let of = |words: &[&str]| {
        let text = lsock(words).done().text().to_owned();
        let digit = |c: &char| !c.is_ascii_digit();
        text.chars().filter(digit).collect::<String>()
    };
    for format in ["json", "ndjson", "svg", "html", "openmetrics", "prometheus"] {
        let words = ["-st", "--format", format];
        let more = [&words[..], &["-H", "--color", "always"]].concat();
        assert_eq!(of(&more), of(&words), "{format}");
    }
}

#[test]
fn no_header_leaves_only_the_titles_out() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::listener(V4, 5).unwrap();
    let all = lsock(["-st"]).clean();
    let bare = lsock(["-stH"]).clean();
    let kept = all
        .lines()
        .into_iter()
        .filter(|line| !line.starts_with("PROTO "));
    assert_eq!(bare.lines(), kept.collect::<Vec<_>>());
}
