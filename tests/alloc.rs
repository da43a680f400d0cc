//! The number of allocations does not grow with the number of sockets, nor does the memory in use.
//!
//! Everything runs in this process and thread, where `allocation-counter` counts. What must hold
//! rows is left out: `--sort`, `table`, `-r`. So are tables in which something is remembered of each
//! socket: netlink (the kernel lists some twice) and ping sockets (it lists some in both files).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first thing that is not as expected"
)]

mod recording;
#[path = "support/skip.rs"]
mod skip;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use allocation_counter::AllocationInfo;
use lsock::cli::Terminal;
use lsock::filter::{Case, Decision, Expr, Field, Op, Operand, Pattern, PortItem, Side, Test};
use lsock::model::{Family, Protocol, Row, Socket, Stage, State, StateSet, Table};
use lsock::{Completeness, Sockets};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::{NamedTempFile, TempDir};

const FEW: u32 = 10_000;
const MANY: u32 = 200_000;
/// What it takes beside TCP, which is the same code but for the decoder.
const LESS: u32 = 20;
/// What the longer listing may have in use beyond the shorter one.
const SLACK: u64 = 2 * 1024 * 1024;
/// The formats that hold no rows.
const STREAMS: [&str; 4] = ["plain", "json", "ndjson", "csv"];

/// What a listing allocates whose data nobody keeps.
fn allocated(words: &[&str]) -> AllocationInfo {
    allocation_counter::measure(|| {
        let words = std::iter::once(&"lsock").chain(words);
        let mut messages = Vec::new();
        let out = Box::new(io::sink());
        let status = lsock::run(
            words.map(Into::into),
            Terminal::default(),
            out,
            &mut messages,
        );
        assert_eq!((status, messages.as_slice()), (0, &[][..]));
    })
}

fn replayed(recording: &NamedTempFile, words: &[&str]) -> AllocationInfo {
    let path = recording.path().to_str().unwrap();
    allocated(&[&["-a", "--replay", path], words].concat())
}

/// As many allocations for many sockets as for few, and no more memory in use.
fn assert_constant(few: &AllocationInfo, many: &AllocationInfo, what: &str) {
    assert_eq!(
        few.count_total, many.count_total,
        "{what}: {few:?} {many:?}"
    );
    assert!(
        many.bytes_max <= few.bytes_max + SLACK,
        "{what}: {few:?} {many:?}"
    );
}

/// Names and numbers, `-n`, may cost differently.
fn assert_replays_alike(few: &NamedTempFile, many: &NamedTempFile, words: &[&str]) {
    for numeric in [&[][..], &["-n"]] {
        let words = [words, numeric].concat();
        // Whatever is made once in a process is made by the first run.
        replayed(few, &words);
        let what = words.join(" ");
        assert_constant(&replayed(few, &words), &replayed(many, &words), &what);
    }
}

fn assert_streams_alike(few: &NamedTempFile, many: &NamedTempFile, more: &[&str]) {
    for format in STREAMS {
        assert_replays_alike(few, many, &[&["--format", format], more].concat());
    }
}

/// 10,000 and 200,000 TCP sockets.
fn assert_tcp_alike(format: &str) {
    let (few, many) = (recording::of_tcp(FEW), recording::of_tcp(MANY));
    assert_replays_alike(&few, &many, &["--format", format, "-e", "-o"]);
}

#[test]
fn tcp_sockets_cost_plain_no_allocation() {
    assert_tcp_alike("plain");
}

#[test]
fn library_lends_tcp_sockets_without_an_allocation() {
    let visited = |recording: &NamedTempFile| {
        allocation_counter::measure(|| {
            let mut queued = 0;
            let sockets = Sockets::new().filter("local_port > 0").unwrap();
            let completeness = sockets.replay(recording.path()).visit(|row| {
                let ends = [row.local(), row.peer()];
                queued += row.recv_queue().unwrap_or(0) + u32::from(ends[0].is_none());
                ControlFlow::Continue(())
            });
            assert_eq!(completeness.unwrap(), Completeness::Complete);
        })
    };
    let (few, many) = (recording::of_tcp(FEW), recording::of_tcp(MANY));
    visited(&few);
    assert_constant(&visited(&few), &visited(&many), "visit");
}

#[test]
fn tcp_sockets_cost_json_no_allocation() {
    assert_tcp_alike("json");
}

#[test]
fn tcp_sockets_cost_ndjson_no_allocation() {
    assert_tcp_alike("ndjson");
}

#[test]
fn tcp_sockets_cost_csv_no_allocation() {
    assert_tcp_alike("csv");
}

#[test]
fn tcp_sockets_cost_netstat_no_allocation() {
    assert_tcp_alike("netstat");
}

#[test]
fn counting_costs_no_allocation() {
    let (few, many) = (recording::of_tcp(FEW), recording::of_tcp(MANY));
    for format in ["table", "plain", "json", "ndjson", "csv"] {
        assert_replays_alike(&few, &many, &["-s", "--format", format]);
    }
}

/// Sockets of this kernel, for a recording has no findings. The index of descriptors, which tells who
/// does not close, grows with them: in steps.
#[test]
fn findings_cost_less_than_one_allocation_for_a_hundred_sockets() {
    if let Err(why) = enter_namespace() {
        skip::skip(format_args!("no namespace of our own: {why}"));
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(16_000), hard).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    };
    // Closed by the peers, and not by us.
    let _leaked: Vec<_> = (0..100).map(|_| connect().1).collect();
    // The list is long already: a second thread receives it.
    let _healthy: Vec<_> = (0..1_000).map(|_| connect()).collect();
    for format in ["table", "json"] {
        let count = || {
            let out = NamedTempFile::new().unwrap();
            let data = Box::new(out.reopen().unwrap());
            let words = ["lsock", "-ts", "--owners", "proc", "--format", format];
            let taken = allocation_counter::measure(|| {
                lsock::run(
                    words.map(Into::into),
                    Terminal::default(),
                    data,
                    &mut io::sink(),
                );
            });
            let text = std::fs::read_to_string(out.path()).unwrap();
            assert!(text.contains("state close-wait"), "{text}");
            taken
        };
        count();
        let few = count();
        let more_healthy: Vec<_> = (0..4_000).map(|_| connect()).collect();
        count();
        let many = count();
        let more = many.count_total.saturating_sub(few.count_total);
        let sockets = 2 * u64::try_from(more_healthy.len()).unwrap();
        assert!(more < sockets / 100, "{format}: {few:?} {many:?}");
        assert!(many.bytes_max <= few.bytes_max + SLACK, "{few:?} {many:?}");
    }
}

/// Moves this thread into a network namespace whose loopback interface is up.
fn enter_namespace() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
    let mut up = Command::new("ip");
    up.args(["link", "set", "lo", "up"]);
    match up.status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn checking_costs_no_allocation() {
    let (few, many) = (recording::of_tcp(FEW), recording::of_tcp(MANY));
    let count = format!("{FEW}..{MANY}");
    // What is BOUND, such a recording does not say.
    let checked = ["--expect", &count, "not state bound"];
    for more in [&["--format", "plain"][..], &["-q"]] {
        assert_replays_alike(&few, &many, &[&checked, more].concat());
    }
}

#[test]
fn tcp_info_and_memory_cost_no_allocation() {
    let few = recording::of_tcp_with_details(FEW / LESS);
    let many = recording::of_tcp_with_details(MANY / LESS);
    assert_streams_alike(&few, &many, &["-i", "-m"]);
}

/// Without the names of their peers: those of all sockets are held, sorted by inode, since the one
/// that a socket asks for may come before or after it.
#[test]
fn unix_names_cost_no_allocation() {
    let columns = "protocol,type,state,recv_queue,local_address,inode,uid";
    let (few, many) = (
        recording::of_unix(FEW / LESS),
        recording::of_unix(MANY / LESS),
    );
    assert_streams_alike(&few, &many, &["-x", "--columns", columns]);
}

#[test]
fn names_of_unix_peers_cost_less_than_one_allocation_for_a_hundred_sockets() {
    let (few, many) = (
        recording::of_unix(FEW / LESS),
        recording::of_unix(MANY / LESS),
    );
    let words = ["-xn", "--format", "ndjson"];
    let more = replayed(&many, &words).count_total - replayed(&few, &words).count_total;
    assert!(more < u64::from((MANY - FEW) / LESS) / 100, "{more}");
}

#[test]
fn recorded_proc_lines_cost_no_allocation() {
    let (few, many) = (
        recording::of_proc_lines(FEW / LESS),
        recording::of_proc_lines(MANY / LESS),
    );
    assert_streams_alike(&few, &many, &[]);
}

#[test]
fn proc_lines_cost_no_allocation() {
    let (few, many) = (proc_root(FEW / LESS), proc_root(MANY / LESS));
    let list = |root: &TempDir, format: &str| {
        let root = root.path().to_str().unwrap();
        let words = ["-t4an", "--format", format, "--proc-root", root];
        allocated(&[&words[..], &["not state bound"]].concat())
    };
    for format in STREAMS {
        list(&few, format);
        assert_constant(&list(&few, format), &list(&many, format), format);
    }
}

/// A root whose `net/tcp` has so many lines.
fn proc_root(count: u32) -> TempDir {
    let root = TempDir::new().unwrap();
    std::fs::create_dir(root.path().join("net")).unwrap();
    let lines = (0..count).map(|number| recording::proc_line(number) + "\n");
    let text: String = std::iter::once("  sl  local_address\n".to_owned())
        .chain(lines)
        .collect();
    std::fs::write(root.path().join("net/tcp"), text).unwrap();
    root
}

#[test]
fn sockets_that_are_not_shown_cost_no_allocation() {
    let (few, many) = (recording::of_tcp(FEW), recording::of_tcp(MANY));
    let list = |recording: &Path| {
        let path = recording.to_str().unwrap();
        allocated(&["-t4ln", "--replay", path])
    };
    list(few.path());
    assert_constant(&list(few.path()), &list(many.path()), "-l");
}

#[test]
fn limited_sort_holds_as_many_rows_as_it_shows() {
    let (few, many) = (recording::of_tcp(FEW), recording::of_tcp(MANY));
    let words = ["-n", "--sort", "-inode", "--limit", "10"];
    let (few, many) = (replayed(&few, &words), replayed(&many, &words));
    assert!(many.bytes_max <= few.bytes_max + SLACK, "{few:?} {many:?}");
}

#[test]
fn filtering_a_socket_costs_no_allocation() {
    let (protocol, family) = (Protocol::Tcp, Family::Inet6);
    let mut socket = Socket::new(protocol, family);
    socket.local.ip = Some("fe80::1".parse().unwrap());
    socket.local.port = Some(443);
    (socket.uid, socket.inode, socket.interface) = (Some(0), Some(1), Some(2));
    let side = Side::Local;
    let glob = |field, text: &str| {
        Test::Field(
            field,
            Op::Equal,
            Operand::Text(Pattern::Glob(text.into(), Case::Insensitive)),
        )
    };
    let ports = (1..1_000)
        .step_by(2)
        .map(|port| PortItem::Range(port, port));
    let tests = [
        Test::State(StateSet::EMPTY.with(State::Unconn)),
        glob(Field::LocalAddress, "fe80*1"),
        glob(Field::Interface, "?f2"),
        glob(Field::User, "r*t"),
        Test::Field(side.port(), Op::Equal, Operand::Ports(ports.collect())),
        Test::Field(Field::Pid, Op::Equal, Operand::Missing { told: false }),
    ];
    let rule = Expr::all(tests.map(Expr::Test)).for_table(Table { protocol, family });
    let row = Row {
        stage: Stage::Owners,
        user: Some("root"),
        ..Row::bare(&socket)
    };
    let taken = allocation_counter::measure(|| {
        assert_eq!(rule.decide(&row, &mut |_| false), Decision::Yes);
    });
    assert_eq!(taken.count_total, 0);
}
