//! Rows: sockets with what was looked up for them.

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
/// `None`, never zero, stands for values that are unknown or that the socket does not have.
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
    /// What it speaks.
    ///
    #[doc = row_example!("assert_eq!(row.protocol(), lsock::Protocol::Tcp);")]
    pub const fn protocol(&self) -> Protocol {
        self.row.socket.protocol
    }

    /// Its address family.
    ///
    #[doc = row_example!("assert_eq!(row.family(), lsock::Family::Inet);")]
    pub const fn family(&self) -> Family {
        self.row.socket.family
    }

    /// Where it stands in the state machine of its protocol.
    ///
    #[doc = row_example!("assert_eq!(row.state(), lsock::State::Listen);")]
    pub const fn state(&self) -> State {
        self.row.socket.state
    }

    /// Its own address and port; `None` of other families than IPv4 and IPv6. The port of one that is not bound is 0,
    /// that of a raw socket its IP protocol number.
    ///
    #[doc = row_example!("assert_eq!(row.local(), Some(listener.local_addr()?));")]
    pub fn local(&self) -> Option<SocketAddr> {
        address(&self.row.socket.local, self.row.socket.interface)
    }

    /// The address and port of the other end; `None` where there is none.
    ///
    #[doc = row_example!("assert_eq!(row.peer(), None);")]
    pub fn peer(&self) -> Option<SocketAddr> {
        let peer = &self.row.socket.peer;
        peer.port?;
        address(peer, self.row.socket.interface)
    }

    /// The name of a unix socket: a path, or with a NUL in front an abstract name, every byte as the kernel has it. Of
    /// other families without an IP address their address in words.
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

    /// The same of the other end.
    ///
    #[doc = row_example!("assert_eq!(row.peer_name(), None);")]
    pub fn peer_name(&self) -> Option<&'a OsStr> {
        name(&self.row.socket.peer)
    }

    /// Bytes received but not yet read; of a listener, connections that wait for `accept`.
    ///
    #[doc = row_example!("assert_eq!(row.recv_queue(), Some(0));")]
    pub const fn recv_queue(&self) -> Option<u32> {
        self.row.socket.recv_queue
    }

    /// Bytes sent but not acknowledged, or not yet sent; of a listener, the limit of its queue, where the kernel tells.
    ///
    #[doc = row_example!("assert!(row.send_queue() > Some(0));")]
    pub const fn send_queue(&self) -> Option<u32> {
        self.row.socket.send_queue
    }

    /// The user who made it; `None` of what belongs to nobody any more.
    ///
    #[doc = row_example!("assert!(row.uid().is_some());")]
    pub const fn uid(&self) -> Option<u32> {
        self.row.socket.uid
    }

    /// Its inode: what `/proc/PID/fd` shows; `None` = no descriptor can exist, or it is not told.
    ///
    #[doc = row_example!("assert!(row.inode().is_some());")]
    pub const fn inode(&self) -> Option<u64> {
        self.row.socket.inode
    }

    /// The kernel's identifier of the socket, never used twice: `SO_COOKIE`. `/proc/net` does not tell it.
    ///
    #[doc = row_example!("assert_ne!(row.cookie(), Some(0));")]
    pub const fn cookie(&self) -> Option<u64> {
        self.row.socket.cookie
    }

    /// The name of the interface that it is bound to, or that a link-local address belongs to.
    ///
    #[doc = row_example!("assert_eq!(row.interface(), None);")]
    pub fn interface(&self) -> Option<&'a str> {
        self.row.interface.filter(|name| !name.is_empty())
    }

    /// The name of its network namespace, where those were [asked for](crate::Sockets::netns).
    ///
    #[doc = row_example!("assert_eq!(row.netns(), None);")]
    pub fn netns(&self) -> Option<&'a OsStr> {
        self.row.netns.map(OsStr::from_bytes)
    }

    /// The processes that hold it, by pid, where [they were asked for](crate::Sockets::owners); empty = nobody, or it
    /// is not known: [`process_status`](Self::process_status) tells them apart.
    ///
    #[doc = row_example!("assert!(row.processes().is_empty()); // They were not asked for.")]
    pub fn processes(&self) -> &'a [Process] {
        self.row.processes.unwrap_or_default()
    }

    /// What the search for its processes came to; `None` = nobody searched.
    ///
    #[doc = row_example!("assert_eq!(row.process_status(), None);")]
    pub const fn process_status(&self) -> Option<ProcessStatus> {
        self.row.process_status
    }

    /// The value of a field, by its name as in filters; `None` = there is no such field.
    ///
    /// Fields that cost something must be [asked for](crate::Sockets::fields) before; otherwise they are
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

/// A row that is kept.
///
/// It can be sent to other threads and outlives its listing.
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

    /// Lends it again.
    ///
    #[doc = row_example!("assert_eq!(row.state().name(), \"LISTEN\");")]
    pub fn row(&self) -> Row<'_> {
        Row {
            row: self.row.row(),
            fields: &self.fields,
        }
    }
}

/// What a row has in a field.
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
    /// It is known that there is none.
    Absent,
    /// There may be one: this source does not tell it, it was not asked for, or rights are missing.
    Unknown,
    /// A number; of times and sizes in the unit of the field, as the manual has it.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// A word, an address, or a name with any bytes.
    Text(Cow<'a, OsStr>),
    /// Several of them: one for each process, say.
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
