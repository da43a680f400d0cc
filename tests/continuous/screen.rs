//! The view on a terminal, driven by keys and signals.

use std::net::{Ipv4Addr, Shutdown, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::churn::{Churn, listener};
use super::run::memory;
use super::tmux::Terminal;
use crate::scene::holder::{HOSTILE_NAME, Holder};
use crate::scene::{V4, tcp};
use crate::support::{close, command, fresh, run, send};

/// Listeners at ports from this one on, each with its own address.
pub const FIRST: u16 = 20_000;

pub fn listeners(count: u16) -> Vec<TcpListener> {
    let ports = (0..count).map(|number| FIRST + number);
    ports
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap())
        .collect()
}

/// The ports of the rows on a screen, in their order, with the sign of each row.
pub fn rows(screen: &str) -> Vec<(char, u16)> {
    let rows = screen.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" 127.0.0.1:")?;
        let port = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((line.chars().next()?, port.parse().ok()?))
    });
    rows.collect()
}

pub fn ports(screen: &str) -> Vec<u16> {
    rows(screen).iter().map(|(_, port)| *port).collect()
}

/// Everything a person can do, and the screen as it was before.
#[test]
fn keys_scroll_sort_pause_filter_and_quit() {
    let Some(_namespace) = fresh() else { return };
    let mut listeners = listeners(60);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    terminal.write("echo before");
    terminal.press(&["Enter"]);
    let before = terminal.wait_for("an answer", |screen| screen.contains("\nbefore\n"));
    let command = "-tlnc 0.1 --sort local_port";
    terminal.run(command);

    let screen = terminal.wait_for("a page", |screen| rows(screen).len() > 10);
    assert!(screen.contains("every 100ms  sort: local_port"), "{screen}");
    assert!(screen.contains("60 sockets"), "{screen}");
    let seen = ports(&screen);
    assert_eq!(seen[0], FIRST);
    assert!(seen.is_sorted(), "{screen}");
    let page = u16::try_from(seen.len()).unwrap();

    let first = |port: u16| move |screen: &str| ports(screen).first() == Some(&port);
    terminal.press(&["NPage"]);
    terminal.wait_for("a page down", first(FIRST + page));
    terminal.press(&["End"]);
    let end = terminal.wait_for("the end", first(FIRST + 60 - page));
    assert!(end.contains(&format!("{}-60 of 60", 61 - page)), "{end}");
    terminal.press(&["PPage"]);
    terminal.wait_for("up again", first(FIRST + 60 - 2 * page));
    terminal.press(&["Home"]);
    terminal.wait_for("the begin", first(FIRST));

    // What comes and goes is marked, for one round.
    let late = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST - 1)).unwrap();
    terminal.wait_for("a new row", |screen| ports(screen)[0] == FIRST - 1);
    terminal.press(&["Space"]);
    terminal.wait_for("a pause", |screen| screen.contains("PAUSED"));
    close(late);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ports(&terminal.screen())[0], FIRST - 1, "nothing changes");
    terminal.press(&["Space"]);
    terminal.wait_for("its end", |screen| {
        !screen.contains("PAUSED") && ports(screen)[0] == FIRST
    });

    // The next orders: the kernel's, and by column; the queue of a listener is empty.
    terminal.press(&["s"]);
    terminal.wait_for("another order", |screen| screen.contains("sort: none"));
    terminal.press(&["s", "s", "s"]);
    terminal.wait_for("another order", |screen| {
        screen.contains("sort: -recv_queue")
    });

    let filter = format!("sport >= {}", FIRST + 55);
    terminal.press(&["/"]);
    terminal.write("sport >= )");
    terminal.press(&["Enter"]);
    let wrong = terminal.wait_for("what is wrong", |screen| screen.contains("found \")\""));
    assert!(
        wrong.contains("\n  sport >= )\n           ^\n/sport >= )"),
        "{wrong}"
    );
    terminal.press(&["C-u"]);
    terminal.write(&filter);
    terminal.press(&["Enter"]);
    terminal.wait_for("the filtered", |screen| {
        screen.contains(&format!("filter: {filter}")) && rows(screen).len() == 5
    });
    // What is given up leaves the filter as it is.
    for key in ["Escape", "C-c"] {
        terminal.press(&["/"]);
        terminal.write(" and nonsense");
        terminal.press(&[key]);
        terminal.wait_for("the same filter", |screen| {
            screen.contains("q quit") && screen.contains(&format!("filter: {filter}\n"))
        });
    }
    listeners.pop();
    terminal.wait_for("one less", |screen| screen.contains("4 sockets"));

    terminal.resize(100, 10);
    terminal.wait_for("another size", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines.len() == 10 && lines[9].starts_with("q quit") && lines[9].ends_with("1-4 of 4")
    });
    terminal.resize(80, 24);
    terminal.wait_for("the first size", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines.len() == 24 && lines[23].starts_with("q quit")
    });
    terminal.press(&["q"]);
    let after = terminal.wait_for_prompt();
    let command = after
        .lines()
        .filter(|line| !line.contains("lsock"))
        .collect::<Vec<_>>();
    let expected = before.lines().collect::<Vec<_>>();
    assert_eq!(command[..2], expected[..2], "{after}");
    assert!(!after.contains("every 100ms"), "{after}");
    assert_eq!(terminal.modes(), modes);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(5);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        // Amid a pause, and amid a filter that is written.
        for (keys, shown) in [
            (&[][..], "every 100ms"),
            (&["Space"], "PAUSED"),
            (&["/", "x"], "\n/x"),
        ] {
            terminal.run("-tlnc 0.1");
            terminal.wait_for("rows", |screen| rows(screen).len() == 5);
            terminal.press(keys);
            terminal.wait_for(shown, |screen| screen.contains(shown));
            send(terminal.child(), signal);
            let after = terminal.wait_for_prompt();
            assert!(!after.contains("every 100ms"), "{after}");
            assert_eq!(terminal.modes(), modes, "{signal}");
        }
    }
    terminal.run("-tlnc 0.1");
    terminal.press(&["C-c"]);
    terminal.wait_for_prompt();
    assert_eq!(terminal.modes(), modes);
}

/// Whatever ends it, and as it would have ended without a view.
#[test]
fn every_signal_that_ends_it_gives_the_terminal_back() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(5);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    terminal.write("ulimit -c 0");
    terminal.press(&["Enter"]);
    let modes = terminal.modes();
    let ending = [
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGABRT,
        Signal::SIGTRAP,
        Signal::SIGBUS,
        Signal::SIGIO,
        Signal::SIGPWR,
        Signal::SIGSYS,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
        Signal::SIGSTKFLT,
    ];
    let ending = ending.map(|signal| signal as i32);
    for signal in ending.into_iter().chain([40, 64]) {
        terminal.run("-tlnc 0.1");
        terminal.wait_for("rows", |screen| rows(screen).len() == 5);
        let words = [format!("-{signal}"), terminal.child().to_string()];
        assert_eq!(run(command("kill").args(words)).status, Some(0));
        terminal.wait_for_prompt();
        terminal.write("echo was $?");
        terminal.press(&["Enter"]);
        let was = format!("\nwas {}\n", 128 + signal);
        let after = terminal.wait_for("its status", |screen| screen.contains(&was));
        assert!(!after.contains("every 100ms"), "{after}");
        assert_eq!(terminal.modes(), modes, "{signal}");
        terminal.write("clear");
        terminal.press(&["Enter"]);
        terminal.wait_for_prompt();
    }
}

#[test]
fn signal_that_was_ignored_stays_ignored() {
    let Some(_namespace) = fresh() else { return };
    let mut listeners = listeners(5);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    terminal.write("trap '' USR1 ALRM");
    terminal.press(&["Enter"]);
    terminal.run("-tlnc 0.1");
    terminal.wait_for("rows", |screen| rows(screen).len() == 5);
    for signal in [Signal::SIGUSR1, Signal::SIGALRM] {
        send(terminal.child(), signal);
    }
    listeners.pop();
    terminal.wait_for("another round", |screen| rows(screen).len() == 4);
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
}

#[test]
fn signals_end_it_on_a_terminal_that_takes_nothing() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(5);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    for signal in [Signal::SIGTERM, Signal::SIGQUIT] {
        terminal.run("-tlnc 0.02");
        terminal.wait_for("rows", |screen| rows(screen).len() == 5);
        // In raw mode Ctrl-S is a key: the output is stopped by another program.
        terminal.stop_output();
        std::thread::sleep(Duration::from_millis(200));
        send(terminal.child(), signal);
        let after = terminal.wait_for_prompt();
        assert!(!after.contains("every 20ms"), "{after}");
        assert_eq!(terminal.modes(), modes, "{signal}");
    }
}

#[test]
fn it_can_be_stopped_and_go_on() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(5);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    terminal.run("-tlnc 0.1");
    terminal.press(&["C-z"]);
    let stopped = terminal.wait_for("a prompt", |screen| screen.contains("Stopped"));
    assert!(!stopped.contains("every 100ms"), "{stopped}");
    assert_eq!(terminal.modes(), modes);
    terminal.write("fg");
    terminal.press(&["Enter"]);
    terminal.wait_for("the view", |screen| rows(screen).len() == 5);
    // By a signal to it alone, and by one that it cannot catch; in the background it draws nothing.
    for signal in [Signal::SIGTSTP, Signal::SIGSTOP] {
        send(terminal.child(), signal);
        terminal.wait_for("a prompt", |screen| screen.contains("Stopped"));
        terminal.write("clear; bg");
        terminal.press(&["Enter"]);
        std::thread::sleep(Duration::from_millis(500));
        let shown = terminal.screen();
        assert!(!shown.contains("every 100ms"), "{signal}: {shown}");
        // What is typed at the shell is not for it: reading that would stop it.
        terminal.write("clear; jobs");
        terminal.press(&["Enter"]);
        // With one blank it is what `bg` says.
        let jobs = terminal.wait_for("the jobs", |screen| screen.contains("[1]+  "));
        assert!(jobs.contains("Running"), "{signal}: {jobs}");
        terminal.write("clear; fg");
        terminal.press(&["Enter"]);
        terminal.wait_for("the view", |screen| rows(screen).len() == 5);
        terminal.press(&["Space"]);
        terminal.wait_for("a pause", |screen| screen.contains("PAUSED"));
        terminal.press(&["Space"]);
    }
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    assert_eq!(terminal.modes(), modes);
}

#[test]
fn what_became_of_sockets_is_told_by_signs_and_colours() {
    let Some(_namespace) = fresh() else { return };
    let pair = tcp::pair(V4).unwrap();
    for (environment, colours) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let Some(terminal) = Terminal::open(120, 24, environment) else {
            return;
        };
        // Long enough to look at a round, and a pause before it is over.
        terminal.run("-tnac 2");
        terminal.wait_for("rows", |screen| screen.contains("3 sockets"));
        let other = TcpListener::bind((V4, 0)).unwrap();
        let port = format!(":{} ", other.local_addr().unwrap().port());
        let sign = |sign: &str| {
            let (sign, port) = (sign.to_owned(), port.clone());
            move |screen: &str| {
                let mut lines = screen.lines();
                lines.any(|line| line.starts_with(&sign) && line.contains(&port))
            }
        };
        terminal.wait_for("a new row", sign("+ tcp"));
        let painted = terminal.painted();
        assert_eq!(painted.contains("\u{1b}[32m"), colours, "{painted}");
        terminal.wait_for("an old row", sign("  tcp"));
        close(other);
        terminal.wait_for("a row that is gone", sign("- tcp"));
        terminal.wait_for("no such row", |screen| !screen.contains(&port));
        terminal.press(&["q"]);
    }
    let Some(terminal) = Terminal::open(80, 24, &[("LC_ALL", "C")]) else {
        return;
    };
    terminal.run("-tnac 1");
    pair.client.shutdown(Shutdown::Write).unwrap();
    terminal.wait_for("both changes", |screen| {
        let has = |text: &str| screen.lines().any(|line| line.starts_with(text));
        has("~ tcp   ESTABLISHED->FIN_WAIT_2 ") && has("~ tcp   ESTABLISHED->CLOSE_WAIT ")
    });
}

#[test]
fn hostile_names_stay_in_their_place() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST)).unwrap();
    let child = Holder::named(HOSTILE_NAME, &[listener.as_fd()]).unwrap();
    close(listener);
    let Some(terminal) = Terminal::open(100, 12, &[]) else {
        return;
    };
    terminal.run("-tlnpc 0.1");
    let screen = terminal.wait_for("its name", |screen| {
        screen.contains(&format!("[{}]", child.pid()))
    });
    assert!(
        screen.contains("a) (b\\x0a\\x1b\\x5b31m\"xy\\xc3["),
        "{screen}"
    );
    assert_eq!(rows(&screen), [(' ', FIRST)], "{screen}");
}

#[test]
fn keys_come_from_the_terminal_where_standard_input_is_none() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(3);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    terminal.run("-tlnc 0.1 < /dev/null");
    terminal.press(&["Space"]);
    terminal.wait_for("a pause", |screen| screen.contains("PAUSED"));
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    assert_eq!(terminal.modes(), modes);
}

#[test]
fn without_any_keys_it_runs_until_a_signal() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(3);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    // Another session has no /dev/tty.
    let pid = terminal.file("pid");
    let program = crate::support::LSOCK;
    let command = format!("echo $$ > {}; exec {program} -tlnc 0.1", pid.display());
    terminal.write(&format!("setsid sh -c '{command}' < /dev/null &"));
    terminal.press(&["Enter"]);
    terminal.wait_for("rows", |screen| {
        rows(screen).len() == 3 && screen.contains("keys cannot be read")
    });
    let pid = std::fs::read_to_string(pid).unwrap();
    send(pid.trim().parse().unwrap(), Signal::SIGTERM);
    terminal.wait_for("the shell", |screen| !screen.contains("every 100ms"));
    terminal.press(&["Enter"]);
    terminal.wait_for_prompt();
}

#[test]
fn what_is_no_terminal_for_a_view_gets_rounds() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(3);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    for (before, words, rounds) in [
        ("TERM=dumb", "-tlnc 0.1", 2),
        ("", "-tlnc 0.1 --format plain", 2),
        ("", "-tlsc 0.1 --format plain", 1),
    ] {
        terminal.write(&format!("{before} {} {words}", crate::support::LSOCK));
        terminal.press(&["Enter"]);
        terminal.wait_for("rounds", |screen| {
            screen.lines().filter(|line| line.ends_with('Z')).count() >= rounds
        });
        terminal.press(&["C-c"]);
        terminal.press(&["C-l"]);
        terminal.wait_for_prompt();
    }
}

/// The rate of what comes and goes, and what is left of it at the end.
#[test]
fn a_thousand_sockets_a_second_are_followed_and_memory_does_not_grow() {
    let Some(_namespace) = fresh() else { return };
    let still: Vec<_> = (0..100)
        .map(|_| UdpSocket::bind((V4, 0)).unwrap())
        .collect();
    let Some(terminal) = Terminal::open(100, 30, &[]) else {
        return;
    };
    let churn = Churn::begin(1, listener);
    terminal.run("-tulnc 0.01");
    let wait = |opened: usize| {
        let until = churn.opened() + opened;
        while churn.opened() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait(3_000);
    let before = memory(terminal.child());
    // Keys while everything moves.
    for keys in ["Down", "End", "s", "Home", "NPage", "Space", "Space", "Up"] {
        terminal.press(&[keys]);
    }
    wait(10_000);
    let after = memory(terminal.child());
    drop(churn);
    let count = format!("{} sockets ", still.len());
    terminal.wait_for("what is left", |screen| {
        let second = screen.lines().nth(1).unwrap_or_default();
        second.trim_start().starts_with(&count)
    });
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    assert!(after <= before + 2_048, "{before} KiB, {after} KiB");
    eprintln!("the view: {before} KiB, and {after} KiB later");
}
