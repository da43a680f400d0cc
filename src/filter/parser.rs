//! The parser: tokens to a tree.

use super::error::Refusal;
use super::lexer::{Kind, Lexer, Relation, Token, Word};
use super::number::is_unit;
use super::subject::{PORTS, Subject, meant};
use super::value::Values;
use super::words::states;
use super::{Expr, FilterError, Names, Op, Test};
use crate::fields::Unknown;
use crate::model::{StateSet, Table};
use crate::text::escape;

/// Maximum nesting of parentheses and negations.
const DEEPEST: usize = 200;

/// Parses an expression. A blank text selects everything.
///
/// # Errors
///
/// What was expected, and what was found where.
pub fn parse(text: &str, names: &dyn Names) -> Result<Expr, FilterError> {
    parse_for(text, names, &[])
}

/// Likewise, for the sockets of these tables: the short name of a part is enough if only one of their
/// structures has it.
///
/// # Errors
///
/// What was expected, and what was found where.
pub fn parse_for(text: &str, names: &dyn Names, tables: &[Table]) -> Result<Expr, FilterError> {
    let mut lexer = Lexer::new(text);
    let next = lexer.advance();
    let mut parser = Parser {
        text,
        lexer,
        next,
        last: "",
        depth: 0,
        values: Values { names, tables },
    };
    if parser.next.kind == Kind::End {
        return Ok(Expr::ALWAYS);
    }
    let expr = parser.whole()?;
    match parser.next.kind {
        Kind::End => Ok(expr),
        Kind::Close => Err(parser.error_here("there is no \"(\" for this \")\"")),
        _ => Err(parser.expected("\"and\", \"or\" or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    next: Token<'t>,
    /// The text of the token before it.
    last: &'t str,
    depth: usize,
    values: Values<'t>,
}

struct Written<'t> {
    word: Word<'t>,
    /// Its position in bytes.
    at: usize,
    /// Its first word in the text.
    source: &'t str,
    /// The text before it.
    after: &'t str,
}

type Parsed = Result<Expr, FilterError>;

impl<'t> Parser<'t> {
    fn advance(&mut self) -> Token<'t> {
        let next = self.lexer.advance();
        let token = std::mem::replace(&mut self.next, next);
        self.last = token.source;
        token
    }

    /// A whole expression. As in `ss`, leading `state a state b` means either state, combined with the rest
    /// by `and`, unless an operator follows.
    fn whole(&mut self) -> Parsed {
        let Some(states) = self.leading_states()? else {
            return self.or(None);
        };
        let states = Expr::Test(Test::State(states));
        match self.next.kind {
            Kind::And | Kind::Or | Kind::Close | Kind::End => self.or(Some(states)),
            _ => Ok(Expr::all([states, self.or(None)?])),
        }
    }

    fn leading_states(&mut self) -> Result<Option<StateSet>, FilterError> {
        let mut set: Option<StateSet> = None;
        while let Some(subject @ (Subject::State | Subject::Exclude)) = self.subject_ahead() {
            self.advance();
            let named = self.states()?;
            set = Some(match subject {
                Subject::State => set.unwrap_or(StateSet::EMPTY).union(named),
                _ => set
                    .unwrap_or(StateSet::ALL)
                    .intersection(named.complement()),
            });
        }
        Ok(set)
    }

    /// The subject of a test that begins here and has no operator.
    fn subject_ahead(&self) -> Option<Subject> {
        let Kind::Word(word) = &self.next.kind else {
            return None;
        };
        let subject = Subject::of(&word.text, self.values.tables)
            .ok()
            .filter(|_| !word.quoted)?;
        let following = self.lexer.clone().advance().kind;
        relation(&following).is_none().then_some(subject)
    }

    fn or(&mut self, first: Option<Expr>) -> Parsed {
        let mut members = vec![self.and(first)?];
        while self.next.kind == Kind::Or {
            self.advance();
            members.push(self.and(None)?);
        }
        Ok(Expr::any(members))
    }

    fn and(&mut self, first: Option<Expr>) -> Parsed {
        let mut members = vec![match first {
            Some(first) => first,
            None => self.not()?,
        }];
        loop {
            match self.next.kind {
                Kind::And => _ = self.advance(),
                Kind::Open | Kind::Not | Kind::Unclosed | Kind::Word(_) => {}
                _ => return Ok(Expr::all(members)),
            }
            members.push(self.not()?);
        }
    }

    fn not(&mut self) -> Parsed {
        match self.next.kind {
            Kind::Not => {
                self.enter()?;
                let negated = self.not()?.negated();
                self.depth -= 1;
                Ok(negated)
            }
            Kind::Open => {
                self.enter()?;
                let inner = self.or(None)?;
                if self.next.kind != Kind::Close {
                    return Err(self.expected("\"and\", \"or\" or \")\""));
                }
                self.advance();
                self.depth -= 1;
                Ok(inner)
            }
            _ => self.test(),
        }
    }

    fn enter(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let reason = format!("parentheses and \"not\" are nested deeper than {DEEPEST}");
            return Err(self.error_here(reason));
        }
        self.advance();
        Ok(())
    }

    fn test(&mut self) -> Parsed {
        let subject = match &self.next.kind {
            Kind::Word(word) if !word.quoted => {
                if word.text.starts_with(':') && !word.text.starts_with("::") {
                    return self.port_of_either();
                }
                Subject::of(&word.text, self.values.tables)
                    .map_err(|unknown| self.unknown(&unknown))?
            }
            _ => return Err(self.expected("a field, \"not\" or \"(\"")),
        };
        let name = self.advance().source;
        Ok(Expr::Test(match subject {
            Subject::Autobound => self.values.autobound(),
            Subject::HalfClosed => Test::HalfClosed,
            Subject::Orphan => Test::Orphan,
            Subject::Shown => Test::Shown(self.value("a text")?.word.text.into_owned()),
            Subject::Exclude => Test::State(self.states()?.complement()),
            other => return self.comparison(other, name),
        }))
    }

    /// `:22`
    fn port_of_either(&mut self) -> Parsed {
        let mut port = self.value("a port")?;
        port.after = "";
        let equal = Relation::compare(Op::Equal);
        self.compared(PORTS, "port", equal, &port)
    }

    /// `FIELD [OP] VALUE`, starting at the operator.
    fn comparison(&mut self, subject: Subject, name: &'t str) -> Parsed {
        let relation_at = self.next.at;
        let relation = match relation(&self.next.kind) {
            Some(relation) => {
                self.advance();
                relation
            }
            None => Relation::compare(Op::Equal),
        };
        let what = subject.value(relation);
        let is_last = self.next.kind == Kind::End && self.last == name;
        if is_last && subject.takes(Relation::compare(Op::Less)) {
            // The shell may have taken the rest as a file name.
            let reason = expectation(what, name, "");
            return Err(self.error_here(format!("{reason}; < and > need quotes in a shell")));
        }
        if !subject.takes(relation) {
            let signs = subject.signs();
            let reason = format!("\"{}\" takes {signs}", escape(name.as_bytes()));
            return Err(FilterError::new(self.text, relation_at, reason));
        }
        let value = self.values(what)?;
        self.compared(subject, name, relation, &value)
    }

    fn compared(
        &self,
        subject: Subject,
        name: &str,
        relation: Relation,
        value: &Written<'_>,
    ) -> Parsed {
        self.values
            .comparison(subject, name, relation, &value.word)
            .map_err(|refusal| self.refused(refusal, value))
    }

    fn value(&mut self, what: &str) -> Result<Written<'t>, FilterError> {
        let Kind::Word(word) = &self.next.kind else {
            return Err(self.expected(what));
        };
        let (word, after) = (word.clone(), self.last);
        let Token { at, source, .. } = self.advance();
        Ok(Written {
            word,
            at,
            source,
            after,
        })
    }

    /// A word, or several separated by a comma and blanks.
    fn values(&mut self, what: &str) -> Result<Written<'t>, FilterError> {
        let mut value = self.value(what)?;
        while !value.word.quoted && value.word.text.ends_with(',') {
            let more = self.value(what)?.word;
            value.word.quoted |= more.quoted;
            value.word.text.to_mut().push_str(&more.text);
        }
        Ok(value)
    }

    /// `name,name`
    fn states(&mut self) -> Result<StateSet, FilterError> {
        let value = self.values("a state")?;
        states(&value.word.text).map_err(|refusal| self.refused(refusal, &value))
    }

    fn unknown(&self, unknown: &Unknown) -> FilterError {
        let source = self.next.source;
        let word = shortened(&escape(source.as_bytes()));
        let is_number = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
        self.error_here(if is_unit(source) && is_number(self.last) {
            let number = self.last;
            format!("a number and its unit are one word: write {number}{word}")
        } else if let Some(reason) = unknown.reason(&word) {
            reason
        } else if let Some(hint) = self.values.hint(source) {
            format!("expected a field, found \"{word}\"; {hint}")
        } else if let Some(name) = meant(source) {
            format!("unknown field \"{word}\"; did you mean {name}?")
        } else {
            format!("unknown field \"{word}\"; \"any {word}\" searches what is shown")
        })
    }

    fn refused(&self, refusal: Refusal, value: &Written<'_>) -> FilterError {
        let reason = match refusal {
            Refusal::Because(reason) => reason,
            Refusal::Expected(what) => expectation(&what, value.after, value.source),
        };
        FilterError::new(self.text, value.at, reason)
    }

    fn expected(&self, what: &str) -> FilterError {
        self.error_here(match self.next.kind {
            Kind::Unclosed => "there is no second quotation mark".to_owned(),
            _ => expectation(what, self.last, self.next.source),
        })
    }

    fn error_here(&self, reason: impl Into<String>) -> FilterError {
        FilterError::new(self.text, self.next.at, reason.into())
    }
}

/// The operator at this point: a sign, or a word like `ge`.
fn relation(kind: &Kind<'_>) -> Option<Relation> {
    let word = match kind {
        Kind::Relation(relation) => return Some(*relation),
        Kind::Word(word) if !word.quoted => &*word.text,
        _ => return None,
    };
    Some(Relation::compare(match word {
        "eq" => Op::Equal,
        "ne" | "neq" => Op::Unequal,
        "gt" => Op::Greater,
        "lt" => Op::Less,
        "ge" | "geq" => Op::AtLeast,
        "le" | "leq" => Op::AtMost,
        _ => return None,
    }))
}

/// `expected a port after ">=", found ")"`
fn expectation(what: &str, after: &str, found: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"", shortened(&escape(text.as_bytes())));
    let after = match after {
        "" => String::new(),
        after => format!(" after {}", quoted(after)),
    };
    let found = match found {
        "" => "the end".to_owned(),
        found => quoted(found),
    };
    format!("expected {what}{after}, found {found}")
}

/// Length of a word in a message.
const LONGEST_WORD: usize = 40;

fn shortened(word: &str) -> String {
    match word.char_indices().nth(LONGEST_WORD) {
        Some((end, _)) => format!("{}...", word.get(..end).unwrap_or_default()),
        None => word.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests;
