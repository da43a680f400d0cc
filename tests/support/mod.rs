//! What the tests have in common.

mod child;
mod rows;
mod run;
mod skip;
mod strace;
mod wait;

pub use child::{Child, Reading, send};
pub use rows::{bytes_of, differences, fields, is_of, shown};
pub use run::{
    LSOCK, Run, UNLISTED, command, fresh, has, list, lsock, lsock_within, needed, program, run,
    stage, tool,
};
pub use skip::skip;
pub use strace::{calls, can_strace, strace, straced, traced, with_faults};
pub use wait::{PATIENCE, short, until, until_ok};
