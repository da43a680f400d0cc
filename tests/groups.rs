//! `--by`: groups of sockets.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::scene::V4;
use crate::scene::holder::{Holder, as_nobody, no_nobody};
use crate::scene::tcp::{listeners, states};
use crate::support::{LSOCK, Run, command, fresh, lsock, run, skip};

/// Connections of clients to one listener, all of which it has accepted.
struct Held {
    listener: TcpListener,
    clients: Vec<TcpStream>,
    accepted: Vec<TcpStream>,
}

fn held(count: usize) -> Held {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..count)
        .map(|_| TcpStream::connect(end).unwrap())
        .collect();
    let accepted = (0..count).map(|_| listener.accept().unwrap().0).collect();
    Held {
        listener,
        clients,
        accepted,
    }
}

fn groups(run: &Run) -> Vec<Value> {
    run.document()["groups"].as_array().unwrap().clone()
}

#[test]
fn groups_have_counts_by_state_and_sums() {
    let Some(_namespace) = fresh() else { return };
    let mut held = held(3);
    for client in &mut held.clients {
        client.write_all(b"1234567").unwrap();
    }
    let port = held.listener.local_addr().unwrap().port();
    let run = lsock(["-tanj", "--by", "local_port"]);
    let told = groups(&run);
    let schema = lsock(["--schema", "json"]).document();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&run.document()), "{:#}", run.document());
    // The largest first.
    let first = &told[0];
    assert_eq!(
        (&first["local_port"], &first["count"]),
        (&port.into(), &4.into())
    );
    assert_eq!(first["states"]["ESTABLISHED"], 3);
    assert_eq!(
        (&first["states"]["LISTEN"], &first["states"]["TIME_WAIT"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        (&first["recv_queue"], &first["bytes_received"]),
        (&21.into(), &21.into())
    );
    let rows = lsock(["-tnj", "-i", &format!("sport = {port}")]).document();
    let rtts = rows["sockets"].as_array().unwrap().iter();
    let worst = rtts
        .map(|row| row["tcp_info"]["rtt"].as_u64().unwrap())
        .max();
    assert_eq!(first["rtt"].as_u64(), worst);
    let total: u64 = told
        .iter()
        .map(|group| group["count"].as_u64().unwrap())
        .sum();
    assert_eq!(total, 7);
    assert_eq!(run.document()["summary"]["matched"], 7);
    assert_eq!(held.accepted.len(), 3);
}

#[test]
fn groups_are_sorted_and_limited_in_every_format() {
    let Some(_namespace) = fresh() else { return };
    let held = [held(1), held(3), held(2)];
    let ports = held
        .each_ref()
        .map(|held| held.listener.local_addr().unwrap().port().to_string());
    let words = [
        "-tan",
        "--by",
        "local_port",
        "--sort",
        "-established,local_port",
        "--limit",
        "2",
    ];
    let expected = [&*ports[1], &*ports[2]];
    let list = |format: &str| lsock([&words[..], &["--format", format]].concat()).clean();
    for format in ["plain", "table"] {
        let run = list(format);
        let lines = run.lines();
        assert!(
            lines[0].split_whitespace().eq([
                "LOCAL_PORT",
                "COUNT",
                "LISTEN",
                "ESTABLISHED",
                "RECV_Q",
                "SEND_Q",
                "TOTAL_RETRANS",
                "BYTES_ACKED",
                "BYTES_RECEIVED",
                "RTT"
            ]),
            "{lines:#?}"
        );
        let first = lines[1..]
            .iter()
            .map(|line| line.split_whitespace().next().unwrap());
        assert!(first.eq(expected), "{lines:#?}");
    }
    let of_json = groups(&list("json"));
    assert_eq!(of_json, list("ndjson").values());
    assert!(list("json").document()["summary"]["limited"] == true);
    let ports = of_json.iter().map(|group| group["local_port"].to_string());
    assert!(ports.eq(expected));
    let run = list("csv");
    let mut reader = csv::Reader::from_reader(&run.stdout[..]);
    let told: Vec<std::collections::HashMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    let counts: Vec<_> = told
        .iter()
        .map(|row| (&*row["local_port"], &*row["ESTABLISHED"]))
        .collect();
    assert_eq!(counts, [(expected[0], "3"), (expected[1], "2")]);
}

#[test]
fn users_without_names_are_groups_by_their_numbers_in_every_format() {
    let Some(_namespace) = fresh() else { return };
    let held = held(1);
    // It has no user any more.
    drop(held.clients);
    drop(held.accepted);
    let words = ["-tan", "--by", "user", "--sort", "count"];
    let uid = rustix::process::getuid().as_raw().to_string();
    let run = lsock([&words[..], &["--json"]].concat()).clean();
    let users: Vec<Value> = groups(&run)
        .iter()
        .map(|group| group["user"].clone())
        .collect();
    assert!(
        users.contains(&json!(uid)) && users.contains(&Value::Null),
        "{users:?}"
    );
    let run = lsock([&words[..], &["--format", "csv", "-H"]].concat()).clean();
    let csv: Vec<_> = run
        .lines()
        .iter()
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    assert!(
        csv.contains(&uid) && csv.contains(&String::new()),
        "{csv:?}"
    );
}

#[test]
fn a_socket_is_of_the_group_of_each_of_its_processes() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::shared(V4).unwrap();
    let owners = &held.the("listener of three processes").owners;
    let told = groups(&lsock(["-tlnpj", "--by", "pid", "--sort", "pid"]).done());
    let pids = told.iter().map(|group| group["pid"].as_u64().unwrap());
    let mut expected: Vec<u64> = owners.iter().map(|(pid, _)| u64::from(*pid)).collect();
    expected.sort_unstable();
    assert!(pids.eq(expected), "{told:#?}");
    assert!(told.iter().all(|group| group["count"] == 1), "{told:#?}");
}

#[test]
fn none_and_unknown_are_two_groups_in_every_format() {
    let Some(_namespace) = fresh() else { return };
    if let Some(reason) = no_nobody() {
        return skip(reason);
    }
    let _over = states::time_wait(V4).unwrap();
    // A name that could be taken for one of them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _holder = Holder::named(b"[]", &[listener.as_fd()]).unwrap();
    let _clients = held(1);
    drop(listener);
    let list = |program: Command, words: &[&str]| {
        let mut program = program;
        run(program
            .args(["-tan", "--by", "process,container", "--sort", "-count"])
            .args(words))
    };
    let nobody = || as_nobody(Path::new(LSOCK));
    let told = |run: &Run| -> Vec<Value> {
        let groups = groups(run).into_iter();
        groups
            .map(|group| json!([group["process"], group["container"], group["count"]]))
            .collect()
    };
    let asked = list(nobody(), &["--json"]);
    assert_eq!(told(&asked), [json!([null, null, 5]), json!([[], null, 1])]);
    let schema = lsock(["--schema", "json"]).document();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&asked.document()));
    let first = |run: Run| -> Vec<String> {
        let lines = run.lines().into_iter().skip(1);
        lines
            .map(|line| line.split(",0,").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        first(list(nobody(), &["--format", "csv"])),
        [",,5", "[],,1"]
    );
    let text = list(nobody(), &["--format", "plain"]);
    let words = text.lines().into_iter().skip(1);
    let words = words.map(|line| line.split_whitespace().take(3).collect::<Vec<_>>());
    assert!(words.eq([["?", "?", "5"], ["-", "?", "1"]]), "{text:?}");
    // In the name of a process it is escaped.
    let as_root = first(list(
        command(LSOCK),
        &["--format", "csv", "--sort", "process"],
    ));
    let names = as_root.iter().map(|line| line.split(',').next().unwrap());
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&r"\x5b]"), "{names:?}");
    assert_eq!(names.last(), Some(&"[]"), "none comes last: {names:?}");
}
