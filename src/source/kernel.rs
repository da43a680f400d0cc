//! Limits and counters of this kernel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::PROC;
use crate::model::Limits;

/// Reads each file once.
#[derive(Debug, Default)]
pub(super) struct Kernel(RefCell<HashMap<String, Option<String>>>);

impl Limits for Kernel {
    fn text(&self, file: &str) -> Option<String> {
        let mut known = self.0.borrow_mut();
        if let Some(text) = known.get(file) {
            return text.clone();
        }
        let text = fs::read_to_string(Path::new(PROC).join(file)).ok();
        known.insert(file.to_owned(), text.clone());
        text
    }

    fn descriptors(&self, pid: u32) -> Option<u64> {
        let entries = fs::read_dir(Path::new(PROC).join(format!("{pid}/fd"))).ok()?;
        u64::try_from(entries.count()).ok()
    }
}
