//! Tests that look at the processes which hold a socket.

use serde_json::Value;

use super::cases::{Case, case, check, is};
use crate::scene::tcp::listeners;
use crate::scene::{Held, V4};
use crate::support::{fresh, list, lsock, stage};

/// The processes of a row.
fn processes(row: &Value) -> impl Iterator<Item = &Value> {
    row["processes"].as_array().into_iter().flatten()
}

fn held_by(row: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    processes(row).any(holds)
}

/// What the scene's child and this process hold.
fn cases(child: u32) -> Vec<Case> {
    let own = std::process::id();
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective());
    let user = user.unwrap().expect("this user has a name").name;
    let one = user.clone();
    vec![
        case(format!("pid = {child}"), move |r| {
            held_by(r, |p| p["pid"] == child)
        }),
        case(format!("pid = {own}"), move |r| {
            held_by(r, |p| p["pid"] == own)
        }),
        // Who holds it is known, if anybody, and it is not this process.
        case(format!("pid != {own}"), move |r| {
            r["processes"].is_array() && !held_by(r, |p| p["pid"] == own)
        }),
        case(format!("not pid = {own}"), move |r| {
            !held_by(r, |p| p["pid"] == own)
        }),
        case("pid > 0", |r| processes(r).count() > 0),
        case("pid = none", |r| is(r, "process_status", &["none"])),
        case("pid = unknown", |r| {
            is(r, "process_status", &["unreadable"])
        })
        .all_or_none(),
        case("process_status = none", |r| {
            is(r, "process_status", &["none"])
        }),
        case("process_status found", |r| {
            is(r, "process_status", &["found"])
        }),
        case("process_status != found", |r| {
            is(r, "process_status", &["none", "unreadable"])
        }),
        case("process = sleep", |r| held_by(r, |p| p["name"] == "sleep")),
        case("process ~ SLE*", |r| held_by(r, |p| p["name"] == "sleep")),
        case("process != sleep", |r| {
            r["processes"].is_array() && !held_by(r, |p| p["name"] == "sleep")
        }),
        case("command ~ \"sleep 6*\"", |r| {
            held_by(r, |p| p["command"] == "sleep 600")
        }),
        case("command = 'sleep 600'", |r| {
            held_by(r, |p| p["command"] == "sleep 600")
        }),
        case("fd = 9 and process sleep", |r| {
            let nine = |p: &Value| p["fds"].as_array().unwrap().contains(&9.into());
            held_by(r, nine) && held_by(r, |p| p["name"] == "sleep")
        }),
        case(format!("process_user = {user}"), move |r| {
            held_by(r, |p| p["user"] == *one)
        }),
        case(
            format!("state listen and pid = {child} or state time-wait"),
            move |r| {
                let listens = is(r, "state", &["LISTEN"]);
                listens && held_by(r, |p| p["pid"] == child) || is(r, "state", &["TIME_WAIT"])
            },
        ),
    ]
}

#[test]
fn owners_select_what_their_names_say() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let mut children = scene
        .expected
        .iter()
        .filter(|e| e.what == "listener of a child");
    let (child, _) = children.next().unwrap().owners[0];
    check(&["-A", "all", "-a"], &["-p"], &cases(child));
    let name = |uid| nix::unistd::User::from_uid(uid).unwrap().unwrap().name;
    let user = name(nix::unistd::Uid::effective());
    let of_user = case(format!("user = {user}"), move |r| r["user"] == *user);
    // Of netlink sockets nobody tells it.
    check(&["-tuxa"], &["-e"], &[of_user]);
}

/// A listener of a child, and the child.
fn of_a_child() -> (Held, u32) {
    let held = listeners::handed_over(V4).unwrap();
    let (pid, _) = held.the("listener of a child").owners[0];
    (held, pid)
}

#[test]
fn owners_stay_null_without_processes_whatever_the_filter_asks() {
    let Some(_namespace) = fresh() else { return };
    let (_held, pid) = of_a_child();
    let rows = list(&["-tl", &format!("pid = {pid}")]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["processes"], Value::Null);
    assert_eq!(rows[0]["process_status"], "not_searched");
}

#[test]
fn process_that_is_asked_for_is_the_one_that_is_named() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::shared(V4).unwrap();
    let (pid, fds) = held.the("listener of three processes").owners[2].clone();
    let run = lsock(["-tlpj", &format!("pid = {pid}")]).done();
    let rows = run.sockets();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let found: Vec<&Value> = processes(&rows[0]).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["pid"], &found[0]["fds"]),
        (&pid.into(), &fds.into())
    );
}

#[test]
fn process_that_is_not_there_holds_nothing() {
    let Some(_namespace) = fresh() else { return };
    let _held = of_a_child();
    // Beyond any pid that Linux gives.
    let run = lsock(["-tlj", "pid = 4194305"]).done();
    assert_eq!(run.sockets(), Vec::<Value>::new());
}
