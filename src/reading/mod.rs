//! Reads sockets and events from their sources, applies the filter, and looks up names and processes.

#[cfg(feature = "bpf")]
mod event_owners;
mod gaps;
mod input;
mod matcher;
mod peers;
mod rates;
mod recording;
#[cfg(feature = "bpf")]
mod steps;

pub use gaps::{gaps, missing_fields};
pub use input::{Asked, Input, Opened, PROC};
pub use matcher::{Hidden, Matcher, Search, no_text};
pub use peers::PeerReader;
pub use rates::Transfers;
pub use recording::RecordedNames;
#[cfg(feature = "bpf")]
pub use steps::{Steps, open_events};
