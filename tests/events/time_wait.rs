//! The step to `TIME_WAIT` of what is left of a socket that is closed: told, or said not to be.

use std::io::Read as _;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::lives::{LIVES, Stage};
use super::watch::{Watch, has_begun, traced};
use crate::scene::{V4, tcp};
use crate::support::{Child, Run, close, list, program, until};

/// What is said where the step is not recorded.
const UNTOLD: &str = "lsock: warning: this kernel cannot record FIN_WAIT_2 -> TIME_WAIT of sockets \
                      that their programs have closed";

/// How checks end while a connection is closed, and whether its step to `TIME_WAIT` is told.
fn checked(checks: &[&[&str]]) -> Option<(bool, Vec<Run>)> {
    let namespace = traced()?;
    let watch = Watch::begin(&[], "");
    let begin = |words: &&[&str]| {
        let fixed = ["-En", "--format", "ndjson", "--wait", "60s"];
        Child::piped(program().args(fixed).args(*words))
    };
    let running: Vec<Child> = checks.iter().map(begin).collect();
    for check in &running {
        until("it has begun", || has_begun(check.pid()).then_some(()));
    }
    let (_, life) = LIVES[0];
    let stage = Stage {
        namespace: &namespace,
        ip: V4,
        pause: Duration::from_millis(100),
    };
    let ends = life(&stage);
    let (events, _) = watch.end();
    let client = super::steps(&events, ends[0].local, ends[0].peer);
    let is_told = client.chain() == super::CLIENT;
    // They are read every 20 ms.
    std::thread::sleep(Duration::from_millis(200));
    let end = |check: Child| {
        // What has its answer has ended.
        check.signal(Signal::SIGINT);
        check.end()
    };
    let runs = running.into_iter().map(end).collect();
    Some((is_told, runs))
}

#[test]
fn check_that_hangs_on_time_wait_has_an_answer_only_where_its_step_is_told() {
    let checks: [(&[&str], _, _); 7] = [
        (&["--expect", "0", "state time-wait"], 1, 2),
        (&["--expect", "2", "state fin-wait-2"], 0, 2),
        (&["--expect", "1..", "sport = 1"], 1, 1),
        (&["--expect", "1.."], 0, 0),
        (&["--expect", "1..", "state established"], 0, 0),
        (&["--expect", "1..", "state closing"], 1, 1),
        (&["--expect", "0", "state closing"], 0, 0),
    ];
    let Some((is_told, runs)) = checked(&checks.map(|(words, _, _)| words)) else {
        return;
    };
    for ((words, told, untold), run) in checks.into_iter().zip(runs) {
        let expected = if is_told { told } else { untold };
        assert_eq!(run.status, Some(expected), "{words:?}: {run:?}");
        let is_said = run.stderr.lines().filter(|line| *line == UNTOLD).count();
        assert_eq!(is_said, usize::from(expected == 2), "{words:?}: {run:?}");
    }
}

/// Reads to the end.
fn end(mut stream: &TcpStream) {
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn what_was_in_fin_wait_2_before_is_told_where_others_are() {
    let Some(_namespace) = traced() else { return };
    let half_closed = || {
        let pair = tcp::pair(V4).unwrap();
        pair.client.shutdown(Shutdown::Write).unwrap();
        end(&pair.server);
        let ports = [&pair.client, &pair.server].map(|end| end.local_addr().unwrap().port());
        (pair.client, pair.server, ports)
    };
    // Its program has closed it before the watch, or closes it then.
    let (closed, open) = (half_closed(), half_closed());
    close(closed.0);
    until("the small structure is there", || {
        let listed = list(&["-tn", "state", "fin-wait-2"]);
        (listed.iter().filter(|row| row["inode"].is_null()).count() == 1).then_some(())
    });
    let watch = Watch::begin(&[], "");
    let new = half_closed();
    for client in [open.0, new.0] {
        close(client);
    }
    watch.ring();
    for server in [closed.1, open.1, new.1] {
        close(server);
    }
    let (events, run) = watch.end();
    run.clean();
    let last = |[local, peer]: [u16; 2]| super::steps(&events, local, peer).0.pop();
    let step = Some((Some("FIN_WAIT_2".to_owned()), "TIME_WAIT".to_owned()));
    let is_told = last(new.2) == step;
    for ports in [closed.2, open.2] {
        assert_eq!(last(ports), step.clone().filter(|_| is_told));
    }
}

#[test]
fn list_of_nothing_but_time_wait_says_that_steps_are_not_told() {
    let lists: [&[&str]; 2] = [&["state time-wait"], &["state time-wait,established"]];
    let Some((is_told, runs)) = checked(&lists) else {
        return;
    };
    let said = if is_told {
        String::new()
    } else {
        format!("{UNTOLD}\n")
    };
    let told: Vec<(Option<i32>, &str)> = runs
        .iter()
        .map(|run| (run.status, run.stderr.as_str()))
        .collect();
    assert_eq!(told, [(Some(0), said.as_str()), (Some(0), "")]);
}
