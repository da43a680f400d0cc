//! What is to be said of each state, from `states.txt`. The manual's section STATES has the same words.

use std::sync::LazyLock;

use super::super::State;

/// A state in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Which state; `UNKNOWN(0)` stands for every unknown one.
    pub state: State,
    /// What it means.
    pub meaning: &'static str,
    /// Who has shut which side, and what each may still do; `None` = there is no connection to shut.
    pub half_close: Option<&'static str>,
    /// How long a socket may stay in it, and which sysctl rules that. Numbers are Linux's defaults.
    pub stays: &'static str,
    /// What it means when there are many, and what to do. Begins with a sentence that can stand alone.
    pub many: &'static str,
    /// A command that lists them.
    pub command: &'static str,
    /// What a state of TCP means elsewhere, where that is something else.
    pub elsewhere: Option<&'static str>,
}

/// The named states in the order of [`State::all_named`], and the unknown ones.
pub static EXPLANATIONS: LazyLock<Vec<Explanation>> = LazyLock::new(|| {
    let blocks = include_str!("states.txt").split("\n\n");
    blocks.filter_map(Explanation::read).collect()
});

impl Explanation {
    /// That of a state.
    pub fn of(state: State) -> Option<&'static Self> {
        let mut known = EXPLANATIONS.iter();
        known.find(|known| known.state.name() == state.name())
    }

    /// Reads what it says, a line for each; `-` stands for nothing.
    fn read(block: &'static str) -> Option<Self> {
        let mut lines = block.lines();
        Some(Self {
            state: State::from_name(lines.next()?)?,
            meaning: lines.next()?,
            half_close: Some(lines.next()?).filter(|text| *text != "-"),
            stays: lines.next()?,
            many: lines.next()?,
            command: lines.next()?,
            elsewhere: lines.next(),
        })
    }
}
