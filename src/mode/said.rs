//! What was said in the rounds before.

use std::collections::HashSet;

/// Messages by their kind: the same words, whatever the numbers.
#[derive(Debug, Default)]
pub(super) struct Said {
    warnings: HashSet<String>,
    errors_before: HashSet<String>,
    errors: HashSet<String>,
}

impl Said {
    /// Another round begins.
    pub(super) fn next_round(&mut self) {
        self.errors_before = std::mem::take(&mut self.errors);
    }

    /// Is this warning the first of its kind?
    pub(super) fn warning(&mut self, text: &str) -> bool {
        self.warnings.insert(kind(text))
    }

    /// Is this the first of its kind in this round, and was there none in the one before?
    pub(super) fn error(&mut self, text: &str) -> bool {
        let kind = kind(text);
        let is_news = !self.errors_before.contains(&kind);
        self.errors.insert(kind) && is_news
    }
}

fn kind(text: &str) -> String {
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let words = text.split(' ');
    let words: Vec<&str> = words
        .map(|word| if is_number(word) { "" } else { word })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn a_warning_is_said_once_whatever_its_number() {
        let mut said = Said::default();
        assert!(said.warning("212 processes not readable"));
        assert!(!said.warning("213 processes not readable"));
        said.next_round();
        assert!(!said.warning("1 processes not readable"));
        assert!(said.warning("1 socket is too new"));
    }

    #[test]
    fn what_is_wrong_is_said_again_after_a_round_in_which_it_was_not() {
        let mut said = Said::default();
        assert!(said.error("cannot list IPv4 TCP sockets"));
        assert!(said.error("cannot list IPv6 TCP sockets"));
        said.next_round();
        assert!(!said.error("cannot list IPv4 TCP sockets"));
        said.next_round();
        assert!(said.error("cannot list IPv6 TCP sockets"));
        assert!(!said.error("cannot list IPv6 TCP sockets"));
    }
}
