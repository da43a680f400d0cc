//! Who is at the other end, across a bridge and of unix sockets; and the tables of a container by its `/proc`.

use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::kinds::bridged;
use super::{add, in_named, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::expected::inode;
use crate::scene::holder::Holder;
use crate::support::{Child, close, command, lsock, until};

/// A row by its namespace: who holds it, who holds the other end, and where that is.
fn told(row: &Value) -> [String; 4] {
    let holder = |key: &str| match row[key].as_array() {
        Some(all) => {
            let names = all.iter().map(|one| one["name"].as_str().unwrap());
            names.collect::<Vec<_>>().join(",")
        }
        None => "?".to_owned(),
    };
    let netns = |key: &str| row[key].as_str().unwrap_or("?").to_owned();
    [
        netns("netns"),
        holder("processes"),
        holder("peer_processes"),
        netns("peer_netns"),
    ]
}

#[test]
fn owner_of_the_other_end_is_known_across_a_bridge() {
    let name = "namespaces::ends::owner_of_the_other_end_is_known_across_a_bridge";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    let ([client, server], _) = bridged();
    let _holders = [
        Holder::named(b"client", &[client.as_fd()]).unwrap(),
        Holder::named(b"server", &[server.as_fd()]).unwrap(),
    ];
    close((client, server));
    let ends = |netns: &str| {
        let rows = lsock(["-N", netns, "-tnpp", "--json"]).done().sockets();
        let mut ends: Vec<_> = rows.iter().map(told).collect();
        ends.sort_unstable();
        ends
    };
    let both = [
        ["left", "client", "server", "right"],
        ["right", "server", "client", "left"],
    ];
    assert_eq!(ends("all"), both);
    assert_eq!(ends("left,right"), both);
    // Neither end is in the namespace of the bridge, and one alone does not tell of the other.
    assert_eq!(ends("bridge"), [[""; 4]; 0]);
    assert_eq!(ends("left"), [["left", "client", "?", "?"]]);
    for (filter, status) in [
        ("peer_process = server and peer_netns = right", 0),
        ("peer_process = client and peer_netns = right", 1),
    ] {
        let run = lsock(["-N", "all", "-tnq", filter]);
        assert_eq!(run.status, Some(status), "{run:?}");
    }
}

#[test]
fn ends_of_a_unix_connection_are_where_the_client_is() {
    let name = "namespaces::ends::ends_of_a_unix_connection_are_where_the_client_is";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    let folder = TempDir::new().unwrap();
    let [stream, datagram] = ["stream", "datagram"].map(|name| folder.path().join(name));
    add("red");
    add("blue");
    let (listener, receiver) = in_named("red", || {
        let listener = UnixListener::bind(&stream).unwrap();
        (listener, UnixDatagram::bind(&datagram).unwrap())
    });
    let (client, sender) = in_named("blue", || {
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect(&datagram).unwrap();
        (UnixStream::connect(&stream).unwrap(), sender)
    });
    let (accepted, _) = listener.accept().unwrap();
    let _holders = [
        Holder::named(b"client", &[client.as_fd(), sender.as_fd()]).unwrap(),
        Holder::named(b"server", &[accepted.as_fd(), receiver.as_fd()]).unwrap(),
    ];
    let [client_inode, accepted_inode, sender_inode, receiver_inode] = [
        inode(&client),
        inode(&accepted),
        inode(&sender),
        inode(&receiver),
    ]
    .map(|inode| inode.unwrap());
    close((client, accepted, sender, receiver));
    let row = |inode: u64| {
        let filter = format!("inode = {inode}");
        let rows = lsock(["-N", "all", "-xanpp", "--json", &filter]).sockets();
        assert_eq!(rows.len(), 1, "{rows:#?}");
        told(&rows[0])
    };
    // The kernel makes the end that is accepted in the namespace of whoever connects.
    assert_eq!(row(client_inode), ["blue", "client", "server", "blue"]);
    assert_eq!(row(accepted_inode), ["blue", "server", "client", "blue"]);
    // A datagram may go to another one, and only the holder of that is known.
    assert_eq!(row(sender_inode), ["blue", "client", "server", "?"]);
    assert_eq!(row(receiver_inode), ["red", "server", "", "?"]);
}

#[test]
fn proc_of_a_container_seen_from_outside_has_its_tables_and_owners() {
    let name = "namespaces::ends::proc_of_a_container_seen_from_outside_has_its_tables_and_owners";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("inside");
    let listener = in_named("inside", || {
        TcpListener::bind(("127.0.0.1", 8_080)).unwrap()
    });
    let _own = TcpListener::bind(("0.0.0.0", 9_090)).unwrap();
    let (keep, given) = (inode(&listener).unwrap(), listener.try_clone().unwrap());
    let mut container = command("nsenter");
    container.args(["--net=/run/netns/inside", "unshare", "--mount", "--pid"]);
    container.args(["--fork", "--mount-proc", "--kill-child", "sleep", "600"]);
    container.stdin(std::os::fd::OwnedFd::from(given));
    let container = Child::start(&mut container);
    close(listener);
    // What `unshare` has started is the first process there.
    let children = format!("/proc/{0}/task/{0}/children", container.pid());
    let root = until("the container", || {
        let first = std::fs::read_to_string(&children).ok()?;
        let root = format!("/proc/{}/root/proc", first.split(' ').next()?);
        let is_there = std::fs::read_to_string(Path::new(&root).join("1/comm")).ok()?;
        (is_there == "sleep\n").then_some(root)
    });
    let run = lsock(["--proc-root", &root, "-tlnp", "--json"]);
    let rows = run.sockets();
    assert_eq!(rows.len(), 1, "{run:?}");
    assert_eq!(rows[0]["inode"], json!(keep));
    assert_eq!(rows[0]["local_port"], 8_080);
    let holder = &rows[0]["processes"][0];
    assert_eq!(
        (&holder["pid"], &holder["name"]),
        (&json!(1), &json!("sleep"))
    );
    assert_eq!(run.document()["summary"]["complete"], true, "{run:?}");
}
