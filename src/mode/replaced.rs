//! A file that is replaced as a whole: whoever reads it meanwhile sees the one before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::Error;

/// A file that takes the place of another once it is complete. Dropped before, it is removed.
pub(super) struct Replaced {
    /// `None` = a device or a pipe, which is written to directly.
    beside: Option<PathBuf>,
    path: PathBuf,
}

impl Replaced {
    /// What writes to the file of `--output`, which it gives too, or to `out`.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
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

    /// Creates the file beside `path`, and gives what writes to it.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    fn create(path: &Path) -> Result<(Self, Box<dyn Write>), Error> {
        // A link stays one; `/dev/stdout` and a pipe are written to.
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
                // One that a run with this number left when it was killed.
                let _ = fs::remove_file(beside);
                let mut options = File::options();
                options.write(true).create_new(true);
                match found {
                    None => options.open(beside).map_err(failed)?,
                    // Who may read the one before may read this one, and nobody else.
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

    /// Puts it in its place.
    ///
    /// # Errors
    ///
    /// When it cannot be renamed.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let Some(beside) = self.beside.take() else {
            return Ok(());
        };
        fs::rename(&beside, &self.path).map_err(|cause: io::Error| {
            // Nothing can be done where that fails too.
            let _ = fs::remove_file(&beside);
            Error::file("write", &self.path, cause)
        })
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // It is written to no more, and nobody waits for it.
            let _ = fs::remove_file(beside);
        }
    }
}
