//! `-K` in the view: a key asks, and ends what is listed.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::tmux::Terminal;
use crate::support::{fresh, lists_bound, lsock};

/// A listener, and both ends of connections to it.
struct Scene {
    listener: TcpListener,
    pairs: Vec<(TcpStream, TcpStream)>,
}

impl Scene {
    fn open(count: usize) -> Scene {
        // A port of our choice stays taken by a listener that was ended.
        let chosen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = chosen.local_addr().unwrap();
        drop(chosen);
        let listener = TcpListener::bind(at).unwrap();
        let pairs = (0..count)
            .map(|_| {
                let client = TcpStream::connect(at).unwrap();
                (client, listener.accept().unwrap().0)
            })
            .collect();
        Scene { listener, pairs }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// How many connections still carry a byte.
    fn living(&mut self) -> usize {
        let lives = |(client, server): &mut (TcpStream, TcpStream)| {
            client.write_all(b"x").is_ok() && server.read_exact(&mut [0]).is_ok()
        };
        self.pairs
            .iter_mut()
            .map(lives)
            .filter(|lives| *lives)
            .count()
    }
}

fn says(text: &str) -> impl Fn(&str) -> bool {
    move |screen| screen.contains(text)
}

/// Waits for the shell, which told the status, and gives the screen.
fn ended(terminal: &Terminal, status: u8) -> String {
    terminal.press(&["q"]);
    terminal.wait_for_prompt();
    terminal.write("echo was $?");
    terminal.press(&["Enter"]);
    terminal.wait_for("its status", says(&format!("\nwas {status}\n")))
}

#[test]
fn key_ends_what_is_listed_after_a_yes() {
    let Some(_namespace) = fresh() else { return };
    let mut scene = Scene::open(2);
    let Some(terminal) = Terminal::open(120, 24, &[]) else {
        return;
    };
    terminal.run(&format!("-Ktnc 0.1 dport = {}", scene.port()));
    terminal.wait_for("the key", says("K end  Enter"));
    for no in ["n", "Enter", "Escape", "C-c", "q"] {
        terminal.press(&["K"]);
        terminal.wait_for("a question", says("End 2 sockets? [y/N]"));
        terminal.press(&[no]);
        terminal.wait_for("the keys", says("q quit"));
        assert_eq!(scene.living(), 2, "{no}");
    }
    terminal.press(&["K"]);
    terminal.wait_for("a question", says("End 2 sockets? [y/N]"));
    terminal.press(&["y"]);
    let screen = terminal.wait_for("results", says("! 2 destroyed; space continues"));
    let rows = screen
        .lines()
        .filter(|line| line.starts_with("  destroyed "));
    assert_eq!(rows.count(), 2, "{screen}");
    assert_eq!(scene.living(), 0);
    // They stay until they were read.
    terminal.press(&["K"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(terminal.screen().contains("2 destroyed"));
    terminal.press(&["Space"]);
    terminal.wait_for("an empty list", says("no sockets"));
    terminal.press(&["K"]);
    terminal.wait_for("a reason", says("no socket is listed"));
    ended(&terminal, 0);
}

#[test]
fn filter_is_needed_and_listeners_are_named_by_state() {
    let Some(_namespace) = fresh() else { return };
    let mut scene = Scene::open(1);
    let port = scene.port();
    let Some(terminal) = Terminal::open(120, 24, &[]) else {
        return;
    };
    terminal.run("-Ktnac 0.1");
    // With -a every connection, and no listener.
    terminal.press(&["K"]);
    terminal.wait_for("a question", says("End 2 sockets? [y/N]"));
    terminal.press(&["n"]);
    ended(&terminal, 0);
    terminal.run("-Ktnc 0.1");
    terminal.wait_for("rows", says("2 sockets"));
    terminal.press(&["K"]);
    terminal.wait_for("a reason", says("no filter: type / to enter one"));
    assert_eq!(scene.living(), 1);
    terminal.press(&["/"]);
    terminal.write(&format!("state listen sport = {port}"));
    terminal.press(&["Enter"]);
    terminal.wait_for("the listener", says("1 socket "));
    terminal.press(&["K"]);
    terminal.wait_for("a question", says("End 1 socket? [y/N]"));
    terminal.press(&["y"]);
    if lists_bound() {
        terminal.wait_for("results", says("! 1 still_bound; space continues"));
        let after = ended(&terminal, 1);
        assert!(after.contains("the port stays in use until"), "{after}");
    } else {
        terminal.wait_for("results", says("! 1 destroyed; space continues"));
    }
    assert_eq!(scene.living(), 1);
}

#[test]
fn own_ssh_session_is_asked_for_by_itself() {
    let Some(_namespace) = fresh() else { return };
    let mut scene = Scene::open(1);
    let port = scene.port();
    let client = scene.pairs[0].0.local_addr().unwrap().port();
    let session = format!("'127.0.0.1 {client} 127.0.0.1 {port}'");
    let Some(terminal) = Terminal::open(120, 24, &[("SSH_CONNECTION", &session)]) else {
        return;
    };
    terminal.run(&format!("-Ktnc 0.1 sport = {port}"));
    terminal.press(&["K"]);
    terminal.wait_for("a question", says("End 1 socket? [y/N]"));
    terminal.press(&["y"]);
    terminal.wait_for(
        "a second one",
        says("This includes the connection of this ssh"),
    );
    terminal.press(&["n"]);
    terminal.wait_for("the keys", says("q quit"));
    assert_eq!(scene.living(), 1);
    terminal.press(&["K", "y", "y"]);
    terminal.wait_for("results", says("! 1 destroyed"));
    assert_eq!(scene.living(), 0);
    ended(&terminal, 0);
}

#[test]
fn without_a_view_nobody_is_asked_and_nothing_ended() {
    let Some(_namespace) = fresh() else { return };
    let mut scene = Scene::open(1);
    let filter = format!("dport = {}", scene.port());
    for (words, message) in [
        (&["-Ktc"][..], "it needs the view"),
        (&["-Ktc", "--format", "ndjson"], "it needs the view"),
        (&["-Ktc", "--yes"], "--yes cannot be combined with -c"),
        (
            &["-Ktc", "--dry-run"],
            "--dry-run cannot be combined with -c",
        ),
    ] {
        let run = lsock([words, &[&filter]].concat());
        assert_eq!(run.status, Some(2), "{run:?}");
        assert!(run.stderr.contains(message), "{run:?}");
    }
    assert_eq!(scene.living(), 1);
}
