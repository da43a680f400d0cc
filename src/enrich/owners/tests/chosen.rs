//! Chosen processes.

use super::*;

#[test]
fn only_the_named_processes_are_looked_at() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    process(root.path(), 21, b"b", &[(3, 5), (4, 6)]);
    let mut owners = among(root.path(), vec![21, 22]);
    let (status, found) = of(&mut owners, 5);
    assert_eq!(status, ProcessStatus::Found);
    let found: Vec<_> = found.into_iter().map(|p| (p.pid, p.fds)).collect();
    assert_eq!(found, [(21, vec![3])]);
    assert!(!owners.details.contains_key(&20), "its name was not read");
    let nobody = (ProcessStatus::Unreadable, Vec::new());
    assert_eq!(of(&mut owners, 7), nobody, "others may hold it");
    assert!(owners.warnings(super::super::Tasks::default()).is_empty());
}

#[test]
fn named_process_that_does_not_exist_is_nobody() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let mut owners = among(root.path(), vec![22]);
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Unreadable);
    assert!(!owners.in_doubt && owners.warnings(super::super::Tasks::default()).is_empty());
    let empty = tempfile::tempdir().unwrap();
    let mut owners = among(empty.path(), vec![22]);
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Unreadable);
    assert!(owners.in_doubt && texts_of(&owners)[0].ends_with(": it has none"));
    let mut owners = among("/nonexistent", vec![22]);
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Unreadable);
    let texts = ["cannot open /nonexistent: no such file or directory"];
    assert_eq!(texts_of(&owners), texts);
}

#[test]
fn named_process_that_cannot_be_read_is_told() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let mut owners = among(root.path(), vec![20, 1234]);
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Found);
    let mut kinds = None;
    for (unreadable, start) in [
        (vec![1234], "pid 1234 not readable"),
        (vec![20, 1234], "pids 20 (a), 1234 not readable"),
        (vec![1, 2, 3, 4, 5, 6], "6 processes not readable"),
    ] {
        owners.scan.as_mut().unwrap().unreadable = closed(&unreadable);
        let texts = texts_of(&owners);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].starts_with(start), "{texts:?}");
        let kind = owners.warnings(super::super::Tasks::default())[0].kind();
        assert_eq!(
            kind,
            *kinds.get_or_insert(kind.clone()),
            "whatever their number"
        );
    }
    owners.scan.as_mut().unwrap().visibility = Visibility::OwnOnly;
    assert_eq!(
        owners.warnings(super::super::Tasks::default()),
        [Warning::note(HIDDEN)]
    );
}

#[test]
fn new_socket_of_a_named_process_is_found_by_another_walk() {
    let me = std::process::id();
    let mut owners = among("/proc", vec![me]);
    for walks in 1..=3 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (status, found) = of(&mut owners, inode_of(&socket));
        assert_eq!((status, found.len()), (ProcessStatus::Found, 1));
        assert_eq!((found[0].pid, owners.walks), (me, walks));
    }
    let late = UdpSocket::bind("127.0.0.1:0").unwrap();
    let status = of(&mut owners, inode_of(&late)).0;
    assert_eq!(status, ProcessStatus::Unreadable);
    assert!(
        owners.warnings(super::super::Tasks::default()).is_empty(),
        "it is not shown"
    );
}
