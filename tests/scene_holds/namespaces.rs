//! Fresh namespaces.

use crate::scene::expected::inode;
use crate::scene::{Namespace, V4, tcp};
use crate::support::fresh;
use std::fs;

#[test]
fn fresh_namespace_lists_nothing_but_our_own() {
    let Some(_namespace) = fresh() else { return };
    let rows = || {
        fs::read_to_string("/proc/thread-self/net/tcp")
            .unwrap()
            .lines()
            .skip(1)
            .count()
    };
    assert_eq!(rows(), 0);
    let listener = tcp::listener(V4, 1).unwrap();
    assert_eq!(rows(), 1);
    assert!(inode(&listener).unwrap() > 0);
}

#[test]
fn thread_goes_back_when_the_guard_is_dropped() {
    let here = || fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = here();
    let namespace = Namespace::enter();
    assert_eq!(here() != before, namespace.is_fresh());
    drop(namespace);
    assert_eq!(here(), before);
}

#[test]
fn shared_namespace_is_not_changed() {
    let shared = Namespace::Shared {
        why: "for this test".into(),
    };
    let error = shared
        .set_sysctl("ipv4/ping_group_range", "1 0")
        .unwrap_err();
    assert!(error.to_string().contains("for this test"), "{error}");
}
