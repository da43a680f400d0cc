//! What is no listing in a pipe: terminals, files, namespaces, ends of sockets.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::Path;

use tempfile::TempDir;

use super::masked::masked;
use super::stage::set;
use crate::namespaces::{add, in_named, own_mounts};
use crate::netstat::{Stage, User, difference};
use crate::owners::alone::{compiled, is_alone, ready};
use crate::scene::{V4, V6, tcp};
use crate::support::{Child, Run, command, fresh, lsock, needed, program, run};

/// The program under the name `ss`.
fn ours(words: &[&str]) -> Run {
    run(program().arg0("ss").args(words))
}

fn theirs(words: &[&str]) -> Run {
    run(command("ss").args(words))
}

/// Lines of a terminal of some width, without the blanks at their ends.
fn shown(stage: &Stage, program: &str, width: u16, words: &str) -> Run {
    let line = format!("stty cols {width}; exec {program} {words} 2>/dev/null");
    let said = stage.run(
        User::Root,
        Path::new("script"),
        &["-qec", &line, "/dev/null"],
    );
    let said = masked(&said, false);
    let lines = said
        .text()
        .lines()
        .map(|line| format!("{}\n", line.trim_end()));
    Run {
        stdout: lines.collect::<String>().into(),
        ..said
    }
}

#[test]
fn columns_fill_a_terminal_as_those_of_ss() {
    let Some(stage) = set() else { return };
    if needed("script").is_none() || needed("stty").is_none() {
        return;
    }
    let mut wrong = Vec::new();
    for width in [20, 40, 60, 79, 80, 100, 133, 200, 400] {
        for words in [
            "-tan", "-tua", "-xa", "-wan", "-tlnH", "-uan", "-Man", "-4anp",
        ] {
            let look = || {
                let ours = shown(&stage, &stage.path("ss"), width, words);
                difference(&shown(&stage, "ss", width, words), &ours)
            };
            // A queue may have moved.
            wrong.extend(look().and_then(|_| look()).and_then(|_| look()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn filters_are_read_from_files() {
    let Some(_namespace) = fresh() else { return };
    let listeners = [V4, V6, V4].map(|ip| tcp::listener(ip, 1).unwrap());
    let local = crate::scene::expected::local_address(&listeners[0]).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("filter");
    let text = format!("# a remark\nsport = :{}\n  or src [::1]\n", local.port());
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    for words in [
        &["-tln", "-F", path][..],
        &["-tln", "--filter", path, "not", "dport", "=", ":1"],
    ] {
        let said = ours(words);
        assert_eq!(said.clone().clean(), theirs(words), "{words:?}");
        assert!(said.lines().len() > 1, "{words:?}");
    }
    let said = ours(&["-tF", "/nowhere"]);
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr.starts_with("ss: cannot read /nowhere"),
        "{said:?}"
    );
}

#[test]
fn ss_reads_what_is_recorded() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::established(V4).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dump");
    let said = ours(&["-ta", "-D", path.to_str().unwrap()]).clean();
    assert_eq!(said.text(), "");
    let replayed = run(command("ss").args(["-ta"]).env("TCPDIAG_FILE", &path));
    assert_eq!(replayed, ours(&["-ta"]).clean());
    // A dash is the standard output.
    let said = ours(&["-ta", "-D", "-"]).clean();
    assert!(said.stdout.len() > 200, "{said:?}");
    let none = ours(&["-uD", "-"]);
    assert_eq!((none.status, none.text()), (Some(0), ""));
    assert_eq!(none.stderr, theirs(&["-uD", "-"]).stderr);
}

#[test]
fn namespaces_are_those_of_ip_netns() {
    let name = "ss::others::namespaces_are_those_of_ip_netns";
    if needed("ss").is_none() || !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("there");
    let held = in_named("there", || tcp::states::established(V4).unwrap());
    for words in [
        &["-ta", "-N", "there"][..],
        &["-Nx", "-ta"],
        &["-s", "-N", "there"],
    ] {
        let (said, expected) = (ours(words), theirs(words));
        let same = masked(&said, true).stdout == masked(&expected, true).stdout;
        assert!(same, "{words:?}: {said:?} {expected:?}");
        let is_there = words.contains(&"there");
        assert_eq!(said.status == Some(0), is_there, "{words:?}: {said:?}");
    }
    drop(held);
}

#[test]
fn ended_sockets_are_shown_and_others_are_told() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 2).unwrap();
    let clients = [(); 2].map(|()| tcp::connect(&listener).unwrap());
    let port = |client: &std::net::TcpStream| client.local_addr().unwrap().port();
    let [one, two] = [port(&clients[0]), port(&clients[1])];
    let filter = |port: u16| format!("sport = :{port}");
    let said = ours(&["-tnK", &filter(one)]);
    if said.status == Some(2) {
        return crate::support::skip(said.stderr);
    }
    let said = said.done();
    let expected = theirs(&["-tnK", &filter(two)]);
    let of = |said: &Run, port: u16| said.text().replace(&port.to_string(), "#");
    assert_eq!(of(&said, one), of(&expected, two));
    assert_eq!(said.lines().len(), 2, "{said:?}");
    // It stays bound: `ss` shows it as if it were closed.
    let udp = UdpSocket::bind(("127.0.0.1", two)).unwrap();
    let bound = ours(&["-uanHK", &filter(two)]);
    assert_eq!((bound.status, bound.text()), (Some(1), ""));
    assert!(bound.stderr.contains("still_bound"), "{bound:?}");
    drop(udp);
    for words in [&["-K"][..], &["-tK"], &["-aK"]] {
        let all = ours(words);
        assert_eq!((all.status, all.text()), (Some(2), ""), "{words:?}");
    }
}

#[test]
fn sockets_are_shown_as_they_are_destroyed() {
    let Some(_namespace) = fresh() else { return };
    let both = ["-tuHE", "sport", "gt", "0"];
    let mut child = Child::piped(program().arg0("ss").args(both));
    let mut lines = BufReader::new(child.stdout()).lines();
    child.until_at_rest();
    drop(UdpSocket::bind("127.0.0.1:0").unwrap());
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("udp UNCONN 0      "), "{first}");
    let listener = tcp::listener(V6, 1).unwrap();
    let port = crate::scene::expected::local_address(&listener)
        .unwrap()
        .port();
    drop(listener);
    let wanted = format!("[::1]:{port} ");
    let found = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains(&wanted));
    let found = found.unwrap();
    assert!(found.starts_with("tcp UNCONN "), "{found}");
    assert!(found.trim_end().ends_with("*:*"), "{found}");
    drop(lines);
    child.end().clean();
}

/// A listener with two descriptors; a thread with the same ones, and one that left the table and closed the second.
const THREADS: &str = r#"
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
static int second;
static pthread_barrier_t ready;
static void *work(void *alone) {
    prctl(PR_SET_NAME, alone ? "alone" : "shares");
    if (alone && (unshare(CLONE_FILES) || close(second))) puts("no thread of its own");
    pthread_barrier_wait(&ready);
    for (;;) pause();
}
int main(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    pthread_t threads[2];
    second = dup(fd);
    if (bind(fd, (void *)&local, sizeof local) || listen(fd, 5)) return 1;
    pthread_barrier_init(&ready, 0, 3);
    pthread_create(&threads[0], 0, work, 0);
    pthread_create(&threads[1], 0, work, "");
    pthread_barrier_wait(&ready);
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
"#;

#[test]
fn threads_are_those_that_have_a_descriptor() {
    let Some(_namespace) = fresh() else { return };
    let Some((_directory, threads)) = compiled(THREADS) else {
        return;
    };
    let Some(_child) = ready(&mut command(&threads)) else {
        return;
    };
    for words in [&["-tlnT"][..], &["-tlnpT"], &["-tln", "--threads"]] {
        let said = ours(words);
        assert_eq!(said.text(), theirs(words).text(), "{words:?}");
        assert_eq!(said.text().matches(",tid=").count(), 5, "{said:?}");
    }
    let rows = lsock(["-tlTj"]).done().sockets();
    let process = &rows[0]["processes"][0];
    let tids = process["tids"].as_array().unwrap();
    assert_eq!((tids.len(), &tids[0]), (3, &process["pid"]));
    let count = |filter: String| lsock(["-tlj", &filter]).done().sockets().len();
    for tid in tids {
        assert_eq!(count(format!("tid = {tid}")), 1, "{tid}");
    }
    assert_eq!(count("tid = 1".to_owned()), 0);
}
