//! Tests of every option of ss, netstat and lsof.

use super::{as_lsof, behind};
use crate::cli::{Terminal, parse};
use crate::error::Error;

/// The message that refuses a command line; `None` = it is accepted.
fn refusal(line: &str) -> Option<String> {
    let words = format!("lsock {line}");
    match parse(words.split(' ').map(Into::into), Terminal::default()) {
        Err(Error::Usage(text)) => Some(text),
        _ => None,
    }
}

const SS: &str = "-h --help -V --version -n --numeric -r --resolve -a --all -l --listening -B --bound-inactive \
    -o --options -e --extended -m --memory -p --processes -T --threads -i --info --tipcinfo -s --summary --tos \
    --cgroup -b --bpf -E --events -Z --context -z --contexts -N --net -4 --ipv4 -6 --ipv6 -0 --packet -t --tcp \
    -M --mptcp -S --sctp -u --udp -d --dccp -w --raw -x --unix --tipc --vsock --xdp -f --family -K --kill \
    -H --no-header -O --oneline --inet-sockopt -A --query --socket -D --diag -F --filter -Q --no-queues";

const NETSTAT: &str = "-r --route -i --interfaces -I --interface -g --groups -s --statistics -M --masquerade \
    -v --verbose -W --wide -n --numeric --numeric-hosts --numeric-ports --numeric-users -N --symbolic -e --extend \
    -p --programs --program -o --timers -c --continuous -l --listening -a --all -F --fib -C --cache -Z --context \
    -t --tcp -u --udp -U --udplite -S --sctp -w --raw -x --unix --ax25 --ipx --netrom --rose --x25 --ddp --ash -A \
    --inet --inet6 --ip --tcpip -2 --l2cap -f --rfcomm -V --version -h --help";

const LSOF: &str = "-? -h -a -b -c -d -D -e -E -f -F -g -i -k -K -l -L -m -M -n -N -o -O -p -P -Q -r -R -s -S -t -T \
    -u -U -v -V -w -x -X -z -Z";

#[test]
fn every_option_of_ss_netstat_and_lsof_is_known_or_answered() {
    for option in [SS, NETSTAT, LSOF].iter().flat_map(|all| all.split(' ')) {
        let long = option.starts_with("--").then(|| format!("{option}=x"));
        for option in [option.to_owned()].into_iter().chain(long) {
            let Some(text) = refusal(&option) else {
                continue;
            };
            assert!(!text.contains("all options: "), "{option}: {text}");
            assert!(!text.contains("use '-- "), "{option}: {text}");
            if text.starts_with("unexpected argument") {
                assert_eq!(text.lines().count(), 1, "{option}: {text}");
                assert!(text.len() < 160, "{option}: {text}");
            }
        }
    }
}

#[test]
fn what_others_take_behind_an_option_is_answered_with_what_to_write() {
    for (line, write) in [
        ("-u root", "lsock -ap 'user = root'"),
        ("-nPu root", "-n"),
        ("-u ^root", "lsock -ap 'user != root'"),
        ("-c nginx", "lsock -ap 'process = nginx'"),
        ("-p 1234", "lsock -ap 'pid = 1234'"),
        ("-ap 12,34", "lsock -ap 'pid = 12,34'"),
        ("-p ^1234", "lsock -ap 'pid != 1234'"),
        ("-p1234", "lsock -ap 'pid = 1234'"),
        ("-p nginx", "lsock -ap 'process = nginx'"),
        ("-i TCP:80", "lsock -tap :80"),
        ("-i tcp", "lsock -tap"),
        ("-iTCP:80,443", "lsock -tap :80,443"),
        ("-i UDP@10.0.0.1:53", "lsock -uap 'addr 10.0.0.1 and :53'"),
        ("-i @10.0.0.1", "lsock -ap 'addr 10.0.0.1'"),
        ("-i@10.0.0.1", "lsock -ap 'addr 10.0.0.1'"),
        ("-i 6TCP", "lsock -6tap"),
        ("-i 4", "lsock -4ap"),
        ("-ni @[::1]:22", "lsock -ap 'addr [::1] and :22'"),
        ("-i:80", "lsock -ap :80"),
        ("-s TCP:LISTEN", "lsock -tap 'state = listen'"),
        ("-sTCP:^LISTEN", "lsock -tap 'state != listen'"),
        ("-r 5", "lsock -c 5"),
        ("-x f", "lsof +D DIR"),
        ("+D /tmp", "lsof"),
        ("+L1", "lsof"),
        ("/run/app.sock", "lsock -xap 'addr /run/app.sock'"),
        ("-e /mnt", "addr /mnt"),
        ("-A dccp", "ss -A dccp"),
        ("--tipcinfo", "--tipc -i"),
        ("--l2cap", "lsock -ap pid = N"),
        ("-0b", "called ss"),
        ("-A ax25", "netstat -A ax25"),
        ("-t --sort port", "local_port, peer_port"),
        ("-t --columns Recv-Q", "recv_queue"),
        ("--columns program", "processes"),
    ] {
        let text = refusal(line).unwrap_or_default();
        assert!(text.contains(write), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{line}: {text}");
    }
}

#[test]
fn words_of_this_program_are_nothing_else() {
    let arguments = |line: &str| -> Vec<_> { line.split(' ').map(Into::into).collect() };
    for line in [
        "lsock -tp sport = 80x",
        "lsock -u sport = 53x",
        "lsock -tan state lisen",
        "lsock -c=5 sport",
        "lsock sprt -D /tmp/x",
        "lsock sprt --replay /tmp/x",
    ] {
        assert_eq!(behind(&arguments(line)), None, "{line}");
    }
    let hint = "-i shows tcp_info here; lsof's -i :80: lsock -ap :80";
    for line in ["lsock -i :80", "lsock -ni :80", "lsock -n -i :80"] {
        assert_eq!(as_lsof(&arguments(line)).as_deref(), Some(hint), "{line}");
    }
    for line in [
        "lsock -ti :80",
        "lsock -i",
        "lsock :80",
        "lsock -i sport = 80",
    ] {
        assert_eq!(as_lsof(&arguments(line)), None, "{line}");
    }
}
