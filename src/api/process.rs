//! Names and command lines of processes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::model::Process;

impl Process {
    /// The name (`comm`): the first 15 bytes of the program's name, any bytes but NUL. `None` = unreadable.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let holders = lsock::process_of_port(port, lsock::Protocol::Tcp)?;
    /// assert!(holders.processes[0].name().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(&self) -> Option<&OsStr> {
        self.name.as_deref().map(OsStr::from_bytes)
    }

    /// The command line, arguments separated by blanks. Empty = none, or hidden by the process; `None` = unreadable.
    ///
    /// ```
    /// # fn show(process: &lsock::Process) {
    /// if let Some(command) = process.command() {
    ///     println!("{} {}", process.pid, command.display());
    /// }
    /// # }
    /// ```
    pub fn command(&self) -> Option<&OsStr> {
        self.command.as_deref().map(OsStr::from_bytes)
    }
}
