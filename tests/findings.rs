//! `-s`: what is wrong, each found in a scene made for it, and not without.

mod closing;
mod healthy;
mod leaks;
mod listeners;
mod opening;
mod ports;
mod queues;

use std::net::TcpStream;
use std::os::fd::OwnedFd;

use serde_json::Value;

use crate::scene::{V4, tcp};
use crate::support::{list, lsock, undisturbed, until, until_ok};

/// The findings of `lsock -s <words>`, while nobody else has copies of the sockets.
fn findings(words: &[&str]) -> Vec<Value> {
    let run = undisturbed(|| lsock([&["-sj"], words].concat()));
    let document = run.done().document();
    document["findings"].as_array().unwrap().clone()
}

fn kinds(words: &[&str]) -> Vec<String> {
    let found = findings(words);
    let kinds = found.iter().map(|f| f["kind"].as_str().unwrap().to_owned());
    kinds.collect()
}

/// The only finding of a kind, if there is one: as grave as this, about so many sockets, and the
/// command that it names lists exactly these.
fn found(words: &[&str], kind: &str, severity: &str, count: u64) -> Option<String> {
    undisturbed(|| {
        let found = findings(words);
        let mut of_kind = found.iter().filter(|finding| finding["kind"] == kind);
        let finding = of_kind.next()?;
        assert!(of_kind.next().is_none(), "{found:#?}");
        if finding["severity"] != severity || finding["count"] != count {
            return None;
        }
        let filter = finding["sockets"].as_str().unwrap();
        let listed = list_done(&["-an", filter]);
        assert_eq!(u64::try_from(listed.len()).unwrap(), count, "{filter}");
        Some(finding["text"].as_str().unwrap().to_owned())
    })
}

fn list_done(words: &[&str]) -> Vec<Value> {
    lsock([words, &["--json"]].concat()).done().sockets()
}

/// Waits for it: timers have to expire.
fn comes(words: &[&str], kind: &str, severity: &str, count: u64) -> String {
    until_ok(kind, || {
        let found = found(words, kind, severity, count);
        found.ok_or_else(|| format!("{:#?}", findings(words)))
    })
}

/// This process, as a text names it.
fn me() -> String {
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    format!("{}[{}]", name.trim_end(), std::process::id())
}

/// So many connections to one listener.
fn connections(count: usize) -> (OwnedFd, Vec<(TcpStream, TcpStream)>) {
    tcp::options::allow_descriptors(8_000).unwrap();
    let listener = tcp::listener(V4, 128).unwrap();
    let pair = |_| {
        let client = tcp::connect(&listener).unwrap();
        (client, tcp::accept(&listener).unwrap())
    };
    let pairs = (0..count).map(pair).collect();
    (listener, pairs)
}

/// Waits until so many sockets are in a state.
fn wait_for(state: &str, count: usize) {
    let what = format!("{count} in {state}");
    until(&what, || {
        (list(&["-tan", "state", state]).len() == count).then_some(())
    });
}

/// Until both ends of so many connections are where half-close leads.
fn wait_for_half_closed(count: usize) {
    for state in ["close-wait", "fin-wait-2"] {
        wait_for(state, count);
    }
}
