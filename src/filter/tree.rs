//! Tests under `and`, `or` and `not`.

/// What has to hold, of tests of one kind.
///
/// [`Tree::all`], [`Tree::any`] and [`Tree::negated`] build it so that no list holds a list of its own
/// kind, and none has a single member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<T> {
    /// Every member holds; an empty list always does.
    All(Vec<Self>),
    /// Some member holds; an empty list never does.
    Any(Vec<Self>),
    /// It does not hold.
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
    /// What always holds.
    pub const ALWAYS: Self = Self::All(Vec::new());
    /// What never holds.
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

    /// Works something out from the tests up, where each `not` turns what is below it into its opposite:
    /// `test` for each test, which has to hold or to fail, and `list` for the results of each list, all
    /// of which have to hold, or any.
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
    /// All of them.
    pub fn all(members: impl IntoIterator<Item = Self>) -> Self {
        Self::list(members, true)
    }

    /// At least one of them.
    pub fn any(members: impl IntoIterator<Item = Self>) -> Self {
        Self::list(members, false)
    }

    /// All of them, or any.
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

    /// Its opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            always if always == Self::ALWAYS => Self::NEVER,
            never if never == Self::NEVER => Self::ALWAYS,
            other => Self::Not(Box::new(other)),
        }
    }
}
