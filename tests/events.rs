//! `-E`: the steps of real connections, told as they happen.

mod choice;
mod ends;
mod lives;
mod many;
mod watch;

use std::time::Duration;

use serde_json::Value;

use crate::program::fresh;
use crate::scene::{V4, V6};
use lives::{LIVES, Stage};
use watch::{Steps, Watch, can_trace};

/// What who connects and closes first goes through.
const CLIENT: &str = "CLOSED SYN_SENT ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT";
/// What who accepts and closes last goes through.
const SERVER: &str = "LISTEN SYN_RCVD ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED";

/// Those of the socket with this local and this remote port; a listener's remote port is 0.
fn steps(events: &[Value], local: u16, peer: u16) -> Steps {
    let peer = Some(peer).filter(|port| *port != 0);
    Steps::of(events, |event| {
        event["local_port"] == local && event["peer_port"] == serde_json::json!(peer)
    })
}

#[test]
fn both_ends_of_every_life_are_told_exactly() {
    if !can_trace() {
        return;
    }
    for ip in [V4, V6] {
        for (name, life) in LIVES {
            let Some(namespace) = fresh() else { return };
            let watch = Watch::begin(&[], "");
            let ends = life(&Stage {
                namespace: &namespace,
                ip,
                pause: Duration::from_millis(1),
            });
            let (events, run) = watch.end();
            run.clean();
            for end in ends {
                let steps = steps(&events, end.local, end.peer);
                assert_eq!(steps.chain(), end.chain, "{name} over {ip}: {events:#?}");
            }
        }
    }
}

#[test]
fn who_only_looks_now_and_then_invents_nothing() {
    for ip in [V4, V6] {
        for (name, life) in LIVES {
            let Some(namespace) = fresh() else { return };
            let watch = Watch::begin(&["--source", "netlink"], "");
            let ends = life(&Stage {
                namespace: &namespace,
                ip,
                pause: Duration::from_millis(250),
            });
            let (events, run) = watch.end();
            assert_eq!(run.status, Some(0));
            for end in ends {
                let steps = steps(&events, end.local, end.peer);
                assert!(steps.are_of(end.chain), "{name} over {ip}: {events:#?}");
            }
        }
    }
}
