//! What each capability gives a user who has no other, as lsock-source(7) has it.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::events::watch::can_trace;
use crate::namespaces::{add, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::holder::no_nobody;
use crate::scene::namespace::ip;
use crate::scene::{V4, tcp};
use crate::support::{LSOCK, Run, has, run, skip};
use crate::walk::can_walk;

/// The capabilities of the manual's table, with what they give.
const TABLE: [(&str, &[&str]); 4] = [
    ("CAP_DAC_READ_SEARCH , CAP_SYS_PTRACE", &["processes"]),
    ("CAP_NET_ADMIN", &["marks", "ending"]),
    ("CAP_BPF , CAP_PERFMON", &["events", "walk"]),
    ("CAP_SYS_ADMIN", &["namespaces", "events", "walk"]),
];

/// By number: not every `setpriv` knows the names.
fn number(capability: &str) -> u8 {
    match capability {
        "CAP_DAC_READ_SEARCH" => 2,
        "CAP_NET_ADMIN" => 12,
        "CAP_SYS_PTRACE" => 19,
        "CAP_SYS_ADMIN" => 21,
        "CAP_PERFMON" => 38,
        "CAP_BPF" => 39,
        other => panic!("{other}"),
    }
}

/// A command of nobody with these capabilities.
fn with(capabilities: &[&str], program: &Path) -> Command {
    let set: Vec<String> = capabilities
        .iter()
        .map(|capability| format!("+cap_{}", number(capability)))
        .collect();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    if !set.is_empty() {
        let set = set.join(",");
        command.args([format!("--inh-caps={set}"), format!("--ambient-caps={set}")]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

/// What a command of this kind can do.
fn given(command: impl Fn() -> Command) -> BTreeSet<&'static str> {
    let lsock = |words: &[&str]| -> Run { run(command().args(words)) };
    let listener = tcp::listener(V4, 1).unwrap();
    let at = rustix::net::getsockname(&listener).unwrap();
    let at: std::net::SocketAddr = at.try_into().unwrap();
    let _client = TcpStream::connect(at).unwrap();
    let own = format!("pid = {} and sport = {}", std::process::id(), at.port());
    let client = format!("dport = {}", at.port());
    let mut can = BTreeSet::new();
    let mut probe = |what, words: &[&str]| {
        if lsock(words).status == Some(0) {
            can.insert(what);
        }
    };
    probe("processes", &["-tlq", "--expect", "1", &own]);
    probe(
        "marks",
        &["-tq", "--expect", "1", &format!("{client} and mark = 0")],
    );
    probe("ending", &["-Ktq", "--yes", "--expect", "1", &client]);
    probe("namespaces", &["-tl", "-N", "closed"]);
    if can_walk() {
        probe("walk", &["-tanq", "--source", "bpf"]);
    }
    if can_trace() {
        let run = lsock(&["-E", "--wait", "0", "--json"]);
        if run.document()["summary"]["sampled"] == false {
            can.insert("events");
        }
    }
    can
}

#[test]
fn each_capability_gives_what_the_manual_says() {
    let name = "privileges::each_capability_gives_what_the_manual_says";
    if let Some(why) = no_nobody() {
        return skip(why);
    }
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("closed");
    ip(&["link", "set", "lo", "up"]).unwrap();
    let page = fs::read_to_string("man/lsock-source.7").unwrap();
    let seen =
        |what: &&&str| (**what != "walk" || can_walk()) && (**what != "events" || can_trace());
    let program = Path::new(LSOCK);
    assert_eq!(given(|| with(&[], program)), BTreeSet::new());
    for (capabilities, gives) in TABLE {
        assert!(
            page.contains(&format!(".It Dv {capabilities}\n")),
            "{capabilities}"
        );
        let set: Vec<&str> = capabilities.split(" , ").collect();
        let expected: BTreeSet<&str> = gives.iter().filter(seen).copied().collect();
        assert_eq!(given(|| with(&set, program)), expected, "{capabilities}");
        for alone in set.iter().filter(|_| set.len() > 1) {
            let few = given(|| with(&[alone], program));
            assert_eq!(few, BTreeSet::new(), "{alone} alone");
        }
    }
    if !has("setcap") {
        return;
    }
    // As the manual gives them to a copy of the program.
    let (_, command) = page.split_once("# setcap ").unwrap();
    let (set, _) = command.split_once(' ').unwrap();
    let set = set.replace("\\e\n", "");
    let folder = tempfile::TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("lsock");
    fs::copy(program, &copy).unwrap();
    let done = run(Command::new("setcap").arg(&set).arg(&copy));
    if done.status != Some(0) {
        return skip(format!("setcap: {}", done.stderr));
    }
    let all = TABLE.iter().flat_map(|(_, gives)| *gives);
    let all: BTreeSet<&str> = all.filter(seen).copied().collect();
    assert_eq!(given(|| with(&[], &copy)), all);
}

#[test]
fn the_rule_of_sudoers_in_the_manual_allows_its_command_line_alone() {
    let name = "privileges::the_rule_of_sudoers_in_the_manual_allows_its_command_line_alone";
    if let Some(why) = no_nobody() {
        return skip(why);
    }
    if !has("sudo") || !has("visudo") || !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    let page = fs::read_to_string("man/lsock-source.7").unwrap();
    let rule = page.lines().find(|line| line.starts_with("%adm ")).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("sudoers");
    fs::write(&file, format!("{rule}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o440)).unwrap();
    let checked = run(Command::new("visudo").arg("-cf").arg(&file));
    assert_eq!(checked.status, Some(0), "{checked:?}");
    // This mount namespace alone has the rule, and the program where it says.
    let (path, options) = rule
        .split_once("NOPASSWD: ")
        .unwrap()
        .1
        .split_once(' ')
        .unwrap();
    let place = Path::new(path).parent().unwrap();
    let mount = |words: &[&Path]| {
        let mounted = run(Command::new("mount").args(words));
        assert_eq!(mounted.status, Some(0), "{mounted:?}");
    };
    mount(&[Path::new("--bind"), &file, Path::new("/etc/sudoers")]);
    mount(&[Path::new("-ttmpfs"), Path::new("tmpfs"), place]);
    fs::copy(LSOCK, path).unwrap();
    // adm has the number 4 on Debian and its like.
    let member = |group: &str, words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            &format!("--groups={group}"),
        ]);
        command
            .args(["sudo", "-n", path])
            .args(words)
            .current_dir("/");
        run(&mut command)
    };
    let allowed = member("4", &[options]);
    assert_eq!(allowed.status, Some(0), "{allowed:?}");
    assert!(allowed.text().starts_with("PROTO "), "{allowed:?}");
    for (group, words) in [
        ("65534", &[options][..]),
        ("4", &[]),
        ("4", &["-tulp"]),
        ("4", &[options, "--output", "/dev/null"]),
    ] {
        let refused = member(group, words);
        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert!(refused.stderr.starts_with("sudo: "), "{refused:?}");
    }
}
