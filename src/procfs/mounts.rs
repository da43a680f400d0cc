//! Mounts of this process. A mount point may contain any bytes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use procfs::process::MountInfo;

use super::characters::{bytes, characters};

/// Every mount, in mount order; see `proc_pid_mountinfo(5)`.
pub fn mounts() -> Vec<MountInfo> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    parsed(&text).collect()
}

/// The devices of the file systems mounted here, like `8:1`.
pub fn devices() -> Vec<String> {
    mounts().into_iter().map(|mount| mount.majmin).collect()
}

/// True if a file system with this device is mounted here or for another readable process.
pub fn is_mounted(device: &str) -> bool {
    let holds = |text: Vec<u8>| parsed(&text).any(|mount| mount.majmin == device);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = processes.filter_map(|process| fs::read(process.path().join("mountinfo")).ok());
    devices().iter().any(|own| own == device) || others.into_iter().any(holds)
}

/// Parses mounts, lines as [characters]. Malformed lines are skipped.
pub fn parsed(text: &[u8]) -> impl Iterator<Item = MountInfo> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter_map(|line| MountInfo::from_line(&characters(line)).ok())
}

/// The mount point.
pub fn point(mount: &MountInfo) -> PathBuf {
    let escaped = bytes(&mount.mount_point.to_string_lossy());
    OsString::from_vec(unescape(&escaped)).into()
}

/// Decodes `\040` and the like (`mangle_path`, `fs/seq_file.c`).
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'\\'
            && let [
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                after @ ..,
            ] = tail
        {
            out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{parsed, point, unescape};
    use std::os::unix::ffi::OsStrExt as _;

    const TEXT: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw,gid=27,hidepid=invisible\n\
        41 31 0:38 /a\\040b /sys/fs/cg\\134\xff\xc3 rw shared:9 master:2 - cgroup2  rw\n\
        rubbish\n\
        27 1 254:0 / / rw\n";

    #[test]
    fn optional_fields_and_an_empty_source_shift_nothing() {
        let found: Vec<_> = parsed(TEXT).collect();
        assert_eq!(found.len(), 2);
        let last = found.last().map(|mount| {
            let options: Vec<_> = mount.super_options.keys().map(String::as_str).collect();
            (mount.fs_type.as_str(), mount.root.as_str(), options)
        });
        assert_eq!(last, Some(("cgroup2", "/a\\040b", vec!["rw"])));
    }

    #[test]
    fn a_mount_point_keeps_its_bytes() {
        let points: Vec<_> = parsed(TEXT).map(|mount| point(&mount)).collect();
        let points: Vec<&[u8]> = points.iter().map(|at| at.as_os_str().as_bytes()).collect();
        assert_eq!(points, [b"/proc".as_slice(), b"/sys/fs/cg\\\xff\xc3"]);
    }

    #[test]
    fn options_are_found_by_their_whole_name() {
        let proc = parsed(TEXT).next();
        let option = |name| proc.as_ref()?.super_options.get(name)?.as_deref();
        assert_eq!(option("hidepid"), Some("invisible"));
        assert_eq!(option("gid"), Some("27"));
        assert_eq!(option("id"), None);
    }

    #[test]
    fn octal_escapes_give_the_bytes_back() {
        assert_eq!(unescape(b"/a\\040b\\134\\012\\377"), b"/a b\\\n\xff");
        assert_eq!(unescape(b"\\08\\4"), b"\\08\\4");
    }
}
