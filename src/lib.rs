//! `lsock` lists the sockets of a Linux machine.
#![forbid(unsafe_code)]
