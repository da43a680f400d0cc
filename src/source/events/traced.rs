//! Transitions as the kernel makes them: a BPF program at the tracepoint `sock:inet_sock_set_state` writes a record of
//! each into a ring buffer.

mod ends;
mod fields;
mod left;
mod listeners;
mod lives;
mod program;
mod queue;
mod record;
mod rests;
mod wanted;
mod writer;

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{major, minor};
use rustix::time::{ClockId, clock_gettime};
use zerocopy::FromBytes as _;

use super::{EventSource, EventVisitor, Networks, SHARE, Scope, Watched};
use crate::bpf::{
    self, BTF, Counter, Hook, Instruction, Link, Malformed, Map, MapKind, RingBuffer, TypeKind,
};
use crate::error::Error;
use crate::model::{Protocol, Socket, State, StateSet, Warning};
use crate::source::{Request, Source};
use crate::track::wait;
use fields::{TRACEPOINT, WANTED};
use lives::Lives;
use program::program;
use queue::Queue;
use record::StepRecord;
use rests::RestRecord;
use writer::{Generation, Plan, TAKEN, Turn};

/// Size of the ring buffer in bytes, for records while lsock does not run. The kernel maps it twice, and resident
/// memory counts both.
const ROOM: usize = 4 << 20;

/// Time from the first record of a batch to reading it. Waking up for each would halve the throughput of the machine.
const GATHER: Duration = Duration::from_millis(20);

/// Limit of the time to report one batch: a slow reader must not delay signals.
const TURN: Duration = Duration::from_millis(100);

/// How long an event waits for the next record of its socket to complete it; most handshakes are shorter. Then the
/// kernel is asked for the port; the wait grows if asking would take too large a share of the time.
const COMPLETION: SignedDuration = SignedDuration::from_millis(100);

/// `PROC_PID_INIT_INO` (`include/linux/proc_ns.h`): the first PID namespace.
const FIRST_PIDS: u32 = 0xefff_fffc;

/// Watches TCP and MPTCP sockets.
pub struct Traced {
    ring: RingBuffer,
    lost: Counter,
    /// Records read when time was up, and not reported.
    given_up: u64,
    /// How long events wait to be completed.
    completion: SignedDuration,
    lives: Lives,
    /// Events read and not reported yet.
    queue: Queue,
    untold: StateSet,
    _programs: Vec<Link>,
    /// The watched tables of TCP.
    tables: Vec<Watched>,
    scope: Scope,
    networks: Networks,
    /// True in a PID namespace other than the first.
    is_inside: bool,
}

impl Traced {
    /// Starts recording in the namespaces of `scope`, whose sockets `source` lists.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the program.
    pub fn new(
        watched: &[Watched],
        scope: Scope,
        mut source: Box<dyn Source>,
    ) -> Result<Self, Error> {
        let (ring, lost) = (
            Map::new(MapKind::RingBuffer, ROOM)?,
            Map::new(MapKind::Value, size_of::<u64>())?,
        );
        let whole: Vec<Watched> = watched.iter().map(|of| Watched::all(of.table)).collect();
        let networks = match scope {
            Scope::Own => Some(vec![Namespace::of("/proc/thread-self/ns/net")?.inode]),
            Scope::Known => Some(source.namespaces().into_keys().collect()),
            Scope::All => None,
        };
        let networks = networks.as_deref();
        // A filter may be too complex for the verifier.
        let (programs, untold) = record(watched, networks, &ring, &lost)
            .or_else(|_| record(&whole, networks, &ring, &lost))?;
        Ok(Self {
            untold,
            _programs: programs,
            tables: watched
                .iter()
                .filter(|of| of.table.protocol == Protocol::Tcp)
                .cloned()
                .collect(),
            lives: Lives::new(watched, scope, source.as_mut()),
            scope,
            networks: Networks::new(source),
            is_inside: pids()?.is_some(),
            queue: Queue::default(),
            ring: RingBuffer::of(ring)?,
            lost: Counter::of(&lost)?,
            given_up: 0,
            completion: COMPLETION,
        })
    }

    /// Waits for records, or until those read have waited long enough.
    fn pause(&self, wake: BorrowedFd<'_>, until: Option<Instant>) -> Result<(), Error> {
        let gathered = || {
            let end = Instant::now() + GATHER;
            Some(until.map_or(end, |until| until.min(end)))
        };
        if self.queue.is_empty() && wait(&[wake, self.ring.as_fd()], None, until)? != Some(1) {
            return Ok(());
        }
        wait(&[wake], None, gathered())?;
        Ok(())
    }

    /// Reads the records written before this call and reports their events, except those that wait to be completed.
    /// If time is up, the rest is read later, or given up if `is_last`.
    fn drain(
        &mut self,
        clock: RecordClock,
        is_last: bool,
        visitor: &mut EventVisitor<'_>,
    ) -> ControlFlow<()> {
        let (lives, queue, given_up) = (&mut self.lives, &mut self.queue, &mut self.given_up);
        let (scope, networks) = (self.scope, &mut self.networks);
        let is_inside = self.is_inside;
        let end = Instant::now() + TURN;
        let (mut count, mut is_over) = (0_u8, false);
        let mut flow = ControlFlow::Continue(());
        let _ = self.ring.drain(|bytes| {
            if is_over {
                *given_up += 1;
                return ControlFlow::Continue(());
            }
            if let Some((record, command)) = StepRecord::read(bytes) {
                if scope == Scope::All && !networks.known.contains(&record.netns) {
                    networks.look(true, visitor);
                    // Of another container, or of the host. In ours, a visible process made the record.
                    if is_inside && !networks.known.contains(&record.netns) {
                        if !record.is_made_here() {
                            return ControlFlow::Continue(());
                        }
                        networks.known.insert(record.netns);
                    }
                }
                lives.follow(&record, command, clock, queue);
            } else if let Ok(rest) = RestRecord::read_from_bytes(bytes) {
                lives.follow_rest(rest, clock, queue);
            }
            flow = queue.tell(None, visitor);
            count = count.wrapping_add(1);
            is_over = count == 0 && Instant::now() >= end;
            if is_over && !is_last {
                return ControlFlow::Break(());
            }
            flow
        });
        flow
    }
}

impl Traced {
    /// Lists sockets for the ports that are missing in records: of unanswered connections, and of unbound listeners.
    fn look_for_ports(&mut self) {
        let begun = Instant::now();
        let lacking = self.lives.without_port();
        let states = StateSet::EMPTY.with(State::SynSent).with(State::Listen);
        for watched in &self.tables {
            let (lives, queue) = (&mut self.lives, &mut self.queue);
            let mut count = 0_u8;
            // A socket that is not listed has no port; if it is listed too late, its event lacks the port.
            let _ = self.networks.source.visit(
                watched.table,
                &Request::plain(states),
                &mut |socket: &Socket| {
                    lives.complete(&lacking, socket, queue);
                    count = count.wrapping_add(1);
                    if count == 0 && begun.elapsed() >= TURN {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                },
            );
        }
        let rest = SignedDuration::try_from(begun.elapsed() * SHARE);
        self.completion = rest.map_or(COMPLETION, |rest| rest.max(COMPLETION));
    }

    /// Counts the sockets that are gone without a record of their end, if time permits.
    fn count_ends(
        &mut self,
        clock: RecordClock,
        visitor: &mut EventVisitor<'_>,
    ) -> ControlFlow<()> {
        let until = Instant::now() + TURN;
        let mut gone = self.lives.open();
        // A list that changes while it is read may miss a socket, and a socket leaves the list before its record is
        // written.
        for _ in 0..2 {
            let source = self.networks.source.as_mut();
            if gone.is_empty()
                || ends::leave_out_listed(source, &self.tables, &mut gone, until).is_none()
            {
                return ControlFlow::Continue(());
            }
            if !gone.is_empty() {
                thread::sleep(GATHER);
            }
            self.drain(clock, true, visitor)?;
            gone.retain(|cookie, socket| self.lives.is_open(*cookie, *socket));
        }
        self.lives.missing += u64::try_from(gone.len()).unwrap_or_default();
        ControlFlow::Continue(())
    }
}

/// Attaches the programs; also returns the transition that they do not report.
fn record(
    watched: &[Watched],
    networks: Option<&[u32]>,
    ring: &Map,
    lost: &Map,
) -> Result<(Vec<Link>, StateSet), Error> {
    let taken = Map::new(MapKind::Keyed, TAKEN)?;
    let plan = Plan {
        watched,
        networks,
        pids: pids()?,
        ring: ring.descriptor(),
        taken: taken.descriptor(),
        lost: lost.descriptor(),
    };
    let (typed, copied, tracepoint, rests) = bpf::describe(Path::new(BTF), &WANTED, |btf| {
        let both = |generation| -> Result<_, Malformed> {
            let first = program(btf, generation, Turn::First, &plan)?;
            Ok([first, program(btf, generation, Turn::Second, &plan)?])
        };
        let (typed, copied) = (both(Generation::Typed)?, both(Generation::Copied)?);
        let tracepoint = btf.find(TypeKind::Typedef, TRACEPOINT)?;
        Ok((typed, copied, tracepoint, rests::programs(btf, &plan)))
    })?;
    let attach = |programs: &[Vec<Instruction>; 2]| -> Result<Vec<Link>, Error> {
        let hook = Hook::Tracepoint(tracepoint);
        let attached = programs.iter();
        let attached = attached.map(|program| bpf::attach("lsock_events", program, hook));
        attached.collect()
    };
    let mut programs = attach(&typed).or_else(|_| attach(&copied))?;
    // Without these, less is known of closed sockets.
    let attach = |(program, hook): &(Vec<Instruction>, Hook)| {
        bpf::attach("lsock_rests", program, *hook).ok()
    };
    let rests = rests.iter().flatten().map(attach);
    let rests = rests.collect::<Option<Vec<_>>>().unwrap_or_default();
    let untold = if rests.is_empty() {
        rests::STEP
    } else {
        StateSet::EMPTY
    };
    programs.extend(rests);
    Ok((programs, untold))
}

impl EventSource for Traced {
    fn wait(
        &mut self,
        wake: BorrowedFd<'_>,
        until: Option<Instant>,
        visitor: &mut EventVisitor<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.pause(wake, until)?;
        if self.scope == Scope::All {
            self.networks.look(false, visitor);
        }
        let clock = RecordClock::now();
        let is_last = until.is_some_and(|until| until <= Instant::now());
        let mut flow = self.drain(clock, is_last, visitor);
        // The sockets of a new namespace are not listed.
        if flow.is_continue() && is_last && self.scope != Scope::All && self.given_up == 0 {
            flow = self.count_ends(clock, visitor);
        }
        if flow.is_break() {
            return Ok(flow);
        }
        let until = if is_last {
            clock.wall
        } else {
            let completed = clock.wall.saturating_sub(self.completion);
            completed.unwrap_or(clock.wall)
        };
        if self.queue.lacks_port(until) {
            self.look_for_ports();
        }
        Ok(self.queue.tell(Some(until), visitor))
    }

    fn lost(&self) -> u64 {
        let unrecorded = self.lost.get().max(self.lives.missing);
        unrecorded.saturating_add(self.given_up)
    }

    fn sampled(&self) -> Option<String> {
        None
    }

    fn untold(&self) -> StateSet {
        self.untold
    }

    fn take_ended(&mut self) -> Vec<u64> {
        self.queue.take_ended()
    }

    fn gaps(&mut self) -> Vec<Warning> {
        Vec::new()
    }
}

/// The own PID namespace; `None` = the first one.
fn pids() -> Result<Option<Namespace>, Error> {
    let own = Namespace::of("/proc/thread-self/ns/pid")?;
    Ok(Some(own).filter(|pids| pids.inode != FIRST_PIDS))
}

/// A namespace of this thread.
#[derive(Debug, Clone, Copy)]
struct Namespace {
    device: u32,
    inode: u32,
}

impl Namespace {
    fn of(path: &str) -> Result<Self, Error> {
        let failed = |cause| Error::file("read", path, cause);
        let metadata = fs::metadata(path).map_err(failed)?;
        // The kernel's internal encoding.
        let device = major(metadata.dev()) << 20 | minor(metadata.dev());
        let inode =
            u32::try_from(metadata.ino()).map_err(|cause| failed(io::Error::other(cause)))?;
        Ok(Self { device, inode })
    }
}

/// Two clocks read at once.
#[derive(Debug, Clone, Copy)]
struct RecordClock {
    wall: Timestamp,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    mono_ns: i64,
}

impl RecordClock {
    /// Reads both clocks. A delay between the readings would look like a clock difference, so the closest pair counts.
    fn now() -> Self {
        let mono_ns = || {
            let mono = clock_gettime(ClockId::Monotonic);
            mono.tv_sec * 1_000_000_000 + mono.tv_nsec
        };
        let read = |_| {
            let (begun, wall) = (mono_ns(), Timestamp::now());
            (
                mono_ns() - begun,
                Self {
                    wall,
                    mono_ns: begun,
                },
            )
        };
        let (took, clock) = read(0);
        let others = (0..2).map(read);
        let (_, clock) = others.fold(
            (took, clock),
            |best, next| if next.0 < best.0 { next } else { best },
        );
        clock
    }

    /// Converts nanoseconds of the monotonic clock to the time of day.
    fn time_of(self, time_ns: u64) -> Timestamp {
        let past = self.mono_ns - i64::try_from(time_ns).unwrap_or(self.mono_ns);
        let past = SignedDuration::from_nanos(past);
        self.wall.saturating_sub(past).unwrap_or(self.wall)
    }
}
