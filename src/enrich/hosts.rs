//! Resolves names and addresses of hosts, with the system's resolver (`/etc/hosts`, DNS and others).

#[cfg(feature = "cli")]
use std::collections::HashMap;
use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Concurrent lookups.
const WORKERS: usize = 16;

/// Longer than any listing; keeps the deadline within the range of the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The addresses of a host in the resolver's order, without duplicates; `None` if it has none, or none before the
/// deadline.
///
/// A name that ends in a number is no host: the resolver would take `10.1` for `10.0.0.1`.
pub(super) fn addresses(name: &str, deadline: Duration) -> Option<Vec<IpAddr>> {
    addresses_with(name, deadline, |name| {
        let found = (name, 0).to_socket_addrs();
        found.map_or_else(|_| Vec::new(), |found| found.map(|one| one.ip()).collect())
    })
}

/// [`addresses`] with another resolver.
fn addresses_with(
    name: &str,
    deadline: Duration,
    look_up: impl Fn(&str) -> Vec<IpAddr> + Clone + Send + 'static,
) -> Option<Vec<IpAddr>> {
    let name = Some(name.to_owned()).filter(|name| is_host_name(name))?;
    let answers = ask([name].into(), deadline, move |name: &String| {
        Some(look_up(name))
    });
    let (_, mut found) = answers.into_iter().next()?;
    let mut seen = HashSet::new();
    found.retain(|address| seen.insert(*address));
    (!found.is_empty()).then_some(found)
}

/// True if a host may have this name. Numbers, also `0x…`, and IPv6 addresses are addresses.
fn is_host_name(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next();
    !is_number(last.unwrap_or_default()) && !name.contains([':', '%', '\0'])
}

/// True if a name looks like an address (`8.8.8.8`) or a wildcard (`*`). Whoever answers for an address in the DNS
/// may choose such a name.
#[cfg(feature = "cli")]
fn reads_like_address(name: &str) -> bool {
    let mut labels = name.trim_end_matches('.').split('.');
    labels.all(is_number) || name.contains(':') || name == "*"
}

/// True for what a resolver reads as a number: digits of any script, or `0x…`. Also true for the empty label.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.starts_with("0x") || label.starts_with("0X");
    hexadecimal || label.chars().all(char::is_numeric)
}

/// How an IPv4-mapped IPv6 address is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(feature = "cli")]
pub enum Mapped {
    /// As the IPv4 address.
    AsIpv4,
    /// As the IPv6 address, which the DNS resolves like the IPv4 host but `/etc/hosts` does not. `netstat` does
    /// this.
    AsIpv6,
}

#[cfg(feature = "cli")]
impl Mapped {
    const fn asked(self, address: IpAddr) -> IpAddr {
        match self {
            Self::AsIpv4 => address.to_canonical(),
            Self::AsIpv6 => address,
        }
    }
}

/// The names of these addresses that are found before the deadline. Unspecified addresses (`0.0.0.0`, `::`) are
/// skipped, others looked up once. A name that looks like an address is ignored.
#[cfg(feature = "cli")]
pub fn resolve(
    addresses: impl Iterator<Item = IpAddr>,
    mapped: Mapped,
    deadline: Duration,
) -> HashMap<IpAddr, Box<str>> {
    resolve_with(addresses, deadline, move |address| {
        // NI_NAMEREQD: without a name the lookup fails instead of returning a number.
        dns_lookup::lookup_addr(&mapped.asked(address)).ok()
    })
}

/// [`resolve`] with another resolver.
#[cfg(feature = "cli")]
pub(super) fn resolve_with(
    addresses: impl Iterator<Item = IpAddr>,
    deadline: Duration,
    look_up: impl Fn(IpAddr) -> Option<String> + Clone + Send + 'static,
) -> HashMap<IpAddr, Box<str>> {
    let mut seen = HashSet::new();
    let queue = addresses.filter(|address| !address.is_unspecified() && seen.insert(*address));
    let answers = ask(queue.collect(), deadline, move |address| {
        look_up(*address).filter(|name| !reads_like_address(name))
    });
    let names = answers
        .into_iter()
        .map(|(address, name)| (address, name.into()));
    names.collect()
}

/// The questions answered before the deadline, with their answers. If the resolver hangs, its threads outlive this
/// call, because it cannot be interrupted.
fn ask<Q: Send + 'static, A: Send + 'static>(
    questions: VecDeque<Q>,
    deadline: Duration,
    look_up: impl Fn(&Q) -> Option<A> + Clone + Send + 'static,
) -> Vec<(Q, A)> {
    let end = Instant::now() + deadline.min(LONGEST);
    let workers = questions.len().min(WORKERS);
    let queue = Arc::new(Mutex::new(questions));
    let (sender, answers) = mpsc::channel();
    for _ in 0..workers {
        let (queue, look_up, sender) = (Arc::clone(&queue), look_up.clone(), sender.clone());
        let next = move || lock(&queue).pop_front();
        let work = move || {
            while let Some(question) = next() {
                let answer = look_up(&question).map(|answer| (question, answer));
                if sender.send(answer).is_err() {
                    break;
                }
            }
        };
        let worker = thread::Builder::new().name("resolver".into());
        if worker.spawn(work).is_err() {
            break;
        }
    }
    drop(sender);
    // Until every worker is done or the deadline passes.
    let rest = || end.saturating_duration_since(Instant::now());
    let answers = std::iter::from_fn(|| answers.recv_timeout(rest()).ok());
    let answered = answers.flatten().collect();
    // Workers that still wait end after their answer, or with the program.
    lock(&queue).clear();
    answered
}

fn lock<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, feature = "cli"))]
mod tests;
