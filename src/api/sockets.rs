//! Which sockets are asked for, and their list.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use super::read::{Reading, Taker};
use super::{Completeness, OwnedRow, Row};
use crate::enrich::{Interfaces, Lookups, Machine, Places, ScanScope, SystemNames, Tasks};
use crate::error::Error;
use crate::fields::{Cost, Field};
use crate::filter::{self, Expr, Narrow, Rule, Test};
use crate::model::{Process, Protocol, Selection, State, StateSet, Table};
use crate::netns::Wanted;
use crate::reading::{Asked, Hidden, Input, Matcher, PROC, PeerReader, RecordedNames, no_text};
use crate::source::{Depth, Extensions, Recorder, Request};
use crate::text::escape;

/// Whether the processes that hold sockets are looked for.
///
/// ```
/// use lsock::{Owners, Sockets};
///
/// let with = Sockets::new().owners(Owners::Auto);
/// let without = with.clone().owners(Owners::Skip);
/// # let _ = without;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owners {
    /// They are not: it takes longer than the list itself.
    #[default]
    Skip,
    /// They are, in the quickest way that rights allow. What they do not allow is told of each row and in
    /// [`Completeness`].
    Auto,
}

/// Which sockets are asked for. The default is every TCP, UDP and raw socket of this network namespace.
///
/// ```
/// use lsock::{Owners, Protocol, Sockets, State};
///
/// let listing = Sockets::new()
///     .protocols([Protocol::Tcp])
///     .states([State::CloseWait])
///     .filter("peer_port = 443 and recv_queue > 16KiB")?
///     .owners(Owners::Auto)
///     .list()?;
/// for row in &listing {
///     println!("{:?} {:?}", row.peer(), row.processes());
/// }
/// # Ok::<(), lsock::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sockets {
    protocols: BTreeSet<Protocol>,
    states: StateSet,
    selection: Selection,
    /// What was written, and what it means.
    filters: Vec<String>,
    filter: Expr,
    fields: Vec<Field>,
    owners: Owners,
    netns: Vec<Wanted>,
    input: Input,
    record: Option<PathBuf>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self::new()
    }
}

impl Sockets {
    /// Every TCP, UDP and raw socket.
    ///
    /// ```
    /// let count = lsock::Sockets::new().list()?.rows.len();
    /// println!("{count} sockets");
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub const fn new() -> Self {
        Self {
            protocols: BTreeSet::new(),
            states: StateSet::ALL,
            selection: Selection::All,
            filters: Vec::new(),
            filter: Expr::ALWAYS,
            fields: Vec::new(),
            owners: Owners::Skip,
            netns: Vec::new(),
            input: Input::Auto,
            record: None,
        }
    }

    /// Of these protocols.
    ///
    /// ```
    /// use lsock::{Protocol, Sockets};
    ///
    /// let listing = Sockets::new().protocols([Protocol::Unix, Protocol::Netlink]).list()?;
    /// assert!(listing.into_iter().all(|row| row.row().local().is_none()));
    /// # Ok::<(), lsock::Error>(())
    /// ```
    #[must_use]
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = Protocol>) -> Self {
        self.protocols = protocols.into_iter().collect();
        self
    }

    /// In these states.
    ///
    /// ```
    /// use lsock::{Sockets, State};
    ///
    /// let time_wait = Sockets::new().states([State::TimeWait]).list()?;
    /// assert!(time_wait.into_iter().all(|row| row.row().state() == State::TimeWait));
    /// # Ok::<(), lsock::Error>(())
    /// ```
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = State>) -> Self {
        self.states = states.into_iter().fold(StateSet::EMPTY, StateSet::with);
        self
    }

    /// That wait for peers: those of TCP in LISTEN, those of UDP that are bound and not connected, and so on.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listing = lsock::Sockets::new().listening().list()?;
    /// let local = listener.local_addr()?;
    /// assert!(listing.into_iter().any(|row| row.row().local() == Some(local)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn listening(mut self) -> Self {
        self.selection = Selection::Listening;
        self
    }

    /// That match an expression in the language of the program's filters; several of them, all.
    ///
    /// # Errors
    ///
    /// When it cannot be understood; the message shows where. `any TEXT`, which searches what a table shows, is
    /// refused: there is no table. Users, interfaces and the like that are not there are told when sockets are read.
    ///
    /// ```
    /// use lsock::Sockets;
    ///
    /// let busy = Sockets::new().filter("recv_queue > 64KiB or rtt > 200ms")?;
    /// let error = Sockets::new().filter("sport >= )").unwrap_err();
    /// assert!(error.to_string().contains("expected a port"));
    /// # let _ = busy;
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn filter(mut self, text: &str) -> Result<Self, Error> {
        // Which names there are depends on what else is asked for.
        let anywhere = SystemNames {
            machine: Machine::Recorded,
            other_netns: true,
            ..SystemNames::default()
        };
        self.parsed(text, &anywhere)?;
        self.filters.push(text.to_owned());
        Ok(self)
    }

    /// Asks for further fields, by their names as in filters, separated by commas: [`Row::get`] reads them.
    ///
    /// # Errors
    ///
    /// When there is no such field, or it has parts.
    ///
    /// ```
    /// use lsock::Sockets;
    ///
    /// let listing = Sockets::new().fields("rtt, congestion, user")?.list()?;
    /// let rtt: Vec<_> = listing.iter().map(|row| row.get("rtt")).collect();
    /// assert!(Sockets::new().fields("rtt, no_such_field").is_err());
    /// # let _ = rtt;
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn fields(mut self, names: &str) -> Result<Self, Error> {
        let tables = self.tables();
        for name in names.split(',').map(str::trim) {
            let field = Field::compared(name, &tables).map_err(|unknown| {
                let name = escape(name.as_bytes());
                let reason = unknown.reason(&name);
                Error::Usage(reason.unwrap_or_else(|| format!("unknown field \"{name}\"")))
            })?;
            self.fields.push(field);
        }
        Ok(self)
    }

    /// Looks for the processes that hold them, or not.
    ///
    /// ```
    /// use lsock::{Owners, Sockets};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let own = format!("pid = {}", std::process::id());
    /// let listing = Sockets::new().filter(&own)?.owners(Owners::Auto).list()?;
    /// assert_eq!(listing.rows[0].row().processes()[0].pid, std::process::id());
    /// # drop(listener);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// Of a network namespace instead of the own one: its name below `/run/netns`, the number of a process that lives
    /// there, the name of a container, a path, or `all`. May be said several times.
    ///
    /// ```
    /// let own = format!("/proc/{}/ns/net", std::process::id());
    /// let listing = lsock::Sockets::new().netns(own).list()?;
    /// assert!(listing.iter().all(|row| row.netns().is_some()));
    /// # Ok::<(), lsock::Error>(())
    /// ```
    #[must_use]
    pub fn netns(mut self, name: impl AsRef<OsStr>) -> Self {
        self.netns.push(Wanted::of(name.as_ref()));
        self
    }

    /// Reads a recording instead of the kernel: what `lsock -D` or `ss -D` has written. Its sockets have no processes.
    ///
    /// ```
    /// # let file = std::env::temp_dir().join(format!("lsock-replay-{}", std::process::id()));
    /// lsock::Sockets::new().record(&file).list()?;
    /// let listing = lsock::Sockets::new().replay(&file).list()?;
    /// # std::fs::remove_file(&file).ok();
    /// # let _ = listing;
    /// # Ok::<(), lsock::Error>(())
    /// ```
    #[must_use]
    pub fn replay(mut self, file: impl Into<PathBuf>) -> Self {
        self.input = Input::Replay(file.into());
        self
    }

    /// Keeps what the kernel tells in a file, for [`replay`](Self::replay) and `lsock --replay`.
    ///
    /// ```
    /// # let file = std::env::temp_dir().join(format!("lsock-record-{}", std::process::id()));
    /// lsock::Sockets::new().record(&file).list()?;
    /// assert!(std::fs::metadata(&file).is_ok_and(|file| file.len() > 0));
    /// # std::fs::remove_file(&file).ok();
    /// # Ok::<(), lsock::Error>(())
    /// ```
    #[must_use]
    pub fn record(mut self, file: impl Into<PathBuf>) -> Self {
        self.record = Some(file.into());
        self
    }

    /// Lends each of them to a closure; `Break` ends it. Nothing is kept, so memory does not grow with their number.
    ///
    /// # Errors
    ///
    /// When nothing can be read at all: there is no such namespace or file. What is missing otherwise is told in the
    /// [`Completeness`].
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// let mut first = None;
    /// lsock::Sockets::new().visit(|row| {
    ///     first = row.local();
    ///     ControlFlow::Break(())
    /// })?;
    /// println!("{first:?}");
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn visit(
        &self,
        mut visitor: impl FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, Error> {
        self.settled()?.read(&mut visitor)
    }

    /// Lists them.
    ///
    /// # Errors
    ///
    /// As [`visit`](Self::visit).
    ///
    /// ```
    /// let listing = lsock::Sockets::new().list()?;
    /// println!("{} sockets, complete: {}", listing.rows.len(), listing.completeness.is_complete());
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn list(&self) -> Result<Listing, Error> {
        let mut kept = Kept {
            rows: Vec::new(),
            whole: 0,
            fields: self.fields.as_slice().into(),
        };
        let completeness = self.settled()?.read(&mut kept)?;
        Ok(Listing {
            rows: kept.rows,
            completeness,
        })
    }

    #[cfg(feature = "bpf")]
    pub(super) fn fields_asked(&self) -> &[Field] {
        &self.fields
    }

    #[cfg(feature = "bpf")]
    pub(super) fn is_live(&self) -> bool {
        self.input.is_live() && self.record.is_none()
    }

    pub(super) fn tables(&self) -> Vec<Table> {
        let is_wanted = |protocol: &Protocol| {
            let is_usual = self.protocols.is_empty() && protocol.is_default();
            is_usual || self.protocols.contains(protocol)
        };
        let protocols = Protocol::ALL.into_iter().filter(is_wanted);
        protocols.flat_map(Protocol::tables).collect()
    }

    /// What a filter means where names mean this.
    fn parsed(&self, text: &str, names: &SystemNames<'_>) -> Result<Expr, Error> {
        let filter = filter::parse_for(text, names, &self.tables())
            .map_err(|error| Error::Usage(format!("filter: {error}")))?;
        if filter.needs().contains(&Cost::Shown) {
            let text = format!(
                "filter: \"{}\" searches text that is shown; compare a field, as in process = nginx",
                escape(text.as_bytes())
            );
            return Err(Error::Usage(text));
        }
        Ok(filter)
    }

    /// The same, with the meaning that filters have for all that is asked for.
    pub(super) fn settled(&self) -> Result<Self, Error> {
        let is_live = self.input.is_live();
        let is_unix = |protocol: &Protocol| *protocol == Protocol::Unix;
        let names = SystemNames {
            machine: if is_live {
                Machine::Here
            } else {
                Machine::Recorded
            },
            only_unix: !self.protocols.is_empty() && self.protocols.iter().all(is_unix),
            other_netns: !self.netns.is_empty(),
            root: (is_live && self.netns.is_empty()).then_some(Path::new(PROC)),
            ..SystemNames::default()
        };
        let filters = self.filters.iter();
        let filters = filters.map(|text| self.parsed(text, &names));
        let filters: Vec<Expr> = filters.collect::<Result<_, _>>()?;
        let filter = Expr::all(filters);
        let needs = filter.needs();
        if needs.contains(&Cost::Netns) && self.netns.is_empty() && is_live {
            let text = "filter: the network namespace is known where netns() names some";
            return Err(Error::Usage(text.to_owned()));
        }
        if needs.contains(&Cost::Owners) && !is_live {
            let text = "a recording does not hold the processes of its sockets: \
                no pid or process in a filter";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(Self {
            filter,
            ..self.clone()
        })
    }

    pub(super) fn rule(&self, table: Table) -> Rule {
        let states = self.selection.states(table.protocol);
        let states = Expr::Test(Test::State(states.intersection(self.states)));
        Expr::all([states, self.filter.clone()]).for_table(table)
    }

    /// What must be looked up, or asked of the kernel.
    fn needs(&self) -> BTreeSet<Cost> {
        let mut needs = self.filter.needs();
        needs.extend(self.fields.iter().flat_map(|field| field.needs()));
        needs.extend((self.owners == Owners::Auto).then_some(Cost::Owners));
        needs
    }

    pub(super) fn lookups(&self) -> Lookups {
        let (needs, is_live) = (self.needs(), self.input.is_live());
        let has = |cost| is_live && needs.contains(&cost);
        Lookups {
            owners: has(Cost::Owners).then(|| PROC.into()),
            scope: match self.filter.pids() {
                Some(pids) if !has(Cost::Peers) => ScanScope::Only(pids),
                _ => ScanScope::All,
            },
            peers: has(Cost::Peers),
            tasks: Tasks {
                threads: has(Cost::Threads),
                contexts: has(Cost::Contexts),
            },
            users: has(Cost::User) || has(Cost::Owners),
            interfaces: if is_live {
                Interfaces::Live
            } else {
                Interfaces::NumbersOnly
            },
            cgroups: has(Cost::Cgroup),
            places: (has(Cost::Containers) || has(Cost::Maker)).then(|| Places {
                proc: PROC.into(),
                root: Some("/".into()),
            }),
            paths: has(Cost::Path),
            ..Lookups::default()
        }
    }

    fn request(&self, rule: &Rule) -> Request {
        let needs = self.needs();
        let has = |cost| needs.contains(&cost);
        let table = rule.table();
        let storage = has(Cost::Storage) && Field::BpfStorage.applies_to(table);
        let narrow = Narrow::of(rule);
        Request {
            states: rule.states(),
            extensions: Extensions {
                info: has(Cost::Info),
                options: has(Cost::Options),
                memory: has(Cost::Memory),
                storage,
                files: has(Cost::File),
                unix_peers: has(Cost::UnixPeers) || self.protocols.contains(&Protocol::Unix),
                is_named: self.protocols.contains(&table.protocol),
                ..Extensions::default()
            },
            // The answer about one connection does not tell what is stored of it.
            narrow: Narrow {
                exact: narrow.exact.filter(|_| !storage),
                ..narrow
            },
            netns: None,
        }
    }

    pub(super) fn asked(&self, owners: bool) -> Asked {
        let is_whole = owners || self.netns.iter().any(Wanted::is_nameless);
        Asked {
            input: self.input.clone(),
            root: own_root().into(),
            netns: self.netns.clone(),
            depth: if is_whole {
                Depth::Descriptors
            } else {
                Depth::Usual
            },
            may_come: false,
            tables: self.tables(),
            is_named: !self.protocols.is_empty(),
        }
    }

    fn read(&self, taker: &mut dyn Taker) -> Result<Completeness, Error> {
        let recorder = match &self.record {
            Some(path) => Recorder::create(path)?,
            None => Recorder::default(),
        };
        let lookups = self.lookups();
        let asked = self.asked(lookups.owners.is_some());
        let (mut source, tables) = asked.open(&recorder)?;
        let source = source.as_mut();
        let peers = PeerReader::open(&asked, &lookups)?;
        let interfaces = lookups.interfaces;
        let hidden = [Hidden::default(); 2];
        let mut matcher = Matcher::new(lookups, peers, no_text(), hidden, source)?;
        let mut reading = Reading {
            matcher: &mut matcher,
            taker,
            fields: &self.fields,
            filter: &self.filter,
            named: self.protocols.iter().copied().collect(),
            recorded: None,
            completeness: Completeness::Complete,
        };
        if recorder.is_on() {
            let is_live = self.input.is_live();
            let names = RecordedNames::new(is_live, interfaces, source.namespaces())?;
            reading.recorded = Some(names);
        }
        reading.note_search(source);
        let rules = tables.into_iter().map(|table| {
            let rule = self.rule(table);
            let request = self.request(&rule);
            (rule, request)
        });
        reading.read(source, &rules.collect::<Vec<_>>())?;
        if let Some(recorded) = reading.recorded.take() {
            recorded.record(&recorder);
        }
        let completeness = reading.finish();
        recorder.finish()?;
        Ok(completeness)
    }
}

/// Whoever calls may have gone to another namespace than the rest of the process.
fn own_root() -> &'static str {
    let network = |task| fs::read_link(format!("/proc/{task}/ns/net")).ok();
    if network("self") == network("thread-self") {
        PROC
    } else {
        "/proc/thread-self"
    }
}

/// Rows that are kept.
struct Kept {
    rows: Vec<OwnedRow>,
    /// So many are certain to stay.
    whole: usize,
    fields: Arc<[Field]>,
}

impl Taker for Kept {
    fn take(&mut self, row: Row<'_>) -> ControlFlow<()> {
        self.rows.push(OwnedRow::keep(row, &self.fields));
        ControlFlow::Continue(())
    }

    fn checkpoint(&mut self) {
        self.whole = self.rows.len();
    }

    fn rollback(&mut self) -> bool {
        self.rows.truncate(self.whole);
        true
    }

    fn can_roll_back(&self) -> bool {
        true
    }
}

/// Sockets, and whether these are all.
///
/// ```
/// let lsock::Listing { rows, completeness, .. } = lsock::listeners()?;
/// println!("{} listeners, complete: {}", rows.len(), completeness.is_complete());
/// # Ok::<(), lsock::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The sockets, in the order in which the kernel tells them.
    pub rows: Vec<OwnedRow>,
    /// Whether these are all, with all that was asked for.
    pub completeness: Completeness,
}

impl Listing {
    /// Lends each row.
    ///
    /// ```
    /// let listing = lsock::listeners()?;
    /// let on_port_80 = listing.iter().filter(|row| row.local().is_some_and(|local| local.port() == 80));
    /// println!("{}", on_port_80.count());
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.rows.iter().map(OwnedRow::row)
    }
}

impl<'a> IntoIterator for &'a Listing {
    type Item = Row<'a>;
    type IntoIter = std::iter::Map<slice::Iter<'a, OwnedRow>, fn(&'a OwnedRow) -> Row<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter().map(OwnedRow::row)
    }
}

impl IntoIterator for Listing {
    type Item = OwnedRow;
    type IntoIter = std::vec::IntoIter<OwnedRow>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

/// Who listens, and which processes these are.
///
/// # Errors
///
/// As [`Sockets::visit`].
///
/// ```
/// for row in &lsock::listeners()? {
///     let names = row.processes().iter().filter_map(|process| process.name());
///     println!("{:?} {:?}", row.local(), names.collect::<Vec<_>>());
/// }
/// # Ok::<(), lsock::Error>(())
/// ```
pub fn listeners() -> Result<Listing, Error> {
    Sockets::new().listening().owners(Owners::Auto).list()
}

/// Who holds a port.
///
/// ```
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let holders = lsock::process_of_port(port, lsock::Protocol::Tcp)?;
/// assert!(holders.is_bound);
/// assert_eq!(holders.processes[0].pid, std::process::id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PortHolders {
    /// The processes, by pid.
    pub processes: Vec<Process>,
    /// True if some socket has the port. If nobody holds it then, nobody could be found: see the completeness.
    pub is_bound: bool,
    /// Whether these are all.
    pub completeness: Completeness,
}

/// Finds who holds a local port: those who listen there, or else whoever is connected from there.
///
/// # Errors
///
/// As [`Sockets::visit`].
///
/// ```
/// use lsock::Protocol;
///
/// let holders = lsock::process_of_port(53, Protocol::Udp)?;
/// match &*holders.processes {
///     [] if holders.is_bound => println!("somebody: run as root to see whom"),
///     [] => println!("nobody"),
///     [first, ..] => println!("{}", first.pid),
/// }
/// # Ok::<(), lsock::Error>(())
/// ```
pub fn process_of_port(port: u16, protocol: Protocol) -> Result<PortHolders, Error> {
    let all = Sockets::new().protocols([protocol]).owners(Owners::Auto);
    let listing = all.filter(&format!("local_port = {port}"))?.list()?;
    let waiting = Selection::Listening.states(protocol);
    let waits = |row: &Row<'_>| waiting.contains(row.state());
    let is_listened = listing.iter().any(|row| waits(&row));
    let rows = listing.iter().filter(|row| !is_listened || waits(row));
    let mut processes: Vec<Process> = rows.flat_map(|row| row.processes()).cloned().collect();
    processes.sort_by_key(|process| process.pid);
    processes.dedup_by_key(|process| process.pid);
    Ok(PortHolders {
        processes,
        is_bound: !listing.rows.is_empty(),
        completeness: listing.completeness,
    })
}
