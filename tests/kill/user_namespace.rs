//! Root of a user namespace: what is his, and what is not.

use std::fs::{File, read_link};
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::{Connection, only, results};
use crate::support::{Child, LSOCK, command, fresh, has, run, skip, until};

/// A process in a user namespace and a network namespace that belongs to it.
fn nested() -> Child {
    let script = "ip link set lo up && exec sleep 1000";
    let words = ["--user", "--map-root-user", "--net", "sh", "-c", script];
    let child = Child::start(command("unshare").args(words));
    until("its namespaces", || {
        let program = read_link(format!("/proc/{}/exe", child.pid())).ok()?;
        program.ends_with("sleep").then_some(())
    });
    child
}

#[test]
fn root_of_a_user_namespace_ends_what_is_in_his_own_network_namespace_alone() {
    let Some(_namespace) = fresh() else { return };
    if !has("unshare") || !has("nsenter") {
        return skip("unshare or nsenter is missing");
    }
    let child = nested();
    let net = format!("/proc/{}/ns/net", child.pid());
    let place = File::open(&net).unwrap();
    let mut inside = thread::scope(|scope| {
        let opened = scope.spawn(|| {
            setns(&place, CloneFlags::CLONE_NEWNET).unwrap();
            Connection::open()
        });
        opened.join().unwrap()
    });
    let mut outside = Connection::open();
    // In its user namespace, and in that network namespace or in ours.
    let end = |entered: &[&str], connection: &Connection| {
        let mut nsenter = command("nsenter");
        let target = child.pid().to_string();
        nsenter.args(["--target", &target, "--user", "--preserve-credentials"]);
        nsenter
            .args(entered)
            .args([LSOCK, "-Kt", "--yes", "--format", "ndjson"]);
        run(nsenter.arg(format!("dport = {}", connection.port())))
    };
    let refused = end(&[], &outside);
    assert_eq!(
        (results(&refused), refused.status),
        (only("not_permitted", 1), Some(2)),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("CAP_NET_ADMIN"), "{refused:?}");
    assert!(outside.lives());
    let ended = end(&["--net"], &inside);
    assert_eq!(
        (results(&ended), ended.status),
        (only("destroyed", 1), Some(0)),
        "{ended:?}"
    );
    assert!(!inside.lives());
    assert!(outside.lives());
}
