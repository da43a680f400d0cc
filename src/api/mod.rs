//! What the library promises: the front page has the rest.

mod completeness;
#[cfg(feature = "bpf")]
mod events;
mod process;
mod read;
mod row;
#[cfg(feature = "serde")]
mod serialize;
mod sockets;

pub use completeness::{Completeness, Gap, GapKind};
#[cfg(feature = "bpf")]
pub use events::{Event, Events};
pub use row::{OwnedRow, Row, Value};
pub use sockets::{Listing, Owners, PortHolders, Sockets, listeners, process_of_port};
