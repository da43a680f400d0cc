//! Keys of the view on a terminal that show the list in another way, or something in its place.

use std::net::{Ipv4Addr, Shutdown, TcpListener};

use super::screen::{FIRST, listeners, ports, rows};
use super::tmux::Terminal;
use crate::scene::{V4, tcp};
use crate::support::{LSOCK, close, fresh};

/// The port of the row that is selected.
fn selected(screen: &str) -> Option<u16> {
    let line = screen
        .lines()
        .find(|line| line.chars().nth(1) == Some('>'))?;
    rows(line).first().map(|(_, port)| *port)
}

#[test]
fn help_names_every_key_and_a_key_goes_back() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(3);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    terminal.run("-tlnc 0.1");
    for back in ["q", "Escape", "Enter"] {
        terminal.press(&["?"]);
        let help = terminal.wait_for("help", |screen| screen.contains("\nKeys\n"));
        for key in [
            "q, Ctrl-C",
            "space",
            "arrows, PgUp, PgDn",
            "mouse wheel",
            "Enter",
            "f, n, N",
            "/",
            "s",
            "m",
            "c",
            "g",
            "K",
            "Ctrl-L, Ctrl-Z",
        ] {
            assert!(help.contains(&format!("\n{key} ")), "{key}: {help}");
        }
        assert!(help.contains("Shift"), "{help}");
        // Rounds go on below it, and keys of the list do nothing.
        terminal.press(&["s"]);
        terminal.press(&[back]);
        let screen = terminal.wait_for("the list", |screen| rows(screen).len() == 3);
        assert!(screen.contains("sort: usual"), "{screen}");
    }
    terminal.press(&["?"]);
    terminal.wait_for("help", |screen| screen.contains("\nKeys\n"));
    terminal.press(&["C-c"]);
    terminal.wait_for_prompt();
}

#[test]
fn changed_rows_come_first_or_alone() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(5);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    terminal.run("-tlnc 2 --sort local_port");
    terminal.wait_for("rows", |screen| rows(screen).len() == 5);
    let _late = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + 9)).unwrap();
    terminal.wait_for("a new row", |screen| {
        rows(screen).contains(&('+', FIRST + 9))
    });
    terminal.press(&["Space"]);
    let screen = terminal.wait_for("a pause", |screen| screen.contains("PAUSED"));
    assert_eq!(rows(&screen).last(), Some(&('+', FIRST + 9)), "{screen}");
    terminal.press(&["m"]);
    let screen = terminal.wait_for("it first", |screen| {
        rows(screen).first() == Some(&('+', FIRST + 9))
    });
    assert!(screen.contains("sort: changed,local_port"), "{screen}");
    assert!(ports(&screen)[1..].is_sorted(), "{screen}");
    terminal.press(&["c"]);
    terminal.wait_for("it alone", |screen| {
        screen.contains("  only changes") && rows(screen) == [('+', FIRST + 9)]
    });
    terminal.press(&["c", "m"]);
    terminal.wait_for("the list", |screen| {
        rows(screen).len() == 6 && ports(screen).is_sorted()
    });
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
}

#[test]
fn a_text_is_found_while_it_is_typed() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(60);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    terminal.run("-tlnc 0.1 --sort local_port");
    terminal.press(&["Down"]);
    terminal.wait_for("a mark", |screen| selected(screen) == Some(FIRST));
    terminal.press(&["f"]);
    for (typed, found) in [("2004", FIRST + 40), ("5", FIRST + 45)] {
        terminal.write(typed);
        terminal.wait_for("the row", |screen| selected(screen) == Some(found));
    }
    terminal.write("x");
    let none = terminal.wait_for("nothing", |screen| {
        screen.contains("no row with \"20045x\"")
    });
    assert!(none.contains("\nfind: 20045x"), "{none}");
    terminal.press(&["Escape"]);
    terminal.wait_for("the row before", |screen| {
        selected(screen) == Some(FIRST) && screen.contains("q quit")
    });
    terminal.press(&["f"]);
    terminal.write(":2000");
    terminal.press(&["Enter", "n", "n"]);
    terminal.wait_for("the second next", |screen| {
        selected(screen) == Some(FIRST + 2)
    });
    terminal.press(&["N"]);
    terminal.wait_for("the one before", |screen| {
        selected(screen) == Some(FIRST + 1)
    });
    // The mark goes with its socket.
    let _before = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST - 1)).unwrap();
    let screen = terminal.wait_for("a new row", |screen| ports(screen)[0] == FIRST - 1);
    assert_eq!(selected(&screen), Some(FIRST + 1), "{screen}");
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
}

#[test]
fn details_have_every_field_the_other_end_and_the_state() {
    let Some(_namespace) = fresh() else { return };
    let pair = tcp::pair(V4).unwrap();
    let (client, server) = (
        pair.client.local_addr().unwrap(),
        pair.client.peer_addr().unwrap(),
    );
    pair.client.shutdown(Shutdown::Write).unwrap();
    let Some(terminal) = Terminal::open(100, 120, &[]) else {
        return;
    };
    terminal.run("-tnc 0.1");
    terminal.press(&["f"]);
    terminal.write("close_wait");
    terminal.press(&["Enter", "Enter"]);
    let pid = std::process::id();
    let title = format!("tcp CLOSE_WAIT {server} {client}");
    let details = terminal.wait_for("details", |screen| {
        screen.contains(&title)
            && screen.contains("\nThe other end\nstate               FIN_WAIT_2\n")
    });
    for part in [
        "\ntcp_info            ",
        "\nmemory              ",
        "\nshutdown            can only send\n",
        &format!("[{pid}]{{"),
        "\nCLOSE_WAIT\n\nMeaning\n",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    // It goes on while it is shown, and its end is seen.
    let tcp::Pair { client, server, .. } = pair;
    close(server);
    terminal.wait_for("its end", |screen| {
        screen.contains(&format!("{title}  (gone)"))
    });
    close(client);
    terminal.press(&["q"]);
    terminal.wait_for("the list", |screen| screen.contains("q quit"));
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
}

#[test]
fn groups_by_process_peer_and_state() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(5);
    let _pair = tcp::pair(V4).unwrap();
    let Some(terminal) = Terminal::open(100, 24, &[]) else {
        return;
    };
    terminal.run("-tanc 0.1 not state time-wait");
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let has = |screen: &str, line: &[&str]| {
        let mut lines = screen.lines();
        lines.any(|found| {
            found
                .split_whitespace()
                .take(line.len())
                .eq(line.iter().copied())
        })
    };
    terminal.press(&["g"]);
    // 5 listeners, that of the pair, and its two ends.
    terminal.wait_for("processes", |screen| {
        screen.contains("by: process")
            && has(screen, &["PROCESS", "COUNT"])
            && has(screen, &[name.trim(), "8"])
    });
    let _late = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + 9)).unwrap();
    terminal.wait_for("one more", |screen| has(screen, &[name.trim(), "9"]));
    terminal.press(&["g"]);
    terminal.wait_for("peers", |screen| {
        screen.contains("by: peer_address")
            && has(screen, &["0.0.0.0", "7"])
            && has(screen, &["127.0.0.1", "2"])
    });
    terminal.press(&["g"]);
    terminal.wait_for("states", |screen| {
        screen.contains("by: state")
            && has(screen, &["LISTEN", "7"])
            && has(screen, &["ESTABLISHED", "2"])
    });
    terminal.press(&["g"]);
    // What came meanwhile is no news of this round, or is.
    terminal.wait_for("the list", |screen| {
        screen.contains("sort: usual") && rows(screen).len() == 9
    });
    terminal.press(&["g"]);
    terminal.wait_for("processes", |screen| has(screen, &[name.trim(), "9"]));
    terminal.press(&["Escape"]);
    terminal.wait_for("the list", |screen| screen.contains("sort: usual"));
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
}

#[test]
fn counts_are_a_dashboard_that_fits_the_smallest_usual_screen() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(30);
    let pair = tcp::pair(V4).unwrap();
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    terminal.run("-sc 0.5");
    let screen = terminal.wait_for("the diagram", |screen| {
        screen.contains(" ESTABLISHED 2 ") && screen.contains("\nper second: ")
    });
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines.len(), 24, "{screen}");
    assert!(
        lines[0].ends_with("  every 500ms") && lines[1].starts_with("CLOSED ──"),
        "{screen}"
    );
    assert!(lines[23].starts_with("q quit  "), "{screen}");
    // As many listeners as fit; the rest follows below.
    assert!(
        screen.contains(" LISTEN 31\n") && screen.contains("\nand "),
        "{screen}"
    );
    assert!(lines[22].ends_with(" (scroll down)"), "{screen}");
    assert!(lines[23].contains("  1-22 of "), "{screen}");

    let _late = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST - 1)).unwrap();
    terminal.wait_for("a difference", |screen| screen.contains(" LISTEN 32 +1\n"));
    terminal.wait_for("none", |screen| screen.contains(" LISTEN 32\n"));
    let other = tcp::pair(V4).unwrap();
    terminal.wait_for("rates", |screen| {
        let mut lines = screen.lines();
        let rates = lines
            .find(|line| line.starts_with("per second: "))
            .unwrap_or_default();
        [" opened, ", " accepted, ", " segments received, "]
            .iter()
            .all(|part| rates.contains(part))
    });
    let _socket = std::net::UdpSocket::bind((V4, 0)).unwrap();
    terminal.wait_for("what changed", |screen| {
        screen.contains("\nchanged: udp UNCONN +1\n")
    });
    drop(other);

    terminal.press(&["Space"]);
    terminal.wait_for("a pause", |screen| screen.contains("PAUSED"));
    terminal.press(&["Space", "/"]);
    terminal.write(&format!("sport = {FIRST}"));
    terminal.press(&["Enter"]);
    terminal.wait_for("the filtered", |screen| {
        screen.contains(&format!("\nfilter: sport = {FIRST}\n")) && screen.contains(" LISTEN 1\n")
    });
    // What is about rows does nothing here, nor is it in the help.
    terminal.press(&["g", "Enter", "m", "?"]);
    let help = terminal.wait_for("help", |screen| screen.contains("\nKeys\n"));
    assert!(
        help.contains("edit the filter") && !help.contains("sort"),
        "{help}"
    );
    terminal.press(&["g", "q"]);
    terminal.wait_for("the counts", |screen| screen.contains(" LISTEN 1\n"));
    terminal.resize(60, 10);
    terminal.wait_for("text", |screen| {
        screen.lines().count() == 10
            && screen.contains("\ntcp        1: LISTEN 1\n")
            && screen.contains("\nlisteners  1; fullest queue ")
    });
    terminal.press(&["End"]);
    terminal.wait_for("its end", |screen| {
        screen.contains(&format!("127.0.0.1:{FIRST}\n")) && !screen.contains("INET6")
    });
    terminal.resize(80, 24);
    terminal.wait_for("the diagram", |screen| screen.contains("\nCLOSED ──"));
    drop(pair);
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    assert_eq!(terminal.modes(), modes);
}

#[test]
fn counts_with_many_findings_fit_the_smallest_usual_screen() {
    let Some(_namespace) = fresh() else { return };
    let full: Vec<_> = (0..5).map(|_| tcp::listener(V4, 1).unwrap()).collect();
    let clients = full.iter().flat_map(|full| [full, full]);
    let _clients: Vec<_> = clients.map(|full| tcp::connect(full).unwrap()).collect();
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let write = |words: &str| {
        terminal.write(&format!("{LSOCK} {words}"));
        terminal.press(&["Enter"]);
    };
    write("-s");
    let screen = terminal.wait_for("findings", |screen| screen.contains("\nNot shown: "));
    assert!(screen.starts_with("CLOSED ──"), "{screen}");
    assert_eq!(
        screen.matches("\ncritical The accept queue of ").count(),
        3,
        "{screen}"
    );
    let last = "\nNot shown: 2 findings, remedies, detailed counts (append | less)\n";
    assert!(screen.contains(last), "{screen}");
    write("-s | grep -c '^critical '");
    terminal.wait_for("all of them", |screen| screen.contains("\n5\n"));
    terminal.resize(60, 10);
    terminal.run("-sc 0.1");
    terminal.wait_for("a finding and its numbers", |screen| {
        screen.contains("\ncritical The accept queue") && screen.contains(" is full: 2 waiting")
    });
    terminal.press(&["End"]);
    terminal.wait_for("the rest", |screen| {
        screen.contains("\ntcp        2      1 127.0.0.1:")
    });
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
}

#[test]
fn a_dashboard_shows_findings_as_they_come_and_ends_with_their_status() {
    let Some(_namespace) = fresh() else { return };
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    terminal.run("-tsc 0.2 --fail-on warning");
    terminal.wait_for("two rounds", |screen| screen.contains("\nper second: "));
    let full = tcp::listeners::full_queue(V4, 1).unwrap();
    let screen = terminal.wait_for("a finding", |screen| {
        screen.contains("\nwarning  ") || screen.contains("\ncritical ")
    });
    assert!(screen.contains("\n         lsock -ap '"), "{screen}");
    drop(full);
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    terminal.write("echo was $?");
    terminal.press(&["Enter"]);
    terminal.wait_for("its status", |screen| screen.contains("\nwas 1\n"));
}

#[test]
fn the_mouse_wheel_scrolls_and_the_mouse_is_given_back() {
    let Some(_namespace) = fresh() else { return };
    let _listeners = listeners(60);
    let Some(terminal) = Terminal::open(80, 24, &[]) else {
        return;
    };
    let modes = terminal.modes();
    for end in ["q", "C-c", "C-z"] {
        terminal.run("-tlnc 0.1 --sort local_port");
        terminal.wait_for("rows", |screen| ports(screen).first() == Some(&FIRST));
        assert_eq!(terminal.mouse(), "1");
        for (button, first) in [(65, FIRST + 3), (65, FIRST + 6), (64, FIRST + 3)] {
            terminal.write(&format!("\u{1b}[<{button};10;10M"));
            terminal.wait_for("lines", |screen| ports(screen).first() == Some(&first));
        }
        // A button is no key.
        terminal.write("\u{1b}[<0;10;10M\u{1b}[<0;10;10m");
        terminal.press(&[end]);
        terminal.wait_for_prompt();
        assert_eq!(terminal.modes(), modes);
    }
}
