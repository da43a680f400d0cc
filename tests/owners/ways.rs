//! The two ways to find processes: a walk through `/proc`, and the kernel's iterator. Both tell the
//! same, and where the second cannot be used, that is said or the first is taken.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::alone::{compiled, ready};
use super::nobody::Reachable;
use super::{row_of, send_away};
use crate::faults::allow_many_descriptors;
use crate::scene::holder::{Holder, find_program};
use crate::scene::tcp::options::held_many_times;
use crate::scene::tcp::{self, listeners};
use crate::scene::{Expected, Namespace, V4, or_skip};
use crate::support::{
    Child, LSOCK, Run, calls, can_strace, close, command, fresh, lsock, run, skip, stage,
    undisturbed, until, with_faults,
};

const BPF: [&str; 5] = ["-p", "--json", "-tl", "--owners", "bpf"];
/// From so many open files on, the iterator is taken where it can be.
const MANY: usize = 6_000;

/// True if the iterator can be used; otherwise the test is skipped.
pub fn is_usable() -> bool {
    let run = lsock(BPF);
    if run.status == Some(2) {
        skip(run.stderr.trim());
    }
    run.status != Some(2)
}

/// A namespace of its own, where the iterator can be used.
fn usable() -> Option<Namespace> {
    fresh().filter(|_| is_usable())
}

/// By inode, the status and the processes with their descriptors; without those of the program itself,
/// which differ from run to run.
type Told = BTreeMap<u64, (Value, Value)>;

fn told(run: &Run) -> Told {
    let rows = run.sockets().into_iter().filter(|row| {
        let processes = row["processes"].as_array().into_iter().flatten();
        processes.into_iter().all(|one| one["name"] != "lsock")
    });
    rows.map(|row| {
        let inode = row["inode"].as_u64().unwrap_or(0);
        (
            inode,
            (row["process_status"].clone(), row["processes"].clone()),
        )
    })
    .collect()
}

fn by(way: &str, words: &[&str]) -> Told {
    let words = [&["-p", "--json", "--owners", way], words].concat();
    told(&undisturbed(|| lsock(words)).done())
}

/// What both ways tell.
fn agreed(words: &[&str]) -> Told {
    let [bpf, proc] = undisturbed(|| ["bpf", "proc"].map(|way| by(way, words)));
    assert_eq!(bpf, proc);
    bpf
}

fn pids((_, processes): &(Value, Value)) -> Vec<u64> {
    let processes = processes.as_array().into_iter().flatten();
    processes
        .filter_map(|process| process["pid"].as_u64())
        .collect()
}

#[test]
fn both_ways_tell_the_same_of_every_socket_of_the_scene() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    if !is_usable() {
        return;
    }
    let told = agreed(&["-a", "-A", "all"]);
    let found = told.values().filter(|(status, _)| status == "found");
    let owned = scene
        .expected
        .iter()
        .filter(|expected| !expected.owners.is_empty());
    assert!(found.count() >= owned.filter(|one| one.inode.is_some()).count() / 2);
}

#[test]
fn shared_copied_and_handed_over_sockets_have_the_same_owners_both_ways() {
    let Some(_namespace) = usable() else { return };
    let opened = held_many_times(V4, 10_000);
    let Some(many) = or_skip("10,000 descriptors", opened) else {
        return;
    };
    let held = [listeners::shared(V4), listeners::handed_over(V4)].map(Result::unwrap);
    let told = agreed(&["-tl"]);
    for expected in held.iter().flat_map(|held| &held.expected) {
        let owners = &told[&expected.inode.unwrap()];
        let expected = expected.owners.iter().map(|(pid, _)| u64::from(*pid));
        assert!(expected.into_iter().all(|pid| pids(owners).contains(&pid)));
    }
    let expected = many.the("held many times");
    let (_, processes) = &told[&expected.inode.unwrap()];
    let mine = processes.as_array().unwrap().iter();
    let mut mine = mine.filter(|process| process["pid"] == std::process::id());
    let fds = mine.next().unwrap()["fds"].as_array().unwrap().len();
    assert_eq!((fds, mine.count()), (10_000, 0));
}

#[test]
fn socket_in_flight_is_told_alike_both_ways() {
    let Some(_namespace) = usable() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let expected = Expected::inet("in flight", "tcp", "LISTEN", listener.as_fd()).unwrap();
    let _ends = send_away(&listener);
    close(listener);
    let told = agreed(&["-tl"]);
    let (status, processes) = &told[&expected.inode.unwrap()];
    assert_ne!(status, "found");
    assert_eq!(processes.as_array().map_or(0, Vec::len), 0);
}

/// A program whose first thread ends while another one stays; it says when that is so.
const HEADLESS: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *stay(void *first) {
    pthread_join(*(pthread_t *)first, NULL);
    puts("ready");
    fflush(stdout);
    sleep(600);
    return NULL;
}
int main(void) {
    static pthread_t first;
    pthread_t other;
    first = pthread_self();
    if (pthread_create(&other, NULL, stay, &first)) return 1;
    pthread_exit(NULL);
}
"#;

#[test]
fn process_whose_first_thread_has_ended_is_an_owner_both_ways() {
    let Some(_namespace) = usable() else { return };
    let Some((_directory, program)) = compiled(HEADLESS) else {
        return;
    };
    let listener = tcp::listener(V4, 1).unwrap();
    let expected = Expected::inet("headless", "tcp", "LISTEN", listener.as_fd()).unwrap();
    let stdin = Stdio::from(listener.try_clone().unwrap());
    let Some(child) = ready(Command::new(&program).stdin(stdin)) else {
        return;
    };
    let (_, processes) = &agreed(&["-tl"])[&expected.inode.unwrap()];
    let processes = processes.as_array().unwrap();
    let own = processes
        .iter()
        .find(|process| process["pid"] == child.pid());
    // Only its other thread tells it.
    assert_eq!(own.unwrap()["command"], program.to_str().unwrap());
}

#[test]
fn processes_of_another_pid_namespace_have_the_same_numbers_both_ways() {
    let Some(_namespace) = usable() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let expected = Expected::inet("inside", "tcp", "LISTEN", listener.as_fd()).unwrap();
    let stdin = Stdio::from(listener.try_clone().unwrap());
    let mut unshare = Command::new("unshare");
    let unshare = unshare.args(["--pid", "--fork", "--kill-child", "sleep", "600"]);
    let _child = Child::start(unshare.stdin(stdin));
    until("a process inside", || {
        let told = agreed(&["-tl"]);
        let (_, processes) = &told[&expected.inode.unwrap()];
        let names = processes.as_array()?.iter().map(|process| &process["name"]);
        names.into_iter().any(|name| name == "sleep").then_some(())
    });
}

#[test]
fn inside_a_pid_namespace_only_its_processes_are_told() {
    let Some(busy) = Busy::usable() else { return };
    for mount in [&["--mount-proc"][..], &[]] {
        let inside = |words: &[&str]| {
            let mut unshare = command("unshare");
            let unshare = unshare
                .args(["--pid", "--fork"])
                .args(mount)
                .arg(LSOCK)
                .args(words);
            run(unshare)
        };
        let run = inside(&BPF);
        assert_eq!((run.status, run.text()), (Some(2), ""));
        assert_eq!(
            run.stderr,
            "lsock: bpf: cannot replace /proc: this is not the first PID namespace\n"
        );
        let told = |way: &str| {
            let run = inside(&["-p", "--json", "-tl", "--owners", way]);
            assert_eq!(run.status, Some(0), "{}", run.stderr);
            (busy.row(&run.sockets()), run.stderr)
        };
        let [auto, proc] = undisturbed(|| ["auto", "proc"].map(told));
        assert_eq!(auto, proc);
    }
}

/// One listener, and so many open files that the iterator is worth its while.
struct Busy {
    expected: Expected,
    files: Vec<File>,
    _listener: OwnedFd,
    _namespace: Namespace,
}

impl Busy {
    fn new() -> Option<Busy> {
        let namespace = fresh()?;
        let listener = tcp::listener(V4, 1).unwrap();
        Some(Busy {
            expected: Expected::inet("listener", "tcp", "LISTEN", listener.as_fd()).unwrap(),
            files: many_files(),
            _listener: listener,
            _namespace: namespace,
        })
    }

    /// Where the iterator can be used.
    fn usable() -> Option<Busy> {
        Busy::new().filter(|_| is_usable())
    }

    /// The listener among these rows.
    fn row(&self, rows: &[Value]) -> Value {
        row_of(rows, &self.expected)
    }
}

/// So many open files that the iterator is worth its while; fewer where there may not be more.
fn many_files() -> Vec<File> {
    allow_many_descriptors();
    let files = (0..MANY).map_while(|_| File::open("/dev/null").ok());
    files.collect()
}

#[test]
fn iterator_is_taken_where_there_are_many_files() {
    let Some(busy) = Busy::usable() else { return };
    if !can_strace() {
        return;
    }
    if busy.files.len() < MANY {
        skip(format_args!("no more than {} files", busy.files.len()));
        return;
    }
    assert_eq!(calls("bpf", &["-tlp"]), 4, "memory, load, attach, run");
    assert_eq!(calls("bpf", &["-tlp", "--owners", "proc"]), 0);
    assert_eq!(calls("bpf", &["-tl"]), 0, "nobody asks for owners");
    let own = format!("pid = {}", std::process::id());
    assert_eq!(
        calls("bpf", &["-tlp", &own]),
        0,
        "one process is quicker to read"
    );
}

/// The calls that can be refused, what fails then, and whether that shows before the first row.
const REFUSALS: [(&str, &str, bool); 2] = [
    (
        "bpf:error=EPERM:when=1+",
        "bpf: cannot load a program: operation not permitted",
        true,
    ),
    (
        "bpf:error=ENOMEM:when=4",
        "bpf: cannot run over descriptors: cannot allocate memory",
        false,
    ),
];

#[test]
fn refused_calls_are_told_or_passed_over_in_silence() {
    let Some(busy) = Busy::usable() else { return };
    if !can_strace() {
        return;
    }
    for (fault, text, early) in REFUSALS {
        let run = with_faults(&[fault], &BPF);
        assert_eq!(run.status, Some(2), "{run:?}");
        assert!(run.stderr.contains(text), "{run:?}");
        assert_eq!(run.stdout.is_empty(), early, "{run:?}");
        if !early {
            let document = run.document();
            assert_eq!(document["summary"]["complete"], false);
            assert_eq!(document["sockets"][0]["process_status"], "unreadable");
        }
        let run = with_faults(&[fault], &["-p", "--json", "-tl"]);
        assert_eq!(run.status, Some(0), "{run:?}");
        assert!(!run.stderr.contains("bpf"), "{run:?}");
        let rows = run.document()["sockets"].as_array().unwrap().clone();
        assert_eq!(busy.row(&rows)["process_status"], "found");
    }
}

#[test]
fn kernel_that_does_not_describe_its_types_is_told_or_passed_over() {
    let Some(busy) = Busy::usable() else { return };
    let hidden = |way| {
        let script = format!(
            "mount -t tmpfs none /sys/kernel/btf && exec {LSOCK} -p --json -tl --owners {way}"
        );
        let mut unshare = command("unshare");
        run(unshare.args(["--mount", "sh", "-c", &script]))
    };
    let run = hidden("bpf");
    let text = "lsock: cannot read /sys/kernel/btf/vmlinux: no such file or directory\n";
    assert_eq!((run.status, run.stderr.as_str()), (Some(2), text));
    let rows = hidden("auto").done().sockets();
    assert_eq!(busy.row(&rows)["process_status"], "found");
}

#[test]
fn without_rights_the_iterator_is_refused_and_nothing_else() {
    let Some(_busy) = Busy::new() else { return };
    let Some(nobody) = Reachable::new() else {
        return;
    };
    let run = nobody.run(&BPF);
    let text = "lsock: bpf: cannot replace /proc: only root may read every process\n";
    assert_eq!((run.status, run.stderr.as_str()), (Some(2), text));
    let [auto, proc] = ["auto", "proc"].map(|way| {
        let run = nobody.run(&["-p", "--json", "-tl", "--owners", way]);
        (run.status, told(&run))
    });
    assert_eq!(auto, proc);
    assert_eq!(auto.0, Some(0));
}

#[test]
fn root_without_the_right_to_load_programs_walks() {
    let Some(_busy) = Busy::usable() else { return };
    if let Err(error) = find_program("setpriv") {
        skip(error);
        return;
    }
    let without = |lost: &str, words: &[&str]| {
        let mut setpriv = command("setpriv");
        let setpriv = setpriv.arg(format!("--bounding-set={lost}")).arg(LSOCK);
        run(setpriv.args(words))
    };
    for (lost, text) in [
        (
            "-bpf,-sys_admin",
            "cannot load a program: operation not permitted",
        ),
        ("-sys_ptrace", "only root may read every process"),
        (
            "-dac_override,-dac_read_search",
            "only root may read every process",
        ),
    ] {
        let refused = without(lost, &BPF);
        assert_eq!(refused.status, Some(2), "{lost}: {}", refused.stderr);
        assert!(refused.stderr.contains(text), "{lost}: {}", refused.stderr);
        let walked = without(lost, &["-p", "--json", "-tl"]);
        assert_eq!(walked.status, Some(0), "{lost}: {}", walked.stderr);
        assert!(!walked.stderr.contains("bpf"), "{lost}: {}", walked.stderr);
    }
}

#[test]
fn processes_that_come_and_go_disturb_neither_way() {
    let Some(_namespace) = usable() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let expected = Expected::inet("listener", "tcp", "LISTEN", listener.as_fd()).unwrap();
    let holder = Holder::sleeping(&[listener.as_fd()]).unwrap();
    let mut churn = Command::new("sh");
    let churn = churn.args(["-c", "while :; do /bin/true & /bin/true; wait; done"]);
    let churn = Child::start(churn.stdin(Stdio::from(listener.try_clone().unwrap())));
    let rows: Vec<_> = (0..10)
        .flat_map(|_| ["bpf", "proc"].map(|way| by(way, &["-tl"])))
        .collect();
    let own = [std::process::id(), holder.pid(), churn.pid()].map(u64::from);
    drop(churn);
    for told in rows {
        let found = pids(&told[&expected.inode.unwrap()]);
        assert!(
            own.iter().all(|pid| found.contains(pid)),
            "{found:?}: {own:?}"
        );
    }
}

#[test]
fn named_processes_are_told_alike_both_ways() {
    let Some(_namespace) = usable() else { return };
    let held = listeners::shared(V4).unwrap();
    let expected = held.the("listener of three processes");
    let (pid, _) = expected.owners[1];
    let told = agreed(&["-tl", &format!("pid = {pid}")]);
    assert_eq!(told.len(), 1);
    assert_eq!(pids(&told[&expected.inode.unwrap()]), [u64::from(pid)]);
    assert!(held.expected.iter().all(|one| one.inode.is_some()));
}
