//! Compares `lsock` with `ss`, `netstat` and the bare kernel dump on a load scene.
//!
//! ```text
//! cargo bench --bench compare                                        # 200,000 sockets
//! cargo bench --bench compare -- --sockets 20000 --runs 5 --only owners
//! cargo bench --bench compare -- --also 'lsock -tan state listen' --only yours
//! ```
//! The bench enters its own network namespace, starts holder processes that open the connections there
//! (loopback only), and runs the commands of each case in turns, so that a disturbance affects all of them.
//! Only figures of the same run are comparable. Without root it first creates a user namespace. Holders and
//! namespace end with the bench, however it ends.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a bench prints its table, and a mean needs no more digits than f64 has"
)]

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod cases;
mod command;
mod floor;
mod holder;
mod instructions;
mod machine;
mod measure;
mod namespace;
mod options;
mod report;
mod scene;

use options::Options;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match words.split_first() {
        // `cargo test --benches` starts it without arguments: nothing heavy then.
        None => Options::command().print_help(),
        Some((role, rest)) if role == holder::ROLE => holder::main(rest),
        Some((role, rest)) if role == measure::ROLE => measure::main(rest),
        Some((role, rest)) if role == floor::ROLE => floor::main(rest),
        Some(_) => compare(&Options::parse()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(2)
        }
    }
}

/// Builds the scene, prints its description, and runs the selected cases.
fn compare(options: &Options) -> io::Result<()> {
    let cases = cases::chosen(options);
    if cases.is_empty() && !options.instructions {
        return Err(io::Error::other("no case has that word in its name"));
    }
    namespace::enter()?;
    let mut scene = scene::Scene::build(options)?;
    machine::print(&scene);
    for case in cases {
        let name = case.name;
        let rows = cases::run(case, options, &mut scene)?;
        report::print(name, &rows);
    }
    if options.instructions {
        instructions::print()?;
    }
    report::print_legend();
    Ok(())
}

/// An error that names the operation which failed.
fn failed(operation: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{operation}: {error}"))
}
