//! Every format tells the same of the same sockets.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scene::{V4, tcp::options, unix};
use crate::support::{Run, fresh, list, lsock, stage};

/// What does not change between two looks at a scene that stands still.
const STILL: &[&str] = &["-A", "tcp,udp,udplite,unix", "-a"];

const FORMATS: &[&str] = &["plain", "table", "json", "ndjson", "csv"];

/// Rows that can be compared with those of another look: the time goes on.
fn comparable(rows: &[Value]) -> BTreeSet<String> {
    let still = |row: &Value| {
        let mut row = row.clone();
        if row["timer"].is_object() {
            row["timer"] = row["timer"]["kind"].clone();
        }
        row.to_string()
    };
    rows.iter().map(still).collect()
}

fn ndjson(words: &[&str]) -> Vec<Value> {
    let run = lsock([words, &["--format", "ndjson"]].concat());
    run.done().values()
}

/// The records of a listing in CSV, by the names of their fields.
fn csv_rows(run: &Run) -> Vec<std::collections::HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(&run.stdout[..]);
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn json_is_what_the_schema_says() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let schema = serde_json::from_str(include_str!("../src/render/schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for words in [
        &[][..],
        &["-im"],
        &["-p"],
        &["--limit", "3"],
        &["--source", "procfs"],
    ] {
        let run = lsock([&["-a", "-A", "all", "--json"], words].concat());
        let document = run.document();
        let wrong: Vec<String> = validator
            .iter_errors(&document)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(wrong, Vec::<String>::new(), "{words:?}");
    }
}

#[test]
fn line_of_ndjson_is_what_the_schema_says_of_a_socket() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let mut schema: Value =
        serde_json::from_str(include_str!("../src/render/schema.json")).unwrap();
    let definitions = schema["$defs"].take();
    let schema = serde_json::json!({"$ref": "#/$defs/socket", "$defs": definitions});
    let validator = jsonschema::validator_for(&schema).unwrap();
    for row in ndjson(&["-a", "-A", "all", "-imp"]) {
        assert!(validator.is_valid(&row), "{row:#}");
    }
}

#[test]
fn ndjson_has_the_rows_of_json() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let (rows, lines) = (list(STILL), ndjson(STILL));
    assert_eq!(comparable(&rows), comparable(&lines));
    assert_eq!(rows.len(), lines.len());
}

#[test]
fn keys_come_in_the_order_of_the_vocabulary_in_every_row() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let run = lsock(["-a", "-A", "all", "--format", "ndjson"]).clean();
    for line in run.lines() {
        let places = lsock::render::Field::VOCABULARY
            .map(|column| line.find(&format!("\"{}\":", column.name())).unwrap());
        assert!(places.is_sorted(), "{line}");
    }
}

/// Keys and values that a line of NDJSON begins with.
fn beginning(line: &str, count: usize) -> Vec<(String, Value)> {
    let row: Value = serde_json::from_str(line).unwrap();
    let mut keys: Vec<(usize, &String)> = row
        .as_object()
        .unwrap()
        .keys()
        .map(|key| (line.find(&format!("\"{key}\":")).unwrap(), key))
        .collect();
    keys.sort_unstable();
    let keys = keys.into_iter().take(count);
    keys.map(|(_, key)| (key.clone(), row[key].clone()))
        .collect()
}

#[test]
fn stamped_rows_begin_with_time_host_and_boot() {
    let Some(_namespace) = fresh() else { return };
    let _held = options::unread(V4, 7).unwrap();
    let host = rustix::system::uname()
        .nodename()
        .to_str()
        .unwrap()
        .to_owned();
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let is_stamp = |told: &[(String, Value)]| {
        assert!(
            told[0].0 == "time" && told[0].1.as_str().unwrap().ends_with('Z'),
            "{told:?}"
        );
        assert_eq!(told[1], ("host".to_owned(), host.clone().into()));
        assert_eq!(told[2], ("boot_id".to_owned(), boot_id.trim().into()));
    };
    for words in [&["-ta"][..], &["-st"], &["-ta", "--columns", "state"]] {
        let run = lsock([words, &["--stamp", "--format", "ndjson"]].concat()).clean();
        run.lines()
            .iter()
            .for_each(|line| is_stamp(&beginning(line, 3)));
        let run = lsock([words, &["--stamp", "--format", "csv"]].concat()).clean();
        let rows = csv_rows(&run);
        assert!(run.text().starts_with("time,host,boot_id,") && !rows.is_empty());
        for row in rows {
            assert_eq!((&*row["host"], &*row["boot_id"]), (&*host, boot_id.trim()));
        }
    }
    let document = lsock(["-taj", "--stamp"]).document();
    assert_eq!(document["boot_id"], boot_id.trim());
    let run = lsock(["-ta", "--stamp"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("--format ndjson or csv"),
        "{}",
        run.stderr
    );
}

#[test]
fn csv_has_the_addresses_of_json() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let keys = [
        "protocol",
        "state",
        "local_address",
        "local_port",
        "peer_address",
        "peer_port",
        "inode",
        "cookie",
    ];
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = list(STILL);
    let of_json: BTreeSet<Vec<String>> = rows
        .iter()
        .map(|row| keys.iter().map(|key| text(&row[*key])).collect())
        .collect();
    let records = csv_rows(&lsock([STILL, &["--format", "csv"]].concat()).clean());
    let of_csv: BTreeSet<Vec<String>> = records
        .iter()
        .map(|record| keys.iter().map(|key| record[*key].clone()).collect())
        .collect();
    assert_eq!(of_json, of_csv);
    assert_eq!(rows.len(), records.len());
}

#[test]
fn csv_splits_the_timer() {
    let Some(_namespace) = fresh() else { return };
    let _held = options::keepalive(V4).unwrap();
    let run = lsock(["-t", "--format", "csv", "--sort", "timer"]).clean();
    let first = &csv_rows(&run)[0];
    assert_eq!(first["timer_kind"], "keepalive");
    assert!(first["timer_expires_ms"].parse::<u64>().unwrap() <= 600_000);
    assert_eq!(first["timer_retransmits"], "0");
}

#[test]
fn csv_lines_end_as_rfc_4180_says() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::names::all().unwrap();
    let run = lsock(["-xa", "--format", "csv"]).clean();
    let text = run.text();
    assert!(text.ends_with("\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn chosen_columns_are_the_keys_of_json() {
    let Some(_namespace) = fresh() else { return };
    let _held = options::unread(V4, 7).unwrap();
    let words = ["-ta", "--columns", "state,local_port,recv_q"];
    for row in list(&words).iter().chain(&ndjson(&words)) {
        let keys: BTreeSet<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, BTreeSet::from(["local_port", "recv_queue", "state"]));
    }
}

#[test]
fn chosen_columns_are_the_titles_of_text_and_csv() {
    let Some(_namespace) = fresh() else { return };
    let _held = options::unread(V4, 7).unwrap();
    let first = |format: &str| {
        let columns = ["--columns", "recv_queue,state,local,protocol"];
        let run = lsock([&["-ta", "--format", format], &columns[..]].concat()).clean();
        let line = run.lines()[0];
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(first("plain"), "RECV_Q STATE LOCAL PROTO");
    assert_eq!(first("table"), "RECV_Q STATE LOCAL PROTO");
    assert_eq!(first("csv"), "recv_queue,state,local,protocol");
}

#[test]
fn chosen_columns_hold_the_same_in_every_format() {
    let Some(_namespace) = fresh() else { return };
    let held = options::unread(V4, 7).unwrap();
    let port = held.the("unread bytes").local().port();
    for format in FORMATS {
        let columns = ["--columns", "local_port,recv_queue", "--format", format];
        let run = lsock([&["-t", "--sort", "-recv_queue"], &columns[..]].concat()).clean();
        let text = run.text().replace([',', ':', '"', '}'], " ");
        let words: Vec<&str> = text.split_whitespace().collect();
        let found = match *format {
            "json" | "ndjson" => words
                .windows(3)
                .any(|w| w == [&port.to_string(), "recv_queue", "7"]),
            _ => words.windows(2).any(|w| w == [&port.to_string(), "7"]),
        };
        assert!(found, "{format}: {text}");
    }
}

#[test]
fn unknown_column_is_a_usage_error_that_names_the_known_ones() {
    let run = lsock(["--columns", "state,colour"]);
    assert_eq!((run.status, run.stdout.len()), (Some(2), 0));
    let beginning = "lsock: unknown field \"colour\"; the fields are: protocol, family, ";
    assert!(run.stderr.starts_with(beginning), "{}", run.stderr);
}

#[test]
fn no_header_leaves_only_the_titles_out() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    for format in ["plain", "table", "csv"] {
        let words = ["-xa", "--format", format];
        let all = lsock(words).clean();
        let bare = lsock([&words[..], &["-H"]].concat()).clean();
        assert_eq!(bare.lines(), all.lines()[1..], "{format}");
    }
}

#[test]
fn details_stand_below_and_with_oneline_beside() {
    let Some(_namespace) = fresh() else { return };
    let held = options::unread(V4, 7).unwrap();
    let count = held.expected.len();
    for format in ["plain", "table"] {
        let words = ["-taH", "-im", "--format", format];
        let below = lsock(words).clean();
        assert_eq!(below.lines().len(), 2 * count, "{format}");
        assert!(below.lines()[1].starts_with("        "), "{format}");
        let beside = lsock([&words[..], &["-O"]].concat()).clean();
        assert_eq!(beside.lines().len(), count, "{format}");
        for line in beside.lines() {
            assert!(line.contains(" rcvbuf:"), "{format}: {line}");
        }
    }
}

#[test]
fn info_and_memory_are_null_unless_asked_for() {
    let Some(_namespace) = fresh() else { return };
    let _held = options::unread(V4, 7).unwrap();
    for row in list(&["-ta"]) {
        for key in ["tcp_info", "congestion", "memory"] {
            assert_eq!(row[key], Value::Null, "{key}");
        }
    }
    for row in list(&["-t", "-im"]) {
        assert!(row["tcp_info"]["rto"].is_u64(), "{row:#}");
        assert!(row["memory"]["rcvbuf"].is_u64(), "{row:#}");
        assert!(row["congestion"].is_string(), "{row:#}");
    }
}
