#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::{Cgroups, locate, locate_below, mount_point, mounted, path_below};
use crate::procfs::mounts::parsed;
use crate::skip::skip;
use crate::syscall;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

fn below(mount: impl Into<PathBuf>) -> Cgroups {
    Cgroups {
        mount: Some(mount.into()),
        ..Cgroups::default()
    }
}

fn id(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn paths_start_below_the_mount() {
    let tree = tempfile::tempdir().unwrap();
    let unit = tree.path().join("system.slice/a b.service");
    fs::create_dir_all(&unit).unwrap();
    fs::write(unit.join("cgroup.procs"), "").unwrap();
    let mut cgroups = below(tree.path());
    for (path, expected) in [
        (tree.path(), "/"),
        (&tree.path().join("system.slice"), "/system.slice"),
        (&unit, "/system.slice/a b.service"),
    ] {
        cgroups.prepare(id(path));
        assert_eq!(cgroups.path(id(path)), Some(expected.as_bytes()));
    }
    assert_eq!(cgroups.walks, 1);
}

#[test]
fn hostile_names_keep_their_bytes() {
    let tree = tempfile::tempdir().unwrap();
    let hostile = tree.path().join(OsStr::from_bytes(b"\xff\n\x1b[2J"));
    fs::create_dir(&hostile).unwrap();
    let mut cgroups = below(tree.path());
    cgroups.prepare(id(&hostile));
    assert_eq!(
        cgroups.path(id(&hostile)),
        Some(b"/\xff\n\x1b[2J".as_slice())
    );
}

#[test]
fn a_new_cgroup_costs_one_more_walk_and_no_third() {
    let tree = tempfile::tempdir().unwrap();
    let mut cgroups = below(tree.path());
    cgroups.prepare(id(tree.path()));
    let new = tree.path().join("new");
    fs::create_dir(&new).unwrap();
    cgroups.prepare(id(&new));
    assert_eq!(cgroups.path(id(&new)), Some(b"/new".as_slice()));
    assert_eq!(cgroups.walks, 2);
    let newer = tree.path().join("newer");
    fs::create_dir(&newer).unwrap();
    cgroups.prepare(id(&newer));
    cgroups.prepare(id(&newer));
    assert_eq!((cgroups.path(id(&newer)), cgroups.walks), (None, 2));
    cgroups.forget();
    cgroups.prepare(id(&newer));
    assert_eq!(cgroups.path(id(&newer)), Some(b"/newer".as_slice()));
}

#[test]
fn ids_that_are_not_found_are_walked_for_once() {
    let mut cgroups = below("/nonexistent");
    for id in 0..1_000 {
        cgroups.prepare(id);
        assert_eq!(cgroups.path(id), None);
    }
    assert_eq!(cgroups.walks, 2);
}

#[test]
fn nothing_is_walked_unasked() {
    let cgroups = Cgroups::default();
    assert_eq!((cgroups.path(1), cgroups.walks), (None, 0));
}

#[test]
fn a_path_may_begin_with_the_mount_point() {
    let tree = tempfile::tempdir().unwrap();
    let unit = tree.path().join("system.slice/a b.service");
    fs::create_dir_all(&unit).unwrap();
    let full = unit.as_os_str().as_bytes();
    let slash = [full, b"/"].concat();
    let expected = (b"/system.slice/a b.service".to_vec(), Some(id(&unit)));
    let short: [&[u8]; 3] = [
        b"/system.slice/a b.service",
        b"system.slice/a b.service",
        b"//system.slice/./a b.service//",
    ];
    for path in short.into_iter().chain([full, slash.as_slice()]) {
        assert_eq!(locate_below(tree.path(), path), expected);
    }
    let root = (b"/".to_vec(), Some(id(tree.path())));
    for path in [b"/", b"".as_slice(), tree.path().as_os_str().as_bytes()] {
        assert_eq!(locate_below(tree.path(), path), root);
    }
}

#[test]
fn only_a_directory_of_the_tree_is_a_cgroup() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join("a")).unwrap();
    fs::write(tree.path().join("a/cgroup.procs"), "").unwrap();
    for path in ["/a/cgroup.procs", "/a/..", "/../..", "/gone", "/a\0b"] {
        let (same, found) = locate_below(tree.path(), path.as_bytes());
        assert_eq!((same.as_slice(), found), (path.as_bytes(), None));
    }
}

#[test]
fn a_path_is_told_from_the_mount_point_it_may_begin_with() {
    let mount = Path::new("/sys/fs/cgroup");
    for path in ["/sys/fs/cgroup/x.slice", "/x.slice/", "x.slice"] {
        assert_eq!(path_below(mount, path.as_bytes()), b"/x.slice");
    }
    let beside = b"/sys/fs/cgroup2/x";
    assert_eq!(path_below(mount, beside), beside, "not below it");
}

#[test]
fn the_whole_tree_is_preferred_to_a_part() {
    let text = b"40 31 0:38 /x /part rw - cgroup2 cgroup2 rw\n\
        39 31 0:37 / /v1 rw - cgroup cgroup rw\n\
        41 31 0:38 / /all\\040of\\134it rw - cgroup2 cgroup2 rw\n";
    let point_in = |text: &[u8]| mount_point(&parsed(text).collect::<Vec<_>>());
    assert_eq!(point_in(text).unwrap(), Path::new("/all of\\it"));
    let part = text.split(|byte| *byte == b'\n').next().unwrap();
    assert_eq!(point_in(part).unwrap(), Path::new("/part"));
    assert_eq!(point_in(b""), None);
}

#[test]
fn live_cgroups_have_their_paths() {
    let Some(mount) = mounted() else {
        skip("no cgroup2 is mounted here");
        return;
    };
    let mut cgroups = Cgroups::default();
    cgroups.prepare(id(&mount));
    assert_eq!(cgroups.path(id(&mount)), Some(b"/".as_slice()));
    assert_eq!(locate(b"/"), (b"/".to_vec(), Some(id(&mount))));
    let made = mount.join(format!("lsock-test-{}", std::process::id()));
    if let Err(cause) = fs::create_dir(&made) {
        skip(format_args!("cannot make {}: {cause}", made.display()));
        return;
    }
    let number = id(&made);
    cgroups.prepare(number);
    fs::remove_dir(&made).unwrap();
    let expected = format!("/lsock-test-{}", std::process::id());
    assert_eq!(cgroups.path(number), Some(expected.as_bytes()));
}

/// Every kernel that runs these tests has 64 bits.
#[test]
fn the_kernel_tells_the_id_of_a_cgroup() {
    let Some(mount) = mounted() else {
        skip("no cgroup2 is mounted here");
        return;
    };
    match syscall::cgroup_id(&mount) {
        Ok(told) => assert_eq!(told, id(&mount)),
        Err(cause) => skip(format_args!("name_to_handle_at: {cause}")),
    }
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(syscall::cgroup_id(elsewhere.path()).is_err());
    assert!(syscall::cgroup_id(Path::new("/a\0b")).is_err());
}
