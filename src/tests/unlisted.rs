//! What the source does not list, or does not report: unknown is not none.

use super::*;
use crate::mode::fake::{FakeKernel, list_over};
use crate::model::{Source as Kind, StateSet, Warning};

const AT_80: &str = "sport = 80";
const LIKELY: &str = "lsock: warning: TCP sockets in BOUND are not listed: ";
const PROC: &str = "/proc/net does not report them\n";

/// A look over `/proc/net`.
fn look_without_bound(sockets: impl Into<Vec<Socket>>) -> Look {
    let bound = StateSet::EMPTY.with(State::Bound);
    let look = look(sockets).unlisted(TCP, Kind::Procfs, bound);
    look.unlisted(TCP6, Kind::Procfs, bound)
}

fn document(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn listing_of_every_state_is_warned_of_once_and_is_not_complete() {
    let run = list(&["-tanj"], look_without_bound([listener(80)]));
    assert_eq!(run.told(), (0, format!("{LIKELY}{PROC}").as_str()));
    assert_eq!(document(&run)["summary"]["complete"], false);
    for words in [&["-tnj"][..], &["-tlnj"], &["-tnj", "state established"]] {
        let run = list(words, look_without_bound([]));
        assert_eq!(run.told(), (0, ""), "{words:?}");
        assert_eq!(document(&run)["summary"]["complete"], true, "{words:?}");
    }
}

#[test]
fn listing_of_bound_alone_is_incomplete() {
    let run = list(&["-tnj", "state bound"], look_without_bound([]));
    let message = format!("lsock: incomplete list: TCP sockets in BOUND are not listed: {PROC}");
    assert_eq!(run.told(), (2, message.as_str()));
}

#[test]
fn what_was_said_as_likely_is_missing_all_the_same() {
    let refused = Warning::FewerFields(Protocol::Tcp, "operation not permitted".into());
    let look = look_without_bound([]).warns(TCP, refused.clone());
    let run = list(&["-tn", "state bound"], look);
    let message = format!("lsock: incomplete list: TCP sockets in BOUND are not listed: {PROC}");
    assert_eq!(run.told().0, 2);
    assert!(run.told().1.ends_with(&message), "{:?}", run.told());
    let look = look_without_bound([]).warns(TCP, refused);
    assert_eq!(list(&["-tan"], look).told().0, 0);
    let filter = "family = inet or state bound";
    assert_eq!(list(&["-tan", filter], look_without_bound([])).told().0, 2);
}

#[test]
fn who_does_not_list_them_is_told() {
    for (source, why) in [
        (Kind::Netlink, "the kernel reports them from Linux 6.8 on\n"),
        (Kind::Procfs, PROC),
    ] {
        let look = look([]).unlisted(TCP, source, StateSet::EMPTY.with(State::Bound));
        let run = list(&["-t4an"], look);
        assert_eq!(run.told(), (0, format!("{LIKELY}{why}").as_str()));
    }
    let look = look([]).unlisted(TCP, Kind::Replay, StateSet::EMPTY.with(State::Bound));
    assert_eq!(list(&["-t4an"], look).told(), (0, ""));
}

#[test]
fn check_that_hangs_on_bound_has_no_answer() {
    for (words, status) in [
        (&["-q", "--expect", "0", "state bound"][..], 2),
        (&["-q", "state bound"], 2),
        (&["--expect", "0", "state bound"], 2),
        (&["-taq", "--expect", "1", AT_80], 2),
        (&["-taq", "--expect", "0", "sport = 81"], 2),
        (&["-taq", "--expect", "..3", AT_80], 2),
        (&["-taq", "--expect", "0", AT_80], 1),
        (&["-taq", AT_80], 0),
        (&["-taq", "--expect", "1..", AT_80], 0),
        (&["-q", "--expect", "0", "state established"], 0),
        (&["-q", "--expect", "1", "state listen"], 0),
        (&["-tlq", "--expect", "0", "sport = 81"], 0),
        (
            &["-taq", "--expect", "0", "not state bound and dport = 9"],
            0,
        ),
        (&["-saq", "--expect", "1"], 2),
        (&["-slq", "--expect", "1"], 0),
    ] {
        let run = list(words, look_without_bound([listener(80)]));
        assert_eq!(run.status(), status, "{words:?}: {run:?}");
        let is_explained = run.messages.contains(PROC) && run.messages.contains("undecided");
        assert_eq!(is_explained, status == 2, "{words:?}: {run:?}");
    }
}

#[test]
fn wait_ends_early_only_where_no_socket_can_bring_an_answer() {
    let nothing = look_without_bound([]);
    let words = ["-tan", "--wait", "30s", "--expect", "0", "state bound"];
    let (run, took) = wait(&words, std::slice::from_ref(&nothing));
    assert_eq!(run.status(), 2, "{run:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let words = ["-tanH", "--wait", "30s", AT_80];
    let mut looks = vec![nothing.clone(); 200];
    looks.push(look_without_bound([listener(80)]));
    let (run, took) = wait(&words, &looks);
    assert_eq!((run.status(), run.lines()), (0, 1), "{run:?}");
    assert!(took > Duration::from_secs(1), "{took:?}");
    let (run, took) = wait(&words, &[nothing]);
    assert_eq!(run.status(), 2, "nobody knows who is bound to it: {run:?}");
    assert_eq!(took, Duration::from_secs(30));
}

#[test]
fn summary_has_no_number_for_them() {
    let look = || look_without_bound([listener(80)]);
    let run = list(&["-stj"], look());
    assert_eq!(run.told(), (0, format!("{LIKELY}{PROC}").as_str()));
    let document = document(&run);
    assert_eq!(document["summary"]["complete"], false);
    let states = &document["counts"][0]["states"];
    assert!(states["BOUND"].is_null(), "{states}");
    assert_eq!(
        (&states["LISTEN"], &states["CLOSED"]),
        (&1.into(), &0.into())
    );
    let lines = |format| {
        let run = list(&["-stH", "--format", format], look());
        let lines = run.out.lines().map(str::to_owned);
        lines
            .filter(|line| line.contains("BOUND"))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines("csv"), ["tcp,inet,BOUND,", "tcp,inet6,BOUND,"]);
    let null = |family| {
        format!(r#"{{"protocol":"tcp","family":"{family}","state":"BOUND","count":null}}"#)
    };
    assert_eq!(lines("ndjson"), ["inet", "inet6"].map(null));
    let plain = lines("plain");
    let words: Vec<Vec<&str>> = plain
        .iter()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(words, [["tcp", "BOUND", "?", "?", "?"]]);
    let drawn = list(&["-st", "--format", "table"], look()).out;
    assert!(drawn.contains('?'), "{drawn}");
}

/// As `/proc/net` reports it.
fn over_proc(mut socket: Socket, waiting: u32) -> Socket {
    socket.source = Kind::Procfs;
    socket.recv_queue = Some(waiting);
    if socket.state == State::Listen {
        socket.send_queue = None;
    }
    socket
}

/// What is wrong with these sockets.
fn search(words: &[&str], sockets: &[Socket]) -> Run {
    list_over(&Page::default(), &query(words), &[look(sockets)])
}

#[test]
fn finding_that_the_source_does_not_report_enough_for_is_not_none() {
    let waiting = over_proc(listener(80), 3);
    let hung = over_proc(tcp(State::Established, "10.0.0.1:22", "10.0.0.9:1"), 20_000);
    let leaks = vec![tcp(State::CloseWait, "10.0.0.1:22", "10.0.0.9:2"); 20];
    let idle = [
        over_proc(listener(80), 0),
        over_proc(tcp(State::Established, "10.0.0.1:22", "10.0.0.9:1"), 0),
    ];
    let of = |kinds: &str| format!("lsock: undecided: not checked: {kinds}\n");
    for (sockets, severity, status, said) in [
        (
            vec![waiting.clone()],
            "critical",
            2,
            of("accept_queue of 1 socket"),
        ),
        (
            vec![waiting.clone(); 2],
            "info",
            2,
            of("accept_queue of 2 sockets"),
        ),
        (
            vec![hung.clone()],
            "warning",
            2,
            of("receive_queue of 1 socket"),
        ),
        // It is no more than a warning.
        (vec![hung.clone()], "critical", 0, String::new()),
        (idle.to_vec(), "info", 0, String::new()),
        (
            [leaks, vec![waiting.clone()]].concat(),
            "warning",
            1,
            "lsock: 1 finding of severity warning or higher\n".to_owned(),
        ),
    ] {
        let run = search(&["-stj", "--fail-on", severity], &sockets);
        assert_eq!(run.told(), (status, said.as_str()), "{sockets:?}");
        let quiet = search(&["-stq", "--fail-on", severity], &sockets);
        let said = if status == 2 { said } else { String::new() };
        assert_eq!(quiet.told(), (status, said.as_str()), "{sockets:?}");
    }
    let run = search(&["-stj"], &[waiting.clone(), hung]);
    assert_eq!(run.told(), (0, ""));
    let not_checked = serde_json::json!([
        {"kind": "accept_queue", "sockets": 1},
        {"kind": "receive_queue", "sockets": 1}
    ]);
    assert_eq!(document(&run)["not_checked"], not_checked);
    let text = search(&["-st"], &[waiting]).out;
    assert!(
        text.contains("\n\nnot checked: accept_queue of 1 socket\n"),
        "{text}"
    );
    assert!(!search(&["-st"], &idle).out.contains("not checked"));
    let replayed = list(&["-stj"], look(idle));
    assert!(document(&replayed)["not_checked"].is_null());
}

#[test]
fn ports_are_not_checked_where_sockets_that_are_bound_may_have_them() {
    let with_bound = |count: u64| {
        let mut kernel = FakeKernel::default();
        let mut file = |name: &str, text: String| kernel.files.insert(name.to_owned(), text);
        file(
            "sys/net/ipv4/ip_local_port_range",
            "60000 60039\n".to_owned(),
        );
        file(
            "thread-self/net/sockstat",
            format!("sockets: used {count}\n"),
        );
        let look = look_without_bound([listener(60_000)]);
        list_over(
            &Page::default(),
            &query(&["-stj"]),
            &[look.of_kernel(kernel)],
        )
    };
    let not_checked = |run: &Run| document(run)["not_checked"].clone();
    assert_eq!(not_checked(&with_bound(0)), serde_json::json!([]));
    let run = with_bound(30);
    let told = serde_json::json!([{"kind": "ephemeral_ports", "sockets": 30}]);
    let mut found = not_checked(&run);
    found
        .as_array_mut()
        .unwrap()
        .retain(|one| one["kind"] == "ephemeral_ports");
    assert_eq!(found, told);
}
