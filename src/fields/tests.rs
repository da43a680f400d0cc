use super::{Datum, Field, Value};
use crate::model::{
    Family, ProcessStatus, Protocol, Row, Shutdown, Socket, SocketType, Source, Stage, State,
    Table, TimerKind,
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
    let types = [1, 2, 3, 5].map(|code| SocketType::from_code(code).map(SocketType::name));
    assert_eq!(Field::Type.words(), types.map(Option::unwrap_or_default));
    let shutdowns = [0, 1, 2, 3].map(|bits| Shutdown::from_bits(bits).name());
    assert_eq!(Field::Shutdown.words(), shutdowns);
    let timers = [
        TimerKind::Retransmit,
        TimerKind::Keepalive,
        TimerKind::TimeWait,
        TimerKind::Probe,
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
