//! The options of the bench.

use clap::Parser;
use clap::builder::RangedU64ValueParser as Between;

/// Compare lsock, ss, netstat and the bare kernel dump on a scene of many TCP sockets
#[derive(Parser)]
#[command(name = "compare", bin_name = "cargo bench --bench compare --")]
pub(crate) struct Options {
    /// TCP sockets in the scene; both ends of a connection count, so 200000 are about 100000 connections
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = Between::<usize>::new().range(100..=2_000_000))]
    pub(crate) sockets: usize,
    /// Processes that hold the sockets; more if the limit of open files requires it
    #[arg(long, value_name = "M", default_value_t = 100, value_parser = Between::<usize>::new().range(1..=5000))]
    pub(crate) processes: usize,
    /// Runs of each command
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = Between::<usize>::new().range(1..=1000))]
    pub(crate) runs: usize,
    /// Time for each command of a case; slow ones get fewer runs, but at least one
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = Between::<u64>::new().range(1..=600))]
    pub(crate) seconds: u64,
    /// Only cases with this word in their name
    #[arg(long, value_name = "WORD")]
    pub(crate) only: Option<String>,
    /// A further command for the case "yours" (as first word, lsock is the binary built here); repeatable
    #[arg(long, value_name = "COMMAND")]
    pub(crate) also: Vec<String>,
    /// Also count instructions per socket, with valgrind
    #[arg(long)]
    pub(crate) instructions: bool,
    /// `cargo bench` passes this to every bench.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}
