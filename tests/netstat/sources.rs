//! Where the rows come from: most of TCP over netlink, in the order of `/proc/net`.

use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::difference;
use crate::asked::sent;
use crate::scene::holder::Holder;
use crate::scene::{Namespace, V4, V6, tcp};
use crate::support::{LSOCK, Run, command, fresh, needed, run, skip};

/// Connections to each of the listeners: some thousand sockets, in many datagrams and pages.
const CONNECTIONS: usize = 300;

/// Many TCP sockets of this process, and the program under the name `netstat`.
struct Crowd {
    folder: TempDir,
    _sockets: Vec<(OwnedFd, Vec<TcpStream>)>,
    _holder: Holder,
    _namespace: Namespace,
}

impl Crowd {
    fn gather() -> Option<Crowd> {
        needed("netstat")?;
        let namespace = fresh()?;
        let listeners = [V4, V4, V6].map(|ip| tcp::listener(ip, 1_000).unwrap());
        let connections = |listener: &OwnedFd| -> Vec<TcpStream> {
            let both = (0..CONNECTIONS).flat_map(|_| {
                let client = tcp::connect(listener).unwrap();
                [client, tcp::accept(listener).unwrap()]
            });
            both.collect()
        };
        let holder = Holder::sleeping(&[listeners[0].as_fd()]).unwrap();
        let sockets = listeners.map(|listener| {
            let streams = connections(&listener);
            (listener, streams)
        });
        let folder = TempDir::new().unwrap();
        symlink(LSOCK, folder.path().join("netstat")).unwrap();
        Some(Crowd {
            folder,
            _sockets: sockets.into(),
            _holder: holder,
            _namespace: namespace,
        })
    }

    fn ours(&self, before: &[&str], words: &[&str]) -> Run {
        let program = self.folder.path().join("netstat");
        let line = before.iter().map(|word| (*word).to_owned());
        let line: Vec<String> = line.chain([program.to_str().unwrap().to_owned()]).collect();
        let mut command = command(Path::new(&line[0]));
        run(command.args(&line[1..]).args(words))
    }

    /// `before` is a command that runs the program.
    fn agrees(&self, before: &[&str], words: &[&str]) {
        let mut netstat = command("netstat");
        let theirs = run(netstat.args(words));
        let ours = self.ours(before, words);
        if let Some(difference) = difference(&theirs, &ours) {
            panic!("{words:?}: {difference}");
        }
    }
}

#[test]
fn many_sockets_come_in_the_order_of_the_file() {
    let Some(crowd) = Crowd::gather() else { return };
    for words in [&["-tan"][..], &["-tn"], &["-tln"], &["-tan6"], &["-tane"]] {
        crowd.agrees(&[], words);
    }
}

/// Among all processes of the machine, of which `netstat` finds the one with the lowest number first.
#[test]
fn owners_are_found_among_all_processes() {
    let Some(crowd) = Crowd::gather() else { return };
    crowd.agrees(&[], &["-tanp"]);
}

#[test]
fn refused_netlink_changes_nothing() {
    let Some(crowd) = Crowd::gather() else { return };
    let trace = crowd.folder.path().join("trace");
    let trace = trace.to_str().unwrap();
    let refused = |call: &str| {
        let inject = format!("inject={call}:error=EPERM");
        let strace = ["strace", "-f", "-q", "-o", trace, "-e"].map(str::to_owned);
        [
            &strace[..],
            &["trace=socket,sendto".to_owned(), "-e".to_owned(), inject],
        ]
        .concat()
    };
    if needed("strace").is_none() {
        return;
    }
    for call in ["socket", "sendto"] {
        let before = refused(call);
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        for words in [&["-tan"][..], &["-tn"], &["-tln"]] {
            crowd.agrees(&before, words);
        }
    }
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("(INJECTED)"), "{trace}");
}

/// States asked for over netlink, request by request, and whether a program narrows them.
fn asked(crowd: &Crowd, words: &[&str]) -> Option<Vec<(u32, bool)>> {
    needed("strace")?;
    let file = crowd.folder.path().join("asked");
    let path = file.to_str().unwrap();
    let before = [
        "strace",
        "-f",
        "-q",
        "-e",
        "trace=sendto",
        "-e",
        "write=all",
        "-o",
        path,
    ];
    let said = crowd.ours(&before, words);
    if said.status != Some(0) {
        skip(format_args!("strace: {said:?}"));
        return None;
    }
    let trace = std::fs::read_to_string(&file).unwrap();
    let requests = sent(&trace).into_iter();
    Some(
        requests
            .map(|request| {
                let states = u32::from_ne_bytes(request[20..24].try_into().unwrap());
                (states, request.len() > 16 + 56)
            })
            .collect(),
    )
}

#[test]
fn netlink_is_asked_for_connections_and_for_nothing_when_the_file_tells_more() {
    let Some(crowd) = Crowd::gather() else { return };
    let Some(of_all) = asked(&crowd, &["-tan"]) else {
        return;
    };
    assert_eq!(of_all.len(), 2, "both IP versions");
    for (states, narrowed) in of_all {
        // Neither CLOSE (7) nor LISTEN (10) nor BOUND (13).
        assert_eq!(states & (1 << 7 | 1 << 10 | 1 << 13), 0, "{states:#x}");
        assert_eq!(states & 0xffe, 0xffe & !(1 << 7 | 1 << 10), "{states:#x}");
        assert!(!narrowed);
    }
    let listening = asked(&crowd, &["-tln"]).unwrap();
    assert!(
        listening.iter().all(|(_, narrowed)| *narrowed),
        "{listening:?}"
    );
    for words in [&["-tane"][..], &["-tano"], &["-uxwan"]] {
        assert_eq!(asked(&crowd, words), Some(Vec::new()), "{words:?}");
    }
}
