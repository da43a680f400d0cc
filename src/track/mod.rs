//! From one look at the tables to the next: which socket is which, when to look again, and the wait.

mod identity;
mod pacer;
mod tracker;
mod wait;

pub use identity::{Endpoints, Identity, Sameness};
pub use pacer::Pacer;
pub use tracker::{Entry, Key, Tracker};
pub use wait::wait;
