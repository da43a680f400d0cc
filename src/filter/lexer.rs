//! Splits text into words and signs.

use std::borrow::Cow;

use super::Op;

/// An operator between a field and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relation {
    /// The operator; for a glob `=` or `!=`.
    pub(super) op: Op,
    /// `~`, `!~`: the value is a glob.
    pub(super) like: bool,
}

impl Relation {
    /// `=`, `<`, …
    pub(super) const fn compare(op: Op) -> Self {
        Self { op, like: false }
    }

    /// True for `<` and other ordered comparisons.
    pub(super) const fn is_order(self) -> bool {
        !matches!(self.op, Op::Equal | Op::Unequal)
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `!`, `not`
    Not,
    /// `&`, `&&`, `and`
    And,
    /// `|`, `||`, `or`
    Or,
    /// `=`, `!=`, `~`, …
    Relation(Relation),
    /// Anything else up to a blank or a sign; it may be partly quoted.
    Word(Word<'t>),
    /// An unclosed quotation mark.
    Unclosed,
    /// The end of the text.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// The text without quotation marks.
    pub(super) text: Cow<'t, str>,
    /// True if part of it was quoted: then it is neither a keyword nor a glob.
    pub(super) quoted: bool,
}

impl<'t> Word<'t> {
    /// An unquoted word.
    pub(super) const fn plain(text: &'t str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            quoted: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    /// Its position in bytes.
    pub(super) at: usize,
    /// Its text in the source.
    pub(super) source: &'t str,
}

#[derive(Debug, Clone)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

/// Signs, longer ones first.
static SIGNS: [(&str, Kind<'static>); 17] = [
    ("==", compare(Op::Equal)),
    ("=~", like(Op::Equal)),
    ("!=", compare(Op::Unequal)),
    ("!~", like(Op::Unequal)),
    (">=", compare(Op::AtLeast)),
    ("<=", compare(Op::AtMost)),
    ("&&", Kind::And),
    ("||", Kind::Or),
    ("(", Kind::Open),
    (")", Kind::Close),
    ("=", compare(Op::Equal)),
    (">", compare(Op::Greater)),
    ("<", compare(Op::Less)),
    ("~", like(Op::Equal)),
    ("!", Kind::Not),
    ("&", Kind::And),
    ("|", Kind::Or),
];

/// Words that are operators in any case, unless quoted.
static KEYWORDS: [(&str, Kind<'static>); 3] =
    [("and", Kind::And), ("or", Kind::Or), ("not", Kind::Not)];

const fn compare(op: Op) -> Kind<'static> {
    Kind::Relation(Relation::compare(op))
}

const fn like(op: Op) -> Kind<'static> {
    Kind::Relation(Relation { op, like: true })
}

/// True if this character ends a word.
fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '=' | '!' | '<' | '>' | '~' | '&' | '|')
}

impl<'t> Lexer<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; at the end always [`Kind::End`].
    pub(super) fn advance(&mut self) -> Token<'t> {
        let rest = self.rest();
        let blank = rest.len() - rest.trim_start().len();
        self.at += blank;
        let (at, rest) = (self.at, self.rest());
        let (kind, len) = match SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            _ if rest.is_empty() => (Kind::End, 0),
            Some((sign, kind)) => (kind.clone(), sign.len()),
            None => word(rest),
        };
        self.at += len;
        Token {
            kind,
            at,
            source: rest.get(..len).unwrap_or_default(),
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// The word at the start of a text, and its length there.
fn word(text: &str) -> (Kind<'_>, usize) {
    let mut word = Word::plain("");
    let mut rest = text;
    loop {
        let end = rest.find(|c| ends_word(c) || is_quote(c));
        let (plain, tail) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, ""));
        word.text += plain;
        rest = tail;
        let Some(quote) = rest.chars().next().filter(|c| is_quote(*c)) else {
            break;
        };
        let quoted = rest.get(1..).and_then(|rest| rest.split_once(quote));
        let Some((quoted, tail)) = quoted else {
            return (Kind::Unclosed, text.len());
        };
        word.text += quoted;
        word.quoted = true;
        rest = tail;
    }
    let len = text.len() - rest.len();
    let is_keyword = |(name, _): &&(&str, _)| !word.quoted && word.text.eq_ignore_ascii_case(name);
    match KEYWORDS.iter().find(is_keyword) {
        Some((_, keyword)) => (keyword.clone(), len),
        None => (Kind::Word(word), len),
    }
}

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

#[cfg(test)]
mod tests {
    use super::{Kind, Lexer};

    fn words(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text);
        let mut found = Vec::new();
        loop {
            let token = lexer.advance();
            match token.kind {
                Kind::End => return found,
                Kind::Word(word) if word.quoted => found.push(format!("<{}>", word.text)),
                Kind::Unclosed => found.push("unclosed".to_owned()),
                _ => found.push(token.source.to_owned()),
            }
        }
    }

    #[test]
    fn blanks_are_optional_around_signs() {
        assert_eq!(
            words("(sport>=:22)&&!dst!=10/8||x!~y"),
            [
                "(", "sport", ">=", ":22", ")", "&&", "!", "dst", "!=", "10/8", "||", "x", "!~",
                "y"
            ]
        );
    }

    #[test]
    fn quoted_parts_belong_to_their_word() {
        assert_eq!(
            words(r#"unix:"/run/a b"'"'x "" 'and'"#),
            ["<unix:/run/a b\"x>", "<>", "<and>"]
        );
        assert_eq!(words("a 'b c"), ["a", "unclosed"]);
    }

    #[test]
    fn words_keep_what_addresses_and_paths_need() {
        assert_eq!(
            words("[fe80::1%eth0]:22 /run/*.sock @a? 1,2-3"),
            ["[fe80::1%eth0]:22", "/run/*.sock", "@a?", "1,2-3"]
        );
    }
}
