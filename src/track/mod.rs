//! From one look at the tables to the next: which socket is which, and when to look again.

mod identity;
mod pacer;
mod tracker;

pub use identity::{Endpoints, Identity, Sameness};
pub use pacer::Pacer;
pub use tracker::{Entry, Key, Tracker};
