//! Lists the sockets of a Linux machine, the TCP state of each, and the processes that hold it.
//!
//! This is the library of the program `lsock`. It reads `sock_diag` netlink, and falls back to `/proc/net`.
//!
//! ```
//! for row in &lsock::listeners()? {
//!     let holders = row.processes().iter().map(|process| process.pid);
//!     println!("{} {:?} {:?}", row.protocol(), row.local(), holders.collect::<Vec<_>>());
//! }
//! # Ok::<(), lsock::Error>(())
//! ```
//!
//! [`Sockets`] selects protocols, states, network namespaces, and takes the filter language of the program.
//! [`list`](Sockets::list) returns owned rows; [`visit`](Sockets::visit) lends one row after another without copies.
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
//! Missing privileges are not an error. A listing has what could be read, and its [`Completeness`] reports the gaps.
//! In a row, unknown values are `None` or [`Value::Unknown`], never zero. An empty list of processes comes with the
//! [`ProcessStatus`], which distinguishes "none" from "unknown". An [`Error`] means that nothing could be read; it names the
//! operation and the object.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `cli` (default) | the program, and all of the below |
//! | `bpf` | events ([`Sockets::watch`]); BPF programs where they are faster |
//! | `containers` | container names from the files of container engines, for the field `container` |
//! | `serde` | rows can be serialized |
//!
//! For the library alone, set `default-features = false`. It then depends on `rustix`, `zerocopy`, `procfs` and the
//! `netlink-packet` crates.
//!
//! # Stability
//!
//! The items on this page are the public interface. Enums and structs can gain members. The modules of the program are
//! public only for its own tests.
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
