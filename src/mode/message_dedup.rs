//! Messages of rounds before: what need not be written again.

use crate::model::Warning;

/// The kinds of warnings that were written, each with the round that had it last.
#[derive(Debug, Default)]
pub(super) struct MessageDedup {
    written: Vec<(Warning, u64)>,
    round: u64,
}

impl MessageDedup {
    pub(super) const fn next_round(&mut self) {
        self.round += 1;
    }

    /// Notes a warning; true if it is the first of its kind.
    pub(super) fn is_new_warning(&mut self, warning: &Warning) -> bool {
        self.note(warning).is_none()
    }

    /// Notes something that is wrong; true if it is the first of its kind in this round, and the
    /// round before had none.
    pub(super) fn is_new_trouble(&mut self, warning: &Warning) -> bool {
        let before = self.note(warning);
        before.is_none_or(|before| before + 1 < self.round)
    }

    /// Gives the round that had such a one last.
    fn note(&mut self, warning: &Warning) -> Option<u64> {
        let (kind, round) = (warning.kind(), self.round);
        let mut known = self.written.iter_mut();
        if let Some((_, last)) = known.find(|(known, _)| *known == kind) {
            return Some(std::mem::replace(last, round));
        }
        self.written.push((kind, round));
        None
    }
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
