//! Options, combined as people combine them.

use std::collections::HashSet;

use super::stage::{agree, set};
use crate::netstat::User;
use crate::support::until_ok;

/// Which sockets.
const WHICH: [&str; 20] = [
    "",
    "-a",
    "-l",
    "-t",
    "-ta",
    "-tl",
    "-ua",
    "-ul",
    "-tua",
    "-x",
    "-xa",
    "-xl",
    "-4a",
    "-6",
    "-wa",
    "-0",
    "-Ma",
    "-f netlink -a",
    "-A tcp,unix_stream -a",
    "-tuwx0l",
];
/// What to tell of them.
const HOW: [&str; 9] = ["", "-n", "-o", "-e", "-m", "-p", "-i", "-H", "-neompiO"];

/// And what does not combine with everything.
const SINGLE: &[&str] = &[
    "-tulpn",
    "-H -tao state time-wait",
    "-Htp -l",
    "-He -t",
    "-Hm -x",
    "-0He",
    "-tanp",
    "-anpe",
    "-s",
    "-st",
    "-sH -ta",
    "-S",
    "-d",
    "-Sa",
    "-tS -d -a",
    "--vsock",
    "--tipc -a",
    "--xdp",
    "-4 -x",
    "-x -0",
    "-t -0",
    "-la",
    "-al",
    "-f inet -a",
    "-f inet6",
    "-f link",
    "-f unix -a",
    "-f vsock",
    "-A all -a",
    "-A all",
    "-A inet -a",
    "-A tcp,!udp -a",
    "-A all,!tcp,!netlink,!mptcp -a",
    "-t -A udp -u -a",
    "-A packet",
    "-A unix_dgram -a",
    "-A u_str",
    "-A u_seq,u_dgr -a",
    "-A tcp -A udp -a",
    "-l -A tcp,udp",
    "-A raw -a",
    "-A mptcp -a",
    "-A sctp,dccp",
    "-A vsock_stream",
    "-A xdp",
    "-A tipc",
    "-A !tcp",
    "--query=tcp --all --numeric",
    "--socket udp -a",
    "--tcp --listening --processes --numeric",
    "--family=inet6 --all --extended",
    "--unix --all --memory --oneline",
    "--udp --all --options --no-header",
    "--info --tcp --oneline",
    "--memory --info --extended --packet",
    "--mptcp --info --all",
    "--raw --all --info --memory",
    "--summary",
    "--num -ta",
    "-tai -n",
    "-taio",
    "-taimO",
    "-tane --cgroup",
    "-ta --cgroup",
    "-ta --tos",
    "-ua --tos -O",
    "-ta --inet-sockopt",
    "-ta --inet-sockopt -O",
    "-0b",
    "-0be",
    "-0bO",
    "-tb",
    "-0em",
    "-0eO",
    "-f netlink -n",
    "-tar",
    "-uar",
    "-tarn",
    "-a -t state established",
    "-t state time-wait",
    "-t state syn-sent state syn-recv",
    "-t state all",
    "-t state connected",
    "-t state synchronized",
    "-t state bucket",
    "-t state big",
    "state listening",
    "state closed -u",
    "state unconnected -x",
    "exclude established -t",
    "-ta exclude listening excl time-wait",
    "-t state established exclude established",
    "state close",
    "-t state fin-wait-1 state FIN-WAIT-2",
    "-ta src 127.0.0.1",
    "-ta dst 127.0.0.0/8",
    "-tan src [::1]",
    "-ta src inet6:[::1]",
    "-ta dst [::ffff:127.0.0.1]",
    "-ta ( sport >= :1024 and not dport = :0 )",
    "-ta sport gt 1024 dport lt 60000",
    "-t state established ( sport > :1 | dport != :80 )",
    "-ta dev lo",
    "-ta dev != lo",
    "-ta not dev = lo",
    "-xa src @*",
    "-xa src */stream.sock",
    "-xa not src @*",
    "-xl src unix:@lsock*",
    "-Z",
    "-tz",
];

fn combinations() -> Vec<String> {
    let both = WHICH.iter().flat_map(|which| {
        let how = HOW.iter();
        how.map(move |how| format!("{which} {how}"))
    });
    both.chain(SINGLE.iter().map(|words| (*words).to_owned()))
        .collect()
}

fn all_agree(user: User, combinations: &[String]) {
    let Some(stage) = set() else { return };
    let mut wrong = Vec::new();
    for combination in combinations {
        let words: Vec<&str> = combination.split_whitespace().collect();
        wrong.extend(agree(&stage, user, &words).err());
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
    all_agree(User::Root, &combinations());
}

#[test]
fn all_combinations_agree_for_nobody() {
    // What others may not see: marks, owners, filters of packet sockets.
    let all = combinations().into_iter();
    let some = all.filter(|words| words.contains(['p', 'e', 'm', 'b']) || words.contains("-i"));
    all_agree(User::Nobody, &some.step_by(3).collect::<Vec<_>>());
}

#[test]
fn combinations_are_many_and_different() {
    let all = combinations();
    let different: HashSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert!(all.len() >= 280, "{}", all.len());
}

/// The scene has what the comparison is about.
#[test]
fn ss_has_something_to_say() {
    let Some(stage) = set() else { return };
    let words = [
        "ESTAB",
        "SYN-SENT",
        "SYN-RECV",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "TIME-WAIT",
        "CLOSE-WAIT",
        "LAST-ACK",
        "LISTEN",
        "CLOSING",
        "UNCONN",
        "tcp ",
        "udp ",
        "mptcp ",
        "raw ",
        "u_str",
        "u_dgr",
        "u_seq",
        "p_raw",
        "p_dgr",
        "nl ",
        "[::1]:",
        "*:",
        "[::]:",
        "[::ffff:127.0.0.1]:",
        "%lo:",
        "users:((\"",
        "timer:(on,",
        "timer:(keepalive,",
        "timer:(timewait,",
        "timer:(persist,",
        "uid:65534",
        "ino:",
        "sk:",
        "fwmark:0x5cea",
        "v6only:0",
        "v6only:1",
        "<->",
        "-->",
        "<--",
        "---",
        "skmem:(r",
        " bbr ",
        "bbr:(bw:",
        "wscale:",
        "rto:",
        "backoff:",
        "rtt:",
        "mss:",
        "cwnd:",
        "bytes_acked:",
        "send ",
        "pacing_rate ",
        "delivery_rate ",
        "app_limited",
        "retrans:",
        "lost:",
        "rcv_ssthresh:",
        "minrtt:",
        "snd_wnd:",
        "notsent:",
        "tcp-ulp-mptcp flags:",
        "token:",
        "write_seq:",
        "subflows_max:",
        "peers:",
        "groups=0x0000",
        "flags( running",
        "inet-sockopt: (",
        " is_icsk",
        "tos:0",
    ];
    // What was sent again is told once a timer has fired.
    until_ok("every word is there", || {
        let said = stage.theirs(User::Root, &["-aneompib"]);
        let sockopt = stage.theirs(User::Root, &["-ta", "--inet-sockopt", "--tos"]);
        let text = [said.stdout, sockopt.stdout].concat();
        let text = String::from_utf8_lossy(&text);
        let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("no {missing:?} in\n{text}"))
        }
    });
}
