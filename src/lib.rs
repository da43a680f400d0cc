//! `lsock` lists the sockets of a Linux machine.
#![forbid(unsafe_code)]

pub mod error;
pub mod exit;
pub mod model;
pub mod procfs;
pub mod render;
pub mod source;
pub mod text;
