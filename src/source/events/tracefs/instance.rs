//! An instance of tracefs: buffers and switches of our own, beside those of everybody else.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::place::Place;
use crate::error::Error;

/// What our instances are called, whoever runs.
const NAME: &str = "lsock-";

/// Another run may take our instance for one that was left, until we read it: then once more.
const ATTEMPTS: u32 = 8;

/// Room for some directory entries.
const ENTRIES: usize = 4096;

/// More than any of the files holds that are read here.
const WHOLE: usize = 64 << 10;

/// An instance; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Instance {
    place: Place,
    /// `instances/lsock-812-0`
    path: String,
}

impl Instance {
    /// Makes one, and opens the records of each processor.
    ///
    /// # Errors
    ///
    /// When there is no tracefs, or no right to it.
    pub(super) fn create() -> Result<(Self, Vec<OwnedFd>), Error> {
        // What is mounted may be read-only, or closed to us, and a mount of our own is not.
        if let Some(place) = Place::mounted()
            && let Ok(created) = Self::create_in(place)
        {
            return Ok(created);
        }
        Self::create_in(Place::detached()?)
    }

    fn create_in(place: Place) -> Result<(Self, Vec<OwnedFd>), Error> {
        reclaim(&place);
        let mut instance = Self {
            place,
            path: String::new(),
        };
        let mut last = Errno::BUSY;
        for attempt in 0..ATTEMPTS {
            let path = format!("instances/{NAME}{}-{attempt}", std::process::id());
            match rustix::fs::mkdirat(&instance.place.root, &path, Mode::RWXU) {
                Ok(()) => instance.path = path,
                Err(Errno::EXIST) => continue,
                Err(cause) => return Err(instance.failed("create", &path, cause)),
            }
            match instance.open_processors() {
                Ok(processors) => return Ok((instance, processors)),
                Err(cause) => last = cause,
            }
            instance.remove();
        }
        Err(instance.failed("open", "per_cpu", last))
    }

    fn open_processors(&self) -> Result<Vec<OwnedFd>, Errno> {
        let names = list(&self.place, &format!("{}/per_cpu", self.path))?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |name: &String| {
            let path = format!("{}/per_cpu/{name}/trace_pipe_raw", self.path);
            rustix::fs::openat(&self.place.root, path, flags, Mode::empty())
        };
        names.iter().map(open).collect()
    }

    /// The names of its processors: `cpu0`, …
    ///
    /// # Errors
    ///
    /// When they cannot be listed.
    pub(super) fn processors(&self) -> Result<Vec<String>, Error> {
        list(&self.place, &format!("{}/per_cpu", self.path))
            .map_err(|cause| self.failed("list", "per_cpu", cause))
    }

    /// Reads a file of it, whole.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub(super) fn read(&self, name: &str) -> Result<String, Error> {
        // The pages of the ring buffer are described for all instances together.
        let path = if name == "events/header_page" {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.place.root, &path, flags, Mode::empty());
        let mut file = File::from(opened.map_err(|cause| self.failed("open", name, cause))?);
        let mut text = vec![0; WHOLE];
        let mut length = 0;
        // Some of them give what they have at the first read, or never.
        loop {
            let room = text.get_mut(length..).unwrap_or_default();
            match file.read(room) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(cause) => return Err(self.failed("read", name, cause)),
            }
        }
        text.truncate(length);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Writes a file of it.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = format!("{}/{name}", self.path);
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.place.root, &path, flags, Mode::empty());
        let mut file = File::from(opened.map_err(|cause| self.failed("open", name, cause))?);
        file.write_all(text.as_bytes())
            .map_err(|cause| self.failed("write", name, cause))
    }

    fn remove(&mut self) {
        if !self.path.is_empty() {
            // What stays is removed by the next run.
            let _ = remove(&self.place, &self.path);
            self.path.clear();
        }
    }

    /// What went wrong with a file of it.
    pub(super) fn failed(
        &self,
        operation: &'static str,
        name: &str,
        cause: impl Into<std::io::Error>,
    ) -> Error {
        Error::File {
            operation,
            path: self.place.path.join(&self.path).join(name),
            cause: cause.into(),
        }
    }

    /// A file of it is not as it should be.
    pub(super) fn malformed(&self, name: &str, detail: String) -> Error {
        let detail = std::io::Error::new(std::io::ErrorKind::InvalidData, detail);
        self.failed("understand", name, detail)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes what runs that were killed have left. The kernel keeps what is still read.
fn reclaim(place: &Place) {
    for name in list(place, "instances").unwrap_or_default() {
        if name.starts_with(NAME) {
            let _ = remove(place, &format!("instances/{name}"));
        }
    }
}

fn remove(place: &Place, path: &str) -> Result<(), Errno> {
    rustix::fs::unlinkat(&place.root, path, AtFlags::REMOVEDIR)
}

/// The names in a directory.
fn list(place: &Place, path: &str) -> Result<Vec<String>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(&place.root, path, flags, Mode::empty())?;
    let mut room = Vec::with_capacity(ENTRIES);
    let mut entries = RawDir::new(&folder, room.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "." | "..") {
            names.push(name);
        }
    }
    Ok(names)
}
