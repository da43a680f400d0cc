//! Where nothing is wrong, nothing is reported; and what is reported decides the exit status.

use serde_json::Value;

use super::{connections, findings, found, kinds, wait_for_half_closed};
use crate::recording;
use crate::scene::expected::local_address;
use crate::scene::{V4, tcp};
use crate::support::{fresh, lsock};

#[test]
fn nothing_is_reported_of_a_healthy_namespace() {
    let Some(_namespace) = fresh() else { return };
    assert_eq!(findings(&["-A", "all"]), Vec::<Value>::new());
    let _held = connections(50);
    let _udp = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let _idle = tcp::listener(V4, 5).unwrap();
    let _closed = tcp::states::time_wait(V4).unwrap();
    assert_eq!(findings(&["-A", "all"]), Vec::<Value>::new());
    let run = lsock(["-s", "--fail-on", "info"]).clean();
    assert!(!run.text().contains("lsock -ap"), "{}", run.text());
    // Two ends of each, three listeners, and one in TIME_WAIT.
    // Linux 7.1 has no UDP-Lite.
    let looked_at = ["104 tcp and 1 udp", "104 tcp, 1 udp and 0 udplite"];
    let told = looked_at.map(|of| format!("checks of {of} sockets found nothing wrong\n"));
    let is_told = told.iter().any(|told| run.text().contains(told));
    assert!(is_told, "{}", run.text());
}

#[test]
fn a_recording_is_not_looked_through() {
    let whole = recording::fixture("tcp4.bin");
    let file = recording::file(&whole);
    let path = file.path().to_str().unwrap();
    let run = lsock(["-sj", "--replay", path]).clean();
    assert_eq!(run.document()["findings"], Value::Null);
}

#[test]
fn fail_on_compares_severities() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, pairs) = connections(20);
    for (client, _) in &pairs {
        client.shutdown(std::net::Shutdown::Write).unwrap();
    }
    wait_for_half_closed(20);
    let told = "lsock: 2 findings of severity ";
    for (severity, status) in [("info", 1), ("warning", 1), ("critical", 0)] {
        let run = lsock(["-st", "--fail-on", severity]);
        assert_eq!(run.status, Some(status), "{severity}: {}", run.stderr);
        let is_told = run.stderr.contains(told);
        assert_eq!(is_told, status == 1, "{}", run.stderr);
        assert!(run.text().contains("\nwarning  "), "{}", run.text());
    }
    assert_eq!(lsock(["-st"]).done().status, Some(0));
}

#[test]
fn an_incomplete_summary_is_2_whatever_was_found() {
    let whole = recording::fixture("tcp4.bin");
    let cut = recording::file(&whole[..whole.len() - 1]);
    let path = cut.path().to_str().unwrap();
    let run = lsock(["-s", "--fail-on", "info", "--replay", path]);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
}

#[test]
fn fail_on_wants_a_summary_that_is_looked_through() {
    for (words, told) in [
        (&["--fail-on", "warning"][..], "--fail-on needs -s"),
        (
            &["-s", "--fail-on", "grave"],
            "[possible values: info, warning, critical]",
        ),
        (
            &["-s", "--fail-on", "info", "--replay", "/dev/null"],
            "a recording has no findings",
        ),
        (
            &["-s", "--fail-on", "info", "--proc-root", "/nowhere"],
            "another /proc has no findings",
        ),
    ] {
        let run = lsock(words);
        assert_eq!((run.status, run.stdout.len()), (Some(2), 0), "{words:?}");
        assert!(run.stderr.contains(told), "{words:?}: {}", run.stderr);
    }
}

#[test]
fn findings_are_of_what_options_and_filter_select() {
    let Some(_namespace) = fresh() else { return };
    let (listener, pairs) = connections(20);
    for (client, _) in &pairs {
        client.shutdown(std::net::Shutdown::Write).unwrap();
    }
    wait_for_half_closed(20);
    let port = local_address(&listener).unwrap().port();
    let here = format!("sport = :{port}");
    assert!(found(&["-t", &here], "close_wait", "warning", 20).is_some());
    assert_eq!(kinds(&["-t", &here]), ["close_wait"]);
    assert_eq!(
        kinds(&["-t", &format!("sport != :{port}")]),
        ["half_closed"]
    );
    assert_eq!(kinds(&["-t6"]), [""; 0]);
    assert_eq!(kinds(&["-u"]), [""; 0]);
    assert_eq!(kinds(&["-tl"]), [""; 0]);
}
