//! The cgroup that a process is in.

use std::path::Path;

use super::path::Meaning;
use crate::procfs::file::read_path;

/// More than the lines of all hierarchies have.
const SHORT: usize = 64 * 1024;

/// The path of its cgroup; `None` = it cannot be told.
pub(super) fn cgroup_of(proc: &Path, pid: u32) -> Option<Vec<u8>> {
    let lines = read_path(&proc.join(format!("{pid}/cgroup")), SHORT).ok()?;
    chosen(&lines).map(<[u8]>::to_vec)
}

/// The path that counts: that of cgroup2; where there is none, of the hierarchies before it the one that names
/// a container, else that of systemd.
fn chosen(lines: &[u8]) -> Option<&[u8]> {
    let lines = || {
        let lines = lines.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            let (number, name, path) = (parts.next()?, parts.next()?, parts.next()?);
            // So the kernel marks one that was removed.
            let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
            Some((number, name, path))
        })
    };
    if let Some((_, _, path)) = lines().find(|(number, name, _)| *number == b"0" && name.is_empty())
    {
        return Some(path);
    }
    let mut contained = lines().filter(|(_, _, path)| Meaning::of(path).container.is_some());
    let systemd = || lines().find(|(_, name, _)| *name == b"name=systemd");
    let found = contained.next().or_else(systemd).or_else(|| lines().next());
    found.map(|(_, _, path)| path)
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn the_line_of_cgroup2_counts_and_others_where_there_is_none() {
        let id = "a".repeat(64);
        let hybrid =
            format!("4:memory:/docker/{id}\n1:name=systemd:/x\n0::/system.slice/a.service\n");
        assert_eq!(
            chosen(hybrid.as_bytes()),
            Some(&b"/system.slice/a.service"[..])
        );
        let old = format!("1:name=systemd:/x\n4:memory:/docker/{id}\n");
        assert_eq!(
            chosen(old.as_bytes()),
            Some(format!("/docker/{id}").as_bytes())
        );
        let plain = b"4:memory:/\n1:name=systemd:/system.slice/b.service\n";
        assert_eq!(chosen(plain), Some(&b"/system.slice/b.service"[..]));
        assert_eq!(chosen(b"0::/a:b (deleted)\n"), Some(&b"/a:b"[..]));
        assert_eq!(chosen(b""), None);
    }
}
