//! The grammar: words and signs to a tree.

use super::lexer::{Kind, Lexer, Relation, Token, Word};
use super::refusal::Refusal;
use super::subject::{EITHER, Subject, Unknown, meant};
use super::value::Values;
use super::words::{states, states_like};
use super::{Expr, FilterError, Names, Op, Test};
use crate::model::StateSet;
use crate::text::escape;

/// How deep parentheses and negations may be nested.
const DEEPEST: usize = 200;

/// Reads an expression. A text without a word selects everything.
///
/// # Errors
///
/// What was expected, and where something else was found.
pub fn parse(text: &str, names: &dyn Names) -> Result<Expr, FilterError> {
    let mut parser = Parser::new(text, names);
    if parser.next.kind == Kind::End {
        return Ok(Expr::ALWAYS);
    }
    let expr = parser.whole()?;
    match parser.next.kind {
        Kind::End => Ok(expr),
        Kind::Close => Err(parser.error_here("there is no \"(\" for this \")\"".to_owned())),
        _ => Err(parser.expected("\"and\", \"or\" or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    next: Token<'t>,
    /// What stood before it.
    last: &'t str,
    depth: usize,
    values: Values<'t>,
}

type Parsed = Result<Expr, FilterError>;

impl<'t> Parser<'t> {
    fn new(text: &'t str, names: &'t dyn Names) -> Self {
        let mut lexer = Lexer::new(text);
        let next = lexer.advance();
        Self {
            text,
            lexer,
            next,
            last: "",
            depth: 0,
            values: Values { names },
        }
    }

    fn advance(&mut self) -> Token<'t> {
        let next = self.lexer.advance();
        let token = std::mem::replace(&mut self.next, next);
        self.last = token.source;
        token
    }

    /// An expression, at whose beginning `state a state b` means either, and is meant for all of the
    /// rest, as in `ss`; unless an operator says otherwise.
    fn whole(&mut self) -> Parsed {
        let Some(states) = self.leading_states()? else {
            return self.or(None);
        };
        let states = Expr::Test(Test::State(states));
        match self.next.kind {
            Kind::End => Ok(states),
            _ if self.at_keyword("and") || self.at_keyword("or") => self.or(Some(states)),
            Kind::And | Kind::Or | Kind::Close => self.or(Some(states)),
            _ => Ok(Expr::all([states, self.or(None)?])),
        }
    }

    fn leading_states(&mut self) -> Result<Option<StateSet>, FilterError> {
        let mut set: Option<StateSet> = None;
        while let Some(subject @ (Subject::State | Subject::Exclude)) = self.subject_ahead() {
            self.advance();
            let named = self.states()?;
            set = Some(match (subject, set) {
                (Subject::State, None) => named,
                (Subject::State, Some(set)) => set.union(named),
                (_, None) => named.complement(),
                (_, Some(set)) => set.intersection(named.complement()),
            });
        }
        Ok(set)
    }

    /// The subject of a test that begins here and has no operator.
    fn subject_ahead(&self) -> Option<Subject> {
        let Kind::Word(word) = &self.next.kind else {
            return None;
        };
        let subject = Subject::of(&word.text).ok().filter(|_| !word.quoted)?;
        let following = self.lexer.clone().advance().kind;
        (!matches!(following, Kind::Relation(_)) && relation_word(&following).is_none())
            .then_some(subject)
    }

    fn or(&mut self, first: Option<Expr>) -> Parsed {
        let mut members = vec![self.and(first)?];
        while self.next.kind == Kind::Or || self.at_keyword("or") {
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
            if self.next.kind == Kind::And || self.at_keyword("and") {
                self.advance();
            } else if !self.at_term() {
                return Ok(Expr::all(members));
            }
            members.push(self.not()?);
        }
    }

    fn not(&mut self) -> Parsed {
        if self.next.kind == Kind::Not || self.at_keyword("not") {
            self.deeper()?;
            self.advance();
            let negated = self.not()?.negated();
            self.depth -= 1;
            return Ok(negated);
        }
        if self.next.kind == Kind::Open {
            self.deeper()?;
            self.advance();
            let inner = self.or(None)?;
            if self.next.kind != Kind::Close {
                return Err(self.expected("\"and\", \"or\" or \")\""));
            }
            self.advance();
            self.depth -= 1;
            return Ok(inner);
        }
        self.test()
    }

    fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let reason = format!("parentheses and \"not\" are nested deeper than {DEEPEST}");
            return Err(self.error_here(reason));
        }
        Ok(())
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(&self.next.kind, Kind::Word(word)
            if !word.quoted && word.text.eq_ignore_ascii_case(keyword))
    }

    /// Does a further member of an `and` begin here?
    fn at_term(&self) -> bool {
        match self.next.kind {
            Kind::Open | Kind::Not | Kind::Unclosed => true,
            Kind::Word(_) => !self.at_keyword("or"),
            _ => false,
        }
    }

    fn test(&mut self) -> Parsed {
        let Kind::Word(word) = &self.next.kind else {
            return Err(self.expected("a field, \"not\" or \"(\""));
        };
        if word.quoted || self.at_keyword("and") || self.at_keyword("or") {
            return Err(self.expected("a field, \"not\" or \"(\""));
        }
        if word.text.starts_with(':') && !word.text.starts_with("::") {
            return self.port_of_either();
        }
        let subject = match Subject::of(&word.text) {
            Ok(subject) => subject,
            Err(unknown) => return Err(self.unknown(&unknown)),
        };
        let name = self.advance().source;
        match subject {
            Subject::Autobound => Ok(Expr::Test(self.values.autobound())),
            Subject::HalfClosed => Ok(Expr::Test(Test::HalfClosed)),
            Subject::Orphan => Ok(Expr::Test(Test::Orphan)),
            Subject::Shown => {
                let token = self.value("a text")?;
                Ok(Expr::Test(Test::Shown(token.1.text.into_owned())))
            }
            Subject::Exclude => {
                let states = self.states()?.complement();
                Ok(Expr::Test(Test::State(states)))
            }
            Subject::State => self.state(),
            other => self.comparison(other, name),
        }
    }

    /// `:22`
    fn port_of_either(&mut self) -> Parsed {
        let subject = Subject::Port(EITHER);
        let token = self.advance();
        let Kind::Word(word) = token.kind else {
            return Err(self.expected("a port"));
        };
        self.values
            .comparison(subject, "port", Relation::Compare(Op::Equal), &word)
            .map_err(|refusal| self.refused(refusal, token.at, token.source, ""))
    }

    /// `FIELD [OP] VALUE`, from the operator on.
    fn comparison(&mut self, subject: Subject, name: &'t str) -> Parsed {
        let relation_at = self.next.at;
        let relation = self.relation();
        if self.next.kind == Kind::End && self.last == name && subject.takes(BELOW) {
            // What followed may have become the name of a file.
            let reason = expectation(subject.value(), name, "");
            return Err(self.error_here(format!("{reason}; < and > need quotes in a shell")));
        }
        if !subject.takes(relation) {
            let signs = subject.signs();
            let reason = format!("\"{}\" takes {signs}", escape(name.as_bytes()));
            return Err(FilterError::new(self.text, relation_at, reason));
        }
        let after = self.last;
        let (token, word) = self.values(subject.value())?;
        self.values
            .comparison(subject, name, relation, &word)
            .map_err(|refusal| self.refused(refusal, token.at, token.source, after))
    }

    /// The operator that stands here; `=` where there is none.
    fn relation(&mut self) -> Relation {
        let relation = match &self.next.kind {
            Kind::Relation(relation) => Some(*relation),
            other => relation_word(other),
        };
        if relation.is_some() {
            self.advance();
        }
        relation.unwrap_or(Relation::Compare(Op::Equal))
    }

    /// The word that is a value.
    fn value(&mut self, what: &str) -> Result<(Token<'t>, Word<'t>), FilterError> {
        let keyword = ["and", "or", "not"]
            .iter()
            .any(|word| self.at_keyword(word));
        match &self.next.kind {
            Kind::Word(word) if !keyword => {
                let word = word.clone();
                Ok((self.advance(), word))
            }
            _ => Err(self.expected(what)),
        }
    }

    /// `state [OP] STATES`, from the operator on.
    fn state(&mut self) -> Parsed {
        let relation_at = self.next.at;
        let relation = self.relation();
        let states = match relation {
            Relation::Compare(Op::Equal) => self.states()?,
            Relation::Compare(Op::Unequal) => self.states()?.complement(),
            Relation::Like | Relation::Unlike => {
                let after = self.last;
                let (token, word) = self.value("a glob")?;
                let states = states_like(&word.text)
                    .map_err(|refusal| self.refused(refusal, token.at, token.source, after))?;
                if relation == Relation::Like {
                    states
                } else {
                    states.complement()
                }
            }
            Relation::Compare(_) => {
                let reason = "\"state\" takes = != ~ !~".to_owned();
                return Err(FilterError::new(self.text, relation_at, reason));
            }
        };
        Ok(Expr::Test(Test::State(states)))
    }

    /// `name,name`
    fn states(&mut self) -> Result<StateSet, FilterError> {
        let after = self.last;
        let (token, word) = self.values("a state")?;
        states(&word.text).map_err(|refusal| self.refused(refusal, token.at, token.source, after))
    }

    /// A word, or several with blanks behind their commas.
    fn values(&mut self, what: &str) -> Result<(Token<'t>, Word<'t>), FilterError> {
        let (token, mut word) = self.value(what)?;
        while !word.quoted && word.text.ends_with(',') {
            let more = self.value(what)?.1;
            word.quoted |= more.quoted;
            word.text.to_mut().push_str(&more.text);
        }
        Ok((token, word))
    }

    fn unknown(&self, unknown: &Unknown) -> FilterError {
        let word = escape(self.next.source.as_bytes());
        let word = shortened(&word);
        self.error_here(match unknown {
            Unknown::Structure(part) => format!("\"{word}\" has parts: write {part}, for one"),
            Unknown::Ambiguous(names) => format!("\"{word}\" is a part of {}", names.join(", ")),
            Unknown::Slip => match self.values.hint(self.next.source) {
                Some(hint) => format!("expected a field, found \"{word}\"; {hint}"),
                None => match meant(self.next.source) {
                    Some(name) => format!("unknown field \"{word}\"; did you mean {name}?"),
                    None => {
                        format!("unknown field \"{word}\"; \"any {word}\" searches what is shown")
                    }
                },
            },
        })
    }

    fn refused(&self, refusal: Refusal, at: usize, found: &str, after: &str) -> FilterError {
        let reason = match refusal {
            Refusal::Because(reason) => reason,
            Refusal::Expected(what) => expectation(&what, after, found),
        };
        FilterError::new(self.text, at, reason)
    }

    fn expected(&self, what: &str) -> FilterError {
        let found = match self.next.kind {
            Kind::End => "",
            Kind::Unclosed => {
                return self.error_here("there is no second quotation mark".to_owned());
            }
            _ => self.next.source,
        };
        self.error_here(expectation(what, self.last, found))
    }

    fn error_here(&self, reason: String) -> FilterError {
        FilterError::new(self.text, self.next.at, reason)
    }
}

const BELOW: Relation = Relation::Compare(Op::Less);

/// `ge` and its like.
fn relation_word(kind: &Kind<'_>) -> Option<Relation> {
    let Kind::Word(Word {
        text,
        quoted: false,
    }) = kind
    else {
        return None;
    };
    Some(Relation::Compare(match &**text {
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
    let after = if after.is_empty() {
        String::new()
    } else {
        format!(" after {}", quoted(after))
    };
    let found = if found.is_empty() {
        "the end".to_owned()
    } else {
        quoted(found)
    };
    format!("expected {what}{after}, found {found}")
}

/// A word of a message is no longer than this.
const LONGEST_WORD: usize = 40;

fn shortened(word: &str) -> String {
    match word.char_indices().nth(LONGEST_WORD) {
        Some((end, _)) => format!("{}...", word.get(..end).unwrap_or_default()),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests;
