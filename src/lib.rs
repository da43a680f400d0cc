//! `lsock` lists the sockets of a Linux machine, and where each stands in the TCP state machine.
//!
//! A [source] reads the kernel's socket state, through `sock_diag` netlink or from `/proc/net`, and
//! lends one [`Socket`](model::Socket) after another; what the [`query`] selects becomes a
//! [`Row`](model::Row) with the names that were asked for, and a [sink](render::Sink) writes it.
//! Nothing is kept on the way, so memory does not grow with the number of sockets.
//!
//! | module | what it holds | may name |
//! |---|---|---|
//! | [`text`] | words for people | – |
//! | [`model`] | plain data | the above |
//! | [`error`] [`exit`] [`fields`] | what can go wrong; how a run ends; the vocabulary | the above |
//! | [`wire`] [`procfs`] | netlink bytes and `/proc` text, to and from the model | the above |
//! | [`bpf`] | programs that run in the kernel, and what they write | `error` |
//! | [`filter`] | the expression language: which sockets are wanted | `model` `text` `error` `fields` |
//! | [`track`] | which socket is which in the next look, and when that is due | `model` `error` |
//! | [`netns`] | network namespaces: which there are, and how to look into one | the above |
//! | [`container`] | the container, pod and unit of a process | `procfs` `model` |
//! | [`source`] [`enrich`] [`render`] | where sockets come from; names for them; formats | the above |
//! | [`query`] | what was asked, decided before the first system call | the above |
//! | [`mode`] | what is done with the stream of sockets | the above |
//! | [`cli`] | the command line | the above |
//!
//! A module names only lower levels and its own folder; a test keeps it so. Only the program itself
//! (`main`, and `terminal` for the view of `-c`) touches the standard output, the environment and the
//! terminal. Unsafe code is in one room, [`bpf`], whose `syscall` and `memory` say why it is sound.
#![deny(unsafe_code)]

#[cfg(feature = "bpf")]
pub mod bpf;
#[cfg(feature = "cli")]
pub mod cli;
pub mod container;
pub mod enrich;
pub mod error;
#[cfg(feature = "cli")]
pub mod exit;
pub mod fields;
pub mod filter;
#[cfg(feature = "cli")]
pub mod mode;
pub mod model;
pub mod netns;
pub mod procfs;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
pub mod query;
pub mod reading;
#[cfg(feature = "cli")]
pub mod render;
pub mod source;
#[expect(unsafe_code, reason = "these calls have no safe form; see there")]
pub mod syscall;
#[cfg(all(test, feature = "cli"))]
mod tests;
pub mod text;
pub mod track;
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

#[cfg(feature = "cli")]
pub use program::run;
