//! A field has one name: in every format, in `--columns`, in `--sort` and in filters.

use super::*;
use crate::fields::{Cost, Field};
use crate::model::{Memory, Structure, Timer, TimerKind};
use crate::render::Format;

fn every() -> impl Iterator<Item = Field> {
    let whole = Field::VOCABULARY.into_iter().chain(Field::COMBINED);
    whole.flat_map(|field| [vec![field], field.parts()].concat())
}

/// What it may be called.
fn names(field: Field) -> Vec<String> {
    let is_free = |name: &String| {
        let mut whole = Field::VOCABULARY.into_iter();
        !whole.any(|other| other != field && other.own_name() == name)
    };
    let told = [
        field.label(),
        field.path(),
        field.title().to_lowercase(),
        field.csv_header(),
    ];
    let aliases = field.aliases().map(str::to_owned);
    told.into_iter().chain(aliases).filter(is_free).collect()
}

/// A socket of each protocol that has a structure of its own, with every number this one.
fn sockets(number: u8) -> Vec<Socket> {
    let mut tcp = tcp(State::Established, "10.0.0.1:22", "10.0.0.2:40000");
    tcp.cookie = Some(number.into());
    tcp.timer = Some(Timer {
        kind: TimerKind::Keepalive,
        expires_ms: number.into(),
        retransmits: number,
    });
    let value = Some(u32::from(number));
    tcp.details_mut().memory = Some(Memory {
        rmem_alloc: value,
        rcvbuf: value,
        wmem_alloc: value,
        sndbuf: value,
        fwd_alloc: value,
        wmem_queued: value,
        optmem: value,
        backlog: value,
        drops: value,
    });
    let mut mptcp = Socket {
        protocol: Protocol::Mptcp,
        ..tcp.clone()
    };
    let mut bytes = [number; 280];
    bytes[0] = 1;
    tcp.details_mut().set_info(Structure::TcpInfo, &bytes);
    for structure in [
        Structure::SocketOptions,
        Structure::CongestionInfo,
        Structure::UlpInfo,
    ] {
        tcp.details_mut().set_info(structure, &bytes);
    }
    mptcp
        .details_mut()
        .set_info(Structure::MptcpInfo, &[number; 96]);
    let others = Protocol::ALL.into_iter().filter(|one| one.is_module());
    let others = others.filter_map(|protocol| {
        let mut socket = Socket::new(protocol, protocol.families()[0]);
        let structure = Structure::of(protocol)?;
        socket.details_mut().set_info(structure, &[number; 400]);
        Some(socket)
    });
    [tcp, mptcp].into_iter().chain(others).collect()
}

fn two() -> Look {
    look([sockets(1), sockets(2)].concat())
}

/// Whose network namespace is known.
const BOTH: [&str; 4] = ["-A", "tcp,mptcp,sctp,xdp,tipc,smc", "-N", "all"];

#[test]
fn every_name_is_a_column_a_sort_key_and_a_word_of_filters() {
    for field in every() {
        for name in names(field) {
            let columns = query(&[&BOTH[..], &["--columns", &name]].concat());
            assert_eq!(columns.layout.columns, [field], "{name}");
            if field.is_sortable() {
                let sorted = query(&[&BOTH[..], &["--sort", &format!("-{name}")]].concat());
                assert_eq!(sorted.order.keys()[0].column, field, "{name}");
                assert!(sorted.order.keys()[0].descending);
                assert_eq!(has_what_it_needs(&sorted, field), (true, true), "{name}");
            }
            let is_compared = Field::comparable().any(|other| other == field);
            if is_compared && field != Field::ProcessStatus {
                let filtered = query(&[&BOTH[..], &[&format!("{name} != null")]].concat());
                let asked = filtered.filter.needs();
                if field.is_of_owners() || field == Field::AtPath {
                    assert!(asked.contains(&Cost::Owners), "{name}");
                } else {
                    let text = filtered.filter.to_string();
                    assert_eq!(asked, field.needs().into_iter().collect(), "{name}");
                    assert_eq!(text, format!("{} != unknown", field.name()));
                }
            }
            assert_eq!(has_what_it_needs(&columns, field), (true, true), "{name}");
        }
    }
}

/// Is it asked for, and nothing that costs as much beside it?
fn has_what_it_needs(query: &Query, field: Field) -> (bool, bool) {
    let (extensions, lookups) = (query.extensions, &query.lookups);
    let cost = field.cost();
    let asked = match cost {
        Cost::Free | Cost::Interface | Cost::Netns => true,
        Cost::Info => extensions.info,
        Cost::Options => extensions.options,
        Cost::Memory => extensions.memory,
        Cost::Storage => extensions.storage,
        Cost::File => extensions.files,
        Cost::Path => extensions.files && lookups.paths,
        Cost::UnixPeers => extensions.unix_peers,
        Cost::User => lookups.users,
        Cost::Cgroup => lookups.cgroups,
        Cost::Owners => {
            let needs = field.needs();
            lookups.owners.is_some()
                && lookups.tasks.threads == needs.contains(&Cost::Threads)
                && lookups.tasks.contexts == needs.contains(&Cost::Contexts)
        }
        Cost::Peers => lookups.peers && (field != Field::PeerContainer || lookups.places.is_some()),
        Cost::Maker => lookups.cgroups && lookups.places.is_some(),
        Cost::Containers => lookups.owners.is_some() && lookups.places.is_some(),
        Cost::Rates => extensions.info && query.has_rates(),
        // No field costs these alone.
        Cost::Threads | Cost::Contexts | Cost::Shown => false,
    };
    let is_sorted = !query.order.keys().is_empty();
    let alone = is_sorted
        || extensions.info == (cost == Cost::Info)
            && extensions.options == (cost == Cost::Options)
            && extensions.storage == (cost == Cost::Storage)
            && extensions.memory == (cost == Cost::Memory)
            && lookups.owners.is_some() == field.is_of_owners();
    (asked, alone)
}

#[test]
fn every_field_is_shown_under_its_name_in_every_format() {
    for field in every() {
        let label = field.label();
        // The others are of counts.
        let of_counts =
            |format: &Format| matches!(format, Format::Metrics(_) | Format::Svg | Format::Html);
        for format in Format::ALL.into_iter().filter(|one| !of_counts(one)) {
            let words = ["-an", "--columns", &label, "--format", format.name()];
            let run = list(&[&BOTH[..], &words].concat(), two());
            assert_eq!(run.told(), (0, ""), "{label}");
            let first = run.out.lines().next().unwrap().trim();
            match format {
                Format::Table | Format::Plain => assert_eq!(first, field.title()),
                Format::Json | Format::Ndjson => {
                    assert!(has_key(&run.out, field), "{label}: {}", run.out);
                }
                _ if field.parts().is_empty() => assert_eq!(first, field.csv_header()),
                _ => {
                    let parts: Vec<_> =
                        field.parts().iter().map(|part| part.csv_header()).collect();
                    assert_eq!(first, parts.join(","));
                }
            }
            let rows = 2 * sockets(1).len() + if format == Format::Json { 2 } else { 1 };
            let rows = rows - usize::from(format == Format::Ndjson);
            assert_eq!(run.lines(), rows, "{label} {format:?}: {}", run.out);
        }
    }
}

/// Is every socket an object with nothing but this field, where all rows have it?
fn has_key(out: &str, field: Field) -> bool {
    let whole = field.structure().unwrap_or(field);
    let lines = out
        .lines()
        .filter(|line| line.starts_with(&format!("{{\"{}\":", whole.key())));
    let lines: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line.trim_end_matches(',')).unwrap())
        .collect();
    let is_part = |value: &serde_json::Value| match &value[whole.key()] {
        serde_json::Value::Object(object) if field != whole => object.keys().eq([field.key()]),
        _ => true,
    };
    lines.len() == 2 * sockets(1).len()
        && lines
            .iter()
            .all(|line| line.as_object().unwrap().len() == 1)
        && lines.iter().all(is_part)
}

#[test]
fn a_part_is_sorted_by_its_number() {
    let parts =
        every().filter(|field| field.has_unit_in_text() || field.structure() == Some(Field::Timer));
    for field in parts.filter(|field| field.unit().is_some()) {
        let label = field.label();
        let column = |sort: &str| {
            let words = [
                "-anH",
                "--columns",
                &label,
                "--sort",
                sort,
                "--format",
                "csv",
            ];
            list(&[&BOTH[..], &words].concat(), two()).out
        };
        let numbers =
            |out: &str| -> Vec<u64> { out.lines().filter_map(|line| line.parse().ok()).collect() };
        let up = numbers(&column(&label));
        let mut down = numbers(&column(&format!("-{label}")));
        assert!(up.is_sorted() && up.len() >= 2, "{label}: {up:?}");
        down.reverse();
        assert_eq!(up, down, "{label}");
    }
}

#[test]
fn parts_of_one_structure_are_one_object() {
    let columns = "tcp_info.rtt,local,memory.drops,retrans,timer.retransmits,timer.kind,pid";
    let words = ["-tanj", "--columns", columns];
    let run = list(&words, look(vec![sockets(1).remove(0)]));
    let row = r#"{"tcp_info":{"rtt":16843009,"retrans":16843009},"local":"10.0.0.1:22","memory":{"drops":1},"timer":{"retransmits":1,"kind":"keepalive"},"processes":[]}"#;
    assert_eq!(run.out.lines().nth(1), Some(row), "{}", run.out);
    let words = ["-tan", "--columns", "timer.kind,timer", "--format", "csv"];
    let run = list(&words, look(vec![sockets(1).remove(0)]));
    assert_eq!(
        run.out,
        "timer_kind,timer_expires_ms,timer_retransmits\r\nkeepalive,1,1\r\n"
    );
}

/// What is said of a command line that is not understood.
fn refused(words: &[&str]) -> String {
    parsed(words).unwrap_err().to_string()
}

#[test]
fn a_short_name_does_where_the_protocols_leave_one_meaning() {
    let tcp = Field::compared("tcp_info.bytes_acked", &[]).unwrap();
    let mptcp = Field::compared("mptcp_info.bytes_acked", &[]).unwrap();
    for (words, field) in [
        (&["-t"][..], tcp),
        (&["-M"], mptcp),
        (&[], tcp),
        (&["-A", "tcp,udp"], tcp),
    ] {
        let columns = query(&[words, &["--columns", "bytes_acked"]].concat());
        assert_eq!(columns.layout.columns, [field]);
        let sorted = query(&[words, &["--sort", "-bytes_acked"]].concat());
        assert_eq!(sorted.order.keys()[0].column, field);
        let filtered = query(&[words, &["bytes_acked > 0"]].concat());
        assert_eq!(filtered.filter.to_string(), format!("{} > 0", field.name()));
    }
    let either = r#""bytes_acked" has more than one meaning: write tcp_info.bytes_acked or mptcp_info.bytes_acked"#;
    for words in [
        &["-A", "tcp,mptcp", "--columns", "bytes_acked"][..],
        &["-A", "tcp,mptcp", "--sort", "bytes_acked"],
        &["-A", "tcp,mptcp", "bytes_acked > 0"],
        &["protocol = mptcp and bytes_acked > 0"],
        &["-u", "--sort", "bytes_acked"],
    ] {
        assert!(
            refused(words).contains(either),
            "{words:?}: {}",
            refused(words)
        );
    }
    let own = "write timer.retransmits or tcp_info.retransmits";
    for words in [
        &["-t", "--sort", "retransmits"][..],
        &["-t", "retransmits > 1"],
    ] {
        assert!(refused(words).contains(own), "{}", refused(words));
    }
    let part = refused(&["-t", "--sort", "tcp_info"]);
    assert!(
        part.contains("sort by one of them, like tcp_info."),
        "{part}"
    );
    let slip = refused(&["-t", "--columns", "local,rtts"]);
    assert!(slip.contains("did you mean rtt?"), "{slip}");
}
