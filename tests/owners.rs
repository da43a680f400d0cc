//! Who holds a socket.

pub mod alone;
mod hostile;
pub mod nobody;
mod trees;
mod ways;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::Value;

use crate::scene::tcp::{self, listeners, options, states};
use crate::scene::{Expected, Held, V4, expected, holder, unix};
use crate::support::{close, fresh, is_of, lsock, stage};

/// The sockets of `lsock -p <words>`.
fn listed(words: &[&str]) -> Vec<Value> {
    lsock([&["-p", "--json"], words].concat()).done().sockets()
}

/// The row of that socket.
fn row_of(rows: &[Value], expected: &Expected) -> Value {
    let found = rows.iter().find(|row| is_of(row, expected));
    found.unwrap_or_else(|| panic!("no {expected:#?}")).clone()
}

/// The processes of that listener of the scene.
fn processes_of(held: &Held, what: &str) -> Vec<Value> {
    let row = row_of(&listed(&["-tl"]), held.the(what));
    assert_eq!(row["process_status"], "found");
    row["processes"].as_array().unwrap().clone()
}

fn descriptors(process: &Value) -> Vec<i64> {
    let fds = process["fds"].as_array().unwrap();
    fds.iter().map(|fd| fd.as_i64().unwrap()).collect()
}

/// Is this owner among the processes, with all its descriptors? While another test starts a command,
/// the child holds copies for a moment: more owners than expected prove nothing.
fn has(row: &Value, pid: u32, fds: &[i32]) -> bool {
    let processes = row["processes"].as_array().into_iter().flatten();
    let mut found = processes.filter(|process| process["pid"] == pid);
    let Some(process) = found.next() else {
        return false;
    };
    let open = descriptors(process);
    found.next().is_none() && fds.iter().all(|fd| open.contains(&i64::from(*fd)))
}

/// Is there a process into which this one may not look? Told by `/proc`, without `lsock`.
fn some_process_is_closed() -> bool {
    let names = fs::read_dir("/proc").unwrap().flatten();
    let pids = names.filter_map(|name| name.file_name().to_str()?.parse::<u32>().ok());
    let denied = |error: &std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    let mut pids = pids;
    pids.any(|pid| match fs::read_dir(format!("/proc/{pid}/fd")) {
        Err(error) => denied(&error),
        Ok(fds) => fds
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_err_and(|error| denied(&error))),
    })
}

#[test]
fn every_owner_is_listed_with_its_descriptors() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let rows = listed(&["-a", "-A", "all"]);
    for expected in &scene.expected {
        let row = row_of(&rows, expected);
        for (pid, fds) in &expected.owners {
            assert!(has(&row, *pid, fds), "{row:#}\n{expected:#?}");
            assert_eq!(row["process_status"], "found");
        }
    }
}

#[test]
fn owners_are_ordered_by_pid_and_descriptors_ascend() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    for row in listed(&["-a", "-A", "all"]) {
        let processes = row["processes"].as_array().map_or(&[][..], Vec::as_slice);
        let pids: Vec<u64> = processes
            .iter()
            .map(|p| p["pid"].as_u64().unwrap())
            .collect();
        assert!(pids.is_sorted_by(|a, b| a < b), "{row:#}");
        for process in processes {
            assert!(descriptors(process).is_sorted_by(|a, b| a < b), "{row:#}");
        }
    }
}

#[test]
fn every_process_of_a_shared_listener_is_an_owner() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::shared(V4).unwrap();
    let row = row_of(&listed(&["-tl"]), held.the("listener of three processes"));
    let owners = &held.the("listener of three processes").owners;
    assert_eq!(owners.len(), 3);
    for (pid, fds) in owners {
        assert!(has(&row, *pid, fds), "{row:#}");
    }
}

#[test]
fn who_closed_its_descriptor_is_no_owner() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::handed_over(V4).unwrap();
    let processes = processes_of(&held, "listener of a child");
    let own = std::process::id();
    assert!(processes.iter().all(|process| process["pid"] != own));
}

#[test]
fn owner_has_name_command_and_user() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::handed_over(V4).unwrap();
    let (pid, _) = held.the("listener of a child").owners[0];
    let processes = processes_of(&held, "listener of a child");
    let child = processes
        .iter()
        .find(|process| process["pid"] == pid)
        .unwrap();
    assert_eq!(child["name"], "sleep");
    assert_eq!(child["command"], "sleep 600");
    assert_eq!(
        child["user"],
        row_of(&listed(&["-tl"]), held.the("listener of a child"))["user"]
    );
}

#[test]
fn thousands_of_descriptors_of_one_socket_are_all_listed() {
    let Some(_namespace) = fresh() else { return };
    let opened = options::held_many_times(V4, 1_200);
    let Some(held) = crate::scene::or_skip("1,200 descriptors", opened) else {
        return;
    };
    let (pid, fds) = &held.the("held many times").owners[0];
    assert_eq!(fds.len(), 1_200);
    let row = row_of(&listed(&["-tl"]), held.the("held many times"));
    assert!(has(&row, *pid, fds));
}

#[test]
fn owner_in_text_is_name_and_pid() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::handed_over(V4).unwrap();
    let (pid, _) = held.the("listener of a child").owners[0];
    let last = |words: &[&str]| {
        let run = lsock(words).done();
        run.text().split_whitespace().last().unwrap().to_owned()
    };
    let owners = last(&["-tlpnH"]);
    assert!(
        owners.split(',').any(|one| one == format!("sleep[{pid}]")),
        "{owners}"
    );
    let owners = last(&["-tlpneH"]);
    assert!(owners.contains(&format!("sleep[{pid}]{{0}}")), "{owners}");
}

#[test]
fn owner_in_text_has_all_its_descriptors_with_extended() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::shared(V4).unwrap();
    let run = lsock(["-tlpneH"]).done();
    for (pid, fds) in &held.the("listener of three processes").owners {
        let fds: Vec<String> = fds.iter().map(ToString::to_string).collect();
        let own = format!("[{pid}]{{{}}}", fds.join(","));
        assert!(run.text().contains(&own), "{} has no {own}", run.text());
    }
}

#[test]
fn owners_in_csv_are_lists_of_equal_length() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::shared(V4).unwrap();
    let run = lsock(["-tlp", "--format", "csv"]).done();
    let mut reader = csv::Reader::from_reader(&run.stdout[..]);
    let record: std::collections::HashMap<String, String> =
        reader.deserialize().next().unwrap().unwrap();
    let count = |name: &str| record[name].split(';').count();
    let pids: Vec<u64> = serde_json::from_str(&record["pids"]).unwrap();
    for (pid, _) in &held.the("listener of three processes").owners {
        assert!(pids.contains(&u64::from(*pid)), "{pids:?}");
    }
    for name in ["process_names", "process_commands", "process_users"] {
        assert_eq!(count(name), pids.len(), "{name}");
    }
    let fds: Vec<Vec<u64>> = serde_json::from_str(&record["fds"]).unwrap();
    assert_eq!(fds.len(), pids.len());
}

#[test]
fn socket_that_nobody_can_hold_has_no_owner_for_certain() {
    let Some(_namespace) = fresh() else { return };
    for (held, what) in [
        (states::time_wait(V4), "TIME_WAIT"),
        (states::orphan(V4), "orphan"),
        (states::pending(V4), "not accepted"),
        (states::syn_rcvd(V4), "SYN_RCVD"),
    ] {
        let row = row_of(&listed(&["-t"]), held.unwrap().the(what));
        assert_eq!(row["process_status"], "none", "{what}");
        assert_eq!(row["processes"], Value::Array(Vec::new()), "{what}");
    }
}

/// Sends a descriptor into a unix socket: closed afterwards, nobody has it while it is in flight.
pub fn send_away(listener: &OwnedFd) -> (OwnedFd, OwnedFd) {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let fds = [listener.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    let bytes = [std::io::IoSlice::new(b"x")];
    sendmsg::<()>(one.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None).unwrap();
    (one.into(), other.into())
}

#[test]
fn owner_of_a_socket_in_flight_is_unknown() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let expected = Expected::inet("in flight", "tcp", "LISTEN", listener.as_fd()).unwrap();
    let _ends = send_away(&listener);
    close(listener);
    let row = row_of(&listed(&["-tl"]), &expected);
    let status = if some_process_is_closed() {
        "unreadable"
    } else {
        "unseen"
    };
    assert_eq!(row["process_status"], status);
    assert_eq!(row["processes"], Value::Null);
    let count = |filter| lsock(["-tlH", filter]).done().lines().len();
    assert_eq!((count("pid = none"), count("pid = unknown")), (0, 1));
}

#[test]
fn owners_are_null_unless_asked_for() {
    let Some(_namespace) = fresh() else { return };
    let held = unix::states::stream().unwrap();
    assert!(
        held.expected
            .iter()
            .all(|expected| !expected.owners.is_empty())
    );
    for row in crate::support::list(&["-xa"]) {
        assert_eq!(
            (&row["processes"], &row["process_status"]),
            (&Value::Null, &Value::from("not_searched"))
        );
    }
}

#[test]
fn owner_of_one_socket_is_not_that_of_another() {
    let Some(_namespace) = fresh() else { return };
    let (one, other) = (tcp::listener(V4, 1).unwrap(), tcp::listener(V4, 1).unwrap());
    let (_child, (pid, _)) = holder::owner(&one, &[]).unwrap();
    for row in listed(&["-tl"]) {
        let is_one = row["inode"] == expected::inode(&one).unwrap();
        assert_eq!(has(&row, pid, &[0]), is_one, "{row:#}");
    }
    close(other);
}
