//! What became of a socket that was to be ended.

use std::fmt::{self, Display, Formatter};
use std::io;

use rustix::io::Errno;

use crate::exit::Verdict;
use crate::model::State;
use crate::text::chain;

/// What the kernel answered, and what is there afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The kernel ended it.
    Destroyed,
    /// It was gone already: ended by another end of it, or by itself.
    Gone,
    /// Ended, but the port stays taken until its descriptor is closed.
    StillBound,
    /// The kernel cannot end such a socket.
    NotSupported,
    /// It may, but not for us.
    NotPermitted,
    /// Something else was wrong.
    Refused(Errno),
}

impl Fate {
    /// By the answer, and by the states in which the socket was and is; `None` = it is not there any more.
    pub(super) fn of(answer: &io::Result<()>, before: State, after: Option<State>) -> Self {
        let errno = match answer {
            Ok(()) => return after.map_or(Self::Destroyed, |_| Self::StillBound),
            Err(error) => Errno::from_io_error(error).unwrap_or(Errno::IO),
        };
        match (errno, after) {
            (Errno::NOENT, None) => Self::Gone,
            // There is nothing of it to find but its port: ended by another end of it, or bound alone before.
            (Errno::NOENT, Some(State::Bound)) if before != State::Bound => Self::StillBound,
            (Errno::NOENT, Some(_)) if before == State::Bound => Self::NotSupported,
            (Errno::OPNOTSUPP, _) => Self::NotSupported,
            (Errno::PERM | Errno::ACCESS, _) => Self::NotPermitted,
            _ => Self::Refused(errno),
        }
    }

    /// True if nothing of it is left.
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
            Self::StillBound => format!("the port stays taken until the descriptor{by} is closed"),
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

/// What the run comes to.
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
