//! `-E`: the steps of real connections, told as they happen.

mod choice;
mod containers;
mod ends;
mod lives;
mod many;
mod narrowed;
mod opening;
mod owners;
mod pairs;
pub mod rights;
mod syn;
mod time_wait;
mod uncommon;
pub mod watch;

use std::time::Duration;

use serde_json::Value;

use crate::scene::{V4, V6};
use crate::support::{Run, fresh};
use lives::{End, LIVES, Stage};
use watch::{Steps, Watch, acknowledge_at_once, can_trace};

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

/// Lives what is told whole, or lacks a step: then it is lived again, once.
///
/// There are kernels of hosted machines that run no program, and count none as missed, for the steps of an interrupt that
/// comes into a task of the host's agent.
fn once_more<T>(live: impl Fn() -> Result<T, String>) -> T {
    live().or_else(|_| live()).unwrap()
}

/// Is it said that a step has no record?
fn is_lacking(run: &Run) -> bool {
    run.status == Some(2) && run.stderr.contains("did not report")
}

/// Watches every life, each in a namespace of its own, and looks at the steps of each end. Most of
/// their time they pause, so they are lived at once.
fn each_life(
    options: &[&str],
    pause: Duration,
    look: impl Fn(&Run, &Steps, &End) -> Result<(), String> + Sync,
) {
    if fresh().is_none() {
        return;
    }
    for ip in [V4, V6] {
        std::thread::scope(|scope| {
            for (name, life) in LIVES {
                let thread = std::thread::Builder::new().name(format!("{name} over {ip}"));
                let look = &look;
                let live = move || -> Result<(), String> {
                    let namespace = fresh().unwrap();
                    acknowledge_at_once();
                    let watch = Watch::begin(options, "");
                    let ends = life(&Stage {
                        namespace: &namespace,
                        ip,
                        pause,
                    });
                    let (events, run) = watch.end();
                    if is_lacking(&run) {
                        return Err(run.stderr);
                    }
                    let each = ends.into_iter();
                    let mut each =
                        each.map(|end| look(&run, &steps(&events, end.local, end.peer), &end));
                    each.find(Result::is_err).unwrap_or(Ok(()))
                };
                let lived = move || once_more(live);
                thread.spawn_scoped(scope, lived).unwrap();
            }
        });
    }
}

#[test]
fn both_ends_of_every_life_are_told_exactly() {
    if !can_trace() {
        return;
    }
    each_life(&[], Duration::from_millis(1), |run, steps, end| {
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
        let chain = steps.chain();
        let is_recorded = end.is_recorded(&chain);
        is_recorded.then_some(()).ok_or(format!("{chain}: {end:?}"))
    });
}

#[test]
fn who_only_looks_now_and_then_invents_nothing() {
    let options = ["--source", "netlink"];
    each_life(&options, Duration::from_millis(250), |run, steps, end| {
        assert_eq!(run.status, Some(0));
        assert!(steps.are_of(end.chain), "{steps:?}");
        Ok(())
    });
}
