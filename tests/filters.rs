//! The filter: which sockets an expression selects, what it asks of the kernel, and what it says of
//! an expression that means nothing.

mod bad_input;
mod cases;
mod defaults;
mod evaluation;
mod fields;
mod hosts;
mod limits;
mod logic;
mod narrowing;
mod owners;
mod random;
mod ss;
mod ss_wrong;
mod unprivileged;
