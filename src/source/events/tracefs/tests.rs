#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test stops at the first thing that is not as expected"
)]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::filter::Narrow;
use crate::model::Table;
use crate::skip::skip;
use crate::source::events::Watched;

const FORMAT: &str = "name: inet_sock_set_state
ID: 1234
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;
\tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;
\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;
\tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;
\tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;
\tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;
\tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;
\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;
\tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;

print fmt: \"family=%s\", REC->family
";

const HEADER: &str = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;
";

/// An entry of 72 bytes as the kernel writes it.
fn entry(family: u16, states: [i32; 2], flags: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(1234_u16.to_ne_bytes());
    bytes.extend([flags, 0]);
    bytes.extend(812_i32.to_ne_bytes());
    bytes.extend(0xffff_8880_0000_1000_u64.to_ne_bytes());
    bytes.extend(states.iter().flat_map(|state| state.to_ne_bytes()));
    bytes.extend(
        [4000_u16, 443, family, 6]
            .iter()
            .flat_map(|n| n.to_ne_bytes()),
    );
    bytes.extend([192, 0, 2, 10, 198, 51, 100, 7]);
    let mut v6 = [0; 32];
    (v6[15], v6[31]) = (1, 2);
    bytes.extend(v6);
    bytes
}

/// A page with this time and what stands in it.
fn page(time: u64, data: &[u8]) -> Vec<u8> {
    let mut page = time.to_ne_bytes().to_vec();
    page.extend((data.len() as u64 | 1 << 31).to_ne_bytes());
    page.extend(data);
    page.resize(page.len() + 64, 0);
    page
}

/// The header of an entry.
fn header(kind: u32, delta: u32) -> [u8; 4] {
    if cfg!(target_endian = "little") {
        (kind | delta << 5).to_ne_bytes()
    } else {
        (kind << 27 | delta).to_ne_bytes()
    }
}

fn words(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Time and bytes of each record of a page.
fn read(page: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let layout = PageLayout::parse(HEADER).unwrap();
    layout.each(page, &mut |time, bytes| found.push((time, bytes.to_vec())));
    found
}

#[test]
fn record_is_read_by_the_format() {
    let layout = Layout::parse(FORMAT).unwrap();
    let record = layout.record(77, &entry(2, [7, 2], 0x10)).unwrap();
    let wanted = Record {
        time_ns: 77,
        socket: 0xffff_8880_0000_1000,
        pid: 812,
        context: Context::Interrupt,
        old_state: State::Closed,
        new_state: State::SynSent,
        protocol: Protocol::Tcp,
        family: Family::Inet,
        local: ("192.0.2.10".parse().unwrap(), 4000),
        peer: ("198.51.100.7".parse().unwrap(), 443),
    };
    assert_eq!(record, wanted);
    let record = layout.record(77, &entry(10, [2, 1], 0x01)).unwrap();
    assert_eq!(record.context, Context::Task);
    let ends = [record.local.0, record.peer.0].map(|ip| ip.to_string());
    assert_eq!(ends, ["::1", "::2"]);
}

#[test]
fn fields_that_moved_are_found_and_missing_ones_are_named() {
    let moved = FORMAT.replace("saddr[4];\toffset:32", "saddr[4];\toffset:36");
    let record = Layout::parse(&moved)
        .unwrap()
        .record(0, &entry(2, [7, 2], 0));
    assert_eq!(record.unwrap().local.0.to_string(), "198.51.100.7");
    let renamed = FORMAT.replace("skaddr", "sk");
    assert_eq!(
        Layout::parse(&renamed),
        Err("there is no field skaddr".to_owned())
    );
    assert_eq!(Layout::parse(""), Err("there is no ID".to_owned()));
}

#[test]
fn entries_of_others_and_cut_ones_are_no_records() {
    let layout = Layout::parse(FORMAT).unwrap();
    let whole = entry(2, [7, 2], 0);
    for length in 0..whole.len() {
        // Of IPv4 the addresses of IPv6 are not needed.
        assert_eq!(
            layout.record(0, &whole[..length]).is_some(),
            length >= 40,
            "{length}"
        );
    }
    let mut other = whole.clone();
    other[0] ^= 1;
    assert_eq!(layout.record(0, &other), None);
    assert_eq!(layout.record(0, &entry(1, [7, 2], 0)), None);
}

#[test]
fn every_kind_of_entry_is_passed_with_its_time() {
    let data = words(&[
        &header(1, 5),
        b"once",
        // Discarded: eight bytes that nobody may see.
        &header(29, 1),
        &8_u32.to_ne_bytes(),
        b"gone",
        // Sixteen bits above the twenty-seven.
        &header(30, 2),
        &3_u32.to_ne_bytes(),
        &header(2, 1),
        b"twotwice",
        // Its length stands in the first word, and counts that word.
        &header(0, 1),
        &8_u32.to_ne_bytes(),
        b"long",
        &header(31, 7),
        &9_u32.to_ne_bytes(),
        &header(1, 1),
        b"late",
        &header(29, 0),
        b"what is behind the end",
    ]);
    let extended = 100 + 5 + 1 + 2 + (3 << 27);
    let wanted: [(u64, &[u8]); 4] = [
        (105, b"once"),
        (extended + 1, b"twotwice"),
        (extended + 2, b"long"),
        ((9 << 27) + 7 + 1, b"late"),
    ];
    let wanted: Vec<_> = wanted
        .into_iter()
        .map(|(time, data)| (time, data.to_vec()))
        .collect();
    assert_eq!(read(&page(100, &data)), wanted);
}

#[test]
fn page_that_is_cut_anywhere_is_read_as_far_as_it_goes() {
    let one = words(&[&header(1, 5), b"once"]);
    let whole = page(100, &one.repeat(3));
    for length in 0..whole.len() {
        let found = read(&whole[..length]).len();
        assert_eq!(found, length.saturating_sub(16).min(24) / 8, "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let layout = Layout::parse(FORMAT).unwrap();
        for (time, entry) in read(&bytes) {
            layout.record(time, &entry);
        }
    }
}

#[test]
fn lost_records_are_those_overwritten_and_given_up() {
    let stats = "entries: 5\noverrun: 70\ncommit overrun: 8\nbytes: 212\noldest event ts:  1.2\n\
                 now ts: 3.4\ndropped events: 2\nread events: 1\n";
    assert_eq!(lost_of(stats), 80);
}

fn watched(family: Family, narrow: Narrow) -> Watched {
    let protocol = Protocol::Tcp;
    let table = Table { protocol, family };
    Watched { table, narrow }
}

#[test]
fn kernel_filter_lets_a_port_pass_that_is_not_chosen_yet() {
    let narrow = Narrow {
        local_port: Some(5432),
        peer_port: Some(80),
        ..Narrow::default()
    };
    let text = kernel_filter(&[
        watched(Family::Inet, narrow),
        watched(Family::Inet6, Narrow::default()),
    ]);
    let wanted = "(protocol == 6 && family == 2 && (sport == 5432 || sport == 0) && dport == 80) \
                  || (protocol == 6 && family == 10)";
    assert_eq!(text, wanted);
}

/// A tracer, or nothing with the reason on stderr.
fn tracer(filter: &str, buffers: [usize; 2]) -> Option<Tracer> {
    match Tracer::with_buffers(filter, buffers) {
        Ok(tracer) => Some(tracer),
        Err(Error::File { cause, .. }) if is_denied(&cause) => {
            skip(format_args!("no records: {cause}"));
            None
        }
        Err(error) => panic!("{}", error.chain()),
    }
}

/// Has the machine no tracing, or has this user none?
fn is_denied(cause: &std::io::Error) -> bool {
    let denied = [
        Errno::PERM,
        Errno::ACCESS,
        Errno::NODEV,
        Errno::NOSYS,
        Errno::ROFS,
    ];
    Errno::from_io_error(cause).is_some_and(|errno| denied.contains(&errno))
}

/// Opens and closes so many connections over loopback; gives the listener's port.
fn connections(count: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    for _ in 0..count {
        let client = TcpStream::connect(to).unwrap();
        drop(listener.accept().unwrap());
        drop(client);
    }
    to.port()
}

/// Reads until the listener's end is told.
fn read_until_closed(tracer: &mut Tracer, port: u16) -> Vec<Record> {
    let begun = Instant::now();
    let mut found = Vec::new();
    let is_end =
        |record: &Record| record.old_state == State::Listen && record.new_state == State::Closed;
    while !found
        .iter()
        .any(|record| is_end(record) && record.local.1 == port)
    {
        assert!(begun.elapsed() < Duration::from_secs(20), "{found:?}");
        tracer.read(&mut found).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    found.retain(|record| [record.local.1, record.peer.1].contains(&port));
    found
}

#[test]
fn steps_are_recorded_in_order_with_their_ends() {
    let Some(mut tracer) = tracer("", BUFFER) else {
        return;
    };
    let port = connections(1);
    let found = read_until_closed(&mut tracer, port);
    assert!(found.iter().is_sorted_by_key(|record| record.time_ns));
    let steps: Vec<_> = found.iter().map(|r| (r.old_state, r.new_state)).collect();
    let wanted = [
        (State::Closed, State::Listen),
        (State::Closed, State::SynSent),
    ];
    assert_eq!(steps[..2], wanted);
    let accepted = found
        .iter()
        .find(|record| record.old_state == State::SynRcvd)
        .unwrap();
    let ends = SocketAddr::from(accepted.local);
    assert_eq!(ends, SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(accepted.new_state, State::Established);
    assert!(accepted.time_ns <= now_ns());
}

#[test]
fn kernel_takes_the_filter_and_records_nothing_else() {
    let port = connections(0);
    let narrow = Narrow {
        local_port: Some(port),
        ..Narrow::default()
    };
    let text = kernel_filter(&[watched(Family::Inet, narrow)]);
    let Some(tracer) = tracer(&text, BUFFER) else {
        return;
    };
    let taken = tracer.instance.read(&format!("{EVENT}/filter")).unwrap();
    assert_eq!(taken.trim_end(), text);
}

#[test]
fn what_does_not_fit_is_counted() {
    // As small as the kernel lets it be.
    let Some(mut tracer) = tracer("protocol == 6", [1, 8]) else {
        return;
    };
    assert_eq!(tracer.lost().unwrap(), 0);
    let port = connections(2_000);
    assert!(tracer.lost().unwrap() > 0);
    let told = read_until_closed(&mut tracer, port).len();
    assert!(told < 2_000 * 9, "{told}");
}

#[test]
fn nothing_is_told_twice_or_left_out_between_two_reads() {
    let Some(mut tracer) = tracer("protocol == 6", BUFFER) else {
        return;
    };
    let opening = std::thread::spawn(|| connections(3_000));
    let mut found = Vec::new();
    while !opening.is_finished() {
        tracer.read(&mut found).unwrap();
    }
    let port = opening.join().unwrap();
    tracer.read(&mut found).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    tracer.read(&mut found).unwrap();
    found.retain(|record| [record.local.1, record.peer.1].contains(&port));
    assert!(found.iter().is_sorted_by_key(|record| record.time_ns));
    let accepted = found
        .iter()
        .filter(|record| record.old_state == State::SynRcvd);
    assert_eq!(accepted.count(), 3_000);
    assert_eq!(tracer.lost().unwrap(), 0);
}
