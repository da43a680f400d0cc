use super::{Datum, Field, Unknown, Value};
use crate::model::{
    Family, ProcessStatus, Protocol, Row, Shutdown, Socket, SocketType, Source, Stage, State,
    Structure, Table, TimerKind,
};

fn every() -> Vec<Field> {
    let parts = Field::VOCABULARY.into_iter().flat_map(Field::parts);
    let whole = Field::VOCABULARY.into_iter().chain(Field::COMBINED);
    whole.chain(parts).collect()
}

#[test]
fn each_name_is_of_one_field() {
    let mut names: Vec<String> = Field::comparable().map(Field::name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for field in Field::VOCABULARY {
        assert_eq!(Field::column(field.own_name(), &[]), Ok(field));
        assert!(field.prefix().is_empty());
    }
    for field in Field::comparable() {
        for alias in field.aliases() {
            let is_taken = Field::comparable().any(|other| other.name() == alias);
            assert!(!is_taken, "{alias}");
        }
    }
}

#[test]
fn the_last_word_of_a_name_is_a_name_or_says_what_to_write() {
    let of = |protocol| Table {
        protocol,
        family: Family::Inet,
    };
    let mut chosen: Vec<Vec<Table>> = Protocol::ALL.map(|one| vec![of(one)]).into();
    chosen.extend([Vec::new(), Protocol::ALL.map(of).into()]);
    for (field, tables) in every()
        .iter()
        .flat_map(|f| chosen.iter().map(move |t| (*f, t)))
    {
        let path = field.path();
        let last = path.rsplit('.').next().unwrap_or(&path);
        match Field::column(last, tables) {
            // An exact name wins.
            Ok(found) => assert!(found.key() == last || found.own_name() == last, "{last}"),
            Err(Unknown::Ambiguous(names)) => {
                for name in names {
                    let found = Field::column(&name, tables).map(Field::path);
                    assert_eq!(found, Ok(name));
                }
            }
            other => unreachable!("{last}: {other:?}"),
        }
        // The word after the last underscore also finds the field, or suggests it.
        let end = field.own_name().rsplit('_').next().unwrap_or_default();
        let said = match Field::compared(end, tables) {
            Ok(_) | Err(Unknown::Ambiguous(_)) => continue,
            Err(unknown) => unknown.reason(end).unwrap_or_default(),
        };
        let is_column = Field::COMBINED.contains(&field) || !field.parts().is_empty();
        assert!(is_column || said.contains(&path), "{end}: {said}");
    }
}

#[test]
fn a_field_holds_words_or_a_number_or_neither() {
    for field in every() {
        assert!(
            field.words().is_empty() || field.unit().is_none(),
            "{field:?}"
        );
    }
}

#[test]
fn words_are_those_of_the_model() {
    assert_eq!(Field::Protocol.words(), Protocol::ALL.map(Protocol::name));
    for family in Protocol::ALL.into_iter().flat_map(Protocol::families) {
        let words = Field::Family.words().iter();
        assert_eq!(words.filter(|word| **word == family.name()).count(), 1);
    }
    let types = [1, 2, 3, 4, 5].map(|code| SocketType::from_code(code).map(SocketType::name));
    let types = types.map(Option::unwrap_or_default);
    let rows = [SocketType::Endpoint, SocketType::Association].map(SocketType::name);
    assert_eq!(Field::Type.words(), [&types[..], &rows].concat());
    let shutdowns = [0, 1, 2, 3].map(|bits| Shutdown::from_bits(bits).name());
    assert_eq!(Field::Shutdown.words(), shutdowns);
    let timers = [
        TimerKind::Retransmit,
        TimerKind::Keepalive,
        TimerKind::TimeWait,
        TimerKind::Probe,
        TimerKind::DelayedAck,
    ];
    assert_eq!(Field::TimerKind.words(), timers.map(TimerKind::name));
    let statuses = [
        ProcessStatus::Found,
        ProcessStatus::Partial,
        ProcessStatus::None,
        ProcessStatus::Unseen,
        ProcessStatus::Unreadable,
    ];
    assert_eq!(
        Field::ProcessStatus.words(),
        statuses.map(ProcessStatus::name)
    );
}

#[test]
fn parts_have_what_their_structure_has() {
    for structure in Field::VOCABULARY {
        for part in structure.parts() {
            assert_eq!(part.cost(), structure.cost(), "{part:?}");
            assert_eq!(part.is_in_events(), structure.is_in_events(), "{part:?}");
            for protocol in Protocol::ALL {
                let family = protocol.families().first().copied();
                let family = family.unwrap_or(Family::Inet);
                let table = Table { protocol, family };
                assert_eq!(
                    part.applies_to(table),
                    structure.applies_to(table),
                    "{part:?} {table}"
                );
            }
        }
    }
}

#[test]
fn a_value_says_why_there_is_none() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.state = State::Established;
    (socket.inode, socket.uid) = (Some(7), Some(0));
    let value = |field: Field, row: &Row<'_>| match field.value(row) {
        Value::Known(_) => "known",
        Value::Absent => "absent",
        Value::Void => "void",
        Value::NotReported => "not reported",
        Value::NotYet => "not yet",
    };
    let bare = Row::bare(&socket);
    let all = Row {
        stage: Stage::Owners,
        ..bare
    };
    for (field, early, late) in [
        (Field::Inode, "known", "known"),
        (Field::Interface, "absent", "absent"),
        (Field::User, "not yet", "absent"),
        (Field::Cgroup, "not reported", "not reported"),
        (Field::Processes, "not yet", "not reported"),
        (Field::LocalPort, "absent", "absent"),
        (Field::Shutdown, "not reported", "not reported"),
        (Field::Mark, "not reported", "not reported"),
        (Field::PeerInode, "absent", "absent"),
    ] {
        assert_eq!(value(field, &bare), early, "{field:?}");
        assert_eq!(value(field, &all), late, "{field:?}");
    }
    let doubted = Row {
        is_owner_in_doubt: true,
        ..all
    };
    assert_eq!(value(Field::Pid, &doubted), "not reported");
    let mut other = Socket {
        source: Source::Procfs,
        ..socket.clone()
    };
    assert_eq!(value(Field::Shutdown, &Row::bare(&other)), "not reported");
    other.send_queue = Some(0);
    assert_eq!(value(Field::SendQueue, &Row::bare(&other)), "known");
    other.send_queue = None;
    other.state = State::Listen;
    assert_eq!(value(Field::SendQueue, &Row::bare(&other)), "not reported");
    other.state = State::TimeWait;
    assert_eq!(value(Field::Shutdown, &Row::bare(&other)), "absent");
}

/// The part of `tcp_info` with this name.
fn tcp_part(name: &str) -> Field {
    let parts = Field::TcpInfo.parts();
    let part = parts.into_iter().find(|part| part.own_name() == name);
    part.unwrap_or(Field::TcpInfo)
}

#[test]
fn no_limit_nothing_measured_and_left_overs_are_void() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    let is_void = |field: Field, socket: &Socket| {
        let value = field.value(&Row::bare(socket));
        assert!(field.get(&Row::bare(socket)).is_none(), "{field:?}");
        matches!(value, Value::Void)
    };
    for (state, voids) in [
        (State::Bound, "recv_queue send_queue"),
        (State::Closed, "recv_queue send_queue"),
        (State::SynSent, "send_queue"),
        (State::Established, ""),
        (State::TimeWait, ""),
    ] {
        socket.state = state;
        let fields = [
            Field::RecvQueue,
            Field::SendQueue,
            Field::PeerPort,
            Field::Congestion,
        ];
        let found = fields.into_iter().filter(|field| is_void(*field, &socket));
        let found: Vec<&str> = found.map(Field::own_name).collect();
        assert_eq!(found.join(" "), voids, "{state}");
    }
    socket.state = State::Established;
    let mut bytes = [0; 280];
    bytes[104..120].fill(0xff);
    bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
    socket.details_mut().set_info(Structure::TcpInfo, &bytes);
    for part in [
        "pacing_rate",
        "max_pacing_rate",
        "delivery_rate",
        "snd_ssthresh",
        "rtt",
        "last_data_recv",
    ] {
        assert!(is_void(tcp_part(part), &socket), "{part}");
    }
    // A listener has no round-trip time; other sockets may have one even if an old kernel did not send it.
    bytes[0] = 10;
    socket.details_mut().set_info(Structure::TcpInfo, &bytes);
    let value = tcp_part("rtt").value(&Row::bare(&socket));
    assert!(matches!(value, Value::Absent));
    socket.details_mut().set_info(Structure::TcpInfo, &[1; 60]);
    let value = tcp_part("rtt").value(&Row::bare(&socket));
    assert!(matches!(value, Value::NotReported));
}

#[test]
fn what_nobody_holds_has_no_user_in_a_recording_too() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    (socket.source, socket.state) = (Source::Replay, State::FinWait1);
    let is_absent = |socket: &Socket| {
        let stage = Stage::Owners;
        let bare = Row::bare(socket);
        matches!(Field::User.value(&Row { stage, ..bare }), Value::Absent)
    };
    assert!(is_absent(&socket));
    (socket.inode, socket.uid) = (Some(7), Some(1000));
    assert!(!is_absent(&socket));
}

#[test]
fn a_part_is_read_from_its_structure() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    for part in every() {
        if matches!(part, Field::MemoryPart(_)) {
            assert!(part.get(&Row::bare(&socket)).is_none());
        }
    }
    socket.details_mut().memory = Some(crate::model::Memory {
        drops: Some(3),
        ..Default::default()
    });
    let drops = Field::Memory.parts().pop();
    let value = drops.and_then(|drops| drops.get(&Row::bare(&socket)));
    assert!(matches!(value, Some(Datum::Number(3))));
}
