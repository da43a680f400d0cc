//! Limits and counters of this kernel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rustix::fs::getxattr;

use super::PROC;
use crate::model::Limits;

/// Reads each file once.
#[derive(Debug, Default)]
pub(super) struct Kernel(RefCell<HashMap<String, Option<String>>>);

impl Limits for Kernel {
    fn text(&self, file: &str) -> Option<String> {
        let mut known = self.0.borrow_mut();
        let read = || fs::read_to_string(Path::new(PROC).join(file)).ok();
        known.entry(file.to_owned()).or_insert_with(read).clone()
    }

    fn descriptors(&self, pid: u32) -> Option<u64> {
        let entries = fs::read_dir(Path::new(PROC).join(format!("{pid}/fd"))).ok()?;
        u64::try_from(entries.count()).ok()
    }

    fn protocol_of(&self, pid: u32, fd: u32, inode: u64) -> Option<String> {
        let process = Path::new(PROC).join(pid.to_string());
        let own = fs::read_link(Path::new(PROC).join("thread-self/ns/net")).ok()?;
        if fs::read_link(process.join("ns/net")).ok()? != own {
            return None;
        }
        let descriptor = process.join("fd").join(fd.to_string());
        let mut name = [0; 32];
        // `sockfs_xattr_get` (`net/socket.c`): ends with a NUL.
        let length = getxattr(&descriptor, "system.sockprotoname", &mut name).ok()?;
        let name = name.get(..length)?.strip_suffix(b"\0")?.to_vec();
        let is_still_it =
            fs::read_link(descriptor).ok()? == Path::new(&format!("socket:[{inode}]"));
        String::from_utf8(name).ok().filter(|_| is_still_it)
    }
}
