//! Messages of rounds before: what need not be written again.

use crate::model::Warning;

/// The kinds of warnings that were written.
#[derive(Debug, Default)]
pub(super) struct MessageDedup {
    warnings: Vec<Warning>,
    troubles_before: Vec<Warning>,
    troubles: Vec<Warning>,
}

impl MessageDedup {
    pub(super) fn next_round(&mut self) {
        self.troubles_before = std::mem::take(&mut self.troubles);
    }

    /// Notes a warning; true if it is the first of its kind.
    pub(super) fn is_new_warning(&mut self, warning: &Warning) -> bool {
        insert(&mut self.warnings, warning.kind())
    }

    /// Notes something that is wrong; true if it is the first of its kind in this round, and the
    /// round before had none.
    pub(super) fn is_new_trouble(&mut self, warning: &Warning) -> bool {
        let kind = warning.kind();
        let is_new = !self.troubles_before.contains(&kind);
        insert(&mut self.troubles, kind) && is_new
    }
}

fn insert(kinds: &mut Vec<Warning>, kind: Warning) -> bool {
    let is_new = !kinds.contains(&kind);
    if is_new {
        kinds.push(kind);
    }
    is_new
}

#[cfg(test)]
mod tests {
    use super::MessageDedup;
    use crate::model::Warning;

    #[test]
    fn a_warning_is_said_once_whatever_its_number() {
        let mut dedup = MessageDedup::default();
        let unreadable = |count: u32| {
            let text = format!("{count} processes not readable");
            Warning::note(text).varying("processes not readable")
        };
        assert!(dedup.is_new_warning(&unreadable(212)));
        assert!(!dedup.is_new_warning(&unreadable(213)));
        dedup.next_round();
        assert!(!dedup.is_new_warning(&unreadable(1)));
        let too_new = |count: u32| Warning::note(format!("{count} are too new")).varying("too new");
        assert!(dedup.is_new_warning(&too_new(1)));
        assert!(!dedup.is_new_warning(&too_new(2)));
    }

    #[test]
    fn what_is_wrong_is_said_again_after_a_round_in_which_it_was_not() {
        let mut dedup = MessageDedup::default();
        let [four, six] = ["IPv4", "IPv6"].map(|of| Warning::failed(format!("{of}: it changed")));
        assert!(dedup.is_new_trouble(&four));
        assert!(dedup.is_new_trouble(&six));
        dedup.next_round();
        assert!(!dedup.is_new_trouble(&four));
        dedup.next_round();
        assert!(dedup.is_new_trouble(&six));
        assert!(!dedup.is_new_trouble(&six));
    }
}
