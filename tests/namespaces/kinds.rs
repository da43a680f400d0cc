//! A namespace of every kind there is, with the same address and port in each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{add, in_named, in_new, own_mounts};
use crate::owners::alone::is_alone;
use crate::owners::send_away;
use crate::scene::expected::inode;
use crate::scene::holder::Holder;
use crate::scene::namespace::ip;
use crate::support::{Child, Run, can_strace, close, command, lsock, run, skip, traced, until_ok};

const PORT: u16 = 8_080;

/// A listener, its inode, and that of its namespace.
struct Placed {
    _socket: TcpListener,
    inode: u64,
    netns: u64,
}

impl Placed {
    /// In the namespace of the calling thread.
    fn here() -> Placed {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).unwrap();
        Placed {
            inode: inode(&socket).unwrap(),
            netns: here(),
            _socket: socket,
        }
    }

    /// In that of a process.
    fn at(pid: u32) -> Placed {
        let place = until_ok("the process has its namespace", || {
            let [own, other] = ["self".to_owned(), pid.to_string()]
                .map(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap());
            let place = File::open(format!("/proc/{pid}/ns/net")).unwrap();
            if own == other {
                Err("not yet")
            } else {
                Ok(place)
            }
        });
        thread::spawn(|| {
            setns(place, CloneFlags::CLONE_NEWNET).unwrap();
            ip(&["link", "set", "lo", "up"]).unwrap();
            Placed::here()
        })
        .join()
        .unwrap()
    }
}

fn here() -> u64 {
    fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

/// Mounts the namespace of the calling thread.
fn mount(at: &Path) {
    File::create(at).unwrap();
    let thread = nix::unistd::gettid();
    let link = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
    let mounted = run(Command::new("mount").args(["--bind", &link]).arg(at));
    assert_eq!(mounted.status, Some(0), "{mounted:?}");
}

/// A process that is kept.
fn child(words: &[&str]) -> Child {
    Child::start(command(words[0]).args(&words[1..]))
}

/// Inode of the namespace by that of the socket, each once.
fn placed(run: &Run) -> BTreeMap<u64, u64> {
    let mut placed = BTreeMap::new();
    for row in run.sockets() {
        let [inode, netns] = ["inode", "netns_inode"].map(|key| row[key].as_u64().unwrap());
        assert_eq!(placed.insert(inode, netns), None, "{row}");
    }
    placed
}

#[test]
fn every_kind_of_namespace_is_found_and_each_socket_once() {
    let name = "namespaces::kinds::every_kind_of_namespace_is_found_and_each_socket_once";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    let folder = TempDir::new().unwrap();
    ip(&["link", "set", "lo", "up"]).unwrap();
    let own = Placed::here();
    add("named");
    let named = in_named("named", Placed::here);
    add("it's \u{1b}[31m");
    let hostile = in_named("it's \u{1b}[31m", Placed::here);
    let (with_process, _holder) = in_new(|| (Placed::here(), Holder::sleeping(&[]).unwrap()), None);
    let at = folder.path().join("mounted");
    let mounted = in_new(move || (Placed::here(), mount(&at)).0, None);
    let (mounted_elsewhere, _other) = seen_by_another(folder.path());
    let (described, _descriptor) = in_new(
        || {
            (
                Placed::here(),
                File::open("/proc/thread-self/ns/net").unwrap(),
            )
        },
        None,
    );
    let of_socket = in_new(Placed::here, None);
    let (leave, stay): (Sender<()>, _) = channel();
    let of_thread = in_new(Placed::here, Some(stay));
    let nested = ["unshare", "--user", "--map-root-user", "--net"];
    let user = child(&[&nested[..], &["sleep", "1000"]].concat());
    let of_user = Placed::at(user.pid());
    let deeper = child(&[&nested[..3], &nested, &["sleep", "1000"]].concat());
    let of_deeper = Placed::at(deeper.pid());
    // Two more, on a bridge in a third.
    let (_ends, pair) = bridged();
    let all = [
        &own,
        &named,
        &hostile,
        &with_process,
        &mounted,
        &mounted_elsewhere,
        &described,
        &of_socket,
        &of_thread,
        &of_user,
        &of_deeper,
    ];
    let hidden = [&described, &of_socket];
    let mut expected: BTreeMap<u64, u64> = all.map(|one| (one.inode, one.netns)).into();
    assert_eq!(expected.len(), all.len());

    let deep = lsock(["-N", "all", "-tlnp", "--json"]).done();
    assert_eq!(placed(&deep), expected);
    for row in deep.sockets() {
        assert_eq!(row["processes"][0]["pid"], std::process::id(), "{row}");
        assert_eq!(row["local_port"], PORT);
    }
    assert_eq!(deep.document()["summary"]["not_searched"], Value::Null);
    let count = all.len().to_string();
    let words = ["-N", "all", "-tlnq", "--expect"];
    assert_eq!(lsock(words.iter().chain(&[&*count])).status, Some(0));
    let at = |one: &Placed| format!("net:[{}]", one.netns);
    for one in hidden {
        let rows = lsock(["-N", &at(one), "-tln", "--json"]);
        assert_eq!(placed(&rows), [(one.inode, one.netns)].into());
    }

    // A plain list does not read every descriptor, and says so.
    for one in hidden {
        expected.remove(&one.inode);
    }
    let plain = lsock(["-N", "all", "-tln", "--json"]).clean();
    assert_eq!(placed(&plain), expected);
    let told = json!(["descriptor", "socket"]);
    assert_eq!(plain.document()["summary"]["not_searched"], told);

    // Both ends of the connection, each in its own.
    let rows = lsock(["-N", "all", "-tnp", "--json"]).done().sockets();
    let mut ends: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["netns"].as_str().unwrap(),
                row["local_port"].as_u64().unwrap(),
            )
        })
        .collect();
    ends.sort_unstable();
    assert_eq!(ends, [("left", pair[0].into()), ("right", pair[1].into())]);
    drop(leave);
    // Else the folder cannot be removed. Whoever looks at every namespace of the machine keeps it busy meanwhile.
    until_ok("umount", || {
        let unmounted = run(Command::new("umount").arg(folder.path().join("mounted")));
        let is_done = unmounted.status == Some(0);
        is_done.then_some(()).ok_or(format!("{unmounted:?}"))
    });
}

/// In a PID namespace of its own `lsock` does not ask the kernel which namespaces there are.
#[test]
fn a_plain_list_of_the_machine_has_what_only_a_descriptor_or_a_socket_holds() {
    let (described, _descriptor) = in_new(
        || {
            let file = File::open("/proc/thread-self/ns/net").unwrap();
            (Placed::here(), file)
        },
        None,
    );
    let of_socket = in_new(Placed::here, None);
    let port = format!("sport = {PORT}");
    // Namespaces of other tests may vanish meanwhile.
    let run = lsock(["-N", "all", "-tln", "--json", &port]);
    let named = format!("net:[{}]", of_socket.netns);
    let alone = placed(&lsock(["-N", &named, "-tln", "--json"]).clean());
    assert_eq!(alone, [(of_socket.inode, of_socket.netns)].into());
    let placed = placed(&run);
    let is_there = [&described, &of_socket].map(|one| placed.get(&one.inode) == Some(&one.netns));
    let not_searched = &run.document()["summary"]["not_searched"];
    if *not_searched == Value::Null {
        assert_eq!(is_there, [true; 2], "{placed:?}");
        let net = in_new(|| File::open("/proc/thread-self/ns/net").unwrap(), None);
        let inode = net.metadata().unwrap().ino();
        let net = net.into();
        let _ends = send_away(&net);
        close(net);
        let run = lsock(["-N", &format!("net:[{inode}]"), "-tln"]);
        let said = format!("lsock: -N: cannot enter net:[{inode}]: no readable path leads there\n");
        assert_eq!((run.status, run.stderr), (Some(2), said));
    } else {
        assert_eq!(*not_searched, json!(["descriptor", "socket"]));
        skip("the kernel does not tell which network namespaces it has");
    }
}

/// Goes into a namespace of its own, leaves a thread behind, and ends its first thread.
const LEFT_BEHIND: &str = "
import ctypes, threading, time
libc = ctypes.CDLL(None)
libc.unshare.restype = libc.syscall.restype = ctypes.c_int
assert libc.unshare(0x40000000) == 0
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
libc.syscall(60 if ctypes.sizeof(ctypes.c_void_p) == 8 and __import__('os').uname().machine == 'x86_64' else 93, 0)
";

#[test]
fn a_process_whose_first_thread_has_ended_is_asked_for_by_its_number() {
    let left = child(&["python3", "-c", LEFT_BEHIND]);
    let pid = left.pid().to_string();
    until_ok("its first thread ends", || {
        match fs::read_link(format!("/proc/{pid}/ns/net")) {
            Ok(_) => Err("it is there"),
            Err(_) => Ok(()),
        }
    });
    let rows = lsock(["-N", &pid, "-tlnj"]).clean();
    assert_eq!(placed(&rows), BTreeMap::new());
}

/// A namespace with a mount that only another process sees.
fn seen_by_another(folder: &Path) -> (Placed, Child) {
    let folder = folder.join("elsewhere");
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "mount -t tmpfs tmpfs {0} && touch {0}/at && unshare --net={0}/at true && exec sleep 1000",
        folder.display()
    );
    let unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c"];
    let other = child(&[&unshare[..], &[&script]].concat());
    let at = format!("/proc/{}/root{}/at", other.pid(), folder.display());
    let place = until_ok("it is mounted", || {
        let place = File::open(&at)?;
        let own = fs::metadata("/proc/self/ns/net")?;
        let is_mounted = place.metadata()?.dev() == own.dev();
        is_mounted
            .then_some(place)
            .ok_or_else(|| io::Error::other("not yet"))
    });
    let placed = thread::spawn(|| {
        setns(place, CloneFlags::CLONE_NEWNET).unwrap();
        ip(&["link", "set", "lo", "up"]).unwrap();
        Placed::here()
    });
    (placed.join().unwrap(), other)
}

#[test]
fn a_namespace_below_another_mount_is_found_by_its_process_and_has_no_name() {
    let name = "namespaces::kinds::a_namespace_below_another_mount_is_found_by_its_process_and_has_no_name";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("top");
    add("below");
    let top = in_named("top", Placed::here);
    let (below, holder) = in_named("below", || (Placed::here(), Holder::sleeping(&[]).unwrap()));
    let words = ["--bind", "/run/netns/top", "/run/netns/below"];
    let mounted = run(Command::new("mount").args(words));
    assert_eq!(mounted.status, Some(0), "{mounted:?}");
    let rows = lsock(["-N", "all", "-tln", "--json"]).clean();
    assert_eq!(
        placed(&rows),
        [&top, &below].map(|one| (one.inode, one.netns)).into()
    );
    let called: BTreeMap<_, _> = rows
        .sockets()
        .iter()
        .map(|row| (row["netns_inode"].as_u64(), row["netns"].clone()))
        .collect();
    assert_eq!(
        called[&Some(below.netns)],
        format!("sleep[{}]", holder.pid())
    );
    assert!(
        ["top", "below"]
            .iter()
            .any(|name| called[&Some(top.netns)] == **name)
    );
    // The name is that of what it leads to.
    let named = lsock(["-N", "below", "-tln", "--json"]).clean();
    assert_eq!(placed(&named), [(top.inode, top.netns)].into());
}

/// A connection between two namespaces that a bridge in a third one joins; gives the ports of its ends.
pub fn bridged() -> ([TcpStream; 2], [u16; 2]) {
    add("bridge");
    ip(&["-n", "bridge", "link", "add", "br0", "type", "bridge"]).unwrap();
    ip(&["-n", "bridge", "link", "set", "br0", "up"]).unwrap();
    for (name, last) in [("left", 1), ("right", 2)] {
        add(name);
        let words = format!("-n bridge link add {name} type veth peer name eth0 netns {name}");
        for words in [
            words,
            format!("-n bridge link set {name} master br0 up"),
            format!("-n {name} address add 10.8.0.{last}/24 dev eth0"),
            format!("-n {name} link set eth0 up"),
        ] {
            ip(&words.split(' ').collect::<Vec<_>>()).unwrap();
        }
    }
    let to = SocketAddr::from(([10, 8, 0, 2], 9_000));
    let listener = in_named("right", || TcpListener::bind(to).unwrap());
    let client = until_ok("the bridge carries", || {
        in_named("left", || TcpStream::connect(to))
    });
    let (server, _) = listener.accept().unwrap();
    let ports = [client.local_addr().unwrap().port(), to.port()];
    ([client, server], ports)
}

#[test]
fn one_look_at_processes_finds_namespaces_and_owners() {
    let name = "namespaces::kinds::one_look_at_processes_finds_namespaces_and_owners";
    if !can_strace() || !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("web");
    let (_of_web, holder) = in_named("web", || (Placed::here(), Holder::sleeping(&[]).unwrap()));
    let pid = holder.pid();
    for (words, most) in [
        (&["-tln"][..], 0),
        (&["-tlnp"], 1),
        (&["-tlnq", "--expect", "1"], 1),
        (&["-tlnq", "process = sleep"], 1),
    ] {
        let (run, trace) = traced("openat", &[&["-N", "all"], words].concat()).unwrap();
        assert!(run.stderr.is_empty(), "{run:?}");
        let looks = trace.matches(&format!("\"{pid}/fd\"")).count();
        assert_eq!(looks, most, "{words:?}");
    }
}
