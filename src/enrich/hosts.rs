//! Names of hosts, from /etc/hosts, the DNS and whatever else the system is told to ask.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many questions are open at a time.
const WORKERS: usize = 16;

/// Longer than any listing; keeps the end a moment that the clock can tell.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The addresses of a host, each once, in the order of the system's resolver; `None` when it has
/// none, or they are not known by the deadline.
///
/// A name that ends in a number is none: the resolver would take `10.1` for `10.0.0.1`.
pub fn addresses(name: &str, deadline: Duration) -> Option<Vec<IpAddr>> {
    addresses_with(name, deadline, |name| {
        dns_lookup::lookup_host(name).map_or_else(|_| Vec::new(), Iterator::collect)
    })
}

/// [`addresses`] with another resolver.
fn addresses_with(
    name: &str,
    deadline: Duration,
    look_up: impl FnOnce(&str) -> Vec<IpAddr> + Send + 'static,
) -> Option<Vec<IpAddr>> {
    let name = Some(name.to_owned()).filter(|name| is_host_name(name))?;
    let (sender, answer) = mpsc::channel();
    // It outlives this call if the resolver hangs: then nobody takes the answer.
    let work = move || drop(sender.send(look_up(&name)));
    let resolver = thread::Builder::new().name("resolver".into());
    resolver.spawn(work).ok()?;
    let mut found = answer.recv_timeout(deadline).ok()?;
    let mut seen = HashSet::new();
    found.retain(|address| seen.insert(*address));
    (!found.is_empty()).then_some(found)
}

/// Could a host have this name? Numbers, `0x…` too, and IPv6 addresses are taken for addresses.
fn is_host_name(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next();
    let last = last.unwrap_or_default();
    let digits = last.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    !digits && hexadecimal.is_none() && !name.contains([':', '%', '\0'])
}

/// What an IPv4-mapped IPv6 address is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapped {
    /// As the IPv4 host is.
    AsIpv4,
    /// As the system's resolver calls it when it is asked for the IPv6 address: the DNS knows the IPv4
    /// host, `/etc/hosts` does not. So `netstat` asks.
    AsIpv6,
}

impl Mapped {
    const fn asked(self, address: IpAddr) -> IpAddr {
        match self {
            Self::AsIpv4 => address.to_canonical(),
            Self::AsIpv6 => address,
        }
    }
}

/// The names of these addresses, as far as they are known by the deadline. Unspecified addresses
/// (`0.0.0.0`, `::`) are never asked for, others once each.
pub fn resolve(
    addresses: impl Iterator<Item = IpAddr>,
    mapped: Mapped,
    deadline: Duration,
) -> HashMap<IpAddr, Box<str>> {
    resolve_with(addresses, deadline, move |address| {
        // Asks with NI_NAMEREQD: without a name it fails, no number is passed off as one.
        dns_lookup::lookup_addr(&mapped.asked(address)).ok()
    })
}

/// [`resolve`] with another resolver.
pub fn resolve_with(
    addresses: impl Iterator<Item = IpAddr>,
    deadline: Duration,
    look_up: impl Fn(IpAddr) -> Option<String> + Clone + Send + 'static,
) -> HashMap<IpAddr, Box<str>> {
    let end = Instant::now() + deadline.min(LONGEST);
    let mut seen = HashSet::new();
    let queue: VecDeque<IpAddr> = addresses
        .filter(|address| !address.is_unspecified() && seen.insert(*address))
        .collect();
    let wanted = queue.len();
    let queue = Arc::new(Mutex::new(queue));
    let answers = ask(&queue, wanted.min(WORKERS), &look_up);
    // Until every worker is done or time is up.
    let rest = || end.saturating_duration_since(Instant::now());
    let answers = std::iter::from_fn(|| answers.recv_timeout(rest()).ok());
    let names = answers.filter_map(|(address, name)| Some((address, name?.into())));
    let names = names.collect();
    // Workers still waiting for an answer end after it, or with the program.
    queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
    names
}

/// An address and its name, if it has one.
type Answer = (IpAddr, Option<String>);

/// Starts threads that outlive this call if the resolver hangs: it cannot be interrupted.
fn ask(
    queue: &Arc<Mutex<VecDeque<IpAddr>>>,
    workers: usize,
    look_up: &(impl Fn(IpAddr) -> Option<String> + Clone + Send + 'static),
) -> Receiver<Answer> {
    let (sender, answers) = mpsc::channel();
    for _ in 0..workers {
        let (queue, look_up, sender) = (Arc::clone(queue), look_up.clone(), sender.clone());
        let next = move || {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.pop_front()
        };
        let work = move || {
            while let Some(address) = next() {
                if sender.send((address, look_up(address))).is_err() {
                    break;
                }
            }
        };
        let worker = thread::Builder::new().name("resolver".into());
        if worker.spawn(work).is_err() {
            break;
        }
    }
    answers
}

#[cfg(test)]
mod tests;
