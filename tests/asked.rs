//! What the program asks the system for, as `strace` sees it: no more than is shown.

use crate::scene::{V4, tcp};
use crate::support::{fresh, traced};

/// `INET_DIAG_*` as bits of `idiag_ext` (`include/uapi/linux/inet_diag.h`).
const INFO: u8 = 1 << 1;
const CONG: u8 = 1 << 3;
const VEGASINFO: u8 = 1 << 2;
const TOS: u8 = 1 << 4;
const TCLASS: u8 = 1 << 5;
const SKMEMINFO: u8 = 1 << 6;

/// What `strace` writes about these calls of `lsock <words>`, which has nothing to complain of.
fn traced_done(calls: &str, words: &[&str]) -> Option<String> {
    let (run, trace) = traced(calls, words)?;
    run.done();
    Some(trace)
}

/// The requests sent: each the bytes behind its netlink header.
fn requests(words: &[&str]) -> Option<Vec<Vec<u8>>> {
    let trace = traced_done("sendto", words)?;
    let requests = sent(&trace);
    assert!(!requests.is_empty(), "{trace}");
    Some(requests.iter().map(|bytes| bytes[16..].to_vec()).collect())
}

/// The bytes of each message sent, out of the dumps in a trace.
pub fn sent(trace: &str) -> Vec<Vec<u8>> {
    let mut requests: Vec<Vec<u8>> = Vec::new();
    for line in trace.lines() {
        // ` | 00010  02 06 00 00 …  ........ |`
        let dump = line.trim_start().strip_prefix("| ");
        let Some((offset, rest)) = dump.and_then(|dump| dump.split_once("  ")) else {
            continue;
        };
        if offset == "00000" {
            requests.push(Vec::new());
        }
        let Some(request) = requests.last_mut() else {
            continue;
        };
        let hex = rest.get(..49).unwrap_or(rest);
        let bytes = hex.split_whitespace();
        request.extend(bytes.map_while(|byte| u8::from_str_radix(byte, 16).ok()));
    }
    requests
}

/// Family, protocol, extensions and states of an `inet_diag_req_v2`.
fn inet(request: &[u8]) -> (u8, u8, u8, u32) {
    let states = u32::from_ne_bytes(request[4..8].try_into().unwrap());
    (request[0], request[1], request[2], states)
}

#[test]
fn listening_asks_for_listen_alone() {
    let Some(_namespace) = fresh() else { return };
    let Some(requests) = requests(&["-tl"]) else {
        return;
    };
    let asked: Vec<_> = requests.iter().map(|request| inet(request)).collect();
    assert_eq!(asked, [(2, 6, 0, 1 << 10), (10, 6, 0, 1 << 10)]);
}

#[test]
fn one_ip_version_asks_one_table() {
    let Some(_namespace) = fresh() else { return };
    let Some(requests) = requests(&["-t4"]) else {
        return;
    };
    let asked: Vec<_> = requests.iter().map(|request| inet(request)).collect();
    let [(2, 6, 0, states)] = asked[..] else {
        panic!("{asked:?}");
    };
    // Neither LISTEN (10) nor CLOSE (7).
    assert_eq!(states & (1 << 10 | 1 << 7), 0, "{states:#x}");
}

#[test]
fn extensions_are_asked_for_only_when_they_are_shown() {
    let Some(_namespace) = fresh() else { return };
    for (words, extensions) in [
        (&["-t4a"][..], 0),
        (&["-t4aeo"], TOS | TCLASS),
        (&["-t4aj"], 0),
        (&["-t4s"], 0),
        (&["-t4sj"], 0),
        (&["-t4ai"], INFO | VEGASINFO | CONG),
        (&["-t4am"], SKMEMINFO),
        (&["-t4aimj"], INFO | VEGASINFO | CONG | SKMEMINFO),
        (&["-t4a", "--columns", "local,memory"], SKMEMINFO),
        (
            &["-t4a", "--columns", "local,tcp_info"],
            INFO | VEGASINFO | CONG,
        ),
        (&["-t4a", "--sort", "congestion"], INFO | VEGASINFO | CONG),
    ] {
        let Some(requests) = requests(words) else {
            return;
        };
        assert_eq!(inet(&requests[0]).2, extensions, "{words:?}");
    }
}

/// One walk goes through both tables.
#[test]
fn wait_in_vain_asks_for_no_more_than_it_has_not_seen() {
    /// The states of an `inet_diag_req`, the request for both tables.
    fn asked(message: &[u8]) -> u32 {
        const TCPDIAG_GETSOCK: u16 = 18;
        let kind = u16::from_ne_bytes(message[4..6].try_into().unwrap());
        assert_eq!(kind, TCPDIAG_GETSOCK);
        u32::from_ne_bytes(message[68..72].try_into().unwrap())
    }
    let Some(_namespace) = fresh() else { return };
    let in_states = |states: &[u32]| states.iter().fold(0, |mask, state| mask | 1 << state);
    // CLOSE, LISTEN, and what is only bound.
    let unconnected = in_states(&[7, 10, 13]);
    let connected = in_states(&[1, 2, 3, 4, 5, 6, 8, 9, 11, 12]);
    let all = connected | unconnected;
    for (words, filter, expected) in [
        ("-ta", "sport = 1", vec![all]),
        ("-ta", "port = 1", vec![all]),
        ("-t", "sport = 1", vec![connected, unconnected]),
        ("-ta", "sport = 1 and uid = 7", vec![all, all]),
        ("-t", "sport = 1 and uid = 7", vec![connected, all]),
    ] {
        let Some((run, trace)) = traced("sendto", &[words, "--wait", "0", filter]) else {
            return;
        };
        assert_eq!(run.status, Some(1), "{words} {filter}: {}", run.stderr);
        // Every bit is set where all states are asked for.
        let states: Vec<u32> = sent(&trace)
            .iter()
            .map(|message| asked(message) & all)
            .collect();
        assert_eq!(states, expected, "{words} {filter}: {trace}");
    }
}

/// Both ends of half-closed connections, over both IP versions, are what findings are about.
#[test]
fn findings_about_few_connections_do_not_read_them_again() {
    let Some(_namespace) = fresh() else { return };
    // Half as many would do: some of the last may not be there yet.
    let listener = tcp::listener(V4, 40).unwrap();
    let _pairs: Vec<_> = (0..40)
        .map(|_| {
            let client = tcp::connect(&listener).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            (client, tcp::accept(&listener).unwrap())
        })
        .collect();
    let Some((run, trace)) = traced("sendto", &["-ts"]) else {
        return;
    };
    let run = run.done();
    for state in ["close-wait", "fin-wait-2"] {
        assert!(
            run.text().contains(&format!("state {state} and")),
            "{run:?}"
        );
    }
    let walks = sent(&trace)
        .iter()
        .filter(|message| message[4] == 18)
        .count();
    assert_eq!(walks, 1, "{trace}");
}

#[test]
fn listening_receives_nothing_of_the_connections() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 200).unwrap();
    let _clients: Vec<_> = (0..200).map(|_| tcp::connect(&listener).unwrap()).collect();
    let received = |words: &[&str]| -> Option<u64> {
        let trace = traced_done("recvfrom", words)?;
        let counts = trace.lines().filter_map(|line| line.rsplit_once(" = "));
        Some(
            counts
                .filter_map(|(_, count)| count.parse::<u64>().ok())
                .sum(),
        )
    };
    let (Some(few), Some(many)) = (received(&["-tl"]), received(&["-ta"])) else {
        return;
    };
    assert!(few < 1_000, "{few}");
    // Both ends of each connection, 72 bytes and more.
    assert!(many > 400 * 72, "{many}");
}

#[test]
fn nothing_but_netlink_is_opened_for_numbers() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::established(V4).unwrap();
    for words in [
        &["-an"][..],
        &["-tanj"],
        &["-tane"],
        &["-an", "-A", "all"],
        &["-s"],
        &["-sj", "-A", "all"],
    ] {
        let Some(trace) = traced_done("socket", words) else {
            return;
        };
        let calls = trace.lines().filter(|line| line.contains("socket("));
        let mut others = calls.filter(|line| !line.contains("socket(AF_NETLINK"));
        assert_eq!(others.next(), None, "{words:?}");
    }
}

#[test]
fn no_name_server_is_asked_without_resolve() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::established(V4).unwrap();
    for words in [&["-a"][..], &["-taj"], &["-tae"], &["-a", "-A", "all"]] {
        // The names of users may come from a local service, over a unix socket.
        let Some(trace) = traced_done("socket,connect", words) else {
            return;
        };
        let over_ip = |line: &&str| line.contains("AF_INET");
        assert_eq!(trace.lines().find(over_ip), None, "{words:?}");
    }
}

/// The lines of the trace that tell of a look into the processes.
fn look_into_processes(words: &[&str]) -> Option<Vec<String>> {
    let trace = traced_done("openat,open,getdents64,readlinkat,readlink", words)?;
    let into = |line: &&str| {
        let beyond = line.split("\"/proc/").nth(1).unwrap_or_default();
        let of_one = beyond.starts_with(|c: char| c.is_ascii_digit());
        of_one || line.contains("\"/proc\"") || line.contains("/fd\"")
    };
    Some(trace.lines().filter(into).map(str::to_owned).collect())
}

#[test]
fn no_process_is_looked_into_without_processes() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::established(V4).unwrap();
    for words in [&["-a"][..], &["-taj"], &["-tanei"], &["-a", "-A", "all"]] {
        let Some(found) = look_into_processes(words) else {
            return;
        };
        assert_eq!(found, Vec::<String>::new(), "{words:?}");
    }
}

#[test]
fn processes_are_looked_into_when_a_socket_can_have_some() {
    let Some(_namespace) = fresh() else { return };
    let _held = tcp::states::established(V4).unwrap();
    for words in [&["-tap"][..], &["-ta", "--columns", "local,processes"]] {
        let Some(found) = look_into_processes(words) else {
            return;
        };
        assert!(!found.is_empty(), "{words:?}");
    }
}

#[test]
fn no_process_is_looked_into_when_no_socket_is_listed() {
    let Some(_namespace) = fresh() else { return };
    let Some(found) = look_into_processes(&["-tap"]) else {
        return;
    };
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn proc_source_opens_no_socket() {
    let Some(_namespace) = fresh() else { return };
    let words = [
        "-a",
        "-A",
        "inet,inet6,packet",
        "--source",
        "procfs",
        "not state bound",
    ];
    let Some(trace) = traced_done("socket", &words) else {
        return;
    };
    assert_eq!(trace.lines().find(|line| line.contains("socket(")), None);
}
