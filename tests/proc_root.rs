//! Files that are not as the kernel writes them, below a root of the test's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::owners::nobody::Reachable;
use crate::support::{Run, lsock};

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
    uid  timeout inode                                                     ";
const UNIX: &str = "Num       RefCount Protocol Flags    Type St Inode Path";

/// A listener on 127.0.0.1 with this port.
fn listener(port: u16) -> String {
    format!(
        "   0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        \
         0 {} 1 0000000000000000 100 0 0 10 0",
        40_000 + u32::from(port)
    )
}

/// A unix socket that listens at this path.
fn unix(inode: u32, path: &str) -> String {
    format!("0000000000000000: 00000002 00000000 00010000 0001 01 {inode:>5} {path}")
}

struct Root(TempDir);

impl Root {
    /// A root with a `net` directory.
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("net")).unwrap();
        Self(root)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("net").join(name)
    }

    fn with(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        fs::write(self.file(name), contents).unwrap();
        self
    }

    fn with_lines(self, name: &str, lines: &[&str]) -> Self {
        self.with(name, lines.join("\n") + "\n")
    }

    fn list(&self, words: &[&str]) -> Run {
        let root = self.0.path().to_str().unwrap();
        let attempt = lsock([&["-lnj", "--proc-root", root], words].concat());
        attempt.assert_speaks_plainly();
        attempt
    }
}

/// The good rows are there, the list is not complete, and that is said in this one line.
fn assert_incomplete(attempt: &Run, rows: usize, message: &str) {
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    assert_eq!(attempt.rows().len(), rows, "{attempt:?}");
    assert_eq!(attempt.document()["summary"]["complete"], false);
    assert_eq!(attempt.stderr, format!("lsock: {message}\n"));
}

fn assert_whole(attempt: &Run, rows: usize) {
    assert_eq!(
        (attempt.status, attempt.stderr.as_str()),
        (Some(0), ""),
        "{attempt:?}"
    );
    assert_eq!(attempt.rows().len(), rows, "{attempt:?}");
    assert_eq!(attempt.document()["summary"]["complete"], true);
}

#[test]
fn good_lines_are_all_listed() {
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80), &listener(443)]);
    assert_whole(&root.list(&["-t4"]), 2);
}

#[test]
fn malformed_line_is_named_and_the_others_are_listed() {
    let bad = listener(81).replace("0100007F:0051", "0100007F");
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80), &bad, &listener(443)]);
    let path = root.file("tcp");
    let message = format!(
        "incomplete list: {}:3: local_address: \"0100007F\" has no port",
        path.display()
    );
    assert_incomplete(&root.list(&["-t4"]), 2, &message);
}

#[test]
fn malformed_lines_are_counted() {
    let lines = [TCP, "x", &listener(80), "y z", "", &listener(443)];
    let root = Root::new().with_lines("tcp", &lines);
    let attempt = root.list(&["-t4"]);
    let begin = format!("lsock: incomplete list: {}:2: ", root.file("tcp").display());
    assert!(attempt.stderr.starts_with(&begin), "{attempt:?}");
    assert!(
        attempt.stderr.ends_with(" (and 2 more lines)\n"),
        "{attempt:?}"
    );
    assert_eq!(
        (attempt.status, attempt.rows().len()),
        (Some(2), 2),
        "{attempt:?}"
    );
}

#[test]
fn malformed_line_of_one_table_leaves_the_others_whole() {
    let root = Root::new()
        .with_lines("tcp", &[TCP, "x"])
        .with_lines("unix", &[UNIX, &unix(7, "/run/a")]);
    let attempt = root.list(&["-t4x"]);
    let sources = attempt.document()["summary"]["sources"].clone();
    assert_eq!(sources.as_array().unwrap().len(), 2, "{sources}");
    assert_eq!(
        (attempt.status, attempt.rows().len()),
        (Some(2), 1),
        "{attempt:?}"
    );
}

#[test]
fn path_with_a_newline_breaks_its_line_and_no_other() {
    let root = Root::new().with_lines(
        "unix",
        &[
            UNIX,
            &unix(7, "/run/a"),
            &unix(8, "/run/b\nc"),
            &unix(9, "/run/d"),
        ],
    );
    let attempt = root.list(&["-x"]);
    let begin = format!(
        "lsock: incomplete list: {}:4: ",
        root.file("unix").display()
    );
    assert!(attempt.stderr.starts_with(&begin), "{attempt:?}");
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    let document = attempt.document();
    let sockets = document["sockets"].as_array().unwrap();
    let inodes: Vec<_> = sockets.iter().map(|row| row["inode"].as_u64()).collect();
    assert_eq!(inodes, [Some(7), Some(8), Some(9)]);
}

#[test]
fn path_that_looks_like_a_line_makes_no_message_on_two_lines() {
    let root = Root::new().with_lines(
        "unix",
        &[UNIX, &unix(8, "/run/\u{1b}]0;x\u{7}\nlsock: all is well")],
    );
    let attempt = root.list(&["-x"]);
    assert_eq!(attempt.stderr.lines().count(), 1, "{attempt:?}");
    assert!(!attempt.stdout.contains(&0x1b), "{attempt:?}");
}

#[test]
fn line_of_a_mib_is_no_socket() {
    let long = "x".repeat(1 << 20);
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80), &long, &listener(443)]);
    let message = format!(
        "incomplete list: {}:3: line: longer than any that the kernel writes",
        root.file("tcp").display()
    );
    assert_incomplete(&root.list(&["-t4"]), 2, &message);
}

#[test]
fn binary_garbage_is_no_socket() {
    let garbage: Vec<u8> = (0..40_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let root = Root::new()
        .with("tcp", &garbage)
        .with("unix", &garbage)
        .with("netlink", &garbage);
    let attempt = root.list(&["-t4x", "--netlink"]);
    assert_eq!(
        (attempt.status, attempt.rows().len()),
        (Some(2), 0),
        "{attempt:?}"
    );
    assert_eq!(attempt.stderr.lines().count(), 3, "{attempt:?}");
    assert!(attempt.stderr.is_ascii(), "{attempt:?}");
}

#[test]
fn file_without_a_header_is_incomplete() {
    let root = Root::new().with("tcp", "");
    let message = format!(
        "incomplete list: {}: empty, not even a header",
        root.file("tcp").display()
    );
    assert_incomplete(&root.list(&["-t4"]), 0, &message);
}

#[test]
fn file_of_a_header_is_an_empty_table() {
    let root = Root::new().with_lines("tcp", &[TCP]);
    assert_whole(&root.list(&["-t4"]), 0);
}

#[test]
fn last_line_without_its_newline_is_a_socket() {
    let root = Root::new().with("tcp", format!("{TCP}\n{}", listener(80)));
    assert_whole(&root.list(&["-t4"]), 1);
}

#[test]
fn last_line_of_another_table_without_its_newline_is_cut_off() {
    const NETLINK: &str = "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n";
    const PACKET: &str = "sk RefCnt Type Proto Iface R Rmem User Inode\n";
    let udp = format!("{} 1234", listener(53).replace(" 0A ", " 07 "));
    let udp = udp.replace(" 100 0 0 10 0", "");
    for (name, option, header, line) in [
        ("unix", "-x", format!("{UNIX}\n"), unix(12_345, "/run/a")),
        (
            "netlink",
            "--netlink",
            NETLINK.to_owned(),
            "0 0 7 00000000 0 0 0 2 12 345".to_owned(),
        ),
        (
            "packet",
            "--packet",
            PACKET.to_owned(),
            "0 3 3 0003 2 1 0 0 123".to_owned(),
        ),
        ("udp", "-4u", format!("{TCP}\n"), udp),
    ] {
        let whole = Root::new().with(name, format!("{header}{line}\n"));
        assert_whole(&whole.list(&[option]), 1);
        let cut = Root::new().with(name, format!("{header}{line}"));
        let message = format!(
            "incomplete list: {}:2: line: cut off",
            cut.file(name).display()
        );
        assert_incomplete(&cut.list(&[option]), 0, &message);
        let header = header.trim_end();
        let begin = Root::new().with(name, header).list(&[option]);
        assert_eq!(begin.status, Some(2), "{begin:?}");
    }
}

#[test]
fn autobound_is_unknown_without_the_range_below_the_root() {
    let root = Root::new().with_lines("tcp", &[TCP, &listener(5_000), &listener(80)]);
    let told = "incomplete list: autobound is unknown: the source has no \
        sys/net/ipv4/ip_local_port_range";
    assert_incomplete(&root.list(&["-t4", "autobound"]), 0, told);
    let check = |words: &[&str]| root.list(&[&["-t4q", "--expect"], words].concat()).status;
    assert_eq!(check(&["0", "autobound"]), Some(2));
    assert_eq!(check(&["0", "autobound and state established"]), Some(0));
    let folder = root.0.path().join("sys/net/ipv4");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("ip_local_port_range"), "5000\t6000\n").unwrap();
    assert_whole(&root.list(&["-t4", "autobound"]), 1);
    assert_eq!(check(&["1", "autobound"]), Some(0));
}

#[test]
fn last_line_that_is_cut_is_named() {
    let line = listener(80);
    let root = Root::new().with("tcp", format!("{TCP}\n{}", &line[..40]));
    let attempt = root.list(&["-t4"]);
    let begin = format!("lsock: incomplete list: {}:2: ", root.file("tcp").display());
    assert!(attempt.stderr.starts_with(&begin), "{attempt:?}");
    assert_eq!(
        (attempt.status, attempt.rows().len()),
        (Some(2), 0),
        "{attempt:?}"
    );
}

#[test]
fn root_without_net_is_no_proc() {
    let root = TempDir::new().unwrap();
    let words = ["-t4anj", "--proc-root", root.path().to_str().unwrap()];
    let message = format!(
        "lsock: cannot open {}/net: no such file or directory\n",
        root.path().display()
    );
    let attempt = lsock(words);
    assert_eq!((attempt.status, &attempt.stderr), (Some(2), &message));
}

#[test]
fn missing_file_is_a_table_that_the_kernel_does_not_have() {
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80)]);
    let attempt = root.list(&["-t"]);
    assert_whole(&attempt, 1);
    let sources = &attempt.document()["summary"]["sources"];
    assert_eq!(sources[0]["source"], "procfs");
    assert!(sources[1]["source"].is_null(), "{sources}");
    let reason = format!("there is no {}", root.file("tcp6").display());
    assert_eq!(sources[1]["reason"], reason);
}

#[test]
fn directory_instead_of_a_file_is_an_error() {
    let root = Root::new();
    fs::create_dir(root.file("tcp")).unwrap();
    let message = format!("cannot read {}: is a directory", root.file("tcp").display());
    assert_incomplete(&root.list(&["-t4"]), 0, &message);
}

#[test]
fn link_that_leads_to_itself_is_an_error() {
    let root = Root::new();
    std::os::unix::fs::symlink("tcp", root.file("tcp")).unwrap();
    let message = format!(
        "cannot open {}: too many levels of symbolic links",
        root.file("tcp").display()
    );
    assert_incomplete(&root.list(&["-t4"]), 0, &message);
}

#[test]
fn unreadable_file_is_an_error() {
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80)]);
    fs::set_permissions(root.file("tcp"), Permissions::from_mode(0o000)).unwrap();
    let run = if fs::File::open(root.file("tcp")).is_err() {
        root.list(&["-t4"])
    } else {
        // Root reads every file.
        let Some(nobody) = Reachable::new() else {
            return;
        };
        let path = root.0.path();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        nobody.run(&["-anjt4", "--proc-root", path.to_str().unwrap()])
    };
    let message = format!(
        "cannot open {}: permission denied",
        root.file("tcp").display()
    );
    assert_incomplete(&run, 0, &message);
}

#[test]
fn mptcp_that_is_named_is_missing_and_among_all_is_not_told() {
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80)]);
    let untold = "MPTCP sockets in LISTEN are not listed: /proc/net does not report them\n";
    let message = format!("incomplete list: {}", untold.trim_end());
    assert_incomplete(&root.list(&["-M4"]), 0, &message);
    assert_incomplete(&root.list(&["-tM4"]), 1, &message);
    let all = root.list(&["-Aall"]);
    assert_eq!(all.status, Some(0), "it was not named by itself: {all:?}");
    assert_eq!(all.document()["summary"]["complete"], false);
    let mut told = all.stderr.lines();
    assert_eq!(
        told.next(),
        Some(format!("lsock: warning: {}", untold.trim_end()).as_str())
    );
    // Nor does it report the families that a module has.
    let others: Vec<_> = told.map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(others, ["SCTP", "vsock", "TIPC", "XDP", "SMC"]);
}

#[test]
fn security_contexts_are_read_below_the_root() {
    let root = Root::new().with_lines("tcp", &[TCP, &listener(80), &listener(81)]);
    let process = |pid: u32, context: &[u8]| {
        let folder = root.0.path().join(pid.to_string());
        fs::create_dir_all(folder.join("fd")).unwrap();
        fs::create_dir(folder.join("attr")).unwrap();
        fs::write(folder.join("comm"), "web\n").unwrap();
        fs::write(folder.join("attr/current"), context).unwrap();
        let inode = 40_000 + pid;
        std::os::unix::fs::symlink(format!("socket:[{inode}]"), folder.join("fd/3")).unwrap();
    };
    process(80, b"system_u:system_r:httpd_t:s0\0");
    process(81, b"");
    let told = |words: &[&str]| -> Vec<_> {
        let rows = root.list(words).sockets();
        let context = |row: &serde_json::Value| row["processes"][0]["context"].clone();
        rows.iter().map(context).collect()
    };
    let httpd = serde_json::Value::from("system_u:system_r:httpd_t:s0");
    let none = serde_json::Value::Null;
    assert_eq!(told(&["-tZ"]), [httpd.clone(), none.clone()]);
    assert_eq!(told(&["-t", "--contexts"]), [httpd.clone(), none.clone()]);
    assert_eq!(told(&["-tp"]), [none.clone(), none]);
    assert_eq!(told(&["-tpZ", "process_context ~ *:httpd_t:*"]), [httpd]);
    fs::write(root.0.path().join("80/attr/current"), "").unwrap();
    let said = root.list(&["-tZ"]);
    let text = "processes have no security context here: no module such as SELinux gives them one";
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.stderr.contains(text), "{said:?}");
}
