//! What is asked most often.

use super::{Completeness, Listing, Owners, Row, Sockets};
use crate::error::Error;
use crate::model::{Process, Protocol, Selection};

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
