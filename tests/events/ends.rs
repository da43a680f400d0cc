//! Ways out: after each of them nothing of ours is left in the kernel. And what keeps the kernel's
//! records from us: then the sockets are looked at again and again, and the user is told.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::watch::{Watch, traced};

use crate::owners::nobody::Reachable;
use crate::scene::{V4, tcp};
use crate::support::{
    Child, can_strace, close, command, fresh, has, program, run, until, with_faults,
};

/// The programs and maps in the kernel that a process has descriptors of: words for `bpftool`.
fn in_kernel(pid: u32) -> Vec<[String; 4]> {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
    let mut found = Vec::new();
    for text in texts {
        for line in text.lines() {
            let (key, number) = line.split_once(':').unwrap_or_default();
            let kind = match key {
                "prog_id" => "prog",
                "map_id" => "map",
                _ => continue,
            };
            found.push([kind, "show", "id", number.trim()].map(str::to_owned));
        }
    }
    found
}

fn is_in_kernel(words: &[String; 4]) -> bool {
    run(command("bpftool").args(words)).status == Some(0)
}

/// Waits until nothing of it is there any more: the kernel frees it a moment later.
fn assert_gone(left: &[[String; 4]]) {
    for words in left {
        until(format!("{words:?} is gone"), || {
            (!is_in_kernel(words)).then_some(())
        });
    }
}

#[test]
fn nothing_is_left_in_the_kernel_after_any_end() {
    let Some(_namespace) = traced() else { return };
    if !has("bpftool") {
        return;
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGKILL,
    ] {
        let watch = Watch::begin(&[], "");
        let running = in_kernel(watch.pid());
        assert!(running.len() >= 2, "a ring buffer and a program");
        assert!(running.iter().all(is_in_kernel), "{running:?}");
        let (_, run) = watch.end_by(signal);
        let status = if signal == Signal::SIGKILL {
            None
        } else {
            Some(0)
        };
        assert_eq!(run.status, status, "{signal}: {run:?}");
        assert_gone(&running);
    }
    let watch = Watch::begin(&["--wait", "3s"], "");
    let running = in_kernel(watch.pid());
    watch.outcome().1.clean();
    assert_gone(&running);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn reader_that_goes_away_ends_it_in_order() {
    let Some(_namespace) = traced() else { return };
    let mut child = Child::piped(program().args(["-E", "-n", "--format", "plain"]));
    // The titles: it has begun.
    let mut stdout = child.stdout();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    close(tcp::listener(V4, 1).unwrap());
    child.end().clean();
}

#[test]
fn reader_that_goes_away_is_noticed_where_nothing_happens() {
    let Some(_namespace) = fresh() else { return };
    for source in ["auto", "netlink"] {
        let mut child = Child::piped(program().args(["-En", "--source", source]));
        let mut stdout = child.stdout();
        stdout.read_exact(&mut [0]).unwrap();
        drop(stdout);
        let run = child.end();
        assert_eq!(run.status, Some(0), "{run:?}");
    }
}

#[test]
fn every_end_comes_in_time_however_much_happens() {
    // An eighth of it, where the machine does nothing else.
    // Events do not end: without the signal it never would.
    const SOON: Duration = Duration::from_secs(50);
    let Some(namespace) = traced() else { return };
    // No connection keeps its port when it is closed.
    let kept = "ipv4/tcp_max_tw_buckets";
    namespace.set_sysctl(kept, "0").unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let load = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            while !is_over.load(Ordering::Relaxed) {
                close(tcp::pair(V4));
            }
        }
    });
    let start = |more: &[&str]| {
        let mut lsock = program();
        let lsock = lsock.args(["-En", "--format", "ndjson"]).args(more);
        Child::start(lsock.stdout(Stdio::null()).stderr(Stdio::piped()))
    };
    let mut ends = Vec::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let child = start(&[]);
        child.until_caught(signal);
        std::thread::sleep(Duration::from_secs(1));
        let signalled = Instant::now();
        child.signal(signal);
        ends.push((child.end(), signalled.elapsed()));
    }
    for own in [["--wait", "1s"], ["--limit", "3000"]] {
        let begun = Instant::now();
        ends.push((start(&own).end(), begun.elapsed()));
    }
    is_over.store(true, Ordering::Relaxed);
    load.join().unwrap();
    for (run, took) in ends {
        assert!(matches!(run.status, Some(0 | 2)), "{run:?}");
        assert!(took < SOON, "{took:?}");
    }
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
fn two_runs_at_once_tell_the_same() {
    let Some(_namespace) = traced() else { return };
    let [one, two] = [Watch::begin(&[], ""), Watch::begin(&[], "")];
    let pair = tcp::pair(V4).unwrap();
    let port = pair.server.local_addr().unwrap().port();
    close(pair);
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
        (&["bpf:error=EPERM"][..], "operation not permitted"),
        (&["bpf:error=ENOSYS"], "function not implemented"),
        (&["bpf:error=EACCES:when=3+"], "permission denied"),
        (&["bpf:error=EINVAL:when=4+"], "invalid argument"),
        (
            &["/sys/kernel/btf/vmlinux", "openat:error=ENOENT"],
            "/sys/kernel/btf/vmlinux: no such file or directory",
        ),
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
    close(pair.client);
    // A busy machine lets the FIN wait.
    assert_eq!((&pair.server).read(&mut [0]).unwrap(), 0);
    watch.ring();
    close(pair.server);
    let (events, run) = watch.end();
    assert_eq!(run.status, Some(0));
    assert_eq!(run.stderr.matches("(sampled)").count(), 1, "{}", run.stderr);
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
