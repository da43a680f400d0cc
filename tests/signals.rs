//! A hang-up that is ignored (`nohup`).

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::scene::{V4, tcp};
use crate::support::{Child, LSOCK, command, fresh};

/// The program under `nohup`.
fn program(words: &[&str]) -> Child {
    let mut shell = command("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", LSOCK]);
    Child::piped(shell.args(words))
}

#[test]
fn other_signals_end_what_ignores_a_hang_up() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    for (words, status) in [
        (&["-tlnc", "1000"][..], 0),
        (&["-E"], 0),
        (&["-tln", "--wait", "100s", "sport = 1"], 143),
    ] {
        let mut child = program(words);
        child.until_caught(Signal::SIGTERM);
        child.signal(Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(200));
        assert!(!child.is_over(), "{words:?}");
        let begun = Instant::now();
        child.signal(Signal::SIGTERM);
        assert_eq!(child.end().status, Some(status), "{words:?}");
        assert!(begun.elapsed() < Duration::from_secs(50), "{words:?}");
    }
}

#[test]
fn what_ignores_a_hang_up_ends_at_its_time() {
    let Some(_namespace) = fresh() else { return };
    for (words, status) in [
        (&["-E", "--wait", "300ms"][..], 0),
        (&["-tln", "--wait", "300ms", "sport = 1"], 1),
    ] {
        let begun = Instant::now();
        assert_eq!(program(words).end().status, Some(status), "{words:?}");
        assert!(begun.elapsed() < Duration::from_secs(50), "{words:?}");
    }
}
