//! Sockets that a process holds and that no table has.

use std::fmt::Display;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::Duration;

use rustix::net::sockopt;
use serde_json::Value;

use super::{findings, kinds};
use crate::owners::alone::{compiled, ready};
use crate::scene::expected::local_address;
use crate::scene::holder::{Holder, descriptors_of, find_program};
use crate::scene::{V4, tcp};
use crate::support::{Child, can_list_bound, fresh, lsock, skip, until};

/// Opens so many sockets of TCP, over both versions of IP, and of UDP, binds one, and connects ten more
/// to a port.
const SCRIPT: &str = r"
    use Socket;
    my ($tcp, $udp, $port) = @ARGV;
    my @all;
    sub one { socket(my $socket, $_[0], $_[1], 0) or die; push @all, $socket; $socket }
    one(($_ % 2 ? PF_INET : PF_INET6), SOCK_STREAM) for 1 .. $tcp;
    one(PF_INET, SOCK_DGRAM) for 1 .. $udp;
    bind(one(PF_INET, SOCK_STREAM), pack_sockaddr_in(0, INADDR_LOOPBACK)) or die;
    for (1 .. 10) {
        connect(one(PF_INET, SOCK_STREAM), pack_sockaddr_in($port, INADDR_LOOPBACK)) or die;
    }
    sleep 600;
";

/// Opens two sockets that are never bound, and in a thread with descriptors of its own 20 more; two are left
/// to an `io_uring` alone.
const HIDING: &str = r#"
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int one(void) { return socket(AF_INET, SOCK_STREAM, 0); }

static void hide(int fd) {
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    int ring = syscall(SYS_io_uring_setup, 4, &params);
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1)) puts("no io_uring");
    close(fd);
}

static void *alone(void *unused) {
    if (unshare(CLONE_FILES)) puts("no descriptors of its own for a thread");
    for (int i = 0; i < 20; i++) one();
    hide(one());
    puts("ready");
    fflush(stdout);
    sleep(600);
    return unused;
}

int main(void) {
    pthread_t thread;
    one();
    one();
    hide(one());
    pthread_create(&thread, NULL, alone, NULL);
    sleep(600);
}
"#;

/// What is said of sockets that are nowhere.
const NOWHERE: &str = "in no table: never bound, reset, or of another network namespace";

/// Inode number of the network namespace of a process.
fn namespace_of(thread: impl Display) -> u64 {
    fs::metadata(format!("/proc/{thread}/ns/net"))
        .unwrap()
        .ino()
}

/// A process of this namespace that has these sockets; its peer has reset so many of its ten connections.
fn leaking(tcp: usize, udp: usize, reset: usize) -> Option<(Child, Vec<impl Sized>)> {
    if let Err(error) = find_program("perl") {
        skip(error);
        return None;
    }
    let listener = tcp::listener(V4, 128).unwrap();
    let port = local_address(&listener).unwrap().port().to_string();
    let numbers = [tcp.to_string(), udp.to_string(), port];
    let mut command = Command::new("perl");
    command.args(["-e", SCRIPT]).args(numbers);
    let child = Child::start(&mut command);
    let mut peers: Vec<_> = (0..10).map(|_| tcp::accept(&listener).unwrap()).collect();
    for peer in peers.drain(..reset) {
        sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    }
    until("all sockets are open", || {
        let held = descriptors_of(child.pid()).unwrap().into_iter();
        let sockets = held.filter(|(_, link)| link.to_string_lossy().starts_with("socket:"));
        (sockets.count() == tcp + udp + 11).then_some(())
    });
    Some((child, peers))
}

#[test]
fn sockets_in_no_table_are_a_leak_from_twenty_on() {
    if !can_list_bound() {
        return;
    }
    let Some(_namespace) = fresh() else { return };
    let Some(_healthy) = leaking(9, 30, 10) else {
        return;
    };
    for words in [&["-sjA", "all"][..], &["-sjt6"]] {
        // Though a process may be closed even to root. The kernel may still count what has just been closed.
        until("everything is checked, and nothing found", || {
            let document = lsock(words).done().document();
            assert_eq!(document["findings"], serde_json::json!([]));
            (document["not_checked"] == serde_json::json!([])).then_some(())
        });
    }
    let Some((child, _peers)) = leaking(14, 0, 6) else {
        return;
    };
    let found = findings(&["-A", "all"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["kind"], &found[0]["severity"], &found[0]["count"]),
        (&"in_no_table".into(), &"warning".into(), &20.into())
    );
    let text = found[0]["text"].as_str().unwrap();
    let told = format!(
        "perl[{}] holds 20 TCP sockets that are in no table",
        child.pid()
    );
    assert!(text.starts_with(&told), "{text}");
    let filter = found[0]["sockets"].as_str().unwrap();
    let run = lsock(["-apj", filter]);
    let told = format!("20 TCP sockets of process {} are in no table", child.pid());
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    assert_eq!(run.document()["summary"]["in_no_table"], 20);
    assert_eq!(kinds(&["-u"]), [""; 0]);
}

#[test]
fn process_that_is_asked_for_is_told_what_it_holds_beside_its_rows() {
    if !can_list_bound() {
        return;
    }
    let Some(_namespace) = fresh() else { return };
    let Some((child, _peers)) = leaking(0, 0, 0) else {
        return;
    };
    let filter = format!("pid = {}", child.pid());
    let document = lsock(["-apj", &filter]).clean().document();
    assert_eq!(document["summary"]["in_no_table"], 0);
    assert_eq!(document["summary"]["matched"], 11);
    let Some((child, _peers)) = leaking(2, 1, 1) else {
        return;
    };
    let pid = child.pid();
    let filter = format!("pid = {pid}");
    let run = lsock(["-apj", &filter]);
    let told = format!(
        "lsock: warning: 3 TCP sockets of process {pid} are {NOWHERE}\n\
         lsock: warning: 1 UDP socket of process {pid} is {NOWHERE}\n"
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), told.as_str()));
    let summary = &run.document()["summary"];
    assert_eq!(
        (&summary["in_no_table"], &summary["complete"]),
        (&4.into(), &true.into())
    );
    // Not all that is listed of it, or of tables that do not have such.
    for words in [
        &["-tpj", &filter][..],
        &["-axj", &filter],
        &["-tpj", "--limit", "1", &filter],
    ] {
        let document = lsock(words).clean().document();
        let count = document["summary"].get("in_no_table");
        assert!(
            count.is_none_or(|count| *count == 0),
            "{words:?}: {document}"
        );
    }
    let part = format!("{filter} and sport > 0");
    let document = lsock(["-apj", &part]).clean().document();
    assert_eq!(document["summary"].get("in_no_table"), None);
}

#[test]
fn sockets_of_another_namespace_are_not_taken_for_lost_ones() {
    if !can_list_bound() {
        return;
    }
    let Some(_namespace) = fresh() else { return };
    let Some((child, _peers)) = leaking(25, 0, 0) else {
        return;
    };
    let filter = format!("pid = {}", child.pid());
    let Some(_other) = fresh() else { return };
    let namespace = namespace_of(child.pid());
    let run = lsock(["-apj", &filter]);
    let pid = child.pid();
    // Of this namespace, netlink would have told the one that is bound.
    let told = format!(
        "lsock: warning: 26 TCP sockets of process {pid} are {NOWHERE}\n\
         lsock: warning: 10 TCP sockets of process {pid} are of network namespace {namespace}\n"
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), told.as_str()));
    assert_eq!(run.document()["summary"]["in_no_table"], Value::Null);
    assert_eq!(kinds(&["-t"]), [""; 0]);
}

#[test]
fn process_with_sockets_of_two_namespaces_is_told_which_are_of_the_other() {
    if !can_list_bound() {
        return;
    }
    let Some(_there) = fresh() else { return };
    let others = [(); 2].map(|()| tcp::listener(V4, 1).unwrap());
    let Some((_child, _peers)) = leaking(0, 0, 0) else {
        return;
    };
    let namespace = namespace_of(rustix::thread::gettid().as_raw_nonzero().get());
    let Some(_here) = fresh() else { return };
    let unbound = tcp::socket(V4).unwrap();
    let [one, two] = others.each_ref().map(OwnedFd::as_fd);
    let holder = Holder::sleeping(&[one, two, unbound.as_fd()]).unwrap();
    let pid = holder.pid();
    let run = lsock(["-apj", &format!("pid = {pid}")]);
    let told = format!(
        "lsock: warning: 1 TCP socket of process {pid} is {NOWHERE}\n\
         lsock: warning: 2 TCP sockets of process {pid} are of network namespace {namespace}\n"
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), told.as_str()));
    assert_eq!(run.document()["summary"]["in_no_table"], Value::Null);
}

#[test]
fn sockets_that_only_a_thread_or_a_ring_has_are_counted() {
    let Some(_namespace) = fresh() else { return };
    let Some((_directory, program)) = compiled(HIDING) else {
        return;
    };
    let Some(child) = ready(&mut Command::new(program)) else {
        return;
    };
    let pid = child.pid();
    let run = lsock(["-apj", &format!("pid = {pid}")]);
    let told = format!(
        "lsock: warning: 2 sockets of process {pid} are held only by io_uring: the protocol is unknown\n\
         lsock: warning: 22 TCP sockets of process {pid} are {NOWHERE}\n"
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), told.as_str()));
    assert_eq!(run.document()["summary"]["in_no_table"], Value::Null);
    // One more than a finding needs, two of which the main thread has.
    let found = findings(&["-A", "all"]);
    assert_eq!(
        (&found[0]["kind"], &found[0]["count"]),
        (&"in_no_table".into(), &22.into())
    );
}
