//! Everything that runs `lsock` on real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first thing that is not as expected"
)]

mod action;
mod asked;
mod bound_paths;
mod checks;
mod churn;
mod completions;
mod containers;
mod continuous;
mod dual_stack;
mod engines;
mod events;
mod examples;
mod exit_status;
mod explain;
mod families;
mod faults;
mod filters;
mod findings;
mod formats;
mod groups;
mod growth;
mod help;
mod jq;
mod kill;
mod layers;
mod left_over;
mod library;
mod listing;
mod manual;
mod metrics;
mod names;
mod namespaces;
mod narrowing;
mod netstat;
mod options;
mod order;
mod other_reader;
mod output_errors;
mod owners;
mod pages;
mod peers;
mod pictures;
mod privileges;
mod proc_root;
mod readme;
mod recording;
mod recordings;
mod replay;
mod sampled;
mod scene;
mod scene_holds;
mod selection;
mod shell;
mod signals;
mod special;
mod ss;
mod summary;
mod support;
mod unlisted;
mod walk;
mod wire_fixtures;
mod witnesses;
