//! Bytes per second, from one round to the next.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::run::{Running, read};
use crate::scene::V4;
use crate::support::{fresh, lsock};

/// Both ends of a connection, and the port of the one that sends.
fn pair() -> ([TcpStream; 2], u16) {
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let sending = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = sending.local_addr().unwrap().port();
    ([sending, listener.accept().unwrap().0], port)
}

#[test]
fn rates_are_differences_of_what_was_acknowledged_and_received() {
    let Some(_namespace) = fresh() else { return };
    let ([mut sending, mut receiving], port) = pair();
    let (_idle, _) = pair();
    let columns = "local_port,acked_rate,received_rate";
    let words = ["-tnc", "0.05", "--format", "ndjson", "--columns", columns];
    let running = Running::begin(&words);
    running.wait_for("the first round", |lines| lines.len() == 4);
    let mut sent = vec![7; 50_000];
    sending.write_all(&sent).unwrap();
    receiving.read_exact(&mut sent).unwrap();
    let is_received = |row: &Value| row["received_rate"].as_u64().is_some_and(|rate| rate > 0);
    running.wait_for_change("the receiver", is_received);
    let is_acked = |row: &Value| row["acked_rate"].as_u64().is_some_and(|rate| rate > 0);
    running.wait_for_change("the sender", is_acked);
    let (lines, run) = running.end();
    run.clean();
    let rows = read(&lines);
    // Not known in the first round; then of nobody but who transfers.
    assert!(rows[..4].iter().all(|row| row["acked_rate"].is_null()));
    for row in &rows[4..] {
        assert_eq!(
            (&row["change"], &row["old_state"]),
            (&json!(null), &json!(null)),
            "{row}"
        );
        let [acked, received] =
            ["acked_rate", "received_rate"].map(|key| row[key].as_u64().unwrap());
        let is_sender = row["local_port"] == port;
        assert_eq!((acked > 0, received > 0), (is_sender, !is_sender), "{row}");
    }
}

#[test]
fn groups_of_rounds_have_rates() {
    let Some(_namespace) = fresh() else { return };
    let ([mut sending, mut receiving], port) = pair();
    let words = ["-tnc", "0.05", "--by", "local_port", "--format", "ndjson"];
    let running = Running::begin(&words);
    let of_round = |lines: &[String], local: u16| -> Vec<Value> {
        let rows = read(lines).into_iter();
        rows.filter(|row| row["local_port"] == local).collect()
    };
    running.wait_for("the first round", |lines| lines.len() >= 2);
    for _ in 0..10 {
        sending.write_all(&[7; 10_000]).unwrap();
        receiving.read_exact(&mut [0; 10_000]).unwrap();
    }
    // All were seen, and a round after that.
    running.wait_for("the bytes", |lines| {
        let rows = of_round(lines, port);
        rows.last().is_some_and(|row| {
            row["bytes_acked"].as_u64() >= Some(100_000) && row["acked_rate"] == 0
        })
    });
    let (lines, run) = running.end();
    run.clean();
    let schema = lsock(["--schema", "json"]).document();
    let schema = json!({"$ref": "#/$defs/group", "$defs": schema["$defs"]});
    let schema = jsonschema::validator_for(&schema).unwrap();
    let rows = of_round(&lines, port);
    assert!(rows.iter().all(|row| schema.is_valid(row)), "{rows:#?}");
    let first = rows.first().unwrap();
    assert_eq!(
        (&first["acked_rate"], &first["received_rate"]),
        (&json!(null), &json!(null))
    );
    let key = |row: &Value| row["bytes_acked"].as_u64();
    for pair in rows.windows(2) {
        let is_more = key(&pair[1]) > key(&pair[0]);
        assert_eq!(
            pair[1]["acked_rate"].as_u64() > Some(0),
            is_more,
            "{pair:#?}"
        );
    }
    // In each format.
    for (format, begin) in [
        ("csv", "time,host,local_port,count,"),
        ("plain", "LOCAL_PORT "),
    ] {
        let running = Running::begin(&["-tnc", "0.05", "--by", "local_port", "--format", format]);
        running.wait_for("two rounds", |lines| lines.len() > 8);
        let (lines, run) = running.end();
        run.clean();
        let titles = lines.iter().filter(|line| line.starts_with(begin)).count();
        assert_eq!(titles == 1, format == "csv", "{lines:#?}");
        let title = lines.iter().find(|line| line.starts_with(begin)).unwrap();
        assert!(title.to_lowercase().contains("received_rate"), "{title}");
    }
}

#[test]
fn one_listing_has_no_rates() {
    for words in [
        &["-t", "--columns", "acked_rate"][..],
        &["-t", "--sort", "-received_rate"],
        &["-t", "--by", "acked_rate"],
    ] {
        let run = lsock(words);
        assert_eq!(run.status, Some(2), "{words:?}");
        assert_eq!(
            run.stderr,
            "lsock: acked_rate and received_rate compare two listings: add -c\n"
        );
    }
}
