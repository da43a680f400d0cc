//! Tests of interfaces and cgroups by number and by name.

use super::{cgroup, holds, interface, of, tcp, text};
use crate::filter::Field;
use crate::model::Row;

#[test]
fn interface_is_compared_by_index_where_that_is_known() {
    let mut socket = tcp();
    socket.interface = Some(7);
    let row = Row {
        interface: Some("eth0"),
        ..Row::bare(&socket)
    };
    assert!(holds(&interface(true, "renamed", Some(7)), &row));
    assert!(holds(&interface(false, "eth0", Some(8)), &row));
}

#[test]
fn interface_is_else_compared_by_name_or_digits() {
    let mut socket = tcp();
    socket.interface = Some(7);
    let row = Row {
        interface: Some("eth0"),
        ..Row::bare(&socket)
    };
    for (name, index) in [("eth0", None), ("7", Some(7)), ("if7", Some(7))] {
        assert!(holds(&interface(true, name, index), &row), "{name}");
        assert!(!holds(&interface(false, name, index), &row), "{name}");
    }
    assert!(holds(&interface(false, "eth1", None), &row));
}

#[test]
fn interface_without_a_name_is_called_by_its_index() {
    let mut socket = tcp();
    socket.interface = Some(7);
    assert!(of(&text(Field::Interface, true, "if?"), &socket));
    assert!(of(&text(Field::Interface, true, "7"), &socket));
    assert!(!of(&text(Field::Interface, false, "if?"), &socket));
}

#[test]
fn cgroup_is_compared_by_id_where_that_is_known() {
    let mut socket = tcp();
    socket.cgroup_id = Some(9);
    let row = Row {
        cgroup: Some(b"/a.slice"),
        ..Row::bare(&socket)
    };
    assert!(holds(&cgroup(true, "/other", Some(9)), &row));
    assert!(holds(&cgroup(true, "/a.slice", None), &row));
    assert!(holds(&cgroup(false, "/b.slice", None), &row));
    assert!(!of(&cgroup(false, "/b.slice", None), &socket));
}
