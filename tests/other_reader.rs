//! The `procfs` crate, an independent reader of the same files, agrees with `lsock`.

use std::collections::BTreeSet;
use std::fs::File;

use procfs::net::{TcpNetEntries, TcpNetEntry};
use procfs::process::{FDTarget, Process};
use procfs::{FromReadSI as _, current_system_info};
use serde_json::Value;

use crate::scene::{V4, tcp};
use crate::support::{fresh, lsock};

/// The sockets of one file of this thread's network namespace, as the crate reads them.
fn entries() -> Vec<TcpNetEntry> {
    let file = File::open("/proc/thread-self/net/tcp").unwrap();
    TcpNetEntries::from_read(file, current_system_info())
        .unwrap()
        .0
}

/// `ADDRESS:PORT ADDRESS:PORT INODE` of a row of `lsock`.
fn of_row(row: &Value) -> String {
    let end = |side: &str| {
        let address = row[format!("{side}_address")].as_str().unwrap();
        format!(
            "{address}:{}",
            row[format!("{side}_port")].as_u64().unwrap_or(0)
        )
    };
    format!(
        "{} {} {}",
        end("local"),
        end("peer"),
        row["inode"].as_u64().unwrap_or(0)
    )
}

#[test]
fn rows_of_proc_net_tcp_are_those_another_reader_finds() {
    let Some(_namespace) = fresh() else { return };
    let _pair = tcp::pair(V4).unwrap();
    let _bound = tcp::states::half_closed(V4).unwrap();
    let theirs: BTreeSet<String> = entries()
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}",
                entry.local_address, entry.remote_address, entry.inode
            )
        })
        .collect();
    assert!(theirs.len() > 4, "{theirs:?}");
    for source in ["procfs", "netlink"] {
        let rows = lsock(["-ta4j", "--source", source]).sockets();
        assert_eq!(
            rows.iter().map(of_row).collect::<BTreeSet<_>>(),
            theirs,
            "{source}"
        );
    }
}

#[test]
fn descriptors_of_this_process_are_those_another_reader_finds() {
    let Some(_namespace) = fresh() else { return };
    let _pair = tcp::pair(V4).unwrap();
    let inodes: BTreeSet<u64> = entries()
        .iter()
        .map(|entry| entry.inode)
        .filter(|inode| *inode != 0)
        .collect();
    let open = Process::myself().unwrap().fd().unwrap().flatten();
    let theirs: BTreeSet<(u64, u64)> = open
        .filter_map(|fd| match fd.target {
            FDTarget::Socket(inode) => Some((inode, u64::try_from(fd.fd).unwrap())),
            _ => None,
        })
        .filter(|(inode, _)| inodes.contains(inode))
        .collect();
    assert!(theirs.len() >= 3, "{theirs:?}");
    let mut ours = BTreeSet::new();
    for row in lsock(["-ta4pj"]).sockets() {
        let processes = row["processes"].as_array().cloned().unwrap_or_default();
        let own = processes
            .iter()
            .filter(|process| process["pid"] == std::process::id());
        for fd in own.flat_map(|process| process["fds"].as_array().unwrap().clone()) {
            ours.insert((row["inode"].as_u64().unwrap(), fd.as_u64().unwrap()));
        }
    }
    assert!(ours.is_superset(&theirs), "{theirs:?} {ours:?}");
}
