//! Unix sockets and the files they are bound to.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{close, command, list, lsock, skip, spawn, tool};

/// The rows of unix sockets with a name in this directory, and those without one.
fn rows(directory: &TempDir, words: &[&str]) -> Vec<Value> {
    let filter = format!("src {}/*", directory.path().display());
    let mut words = words.to_vec();
    words.extend([&filter, "--json"]);
    // Some process may not be readable.
    lsock(words).done().sockets()
}

#[test]
fn of_two_sockets_with_one_path_the_later_has_the_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("dup");
    let first = UnixListener::bind(&path).unwrap();
    let old = fs::metadata(&path).unwrap().ino();
    fs::rename(&path, directory.path().join("other")).unwrap();
    let second = UnixListener::bind(&path).unwrap();
    let new = fs::metadata(&path).unwrap().ino();
    let found = rows(&directory, &["-xlep"]);
    let told = |inode: u64| {
        let inode = json!(inode & 0xffff_ffff);
        let row = found.iter().find(|row| row["file_inode"] == inode);
        row.unwrap_or_else(|| panic!("{found:#?}"))["at_path"].clone()
    };
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!((told(old), told(new)), (json!(false), json!(true)));
    for (filter, inode) in [("at_path = true", new), ("at_path != true", old)] {
        let found = rows(&directory, &["-xle", filter]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0]["file_inode"], json!(inode & 0xffff_ffff));
    }
    assert_eq!(rows(&directory, &["-xl"])[0]["file_inode"], Value::Null);
    close((first, second));
}

#[test]
fn device_is_that_of_the_file_system() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a");
    let listener = UnixListener::bind(&path).unwrap();
    let device = tool("stat", &["-c", "%Hd:%Ld", path.to_str().unwrap()]).unwrap();
    let device = String::from_utf8(device).unwrap();
    let found = rows(&directory, &["-xle"]);
    assert_eq!(found[0]["file_device"], json!(device.trim()));
    let filter = format!("file_device = {}", device.trim());
    assert_eq!(rows(&directory, &["-xl", &filter, "and"]).len(), 1);
    close(listener);
}

#[test]
fn sockets_that_wait_to_be_accepted_are_told() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a");
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(rows(&directory, &["-xle"])[0]["pending_peers"], json!([]));
    let waiting = UnixStream::connect(&path).unwrap();
    let inode = inode_of(&waiting);
    assert_eq!(
        rows(&directory, &["-xle"])[0]["pending_peers"],
        json!([inode])
    );
    let filter = format!("pending_peers = {inode} and");
    assert_eq!(rows(&directory, &["-xl", &filter]).len(), 1);
    close(listener);
}

fn inode_of(socket: &UnixStream) -> u64 {
    let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
    fs::metadata(link).unwrap().ino()
}

/// A program that holds a socket, once it says that it does; it ends with its input.
struct Holding(Child);

impl Holding {
    /// `None` = it cannot.
    fn begin(program: &mut Command) -> Option<Self> {
        let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(piped).unwrap();
        let mut said = [0; 6];
        let read = child.stdout.as_mut().unwrap().read(&mut said);
        (read.unwrap() > 0).then_some(Self(child))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Binds a socket to a path, and waits.
const BIND: &str = "import socket, sys
there = socket.socket(socket.AF_UNIX)
there.bind(sys.argv[1])
there.listen()
print('ready', flush=True)
sys.stdin.read()";

#[test]
fn path_in_another_mount_namespace_is_not_looked_up_here() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a");
    let here = UnixListener::bind(&path).unwrap();
    let script = "mount -t tmpfs none \"$1\" && exec python3 -c \"$2\" \"$1/a\"";
    let mut program = command("unshare");
    program.args(["-m", "sh", "-c", script, "sh"]);
    program.arg(directory.path()).arg(BIND);
    let Some(_there) = Holding::begin(&mut program) else {
        skip("no mount namespace of its own");
        return;
    };
    let told = |words: &[&str]| {
        let found = rows(&directory, words);
        let told = found.iter().map(|row| row["at_path"].to_string());
        let mut told: Vec<String> = told.collect();
        told.sort();
        told
    };
    assert_eq!(told(&["-xle"]), ["null", "true"]);
    assert_eq!(told(&["-xlep"]), ["true", "true"]);
    close(here);
}

#[test]
fn relative_name_is_found_among_unix_sockets() {
    let directory = TempDir::new().unwrap();
    let name = "dup-of-a-test";
    let mut program = command("python3");
    program
        .args(["-c", BIND, name])
        .current_dir(directory.path());
    let _there = Holding::begin(&mut program).unwrap();
    let found = list(&["-xle", "src dup-of-a-test"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["at_path"], Value::Null);
    assert_eq!(lsock(["-txl", "src", name]).status, Some(2));
}
