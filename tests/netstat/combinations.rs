//! Options, combined as people combine them.

use std::collections::BTreeSet;

use super::{Stage, User};

/// Which sockets.
const WHICH: [&str; 15] = [
    "",
    "-a",
    "-l",
    "-t",
    "-ta",
    "-tl",
    "-ua",
    "-ul",
    "-Uwa",
    "-x",
    "-xa",
    "-xl",
    "-4a",
    "-6",
    "-A inet,unix -l",
];
/// What to tell of them.
const HOW: [&str; 7] = ["-n", "", "-ne", "-no", "-np", "-nW", "-eeopW"];
/// And what does not combine with everything.
const SINGLE: [&str; 43] = [
    "-tan",
    "-tanp",
    "-tulpn",
    "-anpe",
    "-v",
    "-av",
    "-lv",
    "-tv",
    "-S",
    "-aS",
    "-tS",
    "-S6",
    "-Su -x",
    "-w",
    "-wl",
    "-u",
    "-U",
    "-46",
    "-4 -x",
    "-6 -u",
    "-2",
    "-f",
    "-x2",
    "-t --rfcomm",
    "--ipx",
    "--ax25 -t",
    "--x25",
    "--netrom -x",
    "-A rose",
    "-A bluetooth",
    "-A ddp",
    "-A bogus",
    "-A inet,",
    "--inet --all --numeric-hosts",
    "--inet6 --numeric-ports -a",
    "-ae --numeric-users",
    "--protocol=inet,unix -an",
    "--unix --listening --programs",
    "--tcp --all --extend --timers --wide",
    "-NCFd -n",
    "words -tan that mean nothing",
    "-tan -- -x",
    "-alleo",
];

fn combinations() -> Vec<String> {
    let both = WHICH.iter().flat_map(|which| {
        let how = HOW.iter();
        how.map(move |how| format!("{which} {how}"))
    });
    both.chain(SINGLE.map(str::to_owned)).collect()
}

/// Everybody's differences, so that one run shows them all.
fn all_agree(user: User) {
    let Some(stage) = Stage::set() else { return };
    let mut wrong = Vec::new();
    for combination in combinations() {
        let words: Vec<&str> = combination.split_whitespace().collect();
        let ours = || stage.ours(user, &words);
        wrong.extend(stage.compare((user, &words), ours).err());
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn all_combinations_agree_for_root() {
    all_agree(User::Root);
}

#[test]
fn all_combinations_agree_for_nobody() {
    all_agree(User::Nobody);
}

#[test]
fn combinations_are_many_and_different() {
    let all = combinations();
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert!(all.len() >= 80, "{}", all.len());
}

/// The scene has what the comparison is about.
#[test]
fn netstat_has_something_to_say() {
    let Some(stage) = Stage::set() else { return };
    let said = stage.theirs(User::Root, &["-anepoW"]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let wanted = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN ",
        "CLOSING",
        "tcp6 ",
        "udp ",
        "udp6 ",
        "raw ",
        "raw6 ",
        "unix ",
        "[ ACC ]",
        "STREAM",
        "DGRAM",
        "SEQPACKET",
        "CONNECTED",
        "CONNECTING",
        "LISTENING",
        "off (0.00/0/0)",
        " on (",
        "keepalive (",
        "timewait (",
        "probe (",
        ":* ",
        "::1.2.3.4:",
        "/a-name-that-",
        "/daemon ",
        "/two words: a t",
        "/relative/path ",
        " -  ",
        " 65534 ",
        "2001:db8:1234:5678:1234:5678:1234:5678:",
        "198.51.100.2:* ",
    ];
    for word in wanted {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
    let bogus = "warning, got bogus unix line.";
    assert!(said.stderr.contains(bogus));
    let cut = stage.theirs(User::Root, &["-tan"]);
    assert!(String::from_utf8_lossy(&cut.stdout).contains(" 2001:db8:1234:567"));
}
