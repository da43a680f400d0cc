//! Reads tables over `sock_diag` netlink.

mod reader;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::io::Errno;
use rustix::system::uname;

use self::reader::{Dump, End, Reader, disturbance, flaw};
use super::channel::{Channel, KernelSocket, OTHER_REPLY, READ_FIRST, Strangers};
use super::note::Note;
use super::speaks::{in_use, speaks};
use super::unix_names::UnixNames;
use super::{Outcome, PROC, Recorder, Request, Source, Visitor};
use crate::error::Error;
use crate::model::{Protocol, Socket, Source as Kind, State, StateSet, Table, Warning};
use crate::netns::Anchor;
use crate::wire::{self, Body, DumpParams};

/// Reads tables over netlink, dump by dump, through one socket while no error occurs.
#[derive(Debug)]
pub struct NetlinkSource {
    socket: Option<KernelSocket>,
    /// The thread that opens the socket, whose namespace the kernel reports; `None` = the calling one.
    anchor: Option<Arc<Anchor>>,
    recorder: Recorder,
    strangers: Strangers,
}

impl NetlinkSource {
    /// Makes a source that also passes every datagram to `recorder`.
    pub fn new(recorder: Recorder) -> Self {
        Self {
            socket: None,
            anchor: None,
            recorder,
            strangers: Strangers::default(),
        }
    }

    /// As [`Self::new`], in the network namespace of a thread.
    pub fn within(anchor: Arc<Anchor>, recorder: Recorder) -> Self {
        Self {
            anchor: Some(anchor),
            ..Self::new(recorder)
        }
    }

    /// True if datagrams are recorded.
    #[cfg(feature = "bpf")]
    pub(super) fn is_recorded(&self) -> bool {
        self.recorder.is_on()
    }

    fn open(&mut self) -> io::Result<Channel> {
        let strangers = Arc::clone(&self.strangers);
        let socket = match (self.socket.take(), &self.anchor) {
            (Some(kept), _) => kept,
            (None, Some(anchor)) => anchor.run(|| KernelSocket::open(strangers))??,
            (None, None) => KernelSocket::open(strangers)?,
        };
        Ok(Channel::new(socket))
    }

    /// Looks up the only possible connection by both its ends, without a walk through the kernel's tables.
    ///
    /// If there is no such connection, the kernel replies with the listener that would accept it; and it finds one
    /// bound to an interface only when asked for that interface. So only this very connection counts as a result. A
    /// connection bound to no interface may hide others with the same ends that are bound to one; the caller must not
    /// want those. `None` = the table must be read.
    ///
    /// Not for recordings: a reply outside of a dump is not listed from there.
    fn look_up(&mut self, table: Table, reader: &mut Reader<'_>) -> Option<Outcome> {
        let request = reader.decoder.request;
        let exact = request.narrow.exact.filter(|_| !self.recorder.is_on())?;
        let ends = [exact.local, exact.peer];
        let bytes = wire::exact_request(table, params(request, &[]), ends, exact.interface);
        // Without a reply the channel is unusable: the reply may still come.
        let mut channel = self.open().ok()?;
        let (_, answer) = channel.ask(bytes).ok()?;
        let socket = Socket::new(table.protocol, table.family);
        let mut socket = socket.keeping_attributes(request.extensions.attributes);
        let decoded = answer.map(|payload| wire::decode(table.protocol, payload, &mut socket));
        self.socket = Some(channel.socket);
        let is_it =
            decoded == Some(Ok(())) && socket.family == table.family && exact.is_of(&socket);
        if is_it {
            // No other socket follows, whether the visitor wants more or not.
            let _ = reader.decoder.lend_socket(socket);
        }
        (is_it || request.narrow.is_only).then(|| Outcome::complete(Kind::Netlink))
    }

    /// Dumps a table, repeatedly if a dump was disturbed and nothing of it was shown.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<Outcome, Error> {
        let program = reader.decoder.request.narrow.bytecode();
        let mut params = params(reader.decoder.request, &program);
        let dump = reader.dump;
        let netlink = |cause| Error::Netlink(dump.table(), cause);
        let mut outcome = Outcome::complete(Kind::Netlink);
        loop {
            let Some(bytes) = dump.request(params) else {
                return Err(netlink(Errno::PROTONOSUPPORT.into()));
            };
            match self.dump(bytes, reader) {
                Ok(End::Whole | End::Stopped) => {
                    if !lists_bound() {
                        outcome.unlisted = reader.decoder.unlisted();
                    }
                    let Request { states, narrow, .. } = reader.decoder.request;
                    let told = states.intersection(outcome.unlisted.complement());
                    self.recorder.note(dump.table(), &Note::States(told));
                    let ports = [narrow.local_port, narrow.peer_port];
                    if ports != [None; 2] || !params.program.is_empty() {
                        let note = Note::Narrowed(ports, params.program.to_vec());
                        self.recorder.note(dump.table(), &note);
                    }
                    return Ok(outcome);
                }
                // Without that attribute the kernel answers everyone.
                Ok(End::Refused(cause)) | Err(cause)
                    if params.extensions.storage && is_not_allowed(&cause) =>
                {
                    params.extensions.storage = false;
                    reader.decoder.is_storage_refused = true;
                    outcome.warnings.push(Warning::note(NO_STORAGE));
                }
                // Whatever the reason (`MARK_COND` needs privileges), the list is the same without the program: more
                // sockets come, and are excluded later.
                Ok(End::Refused(_)) | Err(_) if !params.program.is_empty() => {
                    params.program = &[];
                    outcome.refused_program = true;
                }
                Ok(End::Refused(cause)) | Err(cause) => return Err(netlink(cause)),
                Ok(End::Disturbed(why)) => {
                    // Recorded and shown sockets cannot be taken back: then warn.
                    let is_kept = reader.decoder.has_any() && self.recorder.is_on();
                    if is_kept || reader.repeats == 0 || !reader.restart() {
                        let text = format!("{dump}: {why}");
                        outcome.warnings.push(Warning::failed(text));
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    fn dump(&mut self, request: Vec<u8>, reader: &mut Reader<'_>) -> io::Result<End> {
        let mut channel = self.open()?;
        reader.sequence = channel.send(request)?;
        let recorder = &self.recorder;
        let table = reader.dump.table();
        let may_repeat = reader.repeats > 0;
        let holds = reader.decoder.holds();
        let is_held = holds || reader.decoder.visitor.can_rewind();
        let mut read = |datagram: io::Result<&[u8]>| match datagram {
            Ok(datagram) => {
                recorder.keep(table, datagram);
                reader.read(datagram)
            }
            Err(error) => Some(End::Disturbed(disturbance(error))),
        };
        let end = if is_held {
            // The visitor holds the sockets, so reading ahead has no benefit.
            let first = if holds { usize::MAX } else { READ_FIRST };
            (0..first).find_map(|_| read(channel.receive()))
        } else {
            let first = channel.receive_first(wire::ends_dump);
            match may_repeat.then(|| flaw(first)).flatten() {
                Some(why) => Some(End::Disturbed(why)),
                None => first.datagrams().find_map(&mut read),
            }
        };
        let end = end.unwrap_or_else(|| {
            channel.receive_rest(wire::ends_dump, |datagram| {
                read(datagram).map_or(ControlFlow::Continue(()), ControlFlow::Break)
            })
        });
        // A completed dump leaves nothing in the socket.
        if matches!(end, End::Whole | End::Refused(_)) {
            self.socket = Some(channel.socket);
        }
        Ok(end)
    }

    /// Adds the warnings about what was read.
    fn told(&self, mut outcome: Outcome, reader: &Reader<'_>) -> Outcome {
        outcome
            .warnings
            .extend(reader.decoder.warnings(&reader.dump.to_string()));
        let strangers = self.strangers.swap(0, Ordering::Relaxed);
        if strangers > 0 {
            outcome.warnings.push(Warning::strangers(strangers));
        }
        outcome
    }
}

impl Source for NetlinkSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        if table.protocol.is_module() && speaks(PROC, table) == Some(false) {
            return Ok(self.recorder.none(table, NO_MODULE));
        }
        let peers = table.protocol == Protocol::Unix && request.extensions.unix_peers;
        let names = peers.then(UnixNames::default);
        let mut reader = Reader::new(Dump::Table(table), request, visitor, names);
        let outcome = match self.look_up(table, &mut reader) {
            Some(outcome) => outcome,
            None => match self.read(&mut reader) {
                Err(error) if lacks_module(&error, table) => match in_use(PROC, table) {
                    Some(0) => self.recorder.none(table, NO_MODULE),
                    // Not named by the user: tables without a module are omitted, unless they have sockets.
                    None if !request.extensions.is_named => {
                        self.recorder.none(table, error.chain())
                    }
                    _ => return Err(error),
                },
                Err(error) if is_refusal(&error) && speaks(PROC, table) == Some(false) => {
                    let reason = format!("this kernel has no {table}");
                    self.recorder.none(table, reason)
                }
                read => read?,
            },
        };
        let recorder = self.recorder.clone();
        let live = || Some((self.open().ok()?, recorder));
        reader.decoder.lend_held(live);
        Ok(self.told(outcome, &reader))
    }

    /// If the table of connections is walked, one walk costs less than two.
    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        let states = request.states.without(State::Listen).without(State::Bound);
        let is_looked_up = request.narrow.exact.is_some();
        // A recording identifies the tables by their requests.
        let is_walked = states != StateSet::EMPTY || request.states.contains(State::Bound);
        if !is_walked || is_looked_up || self.recorder.is_on() {
            return None;
        }
        let mut reader = Reader::new(Dump::Tcp, request, visitor, None);
        let outcome = self.read(&mut reader).ok()?;
        Some(self.told(outcome, &reader))
    }

    fn destroy(&mut self, socket: &Socket) -> io::Result<()> {
        let request = wire::destroy_request(socket).ok_or(Errno::OPNOTSUPP)?;
        let mut channel = self.open()?;
        let sequence = channel.send(request)?;
        let mut answers = wire::Messages::new(channel.receive()?);
        let answer = answers.next().and_then(Result::ok);
        let answer = answer.filter(|answer| answer.sequence == sequence);
        let Some(Body::Error(errno)) = answer.map(|answer| answer.body) else {
            return Err(io::Error::other(OTHER_REPLY));
        };
        self.socket = Some(channel.socket);
        match errno {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// The first datagram of a new socket is shorter.
    fn vary_chunk_boundary(&mut self) {
        self.socket = None;
    }
}

/// True if the kernel has the protocol's module, but not the one that lists its sockets.
fn lacks_module(error: &Error, table: Table) -> bool {
    table.protocol.is_module() && is_one_of(error, &[Errno::NOENT])
}

/// Why there are no such sockets. (A netlink request would load the module.)
const NO_MODULE: &str = "none here: no such module is loaded";

const NO_STORAGE: &str = "bpf_storage is unknown: it requires CAP_BPF; run as root";

fn is_not_allowed(cause: &io::Error) -> bool {
    Errno::from_io_error(cause).is_some_and(|errno| NOT_ALLOWED.contains(&errno))
}

/// Netlink is refused for lack of privileges: seccomp, an LSM, a sandbox.
pub(super) const NOT_ALLOWED: &[Errno] = &[Errno::PERM, Errno::ACCESS];
/// The kernel does not support the request.
const NOT_SUPPORTED: &[Errno] = &[
    Errno::NOENT,
    Errno::PROTONOSUPPORT,
    Errno::AFNOSUPPORT,
    Errno::OPNOTSUPP,
    Errno::NOSYS,
    Errno::INVAL,
];

/// True if netlink does not list a table, or not for us.
pub(super) fn is_refusal(error: &Error) -> bool {
    is_one_of(error, NOT_ALLOWED) || is_one_of(error, NOT_SUPPORTED)
}

/// True if netlink failed with one of these errors.
pub(super) fn is_one_of(error: &Error, errors: &[Errno]) -> bool {
    let Error::Netlink(_, cause) = error else {
        return false;
    };
    Errno::from_io_error(cause).is_some_and(|errno| errors.contains(&errno))
}

/// True if this kernel lists BOUND (Linux 6.8). Older ones with a backport show it by their rows.
fn lists_bound() -> bool {
    let version = uname();
    let release = version.release().to_string_lossy();
    let mut numbers = release.split(|sign: char| !sign.is_ascii_digit());
    let mut number = || numbers.next()?.parse::<u32>().ok();
    (number(), number()) >= (Some(6), Some(8))
}

fn params<'r>(request: &Request, program: &'r [u8]) -> DumpParams<'r> {
    let narrow = &request.narrow;
    DumpParams {
        states: request.states,
        extensions: request.extensions,
        ports: [narrow.local_port, narrow.peer_port].map(Option::unwrap_or_default),
        program,
    }
}
