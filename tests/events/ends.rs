//! Ways out: after each of them nothing of ours is left in the kernel. And what keeps the kernel's
//! records from us: then the sockets are looked at again and again, and the user is told.

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use serde_json::Value;

use super::watch::{Watch, traced};

use crate::owners::nobody::Reachable;
use crate::scene::{V4, tcp};
use crate::support::{Child, can_strace, fresh, program, with_faults};

/// The instances of the process in tracefs, as a mount of the test's own shows them.
fn instances_of(pid: u32) -> Vec<String> {
    let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    rustix::mount::fsconfig_create(&context).unwrap();
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    let mount = rustix::mount::fsmount(&context, flags, MountAttrFlags::empty()).unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(&mount, "instances", flags, Mode::empty()).unwrap();
    let mut names = Vec::new();
    let mut space = Vec::with_capacity(8_192);
    let mut entries = RawDir::new(&folder, space.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        names.push(entry.unwrap().file_name().to_string_lossy().into_owned());
    }
    let is_of_pid = |name: &String| {
        let words = name.split(|c: char| !c.is_ascii_digit());
        name.starts_with("lsock-") && words.into_iter().any(|word| word == pid.to_string())
    };
    names.retain(is_of_pid);
    names
}

#[test]
fn nothing_is_left_in_the_kernel_after_any_end() {
    let Some(_namespace) = traced() else { return };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let watch = Watch::begin(&[], "");
        let pid = watch.pid();
        assert_eq!(instances_of(pid).len(), 1);
        let (_, run) = watch.end_by(signal);
        run.clean();
        assert_eq!(instances_of(pid), Vec::<String>::new(), "{signal}");
    }
    let watch = Watch::begin(&["--wait", "3s"], "");
    let pid = watch.pid();
    watch.outcome().1.clean();
    assert_eq!(instances_of(pid), Vec::<String>::new(), "--wait");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn reader_that_goes_away_ends_it_in_order() {
    let Some(_namespace) = traced() else { return };
    let mut child = Child::piped(program().args(["-E", "-n", "--format", "plain"]));
    let pid = child.pid();
    // The titles: it has begun.
    let mut stdout = child.stdout();
    stdout.read_exact(&mut [0]).unwrap();
    assert_eq!(instances_of(pid).len(), 1);
    drop(stdout);
    drop(tcp::listener(V4, 1).unwrap());
    child.end().clean();
    assert_eq!(instances_of(pid), Vec::<String>::new());
}

#[test]
fn limit_ends_it_after_so_many_events() {
    let Some(_namespace) = fresh() else { return };
    for (limit, lines) in [("0", 0), ("1", 1)] {
        let words = [
            "-En", "--format", "ndjson", "--limit", limit, "--wait", "20s",
        ];
        let mut child = Child::piped(program().args(words));
        // Until it has seen enough.
        while !child.is_over() {
            let _listener = tcp::listener(V4, 1).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        let run = child.end();
        assert_eq!((run.status, run.lines().len()), (Some(0), lines), "{run:?}");
    }
}

#[test]
fn killed_run_leaves_what_the_next_one_removes() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "");
    let pid = watch.pid();
    let (_, run) = watch.end_by(Signal::SIGKILL);
    assert_eq!(run.status, None);
    // Another test's run may have been quicker to remove it.
    let next = Watch::begin(&[], "");
    assert_eq!(instances_of(pid), Vec::<String>::new());
    drop(tcp::listener(V4, 1).unwrap());
    let (events, run) = next.end();
    run.clean();
    assert_eq!(events.len(), 2, "{events:#?}");
}

#[test]
fn two_runs_at_once_tell_the_same() {
    let Some(_namespace) = traced() else { return };
    let [one, two] = [Watch::begin(&[], ""), Watch::begin(&[], "")];
    assert_ne!(instances_of(one.pid()), instances_of(two.pid()));
    let pair = tcp::pair(V4).unwrap();
    let port = pair.server.local_addr().unwrap().port();
    drop(pair);
    let told = [one.end(), two.end()].map(|(events, run)| {
        run.clean();
        let ours = |event: &&Value| event["local_port"] == port || event["peer_port"] == port;
        let steps = events.iter().filter(ours).map(|event| {
            let keys = ["local_port", "peer_port", "old_state", "new_state"];
            keys.map(|key| event[key].to_string()).join(" ")
        });
        steps.collect::<Vec<String>>()
    });
    assert!(told[0].len() > 10, "{told:#?}");
    assert_eq!(told[0], told[1]);
}

/// Runs `lsock -E` for a moment with these faults; how it falls back.
fn fallback(faults: &[&str]) -> (Value, String) {
    let words = ["-E", "-n", "--json", "--wait", "200ms"];
    let attempt = with_faults(faults, &words);
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    (attempt.document(), attempt.stderr)
}

#[test]
fn what_the_kernel_refuses_is_said_and_replaced() {
    if !can_strace() {
        return;
    }
    let Some(_namespace) = traced() else { return };
    for (faults, words) in [
        // tracefs is not built in; where it is mounted, it cannot be written to.
        (
            &["fsopen:error=ENODEV", "mkdirat:error=EROFS"][..],
            "tracefs",
        ),
        (&["fsopen:error=EPERM", "mkdirat:error=EACCES"], "tracefs"),
        (&["mkdirat:error=EROFS"], "read-only file system"),
        (&["mkdirat:error=EACCES"], "permission denied"),
        (&["mkdirat:error=ENOSPC"], "no space left on device"),
    ] {
        let (document, stderr) = fallback(faults);
        assert_eq!(document["summary"]["sampled"], true, "{faults:?}");
        let said = stderr.lines().count() == 1
            && stderr.starts_with("lsock: ")
            && stderr.contains(words)
            && stderr.contains("sampled");
        assert!(said, "{faults:?}: {stderr}");
        let warning = document["summary"]["warnings"][0].as_str().unwrap();
        assert!(stderr.contains(warning), "{faults:?}: {stderr}");
    }
}

#[test]
fn user_without_rights_is_told_what_is_seen() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let watch = Watch::begin_as(lsock.command(), &[], "");
    let pair = tcp::pair(V4).unwrap();
    let [here, there] = [&pair.client, &pair.server].map(|end| end.local_addr().unwrap().port());
    watch.ring();
    drop(pair.client);
    watch.ring();
    drop(pair.server);
    let (events, run) = watch.end();
    assert_eq!(run.status, Some(0));
    assert!(run.stderr.contains("(sampled)"), "{}", run.stderr);
    assert!(
        events.iter().all(|event| event["sampled"] == true),
        "{events:#?}"
    );
    let client = super::steps(&events, here, there);
    assert!(client.are_of(super::CLIENT), "{client:?}");
    assert!(
        client.0.iter().any(|(_, new)| new == "ESTABLISHED"),
        "{client:?}"
    );
    assert!(
        client.0.iter().any(|(_, new)| new == "TIME_WAIT"),
        "{client:?}"
    );
    let server = super::steps(&events, there, here);
    assert!(server.are_of(super::SERVER), "{server:?}");
    assert!(
        server.0.iter().any(|(_, new)| new == "CLOSE_WAIT"),
        "{server:?}"
    );
}
