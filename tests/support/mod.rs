//! Support code for tests: starting programs, waiting, skipping.

mod browser;
mod child;
mod kernel;
mod rows;
mod run;
mod skip;
mod start;
mod strace;
mod wait;

pub use browser::Browser;
pub use child::{Child, Reading, send};
pub use kernel::{can_list_bound, is_from, lists_bound};
pub use rows::{bytes_of, differences, fields, is_of, shown};
pub use run::{
    LSOCK, Run, UNLISTED, UNLISTED_BY_KERNEL, command, fresh, has, list, lsock, lsock_within,
    needed, program, run, stage, tool,
};
pub use skip::skip;
pub use start::{close, output, spawn, undisturbed};
pub use strace::{calls, can_strace, strace, straced, traced, with_faults};
pub use wait::{PATIENCE, Stop, short, until, until_ok};
