//! The first fields of rows and records, so that several listings and machines fit in one table.

use crate::render::format::member;
use crate::render::{Envelope, Repetition};
use crate::text::escape;

/// `--stamp`: machine and time in each row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `/proc/sys/kernel/random/boot_id`: inodes and cookies are unique within a boot. `None` = not readable.
    pub boot_id: Option<String>,
}

impl Envelope {
    /// The time, unless rows have their own, the host, and the stamp: keys and values.
    pub(super) fn leading(&self, has_time: bool) -> Vec<(&'static str, Option<String>)> {
        if self.stamp.is_none() && self.repetition == Repetition::Single {
            return Vec::new();
        }
        let time = (!has_time).then(|| ("time", Some(self.time.clone())));
        let host = ("host", Some(escape(self.host.as_bytes()).into_owned()));
        let boot_id = self
            .stamp
            .iter()
            .map(|stamp| ("boot_id", stamp.boot_id.clone()));
        time.into_iter().chain([host]).chain(boot_id).collect()
    }

    /// The same as the first members of an object.
    pub(super) fn leading_members(&self, has_time: bool) -> Vec<u8> {
        let mut object = b"{".to_vec();
        for (name, value) in self.leading(has_time) {
            member(&mut object, name, value);
        }
        object.split_off(1)
    }
}
