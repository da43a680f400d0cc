//! Explanations of the states, from `states.txt`. The manual's section STATES has the same text.

use std::sync::LazyLock;

use super::super::State;

/// The explanation of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The state; `UNKNOWN(0)` stands for every unknown one.
    pub state: State,
    /// Its meaning.
    pub meaning: &'static str,
    /// Who has shut which direction, and what each end may still do; `None` = there is no connection.
    pub half_close: Option<&'static str>,
    /// How long a socket may stay in it, and which sysctl limits that. Numbers are Linux's defaults.
    pub stays: &'static str,
    /// What many such sockets mean, and what to do. The first sentence also appears alone.
    pub many: &'static str,
    /// A command that lists such sockets.
    pub command: &'static str,
    /// The meaning of a TCP state in other protocols, if different.
    pub elsewhere: Option<&'static str>,
}

/// The named states in the order of [`State::all_named`], then the unknown ones.
pub static EXPLANATIONS: LazyLock<Vec<Explanation>> = LazyLock::new(|| {
    let blocks = include_str!("states.txt").split("\n\n");
    blocks.filter_map(Explanation::read).collect()
});

impl Explanation {
    /// The explanation of a state.
    pub fn of(state: State) -> Option<&'static Self> {
        let mut known = EXPLANATIONS.iter();
        known.find(|known| known.state.name() == state.name())
    }

    /// Parses one item per line; `-` means none.
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
