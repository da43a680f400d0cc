//! `--wait`: what comes, what never comes, what goes.

use std::io::Write as _;
use std::net::TcpStream;

use nix::sys::signal::Signal;

use super::waiting::{Waiting, after};
use super::*;
use crate::support::{close, until_ok};

/// The longest a listener may be overlooked.
const NOTICED: Duration = Duration::from_millis(250);
#[test]
fn server_that_starts_after_300_ms_is_shown_once() {
    let Some(_namespace) = fresh() else { return };
    // A machine that is busy with other tests may need some attempts.
    until_ok("noticed soon", || {
        let port = free_port();
        let waiting = Waiting::begin(&["-tlnH", "--wait", "30s", &at(port)]);
        let server = after(300, move || listen_at(V4, port));
        let (attempt, _) = waiting.end();
        let ended = Instant::now();
        let (_listener, began) = server.join().unwrap();
        assert_eq!(told(&attempt), (Some(0), ""));
        let rows = lines(&attempt);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0].contains(&format!(" 127.0.0.1:{port} ")), "{rows:?}");
        let took = ended.saturating_duration_since(began);
        if took <= NOTICED {
            Ok(())
        } else {
            Err(format!("after {took:?}"))
        }
    });
}

#[test]
fn what_is_so_already_is_shown_at_once() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let _listener = listen_at(V4, port);
    let plain = lsock(["-tln", &at(port)]);
    for wait in ["0", "0s", "0.0", "5m", "99999d", "18446744073709551615us"] {
        let attempt = lsock(["-tln", "--wait", wait, &at(port)]);
        assert_eq!(told(&attempt), (Some(0), ""), "{wait}");
        assert_eq!(attempt.stdout, plain.stdout, "{wait}");
    }
}

#[test]
fn server_that_never_starts_is_missed_when_the_time_is_over() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let (attempt, took) = Waiting::begin(&["-tln", "--wait", "400ms", &at(port)]).end();
    let message = format!(
        "lsock: timed out after 400ms: expected at least 1 TCP listener where sport = {port}, \
         found none; nothing uses port {port}\n"
    );
    assert_eq!(told(&attempt), (Some(1), message.as_str()));
    assert_eq!(lines(&attempt), [""; 0]);
    assert!(took >= Duration::from_millis(400), "{took:?}");
}

#[test]
fn no_time_is_one_look() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    for wait in ["0", "0ms", "0.0s"] {
        let attempt = lsock(["-tln", "--wait", wait, &at(port)]);
        let message = format!(
            "lsock: expected at least 1 TCP listener where sport = {port}, found none; \
             nothing uses port {port}\n"
        );
        assert_eq!(told(&attempt), (Some(1), message.as_str()), "{wait}");
    }
}

#[test]
fn port_that_is_freed_is_waited_for() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let listener = listen_at(V4, port);
    let mut waiting = Waiting::begin(&["-tan", "--wait", "30s", "--expect", "0", &at(port)]);
    waiting.let_pass(300);
    assert!(!waiting.is_over());
    close(listener);
    let (attempt, _) = waiting.end();
    assert_eq!(told(&attempt), (Some(0), ""));
    assert_eq!(lines(&attempt).len(), 0, "{attempt:?}");
}

#[test]
fn holder_of_a_port_that_stays_taken_is_named() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let listener = listen_at(V4, port);
    let (holder, _) = crate::scene::holder::owner(&listener, &[]).unwrap();
    close(listener);
    let attempt = lsock(["-tan", "--wait", "100ms", "--expect", "0", &at(port)]);
    assert_eq!(attempt.status, Some(1), "{attempt:?}");
    let closest = format!(
        "expected no TCP socket where sport = {port}, found 1; port {port} is held by sleep[{}]\n",
        holder.pid()
    );
    assert!(attempt.stderr.ends_with(&closest), "{attempt:?}");
    assert_eq!(lines(&attempt), [""; 0]);
}

/// Closes a connection to the listener at this end first: its port stays in `TIME_WAIT`.
fn leave_time_wait(listener: &OwnedFd) {
    let address = local_address(listener).unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let server = tcp::accept(listener).unwrap();
    close(server);
    // Until the FIN has come.
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut client, &mut rest).unwrap();
    client.flush().unwrap();
}

#[test]
fn time_wait_in_between_is_told_with_what_is_left_of_it() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let listener = listen_at(V4, port);
    leave_time_wait(&listener);
    let mut waiting = Waiting::begin(&["-tan", "--wait", "1s", "--expect", "0", &at(port)]);
    waiting.let_pass(300);
    assert!(!waiting.is_over(), "it still listens");
    close(listener);
    let (attempt, _) = waiting.end();
    assert_eq!(attempt.status, Some(1), "{attempt:?}");
    let begin = format!("found 1; port {port} is in TIME_WAIT for another ");
    let (_, rest) = attempt.stderr.split_once(&begin).expect(&attempt.stderr);
    let seconds: u32 = rest.trim_end().strip_suffix(" s").unwrap().parse().unwrap();
    assert!((40..=60).contains(&seconds), "{seconds} s");
    // It hinders nobody who may use the address again.
    let again = attempt_again(&["-tlnH", "--wait", "5s", &at(port)], port);
    assert_eq!(again.status, Some(0), "{again:?}");
}

/// The end of a wait for a listener at a port in `TIME_WAIT`.
fn attempt_again(words: &[&str], port: u16) -> Run {
    let waiting = Waiting::begin(words);
    waiting.let_pass(100);
    let _listener = listen_at(V4, port);
    waiting.end().0
}

#[test]
fn listener_at_another_address_is_the_closest() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let listener = listen_at(V4, port);
    let (holder, _) = crate::scene::holder::owner(&listener, &[]).unwrap();
    close(listener);
    let who = format!("sleep[{}]", holder.pid());
    for (words, filter, closest) in [
        (
            "-tln",
            " and src = 0.0.0.0",
            format!("bound by {who} on 127.0.0.1 only"),
        ),
        ("-tln6", "", format!("bound by {who} over IPv4 only")),
        ("-tn", "", format!("bound by {who} on 127.0.0.1 only")),
    ] {
        let filter = format!("{}{filter}", at(port));
        let attempt = lsock([words, "--wait", "50ms", &filter]);
        assert_eq!(attempt.status, Some(1), "{attempt:?}");
        let closest = format!("found none; port {port} is {closest}\n");
        assert!(attempt.stderr.ends_with(&closest), "{attempt:?}");
    }
}

#[test]
fn what_uses_a_port_without_listening_is_told() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let bound = tcp::socket(V4).unwrap();
    rustix::net::bind(&bound, &SocketAddr::new(V4, port)).unwrap();
    let (holder, _) = crate::scene::holder::owner(&bound, &[]).unwrap();
    close(bound);
    let closest = |words: &[&str], port: u16| {
        let attempt = lsock([words, &["--wait", "50ms", &at(port)]].concat());
        assert_eq!(attempt.status, Some(1), "{attempt:?}");
        attempt
            .stderr
            .trim_end()
            .rsplit("; ")
            .next()
            .unwrap()
            .to_owned()
    };
    let who = format!("sleep[{}]", holder.pid());
    assert_eq!(
        closest(&["-tln"], port),
        format!("port {port} is bound by {who} on 127.0.0.1 only and has no listener")
    );
    let listener = tcp::listener(V4, 5).unwrap();
    let server = local_address(&listener).unwrap();
    let client = TcpStream::connect(server).unwrap();
    let port = client.local_addr().unwrap().port();
    let told = closest(&["-tln"], port);
    assert!(
        told.starts_with(&format!("port {port} is used by a connection of ")),
        "{told}"
    );
}

#[test]
fn socket_that_lacks_one_thing_is_the_closest_where_no_port_is_named() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let (holder, _) = crate::scene::holder::owner(&listener, &[]).unwrap();
    let port = local_address(&listener).unwrap().port();
    close(listener);
    let filter = format!("pid = {} and recv_queue > 7", holder.pid());
    let attempt = lsock(["-tln", "--wait", "50ms", &filter]);
    assert_eq!(attempt.status, Some(1), "{attempt:?}");
    let closest = format!(
        "; the nearest match is tcp LISTEN 127.0.0.1:{port} of sleep[{}], but not recv_queue > 7\n",
        holder.pid()
    );
    assert!(attempt.stderr.ends_with(&closest), "{attempt:?}");
}

#[test]
fn count_that_comes_is_waited_for_and_shown_as_a_whole() {
    let Some(_namespace) = fresh() else { return };
    let _first = tcp::listener(V4, 1).unwrap();
    for format in ["plain", "table", "json", "ndjson", "csv"] {
        let words = ["-tln", "--wait", "30s", "--expect", "3", "--format", format];
        let mut waiting = Waiting::begin(&words);
        waiting.let_pass(100);
        let second = tcp::listener(V4, 1).unwrap();
        waiting.let_pass(250);
        assert!(!waiting.is_over(), "{format}");
        let third = tcp::listener(V6, 1).unwrap();
        let (attempt, _) = waiting.end();
        assert_eq!(told(&attempt), (Some(0), ""), "{format}");
        let text = String::from_utf8_lossy(&attempt.stdout);
        assert_eq!(text.matches("LISTEN").count(), 3, "{format}: {text}");
        if format == "json" {
            let document = attempt.document();
            assert_eq!(document["summary"]["matched"], 3);
        }
        close((second, third));
    }
}

#[test]
fn wait_from_files_ends_the_same() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let waiting = Waiting::begin(&["-tlnH", "--source", "procfs", "--wait", "30s", &at(port)]);
    waiting.let_pass(200);
    let listener = listen_at(V4, port);
    let (attempt, _) = waiting.end();
    assert_eq!((told(&attempt), lines(&attempt).len()), ((Some(0), ""), 1));
    close(listener);
    let words = ["-tln", "--source", "procfs", "--wait", "50ms", &at(port)];
    assert_eq!(lsock(words).status, Some(1));
}

#[test]
fn process_that_opens_a_port_is_waited_for() {
    let Some(_namespace) = fresh() else { return };
    let (port, other) = (free_port(), tcp::listener(V4, 1).unwrap());
    let (_holder, _) = crate::scene::holder::owner(&other, &[]).unwrap();
    let me = std::process::id();
    let filter = format!("pid = {me} and {}", at(port));
    let mut waiting = Waiting::begin(&["-tlnpH", "--wait", "60s", &filter]);
    waiting.let_pass(300);
    assert!(!waiting.is_over());
    let _listener = listen_at(V4, port);
    let (attempt, _) = waiting.end();
    assert_eq!((told(&attempt), lines(&attempt).len()), ((Some(0), ""), 1));
    assert!(
        lines(&attempt)[0].contains(&format!("[{me}]")),
        "{attempt:?}"
    );
}

#[test]
fn unix_socket_is_waited_for() {
    let Some(_namespace) = fresh() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("server");
    let filter = format!("src {}", path.display());
    let waiting = Waiting::begin(&["-xlH", "--wait", "30s", &filter]);
    waiting.let_pass(200);
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (attempt, _) = waiting.end();
    assert_eq!((told(&attempt), lines(&attempt).len()), ((Some(0), ""), 1));
}

#[test]
fn quiet_wait_says_nothing_either_way() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let missed = lsock(["-tlnq", "--wait", "100ms", &at(port)]);
    assert_eq!((told(&missed), lines(&missed).len()), ((Some(1), ""), 0));
    let waiting = Waiting::begin(&["-tlnq", "--wait", "30s", &at(port)]);
    waiting.let_pass(100);
    let _listener = listen_at(V4, port);
    let (attempt, _) = waiting.end();
    assert_eq!((told(&attempt), lines(&attempt).len()), ((Some(0), ""), 0));
}

#[test]
fn signal_ends_a_wait_in_order() {
    let Some(_namespace) = fresh() else { return };
    for (signal, status) in [
        (Signal::SIGINT, 130),
        (Signal::SIGTERM, 143),
        (Signal::SIGHUP, 129),
    ] {
        for words in ["-tln", "-tlnj", "-tlnq"] {
            let waiting = Waiting::begin(&[words, "--wait", "60s", "sport = 1"]);
            waiting.until_caught(signal);
            waiting.signal(signal);
            let (attempt, _) = waiting.end();
            assert_eq!(told(&attempt), (Some(status), ""), "{signal} {words}");
            assert_eq!(lines(&attempt), [""; 0], "{signal} {words}");
        }
    }
}

#[test]
fn filter_that_wants_nothing_of_what_is_listed_is_not_waited_for() {
    let begun = Instant::now();
    let attempt = lsock(["-t", "--wait", "5m", "protocol = udp"]);
    assert_eq!(attempt.status, Some(1), "{attempt:?}");
    assert!(
        attempt.stderr.contains("excludes everything"),
        "{attempt:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(60));
}

/// More are held back than a look holds when it cannot fail any more.
#[test]
fn long_list_is_shown_whole() {
    let Some(_namespace) = fresh() else { return };
    let _connections = crate::faults::connections_of(700);
    let plain = lsock(["-tanH", "--sort", "inode,local_port"]);
    let waited = lsock(["-tanH", "--sort", "inode,local_port", "--wait", "5s"]);
    assert_eq!(told(&waited), (Some(0), ""));
    assert_eq!(lines(&waited).len(), 1_401);
    assert_eq!(waited.stdout, plain.stdout);
}
