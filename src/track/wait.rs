//! Waits between two looks.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// It is time, or a signal came.
    Time,
    /// This one can be read, and none before it.
    Readable(usize),
    /// The output leads nowhere.
    HungUp,
}

/// Waits until one of these can be read, the output is hung up, or until then; `None` = for ever.
///
/// # Errors
///
/// When `poll(2)` fails.
pub fn wait(
    readable: &[BorrowedFd<'_>],
    output: Option<BorrowedFd<'_>>,
    until: Option<Instant>,
) -> io::Result<Woken> {
    let readable = readable.iter().map(|fd| (*fd, PollFlags::IN));
    // That it is hung up is told without being asked for.
    let output = output.map(|fd| (fd, PollFlags::empty()));
    let mut polled: Vec<PollFd<'_>> = readable
        .chain(output)
        .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
        .collect();
    let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
    let pause = pause.and_then(|pause| pause.try_into().ok());
    match poll(&mut polled, pause.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let lost = PollFlags::ERR | PollFlags::HUP;
    let output = output.and_then(|_| polled.pop());
    if output.is_some_and(|output| output.revents().intersects(lost)) {
        return Ok(Woken::HungUp);
    }
    let first = polled.iter().position(|fd| !fd.revents().is_empty());
    Ok(first.map_or(Woken::Time, Woken::Readable))
}

#[cfg(test)]
mod tests {
    use super::{Woken, wait};
    use std::io::{self, Write as _, pipe};
    use std::os::fd::AsFd as _;
    use std::time::{Duration, Instant};

    #[test]
    fn first_that_can_be_read_is_told() -> io::Result<()> {
        let (quiet, _open) = pipe()?;
        let (ready, mut writer) = pipe()?;
        writer.write_all(b"!")?;
        let readable = [quiet.as_fd(), ready.as_fd(), ready.as_fd()];
        assert_eq!(wait(&readable, None, None)?, Woken::Readable(1));
        Ok(())
    }

    #[test]
    fn output_that_nobody_reads_is_told_first() -> io::Result<()> {
        let (ready, mut writer) = pipe()?;
        writer.write_all(b"!")?;
        let (reader, output) = pipe()?;
        let wait = |until| wait(&[ready.as_fd()], Some(output.as_fd()), until);
        assert_eq!(wait(None)?, Woken::Readable(0));
        drop(reader);
        assert_eq!(wait(None)?, Woken::HungUp);
        Ok(())
    }

    #[test]
    fn wait_lasts_until_it_is_time() -> io::Result<()> {
        let until = Instant::now() + Duration::from_millis(2);
        assert_eq!(wait(&[], None, Some(until))?, Woken::Time);
        assert!(Instant::now() >= until);
        Ok(())
    }
}
