//! Rows: sockets with their processes and other values.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use crate::fields::{self, Datum, Field};
use crate::model::{self, Endpoint, Family, Process, ProcessStatus, Protocol, State};

/// A socket of a listing, lent until the next one.
///
/// Unknown values, and values that the socket does not have, are `None`, never zero.
///
/// ```
/// use std::net::TcpListener;
/// use std::ops::ControlFlow;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut is_found = false;
/// lsock::Sockets::new().visit(|row| {
///     is_found |= row.local() == listener.local_addr().ok();
///     ControlFlow::Continue(())
/// })?;
/// assert!(is_found);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub(super) row: model::Row<'a>,
    pub(super) fields: &'a [Field],
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("protocol", &self.protocol())
            .field("state", &self.state())
            .field("local", &self.local())
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}

/// An IP address and a port, with the scope of a link-local address.
fn address(end: &Endpoint, interface: Option<u32>) -> Option<SocketAddr> {
    let port = u16::try_from(end.port.unwrap_or_default()).ok()?;
    Some(match end.ip? {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, port, 0, interface.unwrap_or_default()).into()
        }
        ip => SocketAddr::new(ip, port),
    })
}

fn name(end: &Endpoint) -> Option<&OsStr> {
    (!end.name.is_empty()).then(|| OsStr::from_bytes(&end.name))
}

/// The examples of one row have one listener.
macro_rules! row_example {
    ($body:literal) => {
        concat!(
            "```\n",
            "let listener = std::net::TcpListener::bind(\"127.0.0.1:0\")?;\n",
            "let port = listener.local_addr()?.port();\n",
            "let listing = lsock::Sockets::new().filter(&format!(\"sport = {port}\"))?.list()?;\n",
            "let row = listing.rows[0].row();\n",
            $body,
            "\n# Ok::<(), Box<dyn std::error::Error>>(())\n```"
        )
    };
}

impl<'a> Row<'a> {
    /// The protocol.
    ///
    #[doc = row_example!("assert_eq!(row.protocol(), lsock::Protocol::Tcp);")]
    pub const fn protocol(&self) -> Protocol {
        self.row.socket.protocol
    }

    /// The address family.
    ///
    #[doc = row_example!("assert_eq!(row.family(), lsock::Family::Inet);")]
    pub const fn family(&self) -> Family {
        self.row.socket.family
    }

    /// The state in the protocol's state machine.
    ///
    #[doc = row_example!("assert_eq!(row.state(), lsock::State::Listen);")]
    pub const fn state(&self) -> State {
        self.row.socket.state
    }

    /// The local address and port. `None` = neither IPv4 nor IPv6. The port is 0 if unbound; for a raw socket it is
    /// the IP protocol number.
    ///
    #[doc = row_example!("assert_eq!(row.local(), Some(listener.local_addr()?));")]
    pub fn local(&self) -> Option<SocketAddr> {
        address(&self.row.socket.local, self.row.socket.interface)
    }

    /// The address and port of the peer. `None` = no peer.
    ///
    #[doc = row_example!("assert_eq!(row.peer(), None);")]
    pub fn peer(&self) -> Option<SocketAddr> {
        let peer = &self.row.socket.peer;
        peer.port?;
        address(peer, self.row.socket.interface)
    }

    /// The name of a unix socket, byte for byte: a path, or an abstract name with a leading NUL. For other families
    /// without IP addresses, the address as text.
    ///
    /// ```
    /// use std::os::unix::net::UnixListener;
    ///
    /// let directory = std::env::temp_dir().join(format!("lsock-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// let path = directory.join("socket");
    /// # let _ = std::fs::remove_file(&path);
    /// let _listener = UnixListener::bind(&path)?;
    /// let listing = lsock::Sockets::new().protocols([lsock::Protocol::Unix]).list()?;
    /// let mut rows = listing.rows.iter();
    /// assert!(rows.any(|row| row.row().local_name() == Some(path.as_os_str())));
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn local_name(&self) -> Option<&'a OsStr> {
        name(&self.row.socket.local)
    }

    /// The same for the peer.
    ///
    #[doc = row_example!("assert_eq!(row.peer_name(), None);")]
    pub fn peer_name(&self) -> Option<&'a OsStr> {
        name(&self.row.socket.peer)
    }

    /// Bytes received but not yet read; for a listener, connections waiting for `accept`.
    ///
    #[doc = row_example!("assert_eq!(row.recv_queue(), Some(0));")]
    pub const fn recv_queue(&self) -> Option<u32> {
        self.row.socket.recv_queue
    }

    /// Bytes not yet sent or not yet acknowledged; for a listener, the limit of its accept queue, if reported.
    ///
    #[doc = row_example!("assert!(row.send_queue() > Some(0));")]
    pub const fn send_queue(&self) -> Option<u32> {
        self.row.socket.send_queue
    }

    /// The user ID of the creator. `None` = the socket belongs to no user any more.
    ///
    #[doc = row_example!("assert!(row.uid().is_some());")]
    pub const fn uid(&self) -> Option<u32> {
        self.row.socket.uid
    }

    /// The inode, as in `/proc/PID/fd`. `None` = no descriptor can exist, or not reported.
    ///
    #[doc = row_example!("assert!(row.inode().is_some());")]
    pub const fn inode(&self) -> Option<u64> {
        self.row.socket.inode
    }

    /// The kernel's unique identifier of the socket (`SO_COOKIE`); not in `/proc/net`.
    ///
    #[doc = row_example!("assert_ne!(row.cookie(), Some(0));")]
    pub const fn cookie(&self) -> Option<u64> {
        self.row.socket.cookie
    }

    /// The interface that the socket is bound to, or that its link-local address belongs to.
    ///
    #[doc = row_example!("assert_eq!(row.interface(), None);")]
    pub fn interface(&self) -> Option<&'a str> {
        self.row.interface.filter(|name| !name.is_empty())
    }

    /// The name of the network namespace, if [requested](crate::Sockets::netns).
    ///
    #[doc = row_example!("assert_eq!(row.netns(), None);")]
    pub fn netns(&self) -> Option<&'a OsStr> {
        self.row.netns.map(OsStr::from_bytes)
    }

    /// The processes that hold the socket, by PID, if [requested](crate::Sockets::owners). Empty = none or unknown, as
    /// [`process_status`](Self::process_status) says.
    ///
    #[doc = row_example!("assert!(row.processes().is_empty()); // They were not asked for.")]
    pub fn processes(&self) -> &'a [Process] {
        self.row.processes.unwrap_or_default()
    }

    /// The result of the search for processes. `None` = not searched.
    ///
    #[doc = row_example!("assert_eq!(row.process_status(), None);")]
    pub const fn process_status(&self) -> Option<ProcessStatus> {
        self.row.process_status
    }

    /// The value of a field, by its name in filters. `None` = no such field.
    ///
    /// Fields that need extra work must be [requested](crate::Sockets::fields) first; otherwise they are
    /// [`Value::Unknown`].
    ///
    #[doc = row_example!(
        "assert_eq!(row.get(\"local_port\"), Some(lsock::Value::Number(port.into())));\n\
         assert_eq!(row.get(\"no_such_field\"), None);"
    )]
    pub fn get(&self, field: &str) -> Option<Value<'a>> {
        let table = self.row.socket.table();
        let known = Field::compared(field, &[table]);
        let field = match known {
            Err(_) if field == Field::State.own_name() => Field::State,
            known => known.ok()?,
        };
        Some(self.value(field))
    }

    /// The fields that [were asked for](crate::Sockets::fields), by the way to them in the JSON of the program, `tcp_info.rtt`.
    ///
    #[doc = row_example!("assert_eq!(row.values().count(), 0); // None were.")]
    pub fn values(&self) -> impl Iterator<Item = (String, Value<'a>)> + use<'a> {
        let row = *self;
        self.fields
            .iter()
            .map(move |field| (field.path(), row.value(*field)))
    }

    pub(super) fn value(&self, field: Field) -> Value<'a> {
        match field.value(&self.row) {
            fields::Value::Known(Datum::Processes(list)) => {
                let each = list.iter().map(|process| field.of_process(process));
                Value::List(
                    each.map(|one| one.map_or(Value::Unknown, Value::of))
                        .collect(),
                )
            }
            fields::Value::Known(datum) => Value::of(datum),
            fields::Value::Absent | fields::Value::Void => Value::Absent,
            fields::Value::NotReported | fields::Value::NotYet => Value::Unknown,
        }
    }
}

/// An owned row.
///
/// It is `Send + Sync` and outlives its listing.
///
/// ```
/// let listing = lsock::listeners()?;
/// let rows = listing.rows;
/// let count = std::thread::spawn(move || rows.len()).join();
/// # assert!(count.is_ok());
/// # Ok::<(), lsock::Error>(())
/// ```
#[derive(Clone)]
pub struct OwnedRow {
    row: model::OwnedRow,
    fields: Arc<[Field]>,
}

impl fmt::Debug for OwnedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row().fmt(f)
    }
}

impl OwnedRow {
    pub(super) fn keep(row: Row<'_>, fields: &Arc<[Field]>) -> Self {
        Self {
            row: model::OwnedRow::keep(&row.row),
            fields: Arc::clone(fields),
        }
    }

    /// Borrows it as a [`Row`].
    ///
    #[doc = row_example!("assert_eq!(row.state().name(), \"LISTEN\");")]
    pub fn row(&self) -> Row<'_> {
        Row {
            row: self.row.row(),
            fields: &self.fields,
        }
    }
}

/// The value of a field.
///
/// ```
/// use lsock::{Sockets, Value};
///
/// let listing = Sockets::new().fields("rtt")?.list()?;
/// for row in &listing {
///     match row.get("rtt") {
///         Some(Value::Number(us)) => println!("{us} µs"),
///         Some(Value::Absent) => println!("nothing was measured"),
///         _ => println!("not told"),
///     }
/// }
/// # Ok::<(), lsock::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Known to be absent.
    Absent,
    /// Unknown: not reported by this source, not requested, or not permitted.
    Unknown,
    /// A number, in the unit of the field (see lsock-output(5)).
    Number(u64),
    /// True or false.
    Flag(bool),
    /// A word, an address, or a name with any bytes.
    Text(Cow<'a, OsStr>),
    /// Several values, for instance one for each process.
    List(Vec<Self>),
}

impl<'a> Value<'a> {
    fn of(datum: Datum<'a>) -> Self {
        let text = |bytes: &'a [u8]| Self::Text(OsStr::from_bytes(bytes).into());
        let written = |text: String| Self::Text(Cow::Owned(text.into()));
        match datum {
            Datum::Number(number) | Datum::Id(number) => Self::Number(number),
            Datum::Flag(is_set) => Self::Flag(is_set),
            Datum::Word(word) => text(word.as_bytes()),
            Datum::State(state) => written(state.to_string()),
            Datum::Index(index) => written(index.to_string()),
            Datum::Ip(ip) => written(ip.to_string()),
            Datum::Name(name) | Datum::Path(name) => text(name),
            Datum::List(list) => {
                let words = list.split(|byte| *byte == b',');
                Self::List(words.map(text).collect())
            }
            Datum::Numbers(list) => {
                let numbers = list.iter().map(|number| Self::Number((*number).into()));
                Self::List(numbers.collect())
            }
            // Whoever asks for a field asks for its parts.
            Datum::Timer(_)
            | Datum::Processes(_)
            | Datum::Info(_)
            | Datum::Memory(_)
            | Datum::End(_) => Self::Unknown,
        }
    }
}
