//! What the library promises to whoever depends on it.

use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use lsock::{
    Completeness, Family, GapKind, Listing, OwnedRow, Owners, PortHolders, Protocol, Sockets,
    State, process_of_port,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::checks::free_port;
use crate::owners::nobody::Reachable;
use crate::scene::holder::owner;
use crate::support::{Child, LSOCK, Reading, command, fresh, list, lsock, run, stage};

/// What it is built from without its features, transitively.
fn dependencies(features: &str) -> Vec<String> {
    let mut cargo = command(env!("CARGO"));
    let asked = [
        "tree",
        "--quiet",
        "-e",
        "normal",
        "--prefix",
        "none",
        "-f",
        "{p}",
        "--offline",
        "--locked",
    ];
    cargo
        .args(asked)
        .args(["--no-default-features", "-F", features]);
    let tree = run(cargo.current_dir(env!("CARGO_MANIFEST_DIR"))).done();
    let names = tree.lines().into_iter();
    let names = names.filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn without_its_features_it_brings_what_asks_the_kernel_and_nothing_else() {
    let found = dependencies("");
    for brought in ["netlink-sys", "procfs", "rustix", "zerocopy"] {
        assert!(
            found.iter().any(|one| one == brought),
            "{brought}: {found:?}"
        );
    }
    let of_the_program = [
        "anstyle",
        "clap",
        "comfy-table",
        "crossterm",
        "dns-lookup",
        "itoa",
        "jiff",
        "serde_core",
        "serde_json",
        "signal-hook",
        "strsim",
        "unicode-width",
        "uzers",
    ];
    for kept in of_the_program {
        assert!(!found.iter().any(|one| one == kept), "{kept}: {found:?}");
    }
}

#[test]
fn each_feature_brings_its_own_crate() {
    for (feature, own, other) in [
        ("bpf", "jiff", "serde_json"),
        ("containers", "serde_json", "jiff"),
        ("serde", "serde_core", "serde_json"),
        ("cli", "clap", "serde"),
    ] {
        let found = dependencies(feature);
        let has = |name: &str| found.iter().any(|one| one == name);
        assert!(has(own) && !has(other), "{feature}: {found:?}");
    }
}

/// What a type must be to go anywhere.
const fn goes_anywhere<T: Send + Sync + 'static>() {}
const fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn what_is_kept_goes_to_other_threads_and_errors_go_anywhere() {
    goes_anywhere::<Sockets>();
    goes_anywhere::<Listing>();
    goes_anywhere::<OwnedRow>();
    goes_anywhere::<Completeness>();
    goes_anywhere::<PortHolders>();
    is_an_error::<lsock::Error>();
    let error = Sockets::new().netns("/no/such/file").list().unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert!(error.to_string().contains("/no/such/file"), "{error}");
    assert!(cause.is_some(), "{error:?}");
}

/// What both have of a row, but for processes: those by pid.
fn comparable(mut row: Value, keys: &[String]) -> String {
    let object = row.as_object_mut().unwrap();
    object.retain(|key, _| keys.contains(key));
    if object["protocol"] == "packet" {
        // What goes over the interface goes there too.
        object.remove("recv_queue");
    }
    let holders = object.remove("processes").unwrap_or_default();
    let holders = holders.as_array().into_iter().flatten();
    let pids: Vec<&Value> = holders.map(|process| &process["pid"]).collect();
    format!("{} {pids:?}", Value::Object(object.clone()))
}

#[test]
fn rows_are_those_of_the_program() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    // Both ask over netlink, with sockets of their own.
    let protocols = Protocol::ALL
        .into_iter()
        .filter(|one| *one != Protocol::Netlink);
    let sockets = Sockets::new().protocols(protocols).owners(Owners::Auto);
    let listing = sockets
        .fields("timer.kind, mark, shutdown")
        .unwrap()
        .list()
        .unwrap();
    let rows = listing
        .rows
        .iter()
        .map(|row| serde_json::to_value(row).unwrap());
    let rows: Vec<Value> = rows.collect();
    let keys = rows[0].as_object().unwrap().keys();
    let keys: Vec<String> = keys.filter(|key| *key != "timer.kind").cloned().collect();
    let program = lsock(["-A", "all,!netlink", "-anpej"]).done().sockets();
    let own = |rows: Vec<Value>| {
        let mut rows: Vec<String> = rows.into_iter().map(|row| comparable(row, &keys)).collect();
        rows.sort();
        rows
    };
    assert!(rows.len() > 30, "{}", rows.len());
    let (rows, program) = (own(rows), own(program));
    let only = |some: &[String], others: &[String]| {
        let only = some.iter().filter(|row| !others.contains(row));
        only.cloned().collect::<Vec<_>>()
    };
    let differences = [only(&rows, &program), only(&program, &rows)];
    assert_eq!(differences, [const { Vec::<String>::new() }; 2]);
    assert_eq!(rows.len(), program.len());
}

#[test]
fn filter_states_and_visit_choose_as_the_program_does() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let filter = "src 127/8 and not sport < 1024";
    let sockets = Sockets::new()
        .protocols([Protocol::Tcp])
        .filter(filter)
        .unwrap();
    let both = [State::Listen, State::CloseWait];
    let some = sockets.clone().states(both).list().unwrap();
    let program = list(&["-tan", &format!("({filter}) and state listen,close-wait")]);
    assert_eq!(some.rows.len(), program.len());
    assert!(some.iter().all(|row| both.contains(&row.state())));
    let mut count = 0;
    let visited = sockets.visit(|row| {
        assert_eq!(row.local().unwrap().is_ipv4(), row.family() == Family::Inet);
        count += 1;
        if count == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!((count, visited.is_ok()), (3, true));
}

#[test]
fn what_cannot_be_told_of_a_filter_is_a_gap() {
    let Some(_namespace) = fresh() else { return };
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("recording");
    let sockets = Sockets::new().protocols([Protocol::Tcp]);
    sockets.clone().record(&file).list().unwrap();
    let replay = Sockets::new().replay(&file);
    let all = replay.list().unwrap();
    assert_eq!(
        (all.rows.len(), &all.completeness),
        (1, &Completeness::Complete)
    );
    // It was not recorded.
    let listing = replay.filter("rcvbuf > 0").unwrap().list().unwrap();
    assert_eq!(listing.rows.len(), 0);
    assert!(
        !listing.completeness.has_all(GapKind::Sockets),
        "{listing:?}"
    );
}

#[test]
fn holders_of_a_port_are_those_who_listen_there() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (holder, _) = owner(
        TcpStream::connect(listener.local_addr().unwrap()).unwrap(),
        &[],
    )
    .unwrap();
    let holders = process_of_port(port, Protocol::Tcp).unwrap();
    let pids: Vec<u32> = holders
        .processes
        .iter()
        .map(|process| process.pid)
        .collect();
    assert_eq!((pids, holders.is_bound), (vec![std::process::id()], true));
    let client = Sockets::new().filter(&format!("peer_port = {port} and pid = {}", holder.pid()));
    let client = client.unwrap().list().unwrap();
    let [row] = &*client.rows else {
        panic!("{client:?}")
    };
    let port = row.row().local().unwrap().port();
    let of_client = process_of_port(port, Protocol::Tcp).unwrap().processes;
    assert!(
        of_client.iter().any(|process| process.pid == holder.pid()),
        "{of_client:?}"
    );
    let free = process_of_port(port, Protocol::Udp).unwrap();
    assert_eq!((free.processes.len(), free.is_bound), (0, false));
}

#[test]
fn values_tell_unknown_from_absent_and_zero() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = stream.local_addr().unwrap().port();
    let plain = Sockets::new().filter(&format!("sport = {port}")).unwrap();
    let informed = plain.clone().fields("rtt, congestion, pid").unwrap();
    for (sockets, is_known) in [(plain, false), (informed, true)] {
        let listing = sockets.list().unwrap();
        let row = listing.rows[0].row();
        let get = |field: &str| row.get(field).unwrap();
        assert_eq!(get("recv_queue"), lsock::Value::Number(0));
        assert_eq!(get("peer_inode"), lsock::Value::Absent);
        assert_eq!(matches!(get("rtt"), lsock::Value::Number(_)), is_known);
        assert_eq!(get("congestion") == lsock::Value::Unknown, !is_known);
        let own = lsock::Value::List(vec![lsock::Value::Number(std::process::id().into())]);
        assert_eq!(get("pid") == own, is_known);
        assert_eq!(row.get("nothing"), None);
    }
}

#[test]
fn filters_mean_what_is_asked_for_in_the_end() {
    let Some(_namespace) = fresh() else { return };
    // An interface of another namespace may have any name; here there is none of this one.
    let own = format!("/proc/{}/ns/net", std::process::id());
    let bound = Sockets::new().filter("dev = nowhere0").unwrap();
    assert!(bound.list().unwrap_err().to_string().contains("nowhere0"));
    assert_eq!(bound.netns(&own).list().unwrap().rows.len(), 0);
    for (sockets, why) in [
        (Sockets::new().filter("netns ~ web"), "netns()"),
        (
            Sockets::new().filter("pid = 1").map(|all| all.replay("x")),
            "recording",
        ),
    ] {
        let error = sockets.unwrap().list().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let error = Sockets::new().filter("any nginx").unwrap_err().to_string();
    assert!(error.contains("process = nginx"), "{error}");
    let error = Sockets::new().replay("x").watch().unwrap_err().to_string();
    assert!(error.starts_with("events are of"), "{error}");
}

/// An example of the library, built.
fn example(name: &str) -> PathBuf {
    let mut cargo = command(env!("CARGO"));
    cargo.args(["build", "--examples", "--quiet", "--offline", "--locked"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    run(cargo.current_dir(env!("CARGO_MANIFEST_DIR"))).done();
    Path::new(LSOCK).with_file_name("examples").join(name)
}

#[test]
fn examples_of_lists_tell_what_there_is() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let mut streams = Vec::new();
    for _ in 0..3 {
        drop(TcpStream::connect(end).unwrap());
        streams.push(listener.accept().unwrap().0);
    }
    let own = std::process::id();
    let run = |name: &str, words: &[&str]| run(command(example(name)).args(words)).done();
    let listeners = run("listeners", &[]);
    let line = listeners
        .lines()
        .into_iter()
        .find(|line| line.contains(&end.to_string()));
    assert!(line.unwrap().contains(&format!("[{own}]")), "{listeners:?}");
    let waiting = run("close_wait", &[]);
    let line = waiting.text().trim();
    assert!(
        line.starts_with("3 ") && line.ends_with(&format!("[{own}]")),
        "{line}"
    );
    assert_eq!(
        run("wait_for_port", &[&end.port().to_string(), "0"])
            .text()
            .trim(),
        format!("Some({end})")
    );
    let metrics = run("exporter", &[]);
    assert!(
        metrics
            .text()
            .contains("sockets{protocol=\"tcp\",state=\"CLOSE_WAIT\"} 3\n"),
        "{metrics:?}"
    );
    assert!(metrics.text().ends_with("# EOF\n"));
    let folder = TempDir::new().unwrap();
    let recording = run("recording", &[folder.path().join("file").to_str().unwrap()]);
    let words: Vec<&str> = recording.text().split(' ').collect();
    assert_eq!((words[0], words[3]), ("7", "7"), "{recording:?}");
}

#[test]
fn example_waits_for_a_port_and_no_longer_than_it_may() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let late = run(command(example("wait_for_port")).args([port.to_string(), "0".into()]));
    assert_eq!((late.status, late.text()), (Some(1), ""));
    let waiting =
        Child::piped(command(example("wait_for_port")).args([port.to_string(), "30".into()]));
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert_eq!(
        waiting.end().done().text(),
        format!("Some(127.0.0.1:{port})\n")
    );
}

#[test]
fn example_of_events_tells_each_step() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let filter = format!("peer_port = {}", end.port());
    let mut events = command(example("events"));
    let events = Reading::start(events.args([&filter, "60"]), |line| line);
    events.wait_for("a watch", |lines| !lines.is_empty());
    let stream = TcpStream::connect(end).unwrap();
    let client = stream.local_addr().unwrap();
    let is_open = |lines: &[String]| lines.iter().any(|line| line.contains("-> ESTABLISHED"));
    events.wait_for("a connection", is_open);
    let told = events.told();
    let told = told
        .iter()
        .find(|line| line.contains("-> ESTABLISHED"))
        .unwrap();
    assert!(
        told.contains(&format!("Some({client}) Some({end})")),
        "{told}"
    );
}

#[test]
fn rights_that_are_missing_are_data() {
    let Some(_namespace) = fresh() else { return };
    let Some(listeners) = Reachable::copy(&example("listeners")) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = listeners.run(&[]);
    assert_eq!(run.status, Some(0));
    assert!(
        run.text()
            .contains(&listener.local_addr().unwrap().to_string()),
        "{run:?}"
    );
    assert!(run.stderr.starts_with("missing: "), "{run:?}");
}
