//! `-s`: the same sockets, counted.

use super::*;

fn mixed() -> Vec<Socket> {
    let peer = "10.0.0.9:4000";
    let mut sockets = listeners(2);
    sockets.push(tcp(State::Established, "10.0.0.1:22", peer));
    sockets.push(tcp(State::TimeWait, "10.0.0.1:23", peer));
    let mut udp = Socket::new(Protocol::Udp, Family::Inet);
    udp.state = State::Unconn;
    sockets.push(udp);
    sockets
}

/// The numbers of one protocol, as JSON tells them.
fn states(run: &Run, protocol: &str) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let counts = document["counts"].as_array().unwrap();
    let own = counts.iter().find(|count| count["protocol"] == protocol);
    own.unwrap()["states"].clone()
}

#[test]
fn every_state_of_every_protocol_is_counted() {
    let run = list(&["-sj"], look(mixed()));
    assert_eq!(run.told(), (0, ""));
    let tcp = states(&run, "tcp");
    for (state, count) in [("LISTEN", 2), ("ESTABLISHED", 1), ("TIME_WAIT", 1)] {
        assert_eq!(tcp[state], count, "{tcp}");
    }
    assert_eq!(states(&run, "udp")["UNCONN"], 1);
}

#[test]
fn disturbed_table_is_counted_once() {
    for behind in 0..=4 {
        let run = list(&["-sj"], look(mixed()).disturbed(TCP, behind));
        assert_eq!(run.told(), (0, ""), "{behind}");
        assert_eq!(states(&run, "tcp")["LISTEN"], 2, "{behind}");
    }
}

#[test]
fn filter_chooses_what_is_counted_and_checked() {
    let words = ["-stj", "--expect", "2", "state = LISTEN"];
    let run = list(&words, look(mixed()));
    assert_eq!(run.told(), (0, ""));
    let tcp = states(&run, "tcp");
    assert_eq!(tcp["LISTEN"], 2);
    assert_ne!(tcp["ESTABLISHED"], 1, "{tcp}");
    let run = list(&["-st", "--expect", "3"], look(mixed()));
    assert_eq!(
        run.told(),
        (1, "lsock: expected exactly 3 TCP sockets, found 4\n")
    );
}

#[test]
fn summary_with_a_table_missing_is_incomplete() {
    for words in [&["-s"][..], &["-sq", "--expect", "1.."]] {
        let look = look(mixed()).fails(UDP, || Error::NotInProc(UDP));
        let run = list(words, look);
        assert_eq!(run.status(), 2, "{words:?}: {run:?}");
    }
}
