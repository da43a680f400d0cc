//! The kernel's own record of steps: the tracepoint `sock:inet_sock_set_state`, read through an instance
//! of tracefs that is ours alone.

mod filter;
mod format;
mod instance;
mod page;
mod place;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;
use crate::model::{Family, Protocol, State};
use format::Layout;
use instance::Instance;
use page::PageLayout;

pub(super) use filter::kernel_filter;

/// The tracepoint, below `events`.
const EVENT: &str = "events/sock/inet_sock_set_state";

/// All processors together record into no more memory than this, in KiB,
const ALL_BUFFERS: usize = 64 << 10;
/// each of them into so much. What is recorded while this program does not run must find room.
const BUFFER: [usize; 2] = [256, 4 << 10];

/// More than the kernel gives at once.
const READ: usize = 64 << 10;

/// One step as the kernel recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub(super) time_ns: u64,
    /// The address of the kernel's structure: it tells sockets apart while they live.
    pub(super) socket: u64,
    /// The task that happened to run; never an owner.
    pub(super) pid: i32,
    /// Whether that task made the step itself.
    pub(super) context: Context,
    /// The state before.
    pub(super) old_state: State,
    /// The state since.
    pub(super) new_state: State,
    /// TCP or MPTCP.
    pub(super) protocol: Protocol,
    /// That of the socket.
    pub(super) family: Family,
    /// Port 0 = not chosen yet.
    pub(super) local: (IpAddr, u16),
    /// That of a listener means nothing.
    pub(super) peer: (IpAddr, u16),
}

/// In what the step was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// In a system call of the task.
    Task,
    /// In an interrupt: the task has nothing to do with it.
    Interrupt,
}

/// A recording under way.
#[derive(Debug)]
pub(super) struct Tracer {
    // Closed before the instance is removed: the kernel keeps one that is read.
    processors: Vec<OwnedFd>,
    instance: Instance,
    layout: Layout,
    pages: PageLayout,
    buffer: Vec<u8>,
    /// Read, but later than the moment up to which everything was read.
    later: Vec<Record>,
}

impl Tracer {
    /// Begins to record what the kernel's filter lets pass; an empty text lets all pass.
    ///
    /// # Errors
    ///
    /// When there is no tracefs, no such tracepoint, or no right to use them.
    pub(super) fn open(filter: &str) -> Result<Self, Error> {
        Self::with_buffers(filter, BUFFER)
    }

    fn with_buffers(filter: &str, [least, most]: [usize; 2]) -> Result<Self, Error> {
        let (instance, processors) = Instance::create()?;
        let layout = Layout::parse(&instance.read(&format!("{EVENT}/format"))?);
        let layout = layout.map_err(|detail| instance.malformed(EVENT, detail))?;
        let pages = PageLayout::parse(&instance.read("events/header_page")?);
        let pages = pages.map_err(|detail| instance.malformed("events/header_page", detail))?;
        let each = (ALL_BUFFERS / processors.len().max(1)).clamp(least, most);
        instance.write("buffer_size_kb", &each.to_string())?;
        instance.write("trace_clock", "mono")?;
        // Readable as soon as there is a single record.
        instance.write("buffer_percent", "0")?;
        if !filter.is_empty() {
            // Whatever else is recorded, the filter of the user sorts it out.
            let _ = instance.write(&format!("{EVENT}/filter"), filter);
        }
        instance.write(&format!("{EVENT}/enable"), "1")?;
        Ok(Self {
            processors,
            instance,
            layout,
            pages,
            buffer: vec![0; READ],
            later: Vec::new(),
        })
    }

    /// What can be read when something was recorded.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.processors.iter().map(|processor| processor.as_fd())
    }

    /// Whether there is something to tell that was read before.
    pub(super) const fn has_more(&self) -> bool {
        !self.later.is_empty()
    }

    /// Adds everything that was recorded before this call, in the order of time over all processors.
    ///
    /// # Errors
    ///
    /// When the kernel does not give its records.
    pub(super) fn read(&mut self, records: &mut Vec<Record>) -> Result<(), Error> {
        let now = now_ns();
        let mut found = std::mem::take(&mut self.later);
        for processor in &self.processors {
            loop {
                let length = match rustix::io::read(processor, &mut self.buffer) {
                    Ok(0) | Err(Errno::AGAIN) => break,
                    Ok(length) => length,
                    Err(Errno::INTR) => continue,
                    Err(cause) => {
                        return Err(self.instance.failed("read", "trace_pipe_raw", cause));
                    }
                };
                let page = self.buffer.get(..length).unwrap_or_default();
                let last = self.pages.each(page, &mut |time_ns, entry| {
                    found.extend(self.layout.record(time_ns, entry));
                });
                // On a busy machine there is always more.
                if last > now {
                    break;
                }
            }
        }
        found.sort_by_key(|record| record.time_ns);
        let split = found.partition_point(|record| record.time_ns <= now);
        self.later = found.split_off(split);
        records.append(&mut found);
        Ok(())
    }

    /// How many records had no room so far.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub(super) fn lost(&self) -> Result<u64, Error> {
        let mut lost = 0_u64;
        for processor in self.instance.processors()? {
            let stats = self.instance.read(&format!("per_cpu/{processor}/stats"))?;
            lost = lost.saturating_add(lost_of(&stats));
        }
        Ok(lost)
    }
}

/// The records that a processor's `stats` say were overwritten or given up.
fn lost_of(stats: &str) -> u64 {
    let lines = stats.lines().filter_map(|line| line.split_once(": "));
    let lost =
        lines.filter(|(name, _)| matches!(*name, "overrun" | "commit overrun" | "dropped events"));
    lost.filter_map(|(_, number)| number.trim().parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}

/// The clock of the records, in nanoseconds: `CLOCK_MONOTONIC`.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let rest = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
