//! What `netstat` can and this program does not.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::support::{Child, Run, command, needed, program, run};

/// The program under the name `netstat`, where it is.
fn ours(words: &[&str]) -> Run {
    run(program().arg0("/somewhere/netstat").args(words))
}

#[test]
fn what_is_not_for_sockets_names_the_tool_of_today_and_ends_with_2() {
    for (words, tool) in [
        (&["-r"][..], "ip route"),
        (&["-rn"], "ip route"),
        (&["--route", "--cache"], "ip route"),
        (&["-i"], "ip -s link"),
        (&["-ie"], "ip -s link"),
        (&["--interfaces"], "ip -s link"),
        (&["-g"], "ip maddr"),
        (&["-gn"], "ip maddr"),
        (&["-s"], "nstat"),
        (&["-st"], "nstat"),
        (&["-M"], "conntrack -L"),
        (&["-Z"], "lsock -Z"),
        (&["-tan", "-r", "-i"], "ip route"),
    ] {
        let said = ours(words);
        assert_eq!((said.status, said.text()), (Some(2), ""), "{words:?}");
        let message = &said.stderr;
        assert_eq!(message.lines().count(), 1, "{words:?}: {message}");
        assert!(message.starts_with("netstat: -"), "{words:?}: {message}");
        assert!(message.trim_end().ends_with(tool), "{words:?}: {message}");
    }
}

/// The status is that of `netstat`, and so is the first line, which the C library writes.
#[test]
fn mistakes_are_those_of_netstat() {
    let Some(netstat) = needed("netstat") else {
        return;
    };
    for words in [
        &["-q"][..],
        &["-tanq"],
        &["-A"],
        &["--protocol"],
        &["--num"],
        &["--u"],
        &["--i=x"],
        &["--nothing=x"],
        &["--tcp=3"],
        &["--tc=3"],
        &["-\u{1b}"],
        &["-tan", "--", "-q"],
        &["-A", "bogus"],
        &["--protocol=inet,bogus", "-q"],
        &["-q", "-V"],
    ] {
        let mut command = command(&netstat);
        let theirs = run(command.arg0("netstat").args(words));
        let said = ours(words);
        assert_eq!(said.status, theirs.status, "{words:?}");
        let first = |said: &Run| said.stderr.lines().next().map(str::to_owned);
        if !words.contains(&"-\u{1b}") {
            assert_eq!(first(&said), first(&theirs), "{words:?}");
        }
        let clean = said.stderr.chars().all(|c| c == '\n' || !c.is_control());
        assert!(clean, "{words:?}: {said:?}");
    }
}

#[test]
fn help_and_version_are_our_own_and_end_with_0() {
    for (words, part) in [
        (&["-h"][..], "usage: netstat "),
        (&["--help"], "-A, --protocol="),
        (&["-tan", "-h", "-q"], "lsock --help"),
        (&["-V"], concat!("lsock ", env!("CARGO_PKG_VERSION"))),
        (&["--version", "-A", "bogus"], "net-tools 2.10"),
    ] {
        let said = ours(words);
        assert_eq!(
            (said.status, said.stderr.as_str()),
            (Some(0), ""),
            "{words:?}"
        );
        assert!(said.text().contains(part), "{words:?}: {said:?}");
    }
    let help = ours(&["-h"]);
    let help = help.text();
    assert!(help.lines().all(|line| line.len() <= 80), "{help}");
    assert!(help.lines().count() <= 24, "{help}");
}

#[test]
fn only_the_whole_name_is_netstat() {
    for name in ["netstat2", "xnetstat", "netstat/lsock", "", "NETSTAT"] {
        let mut command = program();
        let said = run(command.arg0(name).arg("-V"));
        let version = concat!("lsock ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(said.text(), version, "{name:?}");
    }
}

#[test]
fn failed_write_is_said_as_netstat_and_ends_with_2() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut command = program();
    let command = command.arg0("netstat").stdout(full);
    let said = Child::start(command.stderr(Stdio::piped())).end();
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr
            .starts_with("netstat: cannot write to standard output")
    );
}
