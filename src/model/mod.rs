//! Sockets and what belongs to them, as plain data with public fields. No input or output.

mod counts;
mod details;
mod endpoint;
#[cfg(feature = "bpf")]
mod event;
mod finding;
mod info;
mod machine;
mod named;
mod netlink;
mod place;
mod process;
mod protocol;
mod recorded;
mod row;
mod selection;
mod socket;
mod state;
mod summary;
mod timer;
mod warning;

pub(crate) use named::named;

pub use counts::{Counts, Listeners, StateCounts};
pub use details::{BoundFile, Details, Memory, MemoryField};
pub use endpoint::{Address, Endpoint, Network, Translation};
#[cfg(feature = "bpf")]
pub use event::{Ending, Event, EventSummary, Owner, Spent, Syn, Task, Traffic};
pub use finding::{
    Counter, FINDINGS, Finding, FindingKind, Findings, Found, Group, GroupBy, GroupKey, Holder,
    Limits, NotChecked, PortRange, Ports, Severity, any_address, by_holders, by_process,
};
pub use info::{Info, InfoField, Structure, Unit};
pub use machine::{
    EXPLANATIONS, Explanation, OTHER_TRANSITIONS, TRANSITIONS, Transition, can_follow, steps,
    transition,
};
pub use netlink::netlink_family_name;
pub use place::{Fact, Place};
pub use process::{Peer, Process, ProcessStatus, Thread};
pub use protocol::{Family, PortKind, Protocol, SocketType, Table};
pub use recorded::{NameKind, RecordedName};
pub use row::{Change, ChangedRow, OwnedRow, Rates, Row, Stage};
pub use selection::Selection;
pub use socket::{ProcNetExtras, RETRANSMITS, Shutdown, Socket, Source, UNREAD};
pub use state::{OtherState, State, StateSet};
pub use summary::{Diagnostics, Origin, Summary};
pub use timer::{Timer, TimerKind};
pub use warning::{Cause, Warning};
