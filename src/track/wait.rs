//! Waits between rounds.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::Error;

/// Waits until `until` (`None` = forever), a signal, or readable input: returns the index of the first readable
/// descriptor.
///
/// # Errors
///
/// When `poll(2)` fails, or the reader of `output` has gone: without anything to write, nothing else would show
/// that.
pub fn wait(
    readable: &[BorrowedFd<'_>],
    output: Option<BorrowedFd<'_>>,
    until: Option<Instant>,
) -> Result<Option<usize>, Error> {
    let readable = readable.iter().map(|fd| (*fd, PollFlags::IN));
    // A hangup is always reported.
    let output = output.map(|fd| (fd, PollFlags::empty()));
    let mut polled: Vec<PollFd<'_>> = readable
        .chain(output)
        .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
        .collect();
    let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
    let pause = pause.and_then(|pause| pause.try_into().ok());
    match poll(&mut polled, pause.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(Error::Watch(error.into())),
    }
    let lost = PollFlags::ERR | PollFlags::HUP;
    let output = output.and_then(|_| polled.pop());
    if output.is_some_and(|output| output.revents().intersects(lost)) {
        return Err(Error::Output(io::ErrorKind::BrokenPipe.into()));
    }
    Ok(polled.iter().position(|fd| !fd.revents().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::wait;
    use std::error::Error;
    use std::io::{Write as _, pipe};
    use std::os::fd::AsFd as _;
    use std::time::{Duration, Instant};

    type Test = Result<(), Box<dyn Error>>;

    #[test]
    fn first_that_can_be_read_is_told() -> Test {
        let (quiet, _open) = pipe()?;
        let (ready, mut writer) = pipe()?;
        writer.write_all(b"!")?;
        let readable = [quiet.as_fd(), ready.as_fd(), ready.as_fd()];
        assert_eq!(wait(&readable, None, None)?, Some(1));
        Ok(())
    }

    #[test]
    fn output_that_nobody_reads_is_an_error_even_if_there_is_something_to_read() -> Test {
        let (ready, mut writer) = pipe()?;
        writer.write_all(b"!")?;
        let (reader, output) = pipe()?;
        let wait = || wait(&[ready.as_fd()], Some(output.as_fd()), None);
        assert_eq!(wait()?, Some(0));
        crate::start::close(reader);
        assert!(wait().is_err_and(|error| error.is_broken_pipe()));
        Ok(())
    }

    #[test]
    fn wait_lasts_until_it_is_time() -> Test {
        let until = Instant::now() + Duration::from_millis(2);
        assert_eq!(wait(&[], None, Some(until))?, None);
        assert!(Instant::now() >= until);
        Ok(())
    }
}
