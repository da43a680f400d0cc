//! Common questions in one call.

use super::{Completeness, Listing, Owners, Row, Sockets};
use crate::error::Error;
use crate::model::{Process, Protocol, Selection};

/// Lists listeners with their processes.
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

/// The processes that hold a port.
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
    /// The processes, by PID.
    pub processes: Vec<Process>,
    /// True if a socket has the port. If `processes` is empty then, they could not be read: see `completeness`.
    pub is_bound: bool,
    /// Whether all of them are known.
    pub completeness: Completeness,
}

/// Finds the processes that hold a local port: its listeners, or else its connections.
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
