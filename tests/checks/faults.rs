//! A source that fails in the middle of a wait.

use super::waiting::after;
use super::*;

/// What failed once and came back is nobody's business.
#[test]
fn loss_in_the_middle_of_a_wait_is_looked_at_again() {
    let Some(_namespace) = straced() else { return };
    for fault in ["error=ENOBUFS", "retval=0", "retval=40000"] {
        let port = free_port();
        // Some looks are whole, half a dozen fail, whose dumps were begun again in vain, others follow. A dozen would
        // take nearly the second after which a source is given up, for a look costs more in this build.
        let loss = format!("recvfrom:{fault}:when=10..36");
        let server = after(800, move || listen_at(V4, port));
        let attempt = with_faults(&[&loss], &["-tln4H", "--wait", "60s", &at(port)]);
        let (_listener, _) = server.join().unwrap();
        assert_eq!(told(&attempt), (Some(0), ""), "{fault}");
        assert_eq!(lines(&attempt).len(), 1, "{fault}: {attempt:?}");
    }
}

#[test]
fn source_that_fails_for_good_ends_the_wait_with_2() {
    let Some(_namespace) = straced() else { return };
    for (fault, reason) in [
        (
            "recvfrom:error=ENOBUFS:when=10+",
            "the receive buffer overran (ENOBUFS)",
        ),
        ("socket:error=EPERM", "operation not permitted"),
        ("sendto:error=ENOMEM", "cannot allocate memory"),
    ] {
        let begun = Instant::now();
        let words = ["-tln6", "--source", "netlink", "--wait", "10m", "sport = 1"];
        let attempt = with_faults(&[fault], &words);
        assert_eq!(attempt.status, Some(2), "{attempt:?}");
        let said: Vec<&str> = attempt.stderr.lines().collect();
        assert_eq!(said.len(), 2, "{attempt:?}");
        assert!(said[0].ends_with(reason), "{attempt:?}");
        let question = "lsock: undecided: expected at least 1 IPv6 TCP listener where sport = 1";
        assert!(said[1].starts_with(question), "{attempt:?}");
        assert!(!said[1].contains("nothing has"), "{attempt:?}");
        assert!(begun.elapsed() < Duration::from_secs(120), "{fault}");
    }
}

#[test]
fn quiet_wait_says_why_it_has_no_answer() {
    let Some(_namespace) = straced() else { return };
    let words = [
        "-tln6q",
        "--source",
        "netlink",
        "--wait",
        "10m",
        "sport = 1",
    ];
    let attempt = with_faults(&["socket:error=EPERM"], &words);
    let message = "lsock: netlink: cannot list IPv6 TCP sockets: operation not permitted\n";
    assert_eq!(told(&attempt), (Some(2), message));
}

#[test]
fn match_that_was_found_before_the_loss_is_a_match() {
    let Some(_namespace) = straced() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    // What is lost is the table of IPv6, whatever is done.
    let loss = "recvfrom:error=ENOBUFS:when=3+";
    for (words, status) in [
        (&["-tlnq"][..], 0),
        (&["-tlnq", "--expect", "0"], 1),
        (&["-tlnq", "--expect", "..1"], 2),
        (&["-tlnq", "--expect", "2.."], 2),
        (&["-tln", "--expect", "1.."], 2),
        (&["-tln"], 2),
    ] {
        let attempt = with_faults(&[loss], &[words, &[&at(port)]].concat());
        assert_eq!(attempt.status, Some(status), "{words:?}: {attempt:?}");
        assert_eq!(
            attempt.stderr.is_empty(),
            status < 2,
            "{words:?}: {attempt:?}"
        );
    }
    let none = with_faults(
        &["recvfrom:error=ENOBUFS:when=2+"],
        &["-tlnq", &at(port - 1)],
    );
    assert_eq!(none.status, Some(2), "{none:?}");
}
