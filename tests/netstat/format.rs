//! `--format netstat` with the program's own options.

use super::{Stage, User};
use crate::scene::{V4, tcp};
use crate::support::Run;
use crate::support::{fresh, lsock};

/// The lines of `lsock <words> --format netstat`, and those of `netstat`.
fn agrees(stage: &Stage, ours: &[&str], theirs: &[&str]) {
    let words = [ours, &["--format", "netstat"]].concat();
    let run = || stage.lsock(User::Root, &words);
    if let Err(difference) = stage.compare((User::Root, theirs), run) {
        panic!("lsock {words:?}: {difference}");
    }
}

#[test]
fn lines_are_those_of_netstat_where_the_options_mean_the_same() {
    let Some(stage) = Stage::set() else { return };
    for (ours, theirs) in [
        (&["-tan"][..], &["-tan"][..]),
        (&["-uan"], &["-uUan"]),
        (&["-wan"], &["-wan"]),
        (&["-tua6n"], &["-tuUa6n"]),
        (&["-tuwaneo"], &["-tuUwaneo"]),
        (&["-an", "--source", "procfs"], &["-tuUwan"]),
        (&["-ta"], &["-ta", "--numeric-hosts"]),
        (&["-tae"], &["-tae", "--numeric-hosts"]),
    ] {
        agrees(&stage, ours, theirs);
    }
}

/// Names with a newline make `netstat` warn of a line, and `lsock` of an incomplete list.
#[test]
fn unix_sockets_have_the_same_lines_too() {
    let Some(stage) = Stage::set() else { return };
    for words in [&["-xan"][..], &["-xln"], &["-tuwxanp"]] {
        let theirs = stage.theirs(User::Root, &[words, &["-U"]].concat());
        let ours = stage.lsock(User::Root, &[words, &["--format", "netstat"]].concat());
        let lines = |said: &Run| {
            let lines = said.stdout.split(|byte| *byte == b'\n');
            let unix = lines.filter(|line| line.starts_with(b"unix"));
            unix.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(lines(&ours), lines(&theirs), "{words:?}");
        assert!(lines(&ours).len() > 10, "{words:?}");
        assert_eq!(ours.status, Some(2));
        assert!(ours.stderr.contains("incomplete list: /proc/net/unix"));
    }
}

#[test]
fn filters_sort_limit_and_header_work() {
    let Some(_namespace) = fresh() else { return };
    let listeners: Vec<_> = (0..3).map(|_| tcp::listener(V4, 1).unwrap()).collect();
    let mut ports: Vec<u16> = listeners
        .iter()
        .map(|listener| {
            crate::scene::expected::local_address(listener)
                .unwrap()
                .port()
        })
        .collect();
    ports.sort_unstable();
    let line = |port: &u16| {
        let local = format!("127.0.0.1:{port}");
        format!("tcp        0      0 {local:<23} 0.0.0.0:*               LISTEN     ")
    };
    let listed = |words: &[&str]| {
        let run = lsock([&["-tlnH", "--format", "netstat"], words].concat()).clean();
        run.lines()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let all: Vec<String> = ports.iter().map(line).collect();
    assert_eq!(listed(&["--sort", "local_port"]), all);
    assert_eq!(listed(&["--sort", "local_port", "--limit", "2"]), all[..2]);
    let last = format!("sport = {}", ports[2]);
    assert_eq!(listed(&[&last]), all[2..]);
    // Only netlink tells how long the queue may get.
    assert_eq!(listed(&["--sort", "local_port", "send_queue = 1"]), all);
}

#[test]
fn sections_have_their_banners_without_a_row() {
    let Some(_namespace) = fresh() else { return };
    let titles =
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State      \n";
    let unix = "Proto RefCnt Flags       Type       State         I-Node   Path\n";
    let listed = |words: &[&str]| {
        let run = lsock([words, &["--format", "netstat"]].concat()).clean();
        run.text().to_owned()
    };
    assert_eq!(
        listed(&["-tx"]),
        format!(
            "Active Internet connections (w/o servers)\n{titles}\
             Active UNIX domain sockets (w/o servers)\n{unix}"
        )
    );
    assert_eq!(
        listed(&["-ul"]),
        format!("Active Internet connections (only servers)\n{titles}")
    );
    assert_eq!(
        listed(&["-xa"]),
        format!("Active UNIX domain sockets (servers and established)\n{unix}")
    );
    assert_eq!(listed(&["-txH"]), "");
}

#[test]
fn bound_sockets_are_none_of_netstat() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::bound(V4).unwrap();
    assert_eq!(lsock(["-tanH"]).clean().lines().len(), 1);
    assert_eq!(lsock(["-tanH", "--format", "netstat"]).clean().text(), "");
    let run = lsock(["-tnH", "--format", "netstat", "state", "bound"]);
    assert_eq!((run.status, run.text()), (Some(0), ""));
    assert!(
        run.stderr.contains("the filter excludes everything"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_has_no_line_is_refused() {
    for words in [
        &["-s"][..],
        &["-E"],
        &["-i"],
        &["-m"],
        &["-O"],
        &["--columns", "local"],
        &["-0"],
        &["--netlink"],
        &["-M"],
        &["-A", "icmp"],
        &["-A", "tcp,packet"],
    ] {
        let run = lsock([&["--format", "netstat"], words].concat());
        assert_eq!((run.status, run.text()), (Some(2), ""), "{words:?}");
        assert!(run.stderr.contains("netstat"), "{words:?}: {}", run.stderr);
    }
}
