//! Tests about the processes of a socket.

use super::{answer, held, holds, missing, number, process, tcp, text, word};
use crate::filter::{Field, Op};
use crate::model::{Fact, Place, ProcessStatus, Row, Stage};

#[test]
fn one_process_of_several_has_to_match() {
    let socket = tcp();
    let processes = [process(1, "nginx", Some("root")), process(9, "sshd", None)];
    let row = held(&socket, &processes);
    for test in [
        number(Field::Pid, Op::Equal, 9),
        number(Field::Pid, Op::Less, 2),
        number(Field::Fd, Op::Equal, 13),
        text(Field::Process, true, "sshd"),
        text(Field::Command, true, "*/nginx -D"),
        text(Field::ProcessUser, true, "root"),
    ] {
        assert!(holds(&test, &row), "{test:?}");
    }
}

#[test]
fn no_process_may_match_what_is_unequal() {
    let socket = tcp();
    let processes = [process(1, "nginx", Some("root")), process(9, "sshd", None)];
    let row = held(&socket, &processes);
    for (test, expected) in [
        (number(Field::Pid, Op::Unequal, 9), false),
        (number(Field::Pid, Op::Unequal, 2), true),
        (number(Field::Fd, Op::Unequal, 4), false),
        (text(Field::Process, false, "sshd"), false),
        (text(Field::Process, false, "bash"), true),
        (text(Field::ProcessUser, false, "root"), false),
    ] {
        assert_eq!(holds(&test, &row), expected, "{test:?}");
    }
}

#[test]
fn owners_of_a_socket_nobody_holds_are_missing() {
    let socket = tcp();
    for row in [held(&socket, &[]), Row::bare(&socket)] {
        for field in [Field::Pid, Field::Process, Field::Fd, Field::ProcessUser] {
            assert!(holds(&missing(field), &row), "{field:?}");
        }
    }
    let unequal = text(Field::Process, false, "x");
    assert!(holds(&unequal, &held(&socket, &[])));
    assert!(
        !holds(&unequal, &Row::bare(&socket)),
        "who holds it is unknown"
    );
}

#[test]
fn socket_without_an_inode_has_no_owner_for_certain() {
    let mut socket = tcp();
    socket.inode = None;
    let row = Row::bare(&socket);
    for (test, expected) in [
        (number(Field::Pid, Op::Unequal, 1), true),
        (number(Field::Pid, Op::Less, 9), false),
        (text(Field::Process, true, "*"), false),
        (text(Field::Process, false, "*"), true),
        (missing(Field::Pid), true),
        (word(Field::ProcessStatus, "none"), true),
        (word(Field::ProcessStatus, "unreadable"), false),
    ] {
        assert_eq!(answer(&test, &row, Stage::Socket), Some(expected));
    }
}

#[test]
fn process_status_is_what_the_search_came_to() {
    let socket = tcp();
    let row = Row {
        process_status: Some(ProcessStatus::Unreadable),
        ..Row::bare(&socket)
    };
    assert!(holds(&word(Field::ProcessStatus, "unreadable"), &row));
    assert!(!holds(&word(Field::ProcessStatus, "none"), &row));
}

#[test]
fn one_place_of_several_has_to_match() {
    let socket = tcp();
    let processes = [process(1, "a", None), process(9, "b", None)];
    let mut place = Place::default();
    place.add(Fact::Container, Some("web"));
    let mut other = Place::default();
    other.add(Fact::Container, Some("db"));
    let place = place.with(&other);
    let row = Row {
        place: Some(&place),
        ..held(&socket, &processes)
    };
    for (name, holds_of_it) in [("web", true), ("db", true), ("d*", true), ("web,db", false)] {
        for equal in [true, false] {
            let test = text(Field::Container, equal, name);
            assert_eq!(holds(&test, &row), holds_of_it == equal, "{test:?}");
        }
    }
    assert!(holds(&missing(Field::Pod), &row) && !holds(&missing(Field::Container), &row));
    let doubted = Row {
        is_owner_in_doubt: true,
        ..row
    };
    assert!(holds(&text(Field::Container, true, "db"), &doubted));
    for equal in [true, false] {
        let test = text(Field::Container, equal, "api");
        assert!(!holds(&test, &doubted), "another may hold it: {test:?}");
    }
}
