//! Children that hold sockets.

use std::fs;
use std::path::PathBuf;

use crate::scene::holder::{self, HOSTILE_NAME, Holder};
use crate::scene::tcp::{self, listeners, options};
use crate::scene::{Expected, Namespace, V4};
use crate::support::{run, skip};

/// Every owner has the socket under exactly the expected descriptors.
pub(super) fn assert_owned(expected: &Expected) {
    let link = PathBuf::from(format!("socket:[{}]", expected.inode.unwrap()));
    for (pid, descriptors) in &expected.owners {
        let open = holder::descriptors_of(*pid).unwrap();
        let found: Vec<i32> = open
            .iter()
            .filter(|(_, to)| *to == link)
            .map(|(fd, _)| *fd)
            .collect();
        assert_eq!(found, *descriptors, "process {pid}: {expected:#?}");
    }
}

#[test]
fn listener_is_held_by_three_processes() {
    let _namespace = Namespace::enter();
    let held = listeners::shared(V4).unwrap();
    let expected = held.the("listener of three processes");
    assert_eq!(expected.owners.len(), 3);
    assert_owned(expected);
}

#[test]
fn child_has_only_the_descriptors_it_was_given() {
    let listener = tcp::listener(V4, 1).unwrap();
    let (child, (pid, descriptors)) = holder::owner(&listener, &[4, 7]).unwrap();
    let open = holder::descriptors_of(pid).unwrap();
    let sockets = open
        .iter()
        .filter(|(_, link)| link.to_string_lossy().starts_with("socket:"));
    assert_eq!(sockets.map(|(fd, _)| *fd).collect::<Vec<_>>(), descriptors);
    drop(child);
}

#[test]
fn handed_over_listener_is_not_held_by_this_process() {
    let _namespace = Namespace::enter();
    let held = listeners::handed_over(V4).unwrap();
    let expected = held.the("listener of a child");
    assert_owned(expected);
    assert!(
        expected
            .owners
            .iter()
            .all(|(pid, _)| *pid != std::process::id())
    );
    assert_owned(&Expected {
        owners: vec![(std::process::id(), vec![])],
        ..expected.clone()
    });
}

#[test]
fn every_copy_of_a_descriptor_is_an_owner_entry() {
    let _namespace = Namespace::enter();
    assert_owned(
        options::held_many_times(V4, 300)
            .unwrap()
            .the("held many times"),
    );
}

#[test]
fn child_can_have_a_hostile_name() {
    let listener = tcp::listener(V4, 1).unwrap();
    let child = Holder::named(HOSTILE_NAME, &[std::os::fd::AsFd::as_fd(&listener)]).unwrap();
    let name = fs::read(format!("/proc/{}/comm", child.pid())).unwrap();
    assert_eq!(name, b"a) (b\n\x1b[31m\"xy\xc3\n");
}

#[test]
fn child_is_gone_when_its_guard_is_dropped() {
    let child = Holder::sleeping(&[]).unwrap();
    let folder = PathBuf::from(format!("/proc/{}", child.pid()));
    assert!(folder.exists());
    drop(child);
    assert!(!folder.exists());
}

#[test]
fn command_runs_as_nobody() {
    if let Some(why) = holder::no_nobody() {
        return skip(why);
    }
    let id = holder::find_program("id").unwrap();
    let run = run(holder::as_nobody(&id).arg("-u"));
    assert_eq!(run.text(), "65534\n", "{run:?}");
}
