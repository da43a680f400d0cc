//! Tests of listeners that do not accept, or did not.

use super::*;

#[test]
fn past_overflow_of_an_accept_queue_is_told_by_the_drops_of_the_listener() {
    let dropping = |drops, waiting| {
        with(tcp(State::Listen), |s| {
            (s.recv_queue, s.send_queue) = (Some(waiting), Some(3));
            s.details_mut().memory = Some(crate::model::Memory {
                drops: Some(drops),
                ..crate::model::Memory::default()
            });
        })
    };
    let limits = machine(&[("overflows", &[12])]);
    assert_eq!(kinds(&[dropping(0, 0)], &limits), []);
    let info = [("accept_overflow", Severity::Info)];
    assert_eq!(kinds(&[dropping(1, 0)], &limits), info);
    assert_eq!(
        kinds(&[dropping(100, 0)], &limits),
        [("accept_overflow", WARNING)]
    );
    // Drops for other reasons, and a full queue, which is another finding.
    assert_eq!(
        kinds(&[dropping(9, 0)], &machine(&[("overflows", &[0])])),
        []
    );
    assert_eq!(
        kinds(&[dropping(9, 4)], &limits),
        [("accept_queue", CRITICAL)]
    );
    // Drops that TCP_DEFER_ACCEPT intends.
    let deferred = machine(&[("overflows", &[12, 9])]);
    let untold = [("accept_overflow", Severity::Info, 1)];
    assert_eq!(not_checked(&[dropping(9, 0)], &deferred), untold, "or not");
    assert_eq!(kinds(&[dropping(10, 0)], &deferred), info);
    let (findings, _) = search(&[dropping(10, 0)], &deferred);
    let told =
        "10.0.0.1:80 (api[812]) has dropped 1 to 10 handshakes (TCP_DEFER_ACCEPT drops ACKs, too)";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
    let many = machine(&[("overflows", &[120, 5_000])]);
    let untold = [("accept_overflow", WARNING, 1)];
    assert_eq!(not_checked(&[dropping(130, 0)], &many), untold);
    let none = machine(&[("overflows", &[0, 5_000])]);
    assert_eq!(not_checked(&[dropping(130, 0)], &none), []);
    // Some are certainly handshakes, and possibly enough for a warning.
    let some = machine(&[("overflows", &[120, 100])]);
    let (findings, _) = look_for(&[dropping(130, 0)], &some, |_| ());
    assert_eq!(findings.found[0].severity, Severity::Info);
    assert_eq!(findings.not_checked[0].severity, WARNING);
    let (findings, _) = search(&[dropping(7, 1)], &limits);
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and memory.drops > 0 and inode = 7"
    );
    let told = "10.0.0.1:80 (api[812]) has dropped 7 handshakes since it began to listen: 1 wait in its accept \
                queue now, the backlog is 3. All listeners of this network namespace, closed ones included, \
                count 12 overflows";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn process_without_a_descriptor_left_is_told_where_connections_wait() {
    let waiting = |waiting| {
        with(tcp(State::Listen), |s| {
            (s.recv_queue, s.send_queue) = (Some(waiting), Some(4_096));
        })
    };
    let kernel = |open| {
        let mut kernel = FakeKernel::default();
        let limits = "Max open files            1024                 4096                 files\n";
        kernel
            .files
            .insert("812/limits".to_owned(), limits.to_owned());
        kernel.descriptors.insert(812, open);
        kernel
    };
    assert_eq!(kinds(&[waiting(5)], &kernel(1_023)), []);
    assert_eq!(kinds(&[waiting(0)], &kernel(1_024)), []);
    let mut unlimited = FakeKernel::default();
    let text = "Max open files            unlimited            unlimited            files\n";
    unlimited
        .files
        .insert("812/limits".to_owned(), text.to_owned());
    assert_eq!(not_checked(&[waiting(5)], &unlimited), []);
    assert_eq!(not_checked(&[waiting(5)], &kernel(1_023)), []);
    let mut closed = kernel(1_024);
    closed.descriptors.clear();
    let unknown = with(waiting(5), |s| s.inode = Some(99));
    let one = [("descriptor_limit", CRITICAL, 1)];
    assert_eq!(not_checked(&[waiting(5)], &closed), one);
    assert_eq!(not_checked(&[waiting(5)], &FakeKernel::default()), one);
    assert_eq!(not_checked(&[unknown, waiting(5)], &kernel(1_023)), one);
    let idle = with(waiting(0), |s| s.inode = Some(99));
    assert_eq!(not_checked(&[idle], &kernel(1_023)), []);
    let (findings, _) = search(&[waiting(5)], &kernel(1_024));
    assert_eq!((findings.len(), findings[0].severity), (1, CRITICAL));
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state listen and recv_queue > 0 and inode = 7"
    );
    let told = "api[812] cannot accept: all 1024 descriptors that RLIMIT_NOFILE allows are open, with 5 \
                connections waiting at 10.0.0.1:80.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

/// Pids and inodes of processes besides those that hold all listeners here.
type Others<'o> = &'o [(u32, &'o [u64])];

#[test]
fn listener_of_several_processes_is_stuck_where_none_has_a_descriptor_left() {
    let at = |inode, waiting| {
        with(tcp(State::Listen), |s| {
            s.local.port = Some(u32::try_from(inode).unwrap());
            (s.inode, s.recv_queue, s.send_queue) = (Some(inode), Some(waiting), Some(4_096));
        })
    };
    // Open descriptors of each process; unknown for others.
    let told = |listeners: &[Socket], open: &[(u32, u64)], others: Others| {
        let mut kernel = FakeKernel::default();
        for (pid, open) in open {
            let most = if *pid == 814 { 256 } else { 1_024 };
            let text =
                format!("Max open files            {most}                 4096       files\n");
            kernel.files.insert(format!("{pid}/limits"), text);
            kernel.descriptors.insert(*pid, *open);
        }
        let (findings, _) = look_for(listeners, &kernel, |root| {
            for (pid, inodes) in others {
                process(root, *pid, "worker", inodes);
            }
        });
        let of_kind = |kind: &str| kind == "descriptor_limit";
        let found = findings.found.into_iter().filter(|f| of_kind(f.kind));
        let found = found.map(|f| (f.severity, f.count, f.sockets, f.text));
        let untold = findings.not_checked.into_iter().filter(|n| of_kind(n.kind));
        let untold = untold.map(|n| (n.severity, n.sockets));
        (found.collect::<Vec<_>>(), untold.collect::<Vec<_>>())
    };
    let filter = "protocol = tcp and state listen and recv_queue > 0 and ";
    let others: Others = &[(814, &[7])];
    let (found, untold) = told(&[at(7, 5)], &[(812, 1_024), (814, 256)], others);
    assert_eq!((found.len(), found[0].0, untold), (1, CRITICAL, vec![]));
    assert_eq!(
        (found[0].1, &*found[0].2),
        (1, &*format!("{filter}inode = 7"))
    );
    let text = "api[812], worker[814] cannot accept: all 256 or 1024 descriptors that RLIMIT_NOFILE allows \
                are open, with 5 connections waiting at 10.0.0.1:7. Close unused";
    assert!(found[0].3.starts_with(text), "{found:?}");
    // Either is named, and so is the other.
    for (open, full, free) in [
        ([(812, 1_024), (814, 9)], "api[812]", "worker[814]"),
        ([(812, 9), (814, 256)], "worker[814]", "api[812]"),
    ] {
        let (found, untold) = told(&[at(7, 5)], &open, others);
        assert_eq!((found.len(), found[0].0, untold), (1, WARNING, vec![]));
        assert_eq!(found[0].2, format!("{filter}inode = 7"));
        let begin = format!("{full} cannot accept: ");
        let other = format!(" waiting at 10.0.0.1:7. {free} can still accept them. Close unused");
        assert!(
            found[0].3.starts_with(&begin) && found[0].3.contains(&other),
            "{found:?}"
        );
    }
    // The unknown state of the other may make it more severe.
    let (found, untold) = told(&[at(7, 5)], &[(812, 1_024)], others);
    assert_eq!(
        (found.len(), found[0].0, untold),
        (1, WARNING, vec![(CRITICAL, 1)])
    );
    assert!(
        found[0].3.contains("worker[814] perhaps can accept them."),
        "{found:?}"
    );
    let (found, untold) = told(&[at(7, 5)], &[(812, 9)], others);
    assert_eq!((found, untold), (vec![], vec![(WARNING, 1)]));
    // Listeners of the same processes are one finding; others are excluded.
    let listeners = [at(7, 5), at(80, 1), at(81, 2), at(82, 0)];
    let open = [(812, 1_024), (814, 9)];
    let (found, untold) = told(&listeners, &open, others);
    assert_eq!((found.len(), untold), (2, vec![]));
    let (all, one) = (&found[0], &found[1]);
    let own = format!("{filter}(inode = 80 or inode = 81)");
    assert_eq!((all.0, all.1, &all.2), (CRITICAL, 2, &own));
    assert!(
        all.3
            .contains("3 connections waiting at 10.0.0.1:80, 10.0.0.1:81.")
    );
    assert_eq!(
        (one.0, one.1, &one.2),
        (WARNING, 1, &format!("{filter}inode = 7"))
    );
}
