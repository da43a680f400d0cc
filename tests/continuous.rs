//! `-c`: a listing again and again, in a pipe and on a terminal.

mod changes;
mod churn;
mod ending;
mod keys;
mod memory;
mod rates;
mod rounds;
pub mod run;
mod screen;
mod tmux;
