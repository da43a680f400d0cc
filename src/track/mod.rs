//! Polling rounds: recognizes sockets from one round to the next, paces rounds and waits between them.

mod identity;
mod pacer;
mod tracker;
mod wait;

pub use identity::{Endpoints, Identity, Sameness};
pub use pacer::Pacer;
pub use tracker::{Entry, Key, Tracker};
pub use wait::wait;
