//! Sockets of families that few kernels list: what Linux 6.12 said of the scene of `families_in_kernel.sh`.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::net::AddressFamily;
use serde_json::Value;

use crate::recording::{Message, SOCKET, file, messages};
use crate::scene::{V4, mptcp};
use crate::support::{fresh, lsock, skip};

/// `include/uapi/linux/inet_diag.h`
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_LOCALS: u16 = 12;
const INET_DIAG_PEERS: u16 = 13;

const FAMILIES: [&str; 5] = ["sctp", "vsock", "tipc", "xdp", "smc"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/families")
        .join(name)
}

fn replay(family: &str, words: &[&str]) -> String {
    let file = fixture(&format!("{family}.bin"));
    let own = ["-A", family, "--replay", file.to_str().unwrap()];
    let run = lsock([&own[..], words].concat());
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stderr.is_empty(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

fn sockets(family: &str, words: &[&str]) -> Vec<Value> {
    let text = replay(family, &[&["-an", "--format", "ndjson"], words].concat());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn recordings_are_listed_with_all_details() {
    for family in FAMILIES {
        let found = replay(family, &["-aneimo", "--format", "plain"]);
        let golden = fixture(&format!("{family}.txt"));
        if std::env::var_os("LSOCK_BLESS").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap();
        assert_eq!(found, expected, "{family}: LSOCK_BLESS=1 rewrites it");
    }
}

#[test]
fn an_association_is_a_row_beside_its_endpoint() {
    let all = sockets("sctp", &[]);
    let of = |kind: &str| all.iter().filter(|row| row["type"] == kind).count();
    assert_eq!((of("endpoint"), of("association")), (14, 13));
    for association in all.iter().filter(|row| row["type"] == "association") {
        let is_its = |row: &&Value| {
            row["type"] == "endpoint"
                && ["inode", "cookie"]
                    .iter()
                    .all(|key| row[key] == association[key])
        };
        assert_eq!(all.iter().filter(is_its).count(), 1, "{association}");
        assert!(association["peer_addresses"].is_array(), "{association}");
    }
}

#[test]
fn netstat_has_lines_of_sctp_and_of_no_other_new_family() {
    let lines = |words: &[&str]| {
        let text = replay(
            "sctp",
            &[&["-n", "--format", "netstat", "-H"], words].concat(),
        );
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = lines(&["-a", "sport = 7006"]);
    let expected = [
        "sctp                127.0.0.3:7006                                  LISTEN     ",
        "                    127.0.0.4:7006                                             ",
        "sctp       0      0 127.0.0.3:7006          127.0.0.1:36751         ESTABLISHED",
        "                    127.0.0.4                                                  ",
    ];
    assert_eq!(all, expected);
    let of = |words: &[&str]| {
        let lines = lines(words);
        lines
            .iter()
            .filter(|line| line.starts_with("sctp "))
            .count()
    };
    assert_eq!((of(&["-a"]), of(&["-l"]), of(&[])), (17, 4, 13));
    for family in &FAMILIES[1..] {
        let run = lsock(["-A", family, "--format", "netstat"]);
        let message = "sockets, and --format netstat has no line for them\n";
        assert!(
            run.status == Some(2) && run.stderr.ends_with(message),
            "{run:?}"
        );
    }
}

#[test]
fn every_address_of_an_end_is_found() {
    for (filter, count) in [
        ("src 127.0.0.4", 3),
        ("dst 127.0.0.4", 1),
        ("local_addresses = 127.0.0.4", 3),
        ("state cookie-wait", 1),
        ("type = association and state established", 12),
    ] {
        assert_eq!(sockets("sctp", &[filter]).len(), count, "{filter}");
    }
}

#[test]
fn addresses_of_families_are_words_of_filters() {
    for (family, filter, count) in [
        ("vsock", "src vsock:1", 5),
        ("vsock", "dst vsock:1:5001", 2),
        ("vsock", "sport = 5001", 3),
        ("vsock", "shutdown = send", 1),
        ("tipc", "src tipc:0 and state established", 2),
        ("tipc", "published = 1", 3),
        ("tipc", "service_type = 18888", 2),
        ("xdp", "umem_size = 64K", 1),
        ("xdp", "sport = 0", 1),
        ("smc", "mode = 1 and state established", 8),
    ] {
        assert_eq!(sockets(family, &[filter]).len(), count, "{filter}");
    }
}

#[test]
fn reply_of_sctp_that_lacks_addresses_is_missing_and_no_other_socket() {
    let whole = messages(&fs::read(fixture("sctp.bin")).unwrap());
    let cut = |message: &Message, kinds: &[u16]| message.without(72, kinds);
    let has_peers =
        |one: &&Message| one.kind() == SOCKET && cut(one, &[INET_DIAG_PEERS]).0.len() < one.0.len();
    for kinds in [
        &[INET_DIAG_LOCALS][..],
        &[INET_DIAG_PEERS],
        &[INET_DIAG_INFO, INET_DIAG_PEERS],
    ] {
        let associations = whole.iter().filter(has_peers);
        assert_eq!(associations.clone().count(), 13);
        for message in associations {
            let is_it = |one: &Message| std::ptr::eq(one, message);
            let changed = whole.iter().map(|one| {
                if is_it(one) {
                    cut(one, kinds)
                } else {
                    one.clone()
                }
            });
            let file = file(&changed.collect::<Vec<_>>());
            let run = lsock(["-an", "--json", "--replay", file.path().to_str().unwrap()]);
            assert_eq!(run.status, Some(2), "{run:?}");
            let message = "1 malformed reply: inet_diag_msg of SCTP without addresses";
            assert!(run.stderr.contains(message), "{run:?}");
            assert_eq!(run.sockets().len(), 26, "{run:?}");
        }
    }
}

/// In the place of a socket in a state that was not asked for the kernel sends a reply without attributes.
#[test]
fn empty_replies_of_tipc_are_no_sockets() {
    let all = messages(&fs::read(fixture("tipc.bin")).unwrap());
    let first = all.iter().find(|one| one.kind() == SOCKET).unwrap();
    let empty = Message::new(SOCKET, first.sequence(), &[]);
    let list = |messages: &[Message]| {
        let file = file(messages);
        lsock([
            "-A",
            "tipc",
            "-an",
            "--json",
            "--replay",
            file.path().to_str().unwrap(),
        ])
    };
    let with_empty = all.iter().flat_map(|one| {
        let others = (one.kind() == SOCKET).then(|| empty.clone());
        others.into_iter().chain([one.clone()])
    });
    let run = list(&with_empty.collect::<Vec<_>>());
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(run.sockets(), list(&all).sockets());
    assert_eq!(run.sockets().len(), 8, "{run:?}");
    // One that has begun is another matter.
    let part = Message::new(SOCKET, first.sequence(), &first.payload()[..12]);
    let run = list(&[&all[..], &[part]].concat());
    assert_eq!(run.status, Some(2), "{run:?}");
}

/// The kernel counts them without a module: none is a list, and one that nothing lists is a gap, whether named or not.
#[test]
fn xdp_sockets_that_no_module_lists_are_missed() {
    let Some(_namespace) = fresh() else { return };
    let lists = |words: &[&str]| {
        let run = lsock([words, &["--json"]].concat());
        (run.status, run.sockets().len(), run.stderr)
    };
    for words in [
        &["-A", "xdp", "-a"][..],
        &["-A", "all", "-a", "protocol = xdp"],
    ] {
        assert_eq!(lists(words), (Some(0), 0, String::new()), "{words:?}");
    }
    let (family, raw) = (AddressFamily::from_raw(44), rustix::net::SocketType::RAW);
    let Ok(_held) = rustix::net::socket(family, raw, None) else {
        return skip("this kernel has no XDP sockets, or they need more rights");
    };
    for words in [
        &["-A", "xdp", "-a"][..],
        &["-A", "all", "-a", "protocol = xdp"],
    ] {
        let (status, count, stderr) = lists(words);
        let is_gap = stderr.contains("cannot list XDP sockets: xsk_diag is not loaded");
        assert!(
            (status, count) == (Some(0), 1) || status == Some(2) && is_gap,
            "{words:?}: {stderr}"
        );
    }
}

#[test]
fn subflows_stand_below_their_connection() {
    let Some(_namespace) = fresh() else { return };
    let Ok(_held) = mptcp::connection(V4) else {
        return skip("this kernel has no MPTCP");
    };
    let list = |words: &[&str]| {
        let run = lsock([words, &["-n"]].concat());
        assert_eq!(run.status, Some(0), "{run:?}");
        run.text().to_owned()
    };
    for words in [
        &["-Mi"][..],
        &["-Mi", "--sort", "local_port"],
        &["-Mi", "--format", "table"],
        &["-Mai"],
        &["-Mip", "state", "established"],
    ] {
        let text = list(words);
        let mut lines = text.lines().skip(1).filter(|line| !line.contains("LISTEN"));
        for _ in 0..2 {
            let line = lines
                .by_ref()
                .find(|line| line.starts_with("mptcp"))
                .unwrap();
            let ends: Vec<&str> = line.split_whitespace().skip(4).take(2).collect();
            let line = lines.by_ref().find(|line| line.contains("`- ")).unwrap();
            let below = format!("        `- tcp ESTABLISHED {} {} ", ends[0], ends[1]);
            assert!(line.starts_with(&below), "{words:?}: {line} below {ends:?}");
        }
        assert_eq!(text.matches("`- ").count(), 2, "{words:?}: {text}");
    }
    let text = list(&["-MiO"]);
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.contains(" `- tcp ESTABLISHED ")),
        "{text}"
    );
    // They are rows of their own, or nobody asked for details.
    for words in [&["-tMi"][..], &["-Ma"], &["-Mi", "--format", "csv"]] {
        assert_eq!(list(words).matches("`- ").count(), 0, "{words:?}");
    }
}
