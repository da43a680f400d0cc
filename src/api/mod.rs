//! What the library promises: the front page has the rest.

mod completeness;
#[cfg(feature = "bpf")]
mod events;
mod listing;
mod plan;
mod process;
mod questions;
mod read;
mod row;
#[cfg(feature = "serde")]
mod serialize;
mod sockets;

pub use completeness::{Completeness, Gap, GapKind};
#[cfg(feature = "bpf")]
pub use events::{Event, Events};
pub use listing::Listing;
pub use questions::{PortHolders, listeners, process_of_port};
pub use row::{OwnedRow, Row, Value};
pub use sockets::{Owners, Sockets};
