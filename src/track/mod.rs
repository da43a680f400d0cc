//! From one look at the tables to the next: when to look again.

mod pacer;

pub use pacer::Pacer;
