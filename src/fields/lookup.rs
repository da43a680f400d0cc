//! Lookup of fields by name.

use super::Field;
use crate::model::Table;
use crate::text::enumeration;

/// Why a word is not the name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// It is a structure; this is one of its parts.
    Structure(String),
    /// Several structures have such a part; these are their full names.
    Ambiguous(Vec<String>),
    /// Names that end with it.
    End(Vec<String>),
    /// No field is similar.
    Slip,
}

impl Unknown {
    /// An explanation; `None` for a word that is no name.
    pub fn reason(&self, word: &str) -> Option<String> {
        match self {
            Self::Structure(part) => Some(format!("\"{word}\" has parts: write one, like {part}")),
            Self::Ambiguous(names) => Some(format!(
                "\"{word}\" has more than one meaning: write {}",
                enumeration(names, "or")
            )),
            Self::End(names) => Some(format!(
                "unknown field \"{word}\"; did you mean {}?",
                enumeration(names, "or")
            )),
            Self::Slip => None,
        }
    }
}

impl Field {
    /// The column with this name: a field of the vocabulary, including whole structures, or one that a filter
    /// compares.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn column(word: &str, tables: &[Table]) -> Result<Self, Unknown> {
        let whole = Self::VOCABULARY.into_iter().chain(Self::COMBINED);
        let whole = whole.chain([Self::Result]).chain(Self::RATES);
        let mut named = whole.filter(|field| field.is_called(word));
        named
            .next()
            .map_or_else(|| Self::compared(word, tables), Ok)
    }

    /// The field that a filter compares under this name. The short name of a part is enough if only one
    /// structure of these tables has it.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn compared(word: &str, tables: &[Table]) -> Result<Self, Unknown> {
        let mut fields = Self::comparable();
        if let Some(field) = fields.find(|field| field.prefix().is_empty() && field.is_called(word))
        {
            return Ok(field);
        }
        // `name` alone is that of a process of the socket itself.
        let is_key = |field: Self| field.key() == word && field.of_this_end() == field;
        let meant: Vec<Self> = Self::comparable()
            .filter(|field| field.own_name() == word || is_key(*field) || field.is_path(word))
            .collect();
        let is_there = |field: &&Self| tables.iter().any(|table| field.applies_to(*table));
        let there: Vec<Self> = meant.iter().filter(is_there).copied().collect();
        let candidates = if there.is_empty() { meant } else { there };
        match &*candidates {
            [only] => Ok(*only),
            [] => {
                let is_part = |field: &Self| field.prefix().strip_suffix('.') == Some(word);
                if let Some(part) = Self::comparable().find(is_part) {
                    return Err(Unknown::Structure(part.path()));
                }
                let ends = Self::comparable().filter(|field| field.ends_with(word));
                let ends: Vec<String> = ends.map(Self::path).collect();
                Err(if ends.is_empty() {
                    Unknown::Slip
                } else {
                    Unknown::End(ends)
                })
            }
            several => {
                let paths = several.iter().map(|field| field.path());
                Err(Unknown::Ambiguous(paths.collect()))
            }
        }
    }

    /// True if this is its name, or an alias of it.
    fn is_called(self, word: &str) -> bool {
        self.own_name() == word || self.aliases().any(|alias| alias == word)
    }

    /// True if its name ends with this word: `cwnd` of `snd_cwnd`.
    fn ends_with(self, word: &str) -> bool {
        let last = self.own_name().rsplit_once('_').map(|(_, last)| last);
        last == Some(word)
    }

    /// True if this is its path in JSON, or the path with an underscore.
    fn is_path(self, word: &str) -> bool {
        let Some(structure) = self.structure() else {
            return false;
        };
        let rest = word.strip_prefix(structure.key());
        let key = rest.and_then(|rest| rest.strip_prefix(['.', '_']));
        key == Some(self.key())
    }
}
