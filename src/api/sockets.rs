//! The query: which sockets to list.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::listing::Kept;
use super::{Completeness, Listing, Row};
use crate::enrich::{Machine, SystemNames};
use crate::error::Error;
use crate::fields::Field;
use crate::filter::Expr;
use crate::model::{Protocol, Selection, State, StateSet};
use crate::netns::Wanted;
use crate::reading::Input;
use crate::text::escape;

/// Whether to find the processes that hold each socket.
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
    /// No: this takes longer than the list itself.
    #[default]
    Skip,
    /// Yes, in the fastest way that privileges allow. Each row and [`Completeness`] report what was not permitted.
    Auto,
}

/// A query for sockets. The default is every TCP, UDP and raw socket of this network namespace.
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
    pub(super) protocols: BTreeSet<Protocol>,
    pub(super) states: StateSet,
    pub(super) selection: Selection,
    /// What was written, and what it means.
    pub(super) filters: Vec<String>,
    pub(super) filter: Expr,
    pub(super) fields: Vec<Field>,
    pub(super) owners: Owners,
    pub(super) netns: Vec<Wanted>,
    pub(super) input: Input,
    pub(super) record: Option<PathBuf>,
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

    /// Only these protocols.
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

    /// Only these states.
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

    /// Only sockets that wait for peers: TCP in LISTEN, UDP bound and not connected, and so on.
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

    /// Only sockets that match a filter expression (lsock-filter(7)); with several, all of them.
    ///
    /// # Errors
    ///
    /// When the expression is invalid; the message shows where. `any TEXT`, which searches the columns of a table, is
    /// not supported. Unknown users, interfaces and other names are reported when sockets are read.
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

    /// Requests further fields, by their names in filters, separated by commas; [`Row::get`] returns them.
    ///
    /// # Errors
    ///
    /// When a field does not exist, or is a structure.
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

    /// Whether to find the processes that hold each socket.
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

    /// Another network namespace: its name below `/run/netns`, the PID of a process in it, the name of a container, a
    /// path, or `all`. Can be called several times.
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

    /// Reads a recording of `lsock -D` or `ss -D` instead of the kernel. Its sockets have no processes.
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

    /// Writes the kernel's replies to a file, for [`replay`](Self::replay) and `lsock --replay`.
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

    /// Lends each socket to a closure; `Break` ends the listing. Memory does not grow with the number of sockets.
    ///
    /// # Errors
    ///
    /// When nothing can be read at all, for instance if the namespace or file does not exist. Other gaps are in the
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

    /// Lists the sockets.
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
        let mut kept = Kept::of(&self.fields);
        let completeness = self.settled()?.read(&mut kept)?;
        Ok(Listing {
            rows: kept.into_rows(),
            completeness,
        })
    }
}
