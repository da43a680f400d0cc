//! Reads short files of procfs. A copy of procfs may have a device, a pipe or an endless file in their place: only
//! regular files are read, without blocking and up to a limit.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::path::Arg;

const PIECE: usize = 4_096;

/// Opens a file for reading.
///
/// # Errors
///
/// Those of `open(2)`; `EINVAL` if it is not a regular file.
pub fn open(at: impl AsFd, path: impl Arg) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat(at, path, flags, Mode::empty())?;
    let mode = fstat(&file)?.st_mode;
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Ok(File::from(file)),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::INVAL),
    }
}

/// Opens a directory to look up names in it, not to list it.
///
/// # Errors
///
/// Those of `open(2)`.
pub fn search(path: impl Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

/// Reads a file, at most `most` bytes.
///
/// # Errors
///
/// Those of [`open`] and `read(2)`.
pub fn read(at: impl AsFd, path: impl Arg, most: usize) -> rustix::io::Result<Vec<u8>> {
    let file = open(at, path)?;
    // Most files are short: one call reads them, and one more finds the end.
    let mut piece = [0; PIECE];
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let wanted = (most - bytes.len()).min(PIECE);
        let length = match rustix::io::read(&file, piece.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => break,
            Ok(length) => length,
            Err(Errno::INTR) => continue,
            Err(cause) => return Err(cause),
        };
        bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
    }
    Ok(bytes)
}

/// Reads the start of a file, as much as one call returns.
///
/// # Errors
///
/// Those of [`open`] and `read(2)`.
pub fn start(at: impl AsFd, path: impl Arg, buffer: &mut [u8]) -> rustix::io::Result<&[u8]> {
    let length = rustix::io::read(open(at, path)?, &mut *buffer)?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// Opens a file by its path.
///
/// # Errors
///
/// Those of `open(2)`, and one for a file that is not regular.
pub fn open_path(path: &Path) -> io::Result<File> {
    open(CWD, path).map_err(|cause| match cause {
        Errno::INVAL => io::Error::new(ErrorKind::InvalidInput, "not a regular file"),
        cause => cause.into(),
    })
}

/// Reads a file by its path, at most `most` bytes.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_path(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    Ok(read(CWD, path, most)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{open_path, read_path, start};
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn nothing_but_a_regular_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, device] = ["pipe", "device"].map(|name| folder.path().join(name));
        mkfifoat(CWD, &pipe, Mode::RUSR).unwrap();
        symlink("/dev/zero", &device).unwrap();
        for path in [&pipe, &device] {
            let error = open_path(path).unwrap_err();
            assert_eq!(error.to_string(), "not a regular file");
        }
        assert!(open_path(folder.path()).is_err());
        assert!(open_path(Path::new("/proc/self/stat")).is_ok());
    }

    #[test]
    fn endless_file_is_read_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endless");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_path(&path, 1_000).unwrap(), [0; 1_000]);
        assert_eq!(start(CWD, &path, &mut [1; 9]).unwrap(), [0; 9]);
    }
}
