//! The fixtures of the wire decoders: what the kernel says about the scene, one dump a file.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use lsock::model::Family;
use lsock::wire::table_of;
use tempfile::NamedTempFile;

use crate::recording::{DONE, Message, SOCKET, fixtures, messages};
use crate::scene::{Namespace, Scene};
use crate::support::lsock_within;

/// Messages kept of a table.
const KEPT: usize = 12;

/// No test: `LSOCK_BLESS=1` records them anew, from the sockets of the scene in a namespace of their own.
#[test]
fn fixtures_are_recorded_anew_when_blessed() {
    if std::env::var_os("LSOCK_BLESS").is_none() {
        return;
    }
    let namespace = Namespace::enter();
    assert!(namespace.is_fresh(), "{namespace:?}");
    let _scene = Scene::everything(&namespace);
    let recording = NamedTempFile::new().unwrap();
    let path = recording.path().to_str().unwrap();
    lsock_within(["-aimn", "-A", "all", "--source", "netlink", "-D", path]);
    let mut tables: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    for message in messages(&fs::read(path).unwrap()) {
        let table = table_of(message.sequence()).expect("a request of ours");
        let name = match table.family {
            Family::Inet => format!("{}4.bin", table.protocol),
            Family::Inet6 => format!("{}6.bin", table.protocol),
            _ => format!("{}.bin", table.protocol),
        };
        tables.entry(name).or_default().push(message);
    }
    fs::create_dir_all(fixtures()).unwrap();
    for (name, messages) in tables {
        let kept = of_each_shape(&messages);
        // A table without sockets, or one that this kernel refuses, teaches nothing.
        if kept.len() > 1 {
            let bytes: Vec<u8> = kept.into_iter().flat_map(|message| message.0).collect();
            fs::write(fixtures().join(name), bytes).unwrap();
        }
    }
}

/// The first socket of each shape, and the end of the dump.
fn of_each_shape(messages: &[Message]) -> Vec<Message> {
    let mut seen = HashSet::new();
    let sockets = messages
        .iter()
        .filter(|message| message.kind() == SOCKET)
        .filter(|message| {
            let payload = message.payload();
            seen.insert((payload.len(), payload[1], payload[2]))
        });
    let end = messages.iter().filter(|message| message.kind() == DONE);
    sockets.take(KEPT).chain(end).cloned().collect()
}

#[test]
fn every_decoder_has_a_fixture() {
    for name in [
        "tcp4", "tcp6", "udp4", "udp6", "mptcp4", "unix", "packet", "netlink",
    ] {
        let path = fixtures().join(format!("{name}.bin"));
        let messages = messages(&fs::read(&path).unwrap());
        assert!(messages.len() > 1, "{name}");
        assert_eq!(messages.last().unwrap().kind(), DONE, "{name}");
    }
}
