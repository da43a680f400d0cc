//! Threads that stay in a network namespace to work there.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, gettid, move_into_link_name_space};

use super::{Handle, Namespace, open};

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace. It never returns, because it might not be allowed to. The namespace lives as
/// long as the thread.
#[derive(Debug)]
pub struct Anchor {
    thread: u32,
    jobs: Sender<Job>,
}

/// The name of such threads.
pub(super) const ANCHOR: &str = "lsock-netns";
/// More than the work there needs.
const STACK: usize = 128 * 1024;

impl Anchor {
    /// Starts a thread that enters a namespace.
    ///
    /// # Errors
    ///
    /// When it is gone or must not be entered (entering needs `CAP_SYS_ADMIN` in the user namespace that owns it).
    pub fn drop_in(namespace: &Namespace) -> io::Result<Self> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "it is gone");
        let target = match &namespace.handle {
            Handle::Own => None,
            Handle::Open(target) => Some(target.try_clone()?),
            Handle::Paths(paths) => {
                let mut opened = paths.iter().map(|path| open(path));
                // A path may lead elsewhere by now.
                let found = opened.try_fold(gone(), |before, opened| match opened {
                    Ok((target, inode)) if inode == namespace.inode => ControlFlow::Break(target),
                    Ok(_) | Err(Errno::NOENT | Errno::SRCH | Errno::INVAL) => {
                        ControlFlow::Continue(before)
                    }
                    Err(cause) => ControlFlow::Continue(cause.into()),
                });
                match found {
                    ControlFlow::Break(target) => Some(target),
                    ControlFlow::Continue(cause) => return Err(cause),
                }
            }
            Handle::Nowhere => return Err(gone()),
        };
        let (jobs, queue): (Sender<Job>, Receiver<Job>) = mpsc::channel();
        let (entered, answer) = mpsc::channel();
        let stay = move || {
            let kind = Some(LinkNameSpaceType::Network);
            let target = target.as_ref();
            let enter = target.map_or(Ok(()), |to| move_into_link_name_space(to.as_fd(), kind));
            let is_there = enter.is_ok();
            let thread = gettid().as_raw_nonzero().get().cast_unsigned();
            // The receiver waits below.
            let _ = entered.send(enter.map(|()| thread));
            if is_there {
                for job in queue {
                    job();
                }
            }
        };
        let builder = thread::Builder::new().name(ANCHOR.to_owned());
        let builder = builder.stack_size(STACK);
        builder.spawn(stay)?;
        let thread = answer.recv().map_err(|_| io::ErrorKind::Other)??;
        Ok(Self { thread, jobs })
    }

    /// Runs `work` on the thread and waits for its result.
    ///
    /// # Errors
    ///
    /// When the thread has ended.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (done, answer) = mpsc::channel();
        let job = Box::new(move || {
            let _ = done.send(work());
        });
        let ended = || io::Error::other("the thread in that network namespace has ended");
        self.jobs.send(job).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())
    }

    /// The thread's directory in procfs: its `net` is that of the namespace.
    pub fn proc(&self) -> PathBuf {
        format!("/proc/self/task/{}", self.thread).into()
    }
}
