//! What is missing from a listing, as data.

use std::fmt;

use crate::model::Warning;

/// Whether a listing is complete, and what is missing otherwise.
///
/// Missing privileges are not an error: the listing has everything that could be read, and this value.
///
/// ```
/// let listing = lsock::listeners()?;
/// for gap in listing.completeness.gaps() {
///     eprintln!("{gap}");
/// }
/// # Ok::<(), lsock::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completeness {
    /// Nothing is known to be missing.
    #[default]
    Complete,
    /// Something is missing, or may be; never empty.
    Incomplete(Vec<Gap>),
}

impl Completeness {
    /// True if nothing is known to be missing.
    ///
    /// ```
    /// assert!(lsock::Completeness::default().is_complete());
    /// ```
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// What is missing.
    ///
    /// ```
    /// assert_eq!(lsock::Completeness::Complete.gaps().len(), 0);
    /// ```
    pub fn gaps(&self) -> &[Gap] {
        match self {
            Self::Complete => &[],
            Self::Incomplete(gaps) => gaps,
        }
    }

    /// True if nothing of this kind is known to be missing.
    ///
    /// ```
    /// use lsock::{GapKind, Owners, Sockets};
    ///
    /// let listing = Sockets::new().owners(Owners::Auto).list()?;
    /// if !listing.completeness.has_all(GapKind::Owners) {
    ///     eprintln!("some processes could not be read: run as root to see their sockets");
    /// }
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn has_all(&self, kind: GapKind) -> bool {
        !self.gaps().iter().any(|gap| gap.kind == kind)
    }

    pub(super) fn note(&mut self, kind: GapKind, warning: Warning) {
        let gap = Gap { kind, warning };
        match self {
            Self::Complete => *self = Self::Incomplete(vec![gap]),
            Self::Incomplete(gaps) if gaps.contains(&gap) => {}
            Self::Incomplete(gaps) => gaps.push(gap),
        }
    }

    /// Records a gap of the list. Gaps of single rows are in their fields.
    pub(super) fn note_of_rows(&mut self, is_gap: bool, warning: Warning) {
        let kind = match warning {
            Warning::Unlisted(..)
            | Warning::Unsearched(_)
            | Warning::Unreached(_)
            | Warning::NotThere(_) => GapKind::Sockets,
            _ if is_gap => GapKind::Sockets,
            _ => GapKind::Fields,
        };
        self.note(kind, warning);
    }
}

/// One gap; its `Display` is a sentence that names what is missing, and why.
///
/// ```
/// fn report(gap: &lsock::Gap) -> String {
///     format!("{:?}: {gap}", gap.kind())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    kind: GapKind,
    warning: Warning,
}

impl Gap {
    /// The kind of gap.
    ///
    /// ```
    /// # fn is_about_rights(gap: &lsock::Gap) -> bool {
    /// gap.kind() == lsock::GapKind::Owners
    /// # }
    /// ```
    pub const fn kind(&self) -> GapKind {
        self.kind
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.warning.fmt(f)
    }
}

/// Kinds of gaps.
///
/// ```
/// # use lsock::GapKind;
/// assert_ne!(GapKind::Sockets, GapKind::Owners);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapKind {
    /// Sockets, or events.
    Sockets,
    /// Processes of some sockets, which this user may not read.
    Owners,
    /// Values of some fields, which the kernel or `/proc/net` does not report.
    Fields,
}
