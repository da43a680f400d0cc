//! The result of destroying a socket.

use std::fmt::{self, Display, Formatter};
use std::io;

use rustix::io::Errno;

use crate::exit::Verdict;
use crate::model::State;
use crate::text::chain;

/// The kernel's answer, and what is left afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The kernel destroyed it.
    Destroyed,
    /// It was already gone: destroyed through its other end, or closed.
    Gone,
    /// Destroyed, but the port stays in use until its descriptor is closed.
    StillBound,
    /// The kernel cannot destroy such a socket.
    NotSupported,
    /// Permission denied.
    NotPermitted,
    /// Another error.
    Refused(Errno),
}

impl Fate {
    /// The result from the answer and the states before and after; `None` = it is gone.
    pub(super) fn of(answer: &io::Result<()>, before: State, after: Option<State>) -> Self {
        let errno = match answer {
            Ok(()) => return after.map_or(Self::Destroyed, |_| Self::StillBound),
            Err(error) => Errno::from_io_error(error).unwrap_or(Errno::IO),
        };
        match (errno, after) {
            (Errno::NOENT, None) => Self::Gone,
            // Only its port is left: its other end was destroyed, or it was only bound.
            (Errno::NOENT, Some(State::Bound)) if before != State::Bound => Self::StillBound,
            (Errno::NOENT, Some(_)) if before == State::Bound => Self::NotSupported,
            (Errno::OPNOTSUPP, _) => Self::NotSupported,
            (Errno::PERM | Errno::ACCESS, _) => Self::NotPermitted,
            _ => Self::Refused(errno),
        }
    }

    /// True if nothing is left of it.
    pub(super) const fn is_gone(self) -> bool {
        matches!(self, Self::Destroyed | Self::Gone)
    }

    /// Why something is left; `holder` has the socket open.
    pub(super) fn reason(self, holder: &str) -> String {
        let by = if holder.is_empty() {
            String::new()
        } else {
            format!(" of {holder}")
        };
        match self {
            Self::Destroyed | Self::Gone => String::new(),
            Self::StillBound => format!("the port stays in use until the descriptor{by} is closed"),
            Self::NotSupported => "the kernel cannot end such a socket".to_owned(),
            Self::NotPermitted => "CAP_NET_ADMIN is needed; run as root".to_owned(),
            Self::Refused(Errno::NOENT) => "the kernel finds another socket at its port".to_owned(),
            Self::Refused(errno) => chain(&io::Error::from(errno)),
        }
    }
}

impl Display for Fate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destroyed => f.write_str("destroyed"),
            Self::Gone => f.write_str("gone"),
            Self::StillBound => f.write_str("still_bound"),
            Self::NotSupported => f.write_str("not_supported"),
            Self::NotPermitted => f.write_str("not_permitted"),
            Self::Refused(errno) => write!(f, "refused({})", errno.raw_os_error()),
        }
    }
}

/// The verdict of the run.
pub(super) fn verdict(fates: &[Fate]) -> Verdict {
    if fates.iter().all(|fate| fate.is_gone()) {
        return Verdict::Done;
    }
    let is_tried = |fate: &Fate| !matches!(fate, Fate::NotSupported | Fate::NotPermitted);
    if fates.iter().any(is_tried) {
        Verdict::Failed
    } else {
        Verdict::Trouble
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::{Fate, verdict};
    use crate::exit::Verdict;
    use crate::model::State;

    #[test]
    fn fates_follow_from_the_answer_and_from_what_is_left() {
        use State::{Bound, Established, Listen, Unconn};
        for (answer, before, after, expected) in [
            (None, Established, None, Fate::Destroyed),
            (None, Established, Some(Bound), Fate::StillBound),
            (None, Unconn, Some(Unconn), Fate::StillBound),
            (Some(Errno::NOENT), Established, None, Fate::Gone),
            (Some(Errno::NOENT), Bound, Some(Bound), Fate::NotSupported),
            (
                Some(Errno::NOENT),
                Established,
                Some(Bound),
                Fate::StillBound,
            ),
            (
                Some(Errno::NOENT),
                Listen,
                Some(Listen),
                Fate::Refused(Errno::NOENT),
            ),
            (
                Some(Errno::OPNOTSUPP),
                Established,
                Some(Established),
                Fate::NotSupported,
            ),
            (
                Some(Errno::PERM),
                Established,
                Some(Established),
                Fate::NotPermitted,
            ),
            (
                Some(Errno::INVAL),
                Listen,
                Some(Listen),
                Fate::Refused(Errno::INVAL),
            ),
        ] {
            let answer = answer.map_or(Ok(()), |errno| Err(io::Error::from(errno)));
            assert_eq!(Fate::of(&answer, before, after), expected, "{answer:?}");
        }
    }

    #[test]
    fn run_is_trouble_where_nothing_could_be_tried() {
        let refused = Fate::Refused(Errno::INVAL);
        for (fates, expected) in [
            (&[][..], Verdict::Done),
            (&[Fate::Destroyed, Fate::Gone], Verdict::Done),
            (&[Fate::Destroyed, Fate::StillBound], Verdict::Failed),
            (&[Fate::Destroyed, Fate::NotPermitted], Verdict::Failed),
            (&[refused], Verdict::Failed),
            (&[Fate::NotPermitted], Verdict::Trouble),
            (&[Fate::NotSupported, Fate::NotPermitted], Verdict::Trouble),
        ] {
            assert_eq!(verdict(fates), expected, "{fates:?}");
        }
    }
}
