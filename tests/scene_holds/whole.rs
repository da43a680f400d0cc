//! Everything at once.

use std::collections::HashSet;

use super::owners::assert_owned;
use super::{proc_agrees, ss_agrees};
use crate::scene::tcp::states;
use crate::scene::{Namespace, Scene, V4, witness};
use crate::support::{stage, until_ok};

#[test]
fn whole_scene_agrees_with_proc() {
    let namespace = Namespace::enter();
    let scene = Scene::everything(&namespace);
    proc_agrees(&scene.expected);
}

#[test]
fn whole_scene_agrees_with_ss() {
    let namespace = Namespace::enter();
    let scene = Scene::everything(&namespace);
    ss_agrees(&scene.expected, "tcp", &["-tanHeO"]);
    ss_agrees(&scene.expected, "udp", &["-uanHeO"]);
}

#[test]
fn whole_scene_is_held_by_its_owners() {
    let namespace = Namespace::enter();
    let scene = Scene::everything(&namespace);
    scene.expected.iter().for_each(assert_owned);
}

#[test]
fn whole_scene_has_every_tcp_state_over_both_families() {
    let namespace = Namespace::enter();
    let scene = Scene::everything(&namespace);
    let tcp = scene
        .expected
        .iter()
        .filter(|expected| expected.protocol == "tcp");
    let found: HashSet<_> = tcp
        .map(|expected| (expected.family, expected.state))
        .collect();
    let states = [
        "BOUND",
        "LISTEN",
        "SYN_SENT",
        "SYN_RCVD",
        "ESTABLISHED",
        "FIN_WAIT_1",
        "FIN_WAIT_2",
        "CLOSE_WAIT",
        "CLOSING",
        "LAST_ACK",
        "TIME_WAIT",
    ];
    for state in states {
        assert!(found.contains(&("inet", state)), "{state}");
        let no_ipv6 = scene
            .skipped
            .iter()
            .any(|reason| reason.starts_with("listen (inet6)"));
        assert!(no_ipv6 || found.contains(&("inet6", state)), "{state}");
    }
}

#[test]
fn whole_scene_is_possible_for_root() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    // What a kernel may be built without.
    let optional = ["udplite", "mptcp", "on_link_local", "packet"];
    let missing = scene
        .skipped
        .iter()
        .filter(|why| !optional.iter().any(|o| why.starts_with(o)));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn two_scenes_can_be_open_at_once() {
    let namespace = Namespace::enter();
    let one = states::listen(V4).unwrap();
    let two = Scene::everything(&namespace);
    proc_agrees(&one.expected);
    proc_agrees(&two.expected);
}

#[test]
fn nothing_but_time_wait_is_left_after_the_scene() {
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    let kinds = ["tcp", "udp", "udplite", "raw", "icmp"];
    let of_each = kinds.map(|kind| scene.expected.iter().find(|e| e.protocol == kind).cloned());
    drop(scene);
    for like in of_each.into_iter().flatten() {
        for family in ["inet", "inet6"] {
            let like = crate::scene::Expected {
                family,
                ..like.clone()
            };
            until_ok("the end of every socket", || {
                let mut left = witness::proc_net(&like).unwrap();
                left.retain(|row| row.state != 6);
                if left.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{left:#?}"))
                }
            });
        }
    }
}
