//! The sockets of a Linux machine, where each stands in the TCP state machine, and which processes hold it.
//!
//! This is the library of the program `lsock`. It asks the kernel over `sock_diag` netlink, and reads `/proc/net` where
//! that is refused.
//!
//! ```
//! for row in &lsock::listeners()? {
//!     let holders = row.processes().iter().map(|process| process.pid);
//!     println!("{} {:?} {:?}", row.protocol(), row.local(), holders.collect::<Vec<_>>());
//! }
//! # Ok::<(), lsock::Error>(())
//! ```
//!
//! [`Sockets`] selects them: protocols, states, network namespaces, and a filter in the language of the
//! program. [`list`](Sockets::list) keeps them, [`visit`](Sockets::visit) lends one after another and keeps nothing.
//!
//! ```
//! use lsock::{Owners, Protocol, Sockets, State};
//!
//! let listing = Sockets::new()
//!     .protocols([Protocol::Tcp])
//!     .states([State::CloseWait])
//!     .owners(Owners::Auto)
//!     .list()?;
//! println!("{} connections that their programs have not closed", listing.rows.len());
//! # Ok::<(), lsock::Error>(())
//! ```
//!
//! # What is missing
//!
//! Missing privileges are no error. A listing has what could be read, and its [`Completeness`] reports what it lacks.
//! In a row, unknown values are `None` or [`Value::Unknown`], never zero. An empty list of processes comes with the
//! [`ProcessStatus`], which distinguishes "none" from "unknown". An [`Error`] means that nothing could be read; it names the
//! operation and the object.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `cli` (default) | the program, and all of the below |
//! | `bpf` | events ([`Sockets::watch`]); the kernel's tables and descriptors are read by programs where that is quicker |
//! | `containers` | names of containers from the files of their engines, for the field `container` |
//! | `serde` | rows can be serialized |
//!
//! Whoever needs the library alone writes `default-features = false`: it then builds on `rustix`, `zerocopy`, `procfs` and
//! the `netlink-packet` crates.
//!
//! # What is promised
//!
//! What this page shows. Enumerations and structures may get further members. The modules of the program are public for
//! its own tests alone.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
#[cfg(feature = "bpf")]
#[doc(hidden)]
pub mod bpf;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod container;
#[doc(hidden)]
pub mod enrich;
#[doc(hidden)]
pub mod error;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod exit;
#[doc(hidden)]
pub mod fields;
#[doc(hidden)]
pub mod filter;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod mode;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod netns;
#[doc(hidden)]
pub mod procfs;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod query;
#[doc(hidden)]
pub mod reading;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod render;
#[doc(hidden)]
pub mod source;
#[expect(unsafe_code, reason = "these calls have no safe form; see there")]
#[doc(hidden)]
pub mod syscall;
#[cfg(all(test, feature = "cli"))]
mod tests;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod track;
#[doc(hidden)]
pub mod wire;

#[cfg(test)]
#[path = "../tests/support/skip.rs"]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the tests' own; the list of what was skipped is read elsewhere"
)]
mod skip;

#[cfg(test)]
#[path = "../tests/support/start.rs"]
#[expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the tests' own, as of those in tests"
)]
mod start;

pub use api::{
    Completeness, Gap, GapKind, Listing, OwnedRow, Owners, PortHolders, Row, Sockets, Value,
    listeners, process_of_port,
};
#[cfg(feature = "bpf")]
pub use api::{Event, Events};
pub use error::Error;
pub use model::{Family, OtherState, Process, ProcessStatus, Protocol, State};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use program::run;
