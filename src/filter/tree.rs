//! Trees of tests under `and`, `or` and `not`.

/// A condition made of tests.
///
/// [`Tree::all`], [`Tree::any`] and [`Tree::negated`] build it without lists directly inside lists of the
/// same kind, and without lists of a single member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<T> {
    /// Every member holds; true if empty.
    All(Vec<Self>),
    /// Some member holds; false if empty.
    Any(Vec<Self>),
    /// The inner condition does not hold.
    Not(Box<Self>),
    /// One test.
    Test(T),
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self::ALWAYS
    }
}

impl<T> Tree<T> {
    /// Always holds.
    pub const ALWAYS: Self = Self::All(Vec::new());
    /// Never holds.
    pub const NEVER: Self = Self::Any(Vec::new());

    /// Every test in it, from left to right.
    pub fn tests(&self) -> Vec<&T> {
        match self {
            Self::All(members) | Self::Any(members) => {
                members.iter().flat_map(Self::tests).collect()
            }
            Self::Not(inner) => inner.tests(),
            Self::Test(test) => vec![test],
        }
    }

    /// Computes a result bottom-up, with negations pushed down to the tests. `test` maps a test that must
    /// hold, or fail; `list` combines the results of a list, of which all must hold, or any.
    pub(super) fn fold<R>(
        &self,
        holds: bool,
        test: &impl Fn(&T, bool) -> R,
        list: &impl Fn(Vec<R>, bool) -> R,
    ) -> R {
        let each = |members: &[Self]| {
            let members = members.iter();
            members
                .map(|member| member.fold(holds, test, list))
                .collect()
        };
        match self {
            Self::All(members) => list(each(members), holds),
            Self::Any(members) => list(each(members), !holds),
            Self::Not(inner) => inner.fold(!holds, test, list),
            Self::Test(one) => test(one, holds),
        }
    }
}

impl<T: PartialEq> Tree<T> {
    /// All members must hold.
    pub fn all(members: impl IntoIterator<Item = Self>) -> Self {
        Self::list(members, true)
    }

    /// Some member must hold.
    pub fn any(members: impl IntoIterator<Item = Self>) -> Self {
        Self::list(members, false)
    }

    /// All members must hold, or any.
    pub(super) fn list(members: impl IntoIterator<Item = Self>, all: bool) -> Self {
        let mut flat = Vec::new();
        for member in members {
            match member {
                Self::All(members) if all => flat.extend(members),
                Self::Any(members) if !all => flat.extend(members),
                other => flat.push(other),
            }
        }
        let decisive = if all { Self::NEVER } else { Self::ALWAYS };
        if flat.contains(&decisive) {
            return decisive;
        }
        match flat.pop() {
            Some(only) if flat.is_empty() => only,
            last => {
                flat.extend(last);
                if all {
                    Self::All(flat)
                } else {
                    Self::Any(flat)
                }
            }
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            always if always == Self::ALWAYS => Self::NEVER,
            never if never == Self::NEVER => Self::ALWAYS,
            other => Self::Not(Box::new(other)),
        }
    }
}
