//! Texts of checks: `expected at least 1 TCP listener where sport = 8080, found none`.

use std::fmt::Write as _;

use super::Tally;
use crate::filter::Expr;
use crate::model::{Family, Selection};
use crate::query::{Count, Query};
use crate::text::counted;
use crate::text::enumeration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mode) enum Counted {
    /// The sockets of a query.
    Sockets,
    /// Events of these sockets.
    Steps,
    /// Connections, with the events of both ends.
    Pairs,
}

/// `expected at least 1 TCP listener where sport = 8080, found none`
pub(in crate::mode) fn sentence(
    query: &Query,
    expected: Count,
    counted: Counted,
    tally: Tally,
) -> String {
    let expectation = expectation(query, expected, counted);
    format!("{expectation}, found {}", found(tally))
}

fn expectation(query: &Query, expected: Count, counted: Counted) -> String {
    let (amount, is_one) = amount(expected);
    let (which, what) = match (counted, query.selection) {
        (Counted::Steps, _) => ("", "step"),
        (Counted::Pairs, _) => ("", "connection"),
        (Counted::Sockets, Selection::Listening) => ("", "listener"),
        (Counted::Sockets, Selection::Connected) => ("connected ", "socket"),
        (Counted::Sockets, Selection::All) => ("", "socket"),
    };
    let protocols = if query.named {
        protocols(query)
    } else {
        String::new()
    };
    let mut text = format!("expected {amount} {which}{protocols}{what}");
    if !is_one {
        text.push('s');
    }
    if query.filter != Expr::ALWAYS {
        // Writing to a String cannot fail.
        let _ = write!(text, " where {}", query.filter);
    }
    text
}

/// `none`, `3`, `1; 2 sockets could not be checked`
fn found(tally: Tally) -> String {
    let number = match tally.certain {
        0 => "none".to_owned(),
        number => number.to_string(),
    };
    match tally.doubtful {
        0 => number,
        doubtful => format!(
            "{number}; {} could not be checked",
            counted(doubtful, "socket")
        ),
    }
}

/// The expected number as text, and true if the following noun is singular.
fn amount(expected: Count) -> (String, bool) {
    let Count { least, most } = expected;
    match (least, most) {
        (least, None) => (format!("at least {least}"), least == 1),
        (0, Some(0)) => ("no".to_owned(), true),
        (0, Some(most)) => (format!("at most {most}"), most == 1),
        (least, Some(most)) if least == most => (format!("exactly {least}"), least == 1),
        (least, Some(most)) => (format!("{least} to {most}"), false),
    }
}

/// `IPv4 TCP or UDP `, with a trailing space.
fn protocols(query: &Query) -> String {
    let tables = query.tables.iter();
    let mut titles: Vec<&str> = tables.map(|table| table.protocol.title()).collect();
    titles.dedup();
    let ip: Vec<Family> = query.tables.iter().map(|table| table.family).collect();
    let is_asked = |family| ip.contains(&family) && query.checked.is_none_or(|it| it == family);
    let version = match [Family::Inet, Family::Inet6].map(is_asked) {
        [true, false] => "IPv4 ",
        [false, true] => "IPv6 ",
        _ => "",
    };
    if titles.is_empty() {
        return String::new();
    }
    format!("{version}{} ", enumeration(&titles, "or"))
}

#[cfg(test)]
mod tests {
    use super::{amount, found};
    use crate::mode::check::Tally;
    use crate::query::Count;

    #[test]
    fn counts_are_told_in_words() {
        for (text, words, is_one) in [
            ("1..", "at least 1", true),
            ("3..", "at least 3", false),
            ("0", "no", true),
            ("1", "exactly 1", true),
            ("..5", "at most 5", false),
            ("2..4", "2 to 4", false),
        ] {
            let told = Count::parse(text).map(amount);
            assert_eq!(told, Some((words.to_owned(), is_one)), "{text}");
        }
    }

    #[test]
    fn what_was_found_is_told_with_what_is_in_doubt() {
        let told = |certain, doubtful| {
            found(Tally {
                found: certain,
                certain,
                doubtful,
            })
        };
        assert_eq!(told(0, 0), "none");
        assert_eq!(told(3, 0), "3");
        let doubt = "none; 2 sockets could not be checked";
        assert_eq!(told(0, 2), doubt);
    }
}
