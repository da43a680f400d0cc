//! Names of namespaces that others have chosen, in every format.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use super::{in_new, listener, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::holder::Holder;
use crate::scene::namespace::ip;
use crate::support::{bytes_of, lsock, run};

/// What a file below `/run/netns` may be called.
const NAMES: [&[u8]; 9] = [
    b"two\nlines",
    b"\x1b[31mred\x1b[0m\x07",
    b"tab\tand,comma \"quoted\" 'too'",
    b"back\\slash\\x41",
    b"\x7f\xc2\x9b\xe2\x80\xae",
    b"=1+1",
    b"-N",
    b"not \xff text",
    b"not \xfe text",
];

#[test]
fn hostile_names_come_back_and_reach_nothing_raw() {
    let name = "namespaces::names::hostile_names_come_back_and_reach_nothing_raw";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    ip(&["netns", "add", "usual"]).unwrap();
    let listeners = NAMES.map(|name| {
        let at = Path::new("/run/netns").join(OsStr::from_bytes(name));
        File::create(&at).unwrap();
        in_new(
            move || {
                let thread = nix::unistd::gettid();
                let link = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
                let mounted = run(Command::new("mount").args(["--bind", &link]).arg(&at));
                assert_eq!(mounted.status, Some(0), "{mounted:?}");
                listener()
            },
            None,
        )
    });
    let rows = lsock(["-N", "all", "-tln", "--json"]).clean().sockets();
    for (name, (_, port)) in NAMES.iter().zip(&listeners) {
        let row = rows.iter().find(|row| row["local_port"] == *port).unwrap();
        assert_eq!(bytes_of(row["netns"].as_str().unwrap()), *name, "{row}");
    }
    let counted = lsock(["-N", "all", "-tsj"]).document();
    let told = counted["namespaces"].as_array().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|one| bytes_of(one["netns"].as_str().unwrap()))
        .collect();
    assert!(
        NAMES.iter().all(|name| told.contains(&name.to_vec())),
        "{told:?}"
    );
    for words in [
        &["-tln", "--format", "plain"][..],
        &["-tln", "--format", "table"],
        &["-tln", "--format", "ndjson"],
        &["-tln", "--format", "csv"],
        &["-tln", "--columns", "local,netns"],
        &["-ts"],
        &["-ts", "--format", "csv"],
        &["-E", "-t", "--wait", "0"],
    ] {
        let run = lsock([&["-N", "all"], words].concat());
        assert!(matches!(run.status, Some(0 | 2)), "{run:?}");
        let is_raw =
            |c: char| c.is_control() && !"\r\n".contains(c) || "\u{202e}\u{9b}".contains(c);
        for text in [run.text(), &run.stderr] {
            assert!(!text.contains(is_raw), "{words:?}: {text:?}");
        }
        if words.contains(&"-tln") {
            let with_port = |port: &u16| run.text().matches(&port.to_string()).count();
            let lines = listeners.iter().map(|(_, port)| with_port(port));
            assert_eq!(lines.sum::<usize>(), NAMES.len(), "{words:?}: {run:?}");
        }
    }
    // As it is shown, it can be asked for.
    for ((_, port), name) in listeners.iter().zip(NAMES) {
        let filter = format!("port = {port}");
        let row = rows.iter().find(|row| row["local_port"] == *port).unwrap();
        // A comma stands between two names.
        let escaped = row["netns"].as_str().unwrap().replace(',', r"\x2c");
        let is_plain = !name.contains(&b',');
        for name in [Some(escaped.as_bytes()), is_plain.then_some(name)] {
            let Some(name) = name else { continue };
            let option = [b"--netns=", name].concat();
            let words = ["-tlnq", &filter].map(OsStr::new);
            let run = lsock([OsStr::from_bytes(&option)].into_iter().chain(words));
            assert_eq!(run.status, Some(0), "{run:?}");
        }
        let quoted = row["netns"].as_str().unwrap().replace('"', "\\x22");
        let filter = format!("netns = \"{quoted}\" and port = {port}");
        let run = lsock(["-N", "all", "-tlnq", &filter]);
        assert_eq!(run.status, Some(0), "{filter}: {run:?}");
    }
}

#[test]
fn what_names_no_namespace_is_told_in_one_line() {
    let name = "namespaces::names::what_names_no_namespace_is_told_in_one_line";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    ip(&["netns", "add", "web"]).unwrap();
    File::create("/run/netns/stale").unwrap();
    let (_listener, holder) = in_new(|| (listener(), Holder::sleeping(&[]).unwrap()), None);
    let led = format!("sleep[{}]", holder.pid());
    for (word, told) in [
        ("", "a name is empty"),
        (",", "a name is empty"),
        ("web,", "a name is empty"),
        (
            "wob",
            "there is no network namespace \"wob\"; did you mean web?",
        ),
        ("w,eb", "there is no network namespace \"w\""),
        ("stale", "there is no network namespace \"stale\""),
        ("4194305", "there is no process 4194305"),
        ("0", "there is no process 0"),
        ("net:[1]", "there is no network namespace \"net:[1]\""),
        (
            "mnt:[4026531841]",
            "there is no network namespace \"mnt:[4026531841]\"",
        ),
        // The process is there, and is another one.
        ("sleep[1]", "there is no network namespace \"sleep[1]\""),
        (
            "/proc/self/ns/mnt",
            "/proc/self/ns/mnt is no network namespace",
        ),
        (
            "/run/netns/stale",
            "/run/netns/stale is no network namespace",
        ),
        ("/dev/null", "/dev/null is no network namespace"),
    ] {
        for words in [
            &["-tln"][..],
            &["-tlnq"],
            &["-s"],
            &["-tlj"],
            &["-tc", "0.1"],
            &["-E"],
        ] {
            let run = lsock([&["-N", word], words].concat());
            let told = format!("lsock: -N: {told}\n");
            assert_eq!(
                (run.status, run.text(), &*run.stderr),
                (Some(2), "", &*told),
                "{words:?}"
            );
        }
    }
    assert_eq!(lsock(["-N", &led, "-tlnq"]).status, Some(0));
}
