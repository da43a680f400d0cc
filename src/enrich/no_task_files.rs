//! In place of `task_files` in a build without BPF: only `/proc` lists descriptors.

use std::convert::Infallible;
use std::io::ErrorKind;

use crate::error::Error;
use crate::procfs::fd::Known;

/// Never exists.
#[derive(Debug)]
pub(super) struct TaskFiles(Infallible);

impl TaskFiles {
    pub(super) fn load(_: usize) -> Result<Self, Error> {
        let text = "cannot read descriptors with BPF: built without the feature bpf";
        Err(Error::Failed(text.into(), ErrorKind::Unsupported.into()))
    }

    pub(super) fn run(&mut self) -> Result<Known, Error> {
        match self.0 {}
    }
}
