//! The cgroup of a process.

use std::path::Path;

use procfs::{FromBufRead as _, ProcessCGroup, ProcessCGroups};

use super::path::Meaning;
use crate::procfs::characters::{bytes, characters};
use crate::procfs::file::read_path;

/// More than the lines of all hierarchies.
pub(super) const SHORT: usize = 64 * 1024;

/// The cgroup path of a process; `None` if unknown.
pub(super) fn cgroup_of(proc: &Path, pid: u32) -> Option<Vec<u8>> {
    chosen(&read_path(&proc.join(format!("{pid}/cgroup")), SHORT).ok()?)
}

/// The relevant path in `/proc/PID/cgroup`: that of cgroup2, or the one of systemd's hierarchy if it continues below
/// that, as in a container whose systemd uses it. Without cgroup2, the first path that names a container, else that
/// of systemd's hierarchy.
pub(super) fn chosen(lines: &[u8]) -> Option<Vec<u8>> {
    let ProcessCGroups(lines) = ProcessCGroups::from_buf_read(characters(lines).as_bytes()).ok()?;
    let path = |line: &ProcessCGroup| {
        let path = bytes(&line.pathname);
        // The kernel marks a removed cgroup so.
        path.strip_suffix(b" (deleted)")
            .map(<[u8]>::to_vec)
            .unwrap_or(path)
    };
    let unified = lines
        .iter()
        .find(|line| line.hierarchy == 0 && line.controllers.is_empty());
    let contained = || {
        lines
            .iter()
            .find(|line| Meaning::of(&path(line)).container.is_some())
    };
    let systemd = || {
        lines
            .iter()
            .find(|line| line.controllers == ["name=systemd"])
    };
    let deeper = |unified: &&ProcessCGroup| {
        let systemd = systemd()?;
        let below = systemd.pathname.strip_prefix(&*unified.pathname)?;
        (unified.pathname.len() > 1 && below.starts_with('/')).then_some(systemd)
    };
    let found = unified
        .map(|unified| deeper(&unified).unwrap_or(unified))
        .or_else(contained)
        .or_else(systemd)
        .or(lines.first());
    found.map(path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::chosen;

    #[test]
    fn the_line_of_cgroup2_counts_and_others_where_there_is_none() {
        let id = "a".repeat(64);
        for (lines, expected) in [
            (
                format!("4:memory:/docker/{id}\n1:name=systemd:/x\n0::/system.slice/a.service\n"),
                "/system.slice/a.service".to_owned(),
            ),
            (
                format!("1:name=systemd:/x\n4:memory:/docker/{id}\n"),
                format!("/docker/{id}"),
            ),
            (
                "4:memory:/\n1:name=systemd:/system.slice/b.service\n".to_owned(),
                "/system.slice/b.service".to_owned(),
            ),
            (
                "1:name=systemd:/payload/system.slice/b.service\n0::/payload\n".to_owned(),
                "/payload/system.slice/b.service".to_owned(),
            ),
            (
                "1:name=systemd:/payloads/b.service\n0::/payload\n".to_owned(),
                "/payload".to_owned(),
            ),
            (
                "1:name=systemd:/b.service\n0::/\n".to_owned(),
                "/".to_owned(),
            ),
            ("0::/a:b (deleted)\n".to_owned(), "/a:b".to_owned()),
        ] {
            let found = chosen(lines.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), expected);
        }
        assert_eq!(chosen(b"0::/\xff\xc3\n").unwrap(), b"/\xff\xc3");
        assert_eq!(chosen(b""), None);
    }
}
