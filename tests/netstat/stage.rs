//! Sockets of every kind where nobody else has any, and processes that can all be told.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::setsockopt;
use tempfile::TempDir;

use super::difference;
use crate::scene::holder::{Holder, no_nobody};
use crate::scene::namespace::ip;
use crate::scene::option::TcpDeferAccept;
use crate::scene::tcp::{self, states};
use crate::scene::{At, Held, Namespace, Scene, V4, V6};
use crate::support::{Child, LSOCK, Run, command, fresh, needed, run, skip, undisturbed, until};

/// Who runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    Root,
    Nobody,
}

/// A network namespace with sockets of every kind, and a PID namespace in which nobody is but who holds
/// some of them: other tests start and end processes meanwhile.
pub struct Stage {
    folder: TempDir,
    theirs: PathBuf,
    program: &'static str,
    _callees: Vec<Child>,
    _sockets: Vec<OwnedFd>,
    _held: Held,
    _scene: Scene,
    _pids: Pids,
    _namespace: Namespace,
}

/// How often a comparison that fails is made again: something may have moved in between.
const ATTEMPTS: u32 = 5;
/// So long it is made again where something has.
const MOVING: Duration = Duration::from_secs(20);
/// Names for the addresses of the scene; of `::ffff:127.0.0.1` there is none.
const HOSTS: &str = "\
127.0.0.1 localhost
::1 ip6-localhost ip6-loopback
127.0.0.2 a-host-whose-name-is-too-long-for-its-column.example.org
2001:db8:1234:5678:1234:5678:1234:5678 long6.example.org
";
/// What a child does before it becomes the program: it sees the processes of its namespace alone, and
/// our file of hosts.
const PREPARE: &str =
    r#"mount -t proc proc /proc && mount --bind "$1" /etc/hosts && shift && exec "$@""#;

/// Addresses of `lo`, of every length that an IPv6 address can be cut at, and one that ends in dots.
const ADDRESSES: [&str; 5] = [
    "127.0.0.2/32",
    "2001:db8:1234:5678:1234:5678:1234:5678/128",
    "2001:db8:0:1:1:1:1:1/128",
    "2001:db8::1:2/128",
    "::102:304/128",
];

impl Stage {
    /// Everything that can be opened, or nothing, with the reason on stderr.
    pub fn set() -> Option<Stage> {
        Stage::for_program("netstat", &[])
    }

    /// The same for another program, without what has one of these names in the scene.
    pub fn for_program(program: &'static str, unwanted: &[&str]) -> Option<Stage> {
        let theirs = needed(program)?;
        for program in ["unshare", "setpriv", "mount"] {
            needed(program)?;
        }
        if let Some(why) = no_nobody() {
            skip(why);
            return None;
        }
        let namespace = fresh()?;
        let scene = Scene::without(&namespace, unwanted);
        // From here on this thread can start no other threads.
        let pids = match Pids::enter() {
            Ok(pids) => pids,
            Err(error) => {
                skip(format_args!("no PID namespace of our own: {error}"));
                return None;
            }
        };
        let (held, sockets, callees) = odd(&namespace).unwrap();
        Some(Stage {
            folder: folder(),
            theirs,
            program,
            _callees: callees,
            _sockets: sockets,
            _held: held,
            _scene: scene,
            _pids: pids,
            _namespace: namespace,
        })
    }

    /// What the program that is compared with says.
    pub fn theirs(&self, user: User, words: &[&str]) -> Run {
        self.run(user, &self.theirs, words)
    }

    /// What the program built here says under its name.
    pub fn ours(&self, user: User, words: &[&str]) -> Run {
        self.run(user, &self.folder.path().join(self.program), words)
    }

    /// What it says under its own name.
    pub fn lsock(&self, user: User, words: &[&str]) -> Run {
        self.run(user, &self.folder.path().join("lsock"), words)
    }

    /// A program of ours by its path.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What another program says.
    pub fn run(&self, user: User, program: &Path, words: &[&str]) -> Run {
        let mut command = in_mounts_of_its_own(PREPARE);
        command.arg(self.folder.path().join("hosts"));
        if user == User::Nobody {
            command.args([
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--",
            ]);
        }
        command.arg(program).args(words).current_dir("/");
        run(&mut command)
    }

    /// Both say the same of `netstat <theirs>`, where ours is another command line.
    pub fn compare(&self, theirs: (User, &[&str]), ours: impl Fn() -> Run) -> Result<(), String> {
        self.compare_by(theirs, ours, Run::at_any_time)
    }

    /// The same of runs in which what moves by itself is masked.
    pub fn compare_by(
        &self,
        theirs: (User, &[&str]),
        ours: impl Fn() -> Run,
        masked: impl Fn(&Run) -> Run,
    ) -> Result<(), String> {
        let (user, words) = theirs;
        let mut last = String::new();
        let (begun, mut attempts) = (Instant::now(), 0);
        while attempts < ATTEMPTS {
            let before = masked(&self.theirs(user, words));
            let said = masked(&ours());
            let Some(difference) = difference(&before, &said) else {
                return Ok(());
            };
            let moved = before != masked(&self.theirs(user, words));
            let program = self.program;
            last = format!("{program} {words:?} as {user:?} (moved: {moved}): {difference}");
            if !moved || begun.elapsed() > MOVING {
                attempts += 1;
            }
        }
        Err(last)
    }
}

/// A shell with this script, in a mount namespace of its own: what follows is the script's arguments.
pub fn in_mounts_of_its_own(script: &str) -> Command {
    let mut command = command("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    command.args(["sh", "-c", script, "sh"]);
    command
}

/// A folder that everybody can reach, with the program under both names and the names of hosts.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    undisturbed(|| fs::copy(LSOCK, folder.path().join("lsock"))).unwrap();
    for name in ["netstat", "ss"] {
        symlink("lsock", folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("hosts"), HOSTS).unwrap();
    folder
}

/// A PID namespace for the children of this thread.
struct Pids {
    origin: File,
    _init: Holder,
}

impl Pids {
    fn enter() -> io::Result<Pids> {
        let origin = File::open("/proc/thread-self/ns/pid_for_children")?;
        unshare(CloneFlags::CLONE_NEWPID).at("unshare(CLONE_NEWPID)")?;
        // The first child: all others end with it.
        let init = Holder::sleeping(&[])?;
        Ok(Pids {
            origin,
            _init: init,
        })
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        // With `--test-threads=1` the next test runs on this thread.
        let _ = setns(&self.origin, CloneFlags::CLONE_NEWPID);
    }
}

type Odd = (Held, Vec<OwnedFd>, Vec<Child>);

/// What the scene has not, because `netstat` alone makes something of it.
fn odd(namespace: &Namespace) -> io::Result<Odd> {
    let mut held = Held::new();
    for address in ADDRESSES {
        ip(&["address", "add", address, "dev", "lo"])?;
        let (address, _) = address.split_once('/').unwrap();
        let address = address.parse().unwrap();
        // An IPv6 address is tentative at first, and has its route even later.
        let connected = until("a new address", || match states::established(address) {
            Err(error) if is_too_early(&error) => None,
            other => Some(other),
        });
        held.absorb(connected?);
    }
    let mut sockets = vec![to_port_0(namespace)?, listener_that_was_connected()?];
    sockets.extend(request_of_nobody()?);
    let shared = tcp::listener(V4, 1)?;
    let mut callees = Vec::new();
    for name in CALLED {
        callees.push(called(name, tcp::listener(V6, 1)?));
        callees.push(called(name, shared.try_clone()?));
    }
    Ok((held, sockets, callees))
}

fn is_too_early(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | NetworkUnreachable)
}

/// What programs call themselves.
const CALLED: [&[u8]; 7] = [
    b"/usr/sbin/daemon",
    b"two words: a title",
    b"/path with/blanks in it",
    b"\x1b[31mred\n\xff\xc3",
    b"a-name-that-is-longer-than-its-column",
    b"relative/path",
    b"",
];

/// A child that holds a socket and was called by some name. It ends before the first process of its
/// namespace, which could not end otherwise.
fn called(name: &[u8], socket: OwnedFd) -> Child {
    let mut command = Command::new("sleep");
    command.arg0(OsStr::from_bytes(name)).arg("600");
    command.stdin(Stdio::from(socket));
    Child::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// A call to port 0 that nobody answers: no listener, but `-l` shows it.
fn to_port_0(namespace: &Namespace) -> io::Result<OwnedFd> {
    namespace.add_veth("odd0")?;
    ip(&["address", "add", "198.51.100.1/24", "dev", "odd0"])?;
    ip(&[
        "neighbour",
        "add",
        "198.51.100.2",
        "lladdr",
        "02:00:00:00:00:02",
        "dev",
        "odd0",
    ])?;
    let socket = tcp::socket(V4)?;
    rustix::io::ioctl_fionbio(&socket, true).at("FIONBIO")?;
    let nobody = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 2), 0));
    match rustix::net::connect(&socket, &nobody) {
        Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
        other => Err(io::Error::other(format!("connect to port 0: {other:?}"))),
    }
}

/// A connection that is not complete, at a listener of nobody's: the file names its user, netlink does
/// not.
fn request_of_nobody() -> io::Result<[OwnedFd; 2]> {
    let listener = tcp::listener_with(V4, 1, |socket| {
        let nobody = rustix::fs::Uid::from_raw(65_534);
        rustix::fs::fchown(socket, Some(nobody), None).at("fchown")?;
        setsockopt(&socket, TcpDeferAccept, &60).at("TCP_DEFER_ACCEPT")
    })?;
    let client = tcp::connect(&listener)?;
    Ok([listener, client.into()])
}

/// A listener whose socket had a connection before: its send queue is a strange number.
fn listener_that_was_connected() -> io::Result<OwnedFd> {
    let pair = tcp::pair(V4)?;
    let socket = OwnedFd::from(pair.client);
    rustix::io::write(&socket, b"not read by anybody").at("write")?;
    rustix::net::connect_unspec(&socket).at("disconnect")?;
    rustix::net::bind(&socket, &SocketAddr::new(V4, 0)).at("bind")?;
    rustix::net::listen(&socket, 1).at("listen")?;
    Ok(socket)
}
