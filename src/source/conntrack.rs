//! Connections that a network namespace translates (NAT).

use std::io;
use std::path::Path;
use std::sync::Arc;

use netlink_sys::protocols::NETLINK_NETFILTER;

use super::PROC;
use super::channel::{Channel, KernelSocket, Strangers};
use crate::model::Translation;
use crate::netns::Anchor;
use crate::wire::{Body, Messages, conntrack_request, translation};

/// Exists where connections are tracked. Elsewhere a request would make the kernel load the tracking modules.
const TRACKS: &str = "sys/net/netfilter/nf_conntrack_max";
/// Exists where a load balancer may redirect connections, which cannot be listed.
const BALANCES: &str = "thread-self/net/ip_vs";

/// The translations of the calling thread's namespace, or of another.
///
/// # Errors
///
/// When they cannot be listed: this needs `CAP_NET_ADMIN`.
pub fn translations(anchor: Option<&Arc<Anchor>>) -> io::Result<Vec<Translation>> {
    match anchor {
        Some(anchor) => anchor.run(translated)?,
        None => translated(),
    }
}

fn translated() -> io::Result<Vec<Translation>> {
    let is_there = |file| Path::new(PROC).join(file).exists();
    if is_there(BALANCES) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut found = Vec::new();
    if !is_there(TRACKS) {
        return Ok(found);
    }
    let socket = KernelSocket::of(NETLINK_NETFILTER, Strangers::default())?;
    let mut channel = Channel::new(socket);
    let sequence = channel.send(conntrack_request())?;
    loop {
        for message in Messages::new(channel.receive()?) {
            let message = message.map_err(io::Error::other)?;
            match message.body {
                _ if message.sequence != sequence || message.interrupted => {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Body::Connection(payload) => found.extend(translation(payload)),
                Body::Done(0) => return Ok(found),
                Body::Done(code) | Body::Error(code) => {
                    return Err(io::Error::from_raw_os_error(code));
                }
                _ => {}
            }
        }
    }
}
