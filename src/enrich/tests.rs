#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as expected"
)]

use super::{Enricher, Lookups, Ports, ScanScope, Sight};
use crate::fields::{Field, Value};
use crate::model::{Fact, Family, Process, ProcessStatus, Protocol, Socket};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn socket() -> Socket {
    Socket {
        uid: Some(0),
        inode: Some(77),
        interface: Some(1),
        cgroup_id: Some(1),
        ..Socket::new(Protocol::Netlink, Family::Netlink)
    }
}

#[test]
fn what_is_not_asked_for_is_not_told() {
    let mut enricher = Enricher::new(Lookups::default()).unwrap();
    let mut socket = socket();
    socket.local.port = Some(0);
    enricher.prepare_names(&socket);
    enricher.prepare_owners(&socket);
    let row = enricher.row(&socket);
    assert_eq!(row.interface, Some("lo"));
    assert_eq!((row.user, row.cgroup), (None, None));
    assert_eq!((row.local_service, row.peer_service), (None, None));
    assert_eq!((row.processes, row.process_status), (None, None));
    assert!(enricher.warnings().is_empty());
}

#[test]
fn what_is_asked_for_is_told() -> std::io::Result<()> {
    let root = tempfile::tempdir()?;
    let process = root.path().join("9");
    fs::create_dir_all(process.join("fd"))?;
    fs::write(process.join("comm"), "a\n")?;
    fs::write(process.join("status"), "Uid:\t1\t0\t0\t0\n")?;
    symlink("socket:[77]", process.join("fd/3"))?;
    let mut enricher = Enricher::new(Lookups {
        owners: Some(root.path().into()),
        users: true,
        services: Ports::Named,
        ..Lookups::default()
    })
    .unwrap();
    let mut socket = socket();
    socket.local.port = Some(0);
    enricher.prepare_names(&socket);
    enricher.prepare_owners(&socket);
    let row = enricher.row(&socket);
    assert_eq!(
        (row.user, row.local_service),
        (Some("root"), Some("kernel"))
    );
    assert_eq!(row.process_status, Some(ProcessStatus::Found));
    let users = row.processes.unwrap_or_default().iter();
    let users: Vec<_> = users
        .map(|process| (process.pid, process.user.as_deref()))
        .collect();
    assert_eq!(users, [(9, Some("root"))]);

    socket.inode = Some(78);
    enricher.prepare_names(&socket);
    enricher.prepare_owners(&socket);
    let row = enricher.row(&socket);
    assert_eq!(row.process_status, Some(ProcessStatus::Unseen));
    assert_eq!(row.processes, None, "something holds it");

    socket.inode = None;
    enricher.prepare_names(&socket);
    enricher.prepare_owners(&socket);
    let row = enricher.row(&socket);
    assert_eq!(row.process_status, Some(ProcessStatus::None));
    assert_eq!(row.processes, Some([].as_slice()), "nobody can hold it");
    Ok(())
}

#[test]
fn processes_of_the_socket_before_are_not_shown() -> std::io::Result<()> {
    let root = tempfile::tempdir()?;
    for (pid, inode) in [(9, 77), (10, 77)] {
        let process = root.path().join(pid.to_string());
        fs::create_dir_all(process.join("fd"))?;
        fs::write(process.join("comm"), "a\n")?;
        symlink(format!("socket:[{inode}]"), process.join("fd/3"))?;
    }
    let mut enricher = Enricher::new(Lookups {
        owners: Some(root.path().into()),
        scope: ScanScope::Only(vec![10]),
        users: true,
        ..Lookups::default()
    })
    .unwrap();
    let socket = socket();
    enricher.prepare_names(&socket);
    enricher.prepare_owners(&socket);
    let pids = |enricher: &Enricher| {
        let row = enricher.row(&socket);
        let pids = |list: &[Process]| list.iter().map(|process| process.pid).collect::<Vec<_>>();
        (row.process_status, row.processes.map(pids))
    };
    assert_eq!(
        pids(&enricher),
        (Some(ProcessStatus::Found), Some(vec![10]))
    );
    enricher.prepare_names(&socket);
    assert_eq!(pids(&enricher), (None, None));
    assert_eq!(enricher.row(&socket).user, Some("root"));
    enricher.prepare_owners(&socket);
    assert_eq!(pids(&enricher).1, Some(vec![10]));
    Ok(())
}

#[test]
fn a_search_for_processes_tells_how_far_it_could_look() -> std::io::Result<()> {
    let look = |owners: Option<&Path>| {
        let mut enricher = Enricher::new(Lookups {
            owners: owners.map(Into::into),
            ..Lookups::default()
        })
        .unwrap();
        enricher.look_for_owners()
    };
    let sight = |found, refused| Some(Sight { found, refused });
    let root = tempfile::tempdir()?;
    fs::create_dir_all(root.path().join("9/fd"))?;
    assert_eq!(look(Some(root.path())), sight(false, false));
    symlink("socket:[77]", root.path().join("9/fd/3"))?;
    assert_eq!(look(Some(root.path())), sight(true, false));
    assert_eq!(look(Some("/nonexistent".as_ref())), sight(false, true));
    assert_eq!(look(None), None);
    Ok(())
}

#[test]
fn unknown_processes_are_not_an_empty_list() {
    let mut enricher = Enricher::new(Lookups {
        owners: Some("/nonexistent".into()),
        ..Lookups::default()
    })
    .unwrap();
    assert!(enricher.warnings().is_empty());
    let socket = socket();
    enricher.prepare_names(&socket);
    enricher.prepare_owners(&socket);
    let row = enricher.row(&socket);
    assert_eq!(row.process_status, Some(ProcessStatus::Unreadable));
    assert_eq!(row.processes, None);
    let warnings = enricher.warnings();
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["cannot open /nonexistent: no such file or directory"]
    );
    enricher.next_listing();
    assert!(enricher.warnings().is_empty());
}

#[test]
fn owner_is_in_doubt_where_none_was_found() -> std::io::Result<()> {
    let root = tempfile::tempdir()?;
    let process = root.path().join("9");
    fs::create_dir_all(process.join("fd"))?;
    fs::write(process.join("comm"), "a\n")?;
    symlink("socket:[77]", process.join("fd/3"))?;
    let doubts = |root: &Path, scope, inode| {
        let mut enricher = Enricher::new(Lookups {
            owners: Some(root.into()),
            scope,
            ..Lookups::default()
        })
        .unwrap();
        let mut socket = socket();
        socket.inode = inode;
        enricher.prepare_names(&socket);
        assert!(!enricher.doubts_owners(), "nothing was looked up");
        enricher.prepare_owners(&socket);
        enricher.doubts_owners()
    };
    // Held, held by something else, and held by none of the processes considered.
    assert!(!doubts(root.path(), ScanScope::All, Some(77)));
    assert!(doubts(root.path(), ScanScope::All, Some(78)));
    assert!(!doubts(root.path(), ScanScope::Only(vec![9]), Some(78)));
    let nowhere = Path::new("/nonexistent");
    assert!(doubts(nowhere, ScanScope::All, Some(78)));
    assert!(doubts(nowhere, ScanScope::Only(vec![9]), Some(78)));
    assert!(!doubts(nowhere, ScanScope::All, None), "nobody can hold it");
    Ok(())
}

#[test]
fn a_place_is_that_of_the_holder_and_else_that_of_the_maker() {
    let root = tempfile::tempdir().unwrap();
    for (pid, cgroup, held) in [
        (1, "/init.scope", "socket:[79]"),
        (8, "/system.slice/foo.service", "socket:[79]"),
        (9, "/system.slice/foo.service", "socket:[77]"),
        (10, "", "socket:[80]"),
    ] {
        let process = root.path().join(pid.to_string());
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::write(process.join("comm"), "a\n").unwrap();
        if !cgroup.is_empty() {
            fs::write(process.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
        }
        if pid != 10 {
            symlink("socket:[79]", process.join("fd/4")).unwrap();
        }
        symlink(held, process.join("fd/3")).unwrap();
    }
    let mut enricher = Enricher::new(Lookups {
        owners: Some(root.path().into()),
        places: Some(super::Places {
            proc: root.path().into(),
            root: None,
        }),
        ..Lookups::default()
    })
    .unwrap();
    enricher.use_names(vec![crate::model::RecordedName {
        kind: crate::model::NameKind::Cgroup,
        number: 1,
        netns: None,
        name: b"/system.slice/foo.socket".as_slice().into(),
    }]);
    let nobody = Some(b"-".as_slice());
    for (inode, cgroup, expected) in [
        (Some(77), Some(1), Some(b"foo.service".as_slice())),
        (Some(79), Some(1), Some(b"init.scope,foo.service")),
        (Some(80), Some(1), nobody),
        (None, Some(1), Some(b"foo.socket")),
        (None, Some(2), nobody),
        (None, None, nobody),
        (Some(78), Some(1), Some(b"foo.socket")),
        (Some(78), Some(2), nobody),
    ] {
        let socket = Socket {
            inode,
            cgroup_id: cgroup,
            ..Socket::new(Protocol::Tcp, Family::Inet)
        };
        enricher.prepare_names(&socket);
        enricher.prepare_owners(&socket);
        let row = enricher.row(&socket);
        let is_known = matches!(Field::Unit.value(&row), Value::Known(_));
        assert_eq!(
            is_known,
            expected != nobody && inode != Some(78),
            "{inode:?} {cgroup:?}"
        );
        let place = row.place;
        let unit = place.map_or(nobody, |place| place.get(Fact::Unit));
        assert_eq!(unit, expected, "{inode:?} {cgroup:?}");
    }
}
