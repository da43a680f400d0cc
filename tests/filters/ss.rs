//! The same expression, or what it is called there, given to `ss`: the same sockets.

use std::net::SocketAddr;

use serde_json::Value;

use crate::scene::unix;
use crate::support::{fresh, list, lsock, skip, stage, tool};
use crate::witnesses::{end, state_of_ss};

/// Protocol, state and both ends.
type Line = (String, Option<String>, SocketAddr, SocketAddr);

/// What `ss -A tcp,udp <flags> <expression>` lists.
fn of_ss(flags: &[&str], expression: &str) -> Option<Vec<Line>> {
    let words: Vec<&str> = expression.split_whitespace().collect();
    let output = tool(
        "ss",
        &[&["-H", "-n", "-O", "-A", "tcp,udp"], flags, &words].concat(),
    )?;
    let output = String::from_utf8(output).unwrap();
    let mut lines: Vec<Line> = output
        .lines()
        .map(|line| {
            let word: Vec<&str> = line.split_whitespace().collect();
            let [.., local, peer] = word[..] else {
                panic!("{line}");
            };
            // A single state is not shown.
            let state = (word.len() == 6).then(|| state_of_ss(word[1]));
            (word[0].to_owned(), state, end(local), end(peer))
        })
        .collect();
    lines.sort_by(in_order);
    Some(lines)
}

/// By all but the state.
fn in_order(one: &Line, other: &Line) -> std::cmp::Ordering {
    (&one.0, one.2, one.3).cmp(&(&other.0, other.2, other.3))
}

/// What `lsock -A tcp,udp <flags> <expression>` lists, without the state that `ss` never shows.
fn ours(flags: &[&str], expression: &str) -> Result<Vec<Line>, String> {
    let words = ["-H", "-n", "--format", "plain", "-A", "tcp,udp"];
    let columns = ["--columns", "protocol,state,local,peer"];
    let run = lsock([&words[..], &columns, flags, &[expression]].concat());
    if (run.status, run.stderr.as_str()) != (Some(0), "") {
        return Err(format!("status {:?}: {}", run.status, run.stderr));
    }
    let lines = run.lines().into_iter();
    let mut lines: Vec<Line> = lines
        .map(|line| line.split_whitespace().collect::<Vec<&str>>())
        .filter(|word| word[1] != "BOUND")
        .map(|word| {
            let state = Some(word[1].to_owned());
            (word[0].to_owned(), state, end(word[2]), end(word[3]))
        })
        .collect();
    lines.sort_by(in_order);
    Ok(lines)
}

/// Compares, for expressions that are written alike and for those that are not.
fn compare(flags: &[&str], pairs: &[(String, String)]) {
    let mut wrong = Vec::new();
    for (expression, theirs) in pairs {
        let Some(theirs) = of_ss(flags, theirs) else {
            return;
        };
        match ours(flags, expression) {
            Err(message) => wrong.push(format!("{expression}\n    {message}")),
            Ok(_) if theirs.is_empty() => wrong.push(format!("{expression}\n    proves nothing")),
            Ok(ours) if !same(&ours, &theirs) => {
                let known = |l: &Line, of: &[Line]| of.iter().any(|o| (o.2, o.3) == (l.2, l.3));
                let missing: Vec<_> = theirs.iter().filter(|l| !known(l, &ours)).collect();
                let added: Vec<_> = ours.iter().filter(|l| !known(l, &theirs)).collect();
                let counts = (ours.len(), theirs.len());
                wrong.push(format!(
                    "{expression}: {counts:?}\n    only ss: {missing:?}\n    only lsock: {added:?}"
                ));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Are these the same sockets, in states that are the same where both show them?
fn same(ours: &[Line], theirs: &[Line]) -> bool {
    let agree = |(a, b): (&Line, &Line)| {
        let states = b.1.is_none() || a.1 == b.1;
        states && (&a.0, a.2, a.3) == (&b.0, b.2, b.3)
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(agree)
}

/// Written alike in both languages.
fn alike(expressions: &[&str]) -> Vec<(String, String)> {
    let pair = |text: &&str| ((*text).to_owned(), (*text).to_owned());
    expressions.iter().map(pair).collect()
}

/// The ports of an established connection of that family: its own, and its peer's.
fn connection(rows: &[Value], address: &str) -> (u64, u64) {
    let connected = |row: &&Value| row["state"] == "ESTABLISHED" && row["local_address"] == address;
    let row = rows.iter().find(connected).expect("in the scene");
    let port = |key: &str| row[key].as_u64().expect("a port");
    (port("local_port"), port("peer_port"))
}

#[test]
fn ss_selects_the_same_ports() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-tan"]);
    let (one, two) = connection(&rows, "127.0.0.1");
    let (low, high) = (one.min(two), one.max(two));
    let texts = [
        format!("sport = :{one}"),
        format!("sport = {one}"),
        format!("dport = :{two}"),
        format!("sport == :{one}"),
        format!("sport eq :{one}"),
        format!("sport != :{one}"),
        format!("sport ne :{one}"),
        format!("sport neq :{one}"),
        format!("sport >= :{low} and sport <= :{high}"),
        format!("sport ge {low}"),
        format!("sport geq {low}"),
        format!("sport > :{low}"),
        format!("sport gt :{low}"),
        format!("sport < :{high}"),
        format!("sport lt :{high}"),
        format!("dport le :{high} and dport ge :1"),
        format!("dport leq :{high} dport > :0"),
        format!("sport = :{low} or sport = :{high}"),
        format!("sport = :{low} | sport = :{high}"),
        format!("sport = :{low} || sport = :{high}"),
        format!("( sport = :{low} or dport = :{low} )"),
        format!("not sport = :{one}"),
        format!("! ( dport = :{two} )"),
        format!("src *:{one}"),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    compare(&["-a"], &alike(&texts));
}

#[test]
fn ss_selects_the_same_addresses() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-tan"]);
    let ((one, two), (six, six_peer)) = (connection(&rows, "127.0.0.1"), connection(&rows, "::1"));
    let texts = [
        "src 127.0.0.1".to_owned(),
        "src = 127.0.0.1".to_owned(),
        "dst 127.0.0.0/8".to_owned(),
        "dst 127/8".to_owned(),
        "src [::1]".to_owned(),
        "dst [::1]".to_owned(),
        "src inet6:[::1]".to_owned(),
        "dst [::ffff:127.0.0.1]".to_owned(),
        "src 127.0.0.1:*".to_owned(),
        format!("src 127.0.0.1:{one}"),
        format!("dst 127.0.0.1:{two}"),
        format!("src [::1]:{six}"),
        format!("dst [::1]:{six_peer} and src [::1]:{six}"),
        format!("src 127.0.0.1 & sport = :{one}"),
        format!("src 127.0.0.1 && sport >= :{one}"),
        format!("src 127.0.0.1 sport >= :{one}"),
        format!("( dport = :{six} or sport = :{six} ) and dst [::1]"),
        "not src 127.0.0.1".to_owned(),
        "dev lo".to_owned(),
        "dev = scene0".to_owned(),
        "not dev lo".to_owned(),
        "dev != lo and dev = scene0".to_owned(),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    compare(&["-a"], &alike(&texts));
}

#[test]
fn ss_selects_the_same_states() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-tan"]);
    let (one, _) = connection(&rows, "127.0.0.1");
    let filtered = format!("state established ( sport = :{one} or dport = :{one} ) src 127.0.0.1");
    let applied = format!("state established sport = :{one} or dport = :{one}");
    let listening = rows.iter().filter(|row| row["state"] == "LISTEN");
    let last = listening.filter_map(|row| row["local_port"].as_u64()).max();
    let last = format!("state listening sport >= :{}", last.unwrap());
    let mut pairs = alike(&[
        "state established",
        "state listening",
        "state connected",
        "state synchronized",
        "state big",
        "state bucket",
        "state fin-wait-1 state last-ack",
        "state syn-sent",
        "state syn-recv",
        "state close-wait",
        "state closing",
        "state time-wait",
        "state all",
        "exclude listening",
        "exclude bucket",
        "exclude listening exclude time-wait",
        &filtered,
        &applied,
        &last,
    ]);
    // What has another name there.
    let also = [
        ("state listen", "state listening"),
        ("exclude listen", "exclude listening"),
        ("excl bucket,listen", "exclude bucket exclude listening"),
        (
            "state fin_wait_1,last_ack",
            "state fin-wait-1 state last-ack",
        ),
        ("not state listen", "exclude listening"),
        ("state unconn", "state unconnected"),
    ];
    pairs.extend(also.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())));
    compare(&[], &pairs);
}

#[test]
fn ss_selects_the_same_marks_and_cgroups() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    if scene
        .expected
        .iter()
        .all(|expected| expected.mark.is_none())
    {
        skip("no socket could be marked");
        return;
    }
    let mut pairs = alike(&[
        "fwmark = 0x5cea",
        "fwmark 23786",
        "fwmark = 0x5000/0xf000",
        "not fwmark = 0x5cea",
    ]);
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let mounts = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    match mounts.into_iter().find(|mount| mount[2] == "cgroup2") {
        // It takes a path of the file system before one of the cgroups.
        Some(mount) => pairs.push(("cgroup = /".to_owned(), format!("cgroup {}", mount[1]))),
        None => skip("no cgroup2 here"),
    }
    compare(&["-a"], &pairs);
}

/// Name and inode of each unix socket.
type Named = (String, String);

fn unix_of_ss(words: &[&str]) -> Option<Vec<Named>> {
    let output = tool("ss", &[&["-H", "-n", "-O", "-x", "-a"], words].concat())?;
    let output = String::from_utf8(output).unwrap();
    let lines = output.lines().map(|line| {
        let word: Vec<&str> = line.split_whitespace().collect();
        let [.., name, inode, _, _] = word[..] else {
            panic!("{line}");
        };
        (name.to_owned(), inode.to_owned())
    });
    let mut lines: Vec<Named> = lines.collect();
    lines.sort();
    Some(lines)
}

fn unix_of_lsock(expression: &str) -> Vec<Named> {
    let words = ["-H", "-n", "--format", "plain", "-xa"];
    let columns = ["--columns", "local,inode", expression];
    let run = lsock([&words[..], &columns].concat()).clean();
    let lines = run.lines().into_iter().map(|line| {
        let word: Vec<&str> = line.split_whitespace().collect();
        (word[0].to_owned(), word[1].to_owned())
    });
    let mut lines: Vec<Named> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn ss_selects_the_same_unix_sockets() {
    let Some(_namespace) = fresh() else { return };
    let _held = unix::states::all().unwrap();
    for expression in [
        "src */stream.sock",
        "src @*",
        "src @lsock-*",
        "src unix:@lsock*",
        "src unix:*stream*",
        "src /*",
        "not src @*",
        "src @* or src */stream.sock",
        "( src @lsock-* ) and ! src *datagram",
        "state listening",
        "state established",
        "state unconnected",
        "state listening src @*",
    ] {
        let words: Vec<&str> = expression.split(' ').collect();
        let Some(theirs) = unix_of_ss(&words) else {
            return;
        };
        assert!(!theirs.is_empty(), "{expression}");
        assert_eq!(unix_of_lsock(expression), theirs, "{expression}");
    }
}
