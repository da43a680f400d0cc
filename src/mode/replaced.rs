//! Atomic replacement of a file: concurrent readers see the old one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::Error;

/// A file that replaces another once complete. If dropped earlier, it is removed.
pub(super) struct Replaced {
    /// `None` = a device or a pipe, which is written directly.
    beside: Option<PathBuf>,
    path: PathBuf,
}

impl Replaced {
    /// A writer to the file of `--output`, with that file, or to `out`.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub(super) fn of(
        path: Option<&Path>,
        out: Box<dyn Write>,
    ) -> Result<(Option<Self>, Box<dyn Write>), Error> {
        let Some(path) = path else {
            return Ok((None, out));
        };
        let (replaced, out) = Self::create(path)?;
        Ok((Some(replaced), out))
    }

    /// Creates a temporary file beside `path`, and returns it with its writer.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    fn create(path: &Path) -> Result<(Self, Box<dyn Write>), Error> {
        // A symbolic link is kept; `/dev/stdout` and pipes are written directly.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let found = fs::metadata(&path).ok();
        let is_other = found.as_ref().is_some_and(|found| !found.is_file());
        let beside = (!is_other).then(|| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!(".{name}.{}", process::id()))
        });
        let failed = |cause| Error::file("write", &path, cause);
        let file = match &beside {
            Some(beside) => {
                // Left by a killed run with the same process id.
                let _ = fs::remove_file(beside);
                let mut options = File::options();
                options.write(true).create_new(true);
                match found {
                    None => options.open(beside).map_err(failed)?,
                    // The same users as before may read it.
                    Some(found) => {
                        let file = options.mode(0o600).open(beside).map_err(failed)?;
                        let _ = fchown(&file, Some(found.uid()), Some(found.gid()));
                        file.set_permissions(found.permissions()).map_err(failed)?;
                        file
                    }
                }
            }
            None => File::options().write(true).open(&path).map_err(failed)?,
        };
        Ok((Self { beside, path }, Box::new(file)))
    }

    /// Renames it to its final path.
    ///
    /// # Errors
    ///
    /// If it cannot be renamed.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let Some(beside) = self.beside.take() else {
            return Ok(());
        };
        fs::rename(&beside, &self.path).map_err(|cause: io::Error| {
            // Nothing can be done if this fails too.
            let _ = fs::remove_file(&beside);
            Error::file("write", &self.path, cause)
        })
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Best effort: nobody uses the file any more.
            let _ = fs::remove_file(beside);
        }
    }
}
