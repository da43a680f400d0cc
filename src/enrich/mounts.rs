//! Lines of `/proc/self/mountinfo`, as bytes: a mount point may hold any.

/// Where the mounts of this process are told.
pub(super) const MOUNTINFO: &str = "/proc/self/mountinfo";

/// A mounted file system; see `proc_pid_mountinfo(5)`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount<'a> {
    /// `major:minor` of `st_dev` of its files.
    pub(super) device: &'a [u8],
    /// The directory of the file system that is mounted; `/` for all of it.
    pub(super) root: &'a [u8],
    /// Where, with blanks and the like as `\040`: for [`unescape`].
    pub(super) point: &'a [u8],
    /// `cgroup2`, `proc`…
    pub(super) kind: &'a [u8],
    /// Options of the file system, not of this mount, with commas between.
    pub(super) options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// The value of an option `name=value`.
    pub(super) fn option(&self, name: &str) -> Option<&'a [u8]> {
        self.options.split(|byte| *byte == b',').find_map(|option| {
            option
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
        })
    }
}

/// Every mount, in the order they were made. A line that does not parse is skipped.
pub(super) fn mounts(text: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount<'_>> {
    // An empty source leaves two blanks in a row, so no runs of blanks here.
    let mut fields = line.split(|byte| *byte == b' ');
    let device = fields.nth(2)?;
    let root = fields.next()?;
    let point = fields.next()?;
    // The mount's own options, then optional fields up to a dash.
    fields.next()?;
    fields.by_ref().find(|field| *field == b"-")?;
    let kind = fields.next()?;
    let options = fields.nth(1)?;
    Some(Mount {
        device,
        root,
        point,
        kind,
        options,
    })
}

/// `\040` and the like back to the bytes they stand for (`mangle_path`, `fs/seq_file.c`).
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
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
    use super::{mounts, unescape};

    const TEXT: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw,gid=27,hidepid=invisible\n\
        41 31 0:38 /a\\040b /sys/fs/cg\\134 rw shared:9 master:2 - cgroup2  rw\n\
        rubbish\n\
        27 1 254:0 / / rw\n";

    #[test]
    fn optional_fields_and_an_empty_source_shift_nothing() {
        let found: Vec<_> = mounts(TEXT).collect();
        assert_eq!(found.len(), 2);
        let last = found
            .last()
            .map(|mount| (mount.kind, mount.root, mount.options));
        let expected: (&[u8], &[u8], &[u8]) = (b"cgroup2", b"/a\\040b", b"rw");
        assert_eq!(last, Some(expected));
    }

    #[test]
    fn options_are_found_by_their_whole_name() {
        let proc = mounts(TEXT).next();
        let option = |name| proc.as_ref().and_then(|mount| mount.option(name));
        assert_eq!(option("hidepid"), Some(b"invisible".as_slice()));
        assert_eq!(option("gid"), Some(b"27".as_slice()));
        assert_eq!(option("id"), None);
    }

    #[test]
    fn octal_escapes_give_the_bytes_back() {
        assert_eq!(unescape(b"/a\\040b\\134\\012\\377"), b"/a b\\\n\xff");
        assert_eq!(unescape(b"\\08\\4"), b"\\08\\4");
    }
}
