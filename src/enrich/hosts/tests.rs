#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::{Mapped, addresses_with, resolve, resolve_with};
use crate::skip::skip;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn addresses(count: u8) -> impl Iterator<Item = IpAddr> {
    (1..=count).map(|last| Ipv4Addr::new(192, 0, 2, last).into())
}

#[test]
fn every_address_is_asked_for_once() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let names = resolve_with(addresses(100).chain(addresses(100)), LONG, move |address| {
        log.lock().unwrap().push(address);
        Some(format!("host-{address}"))
    });
    let mut asked = asked.lock().unwrap();
    asked.sort_unstable();
    assert_eq!(*asked, addresses(100).collect::<Vec<_>>());
    assert_eq!(names.len(), 100);
    let first = addresses(1).next().unwrap();
    assert_eq!(
        names.get(&first).map(|name| &**name),
        Some("host-192.0.2.1")
    );
}

#[test]
fn unspecified_addresses_are_never_asked_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let any = ["0.0.0.0".parse().unwrap(), "::".parse().unwrap()];
    let names = resolve_with(any.into_iter(), LONG, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Some("any".into())
    });
    assert!(names.is_empty());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn resolver_that_never_answers_does_not_hold_the_listing_up() {
    let started = Instant::now();
    let deadline = Duration::from_millis(50);
    let names = resolve_with(addresses(200), deadline, |address| {
        if address == IpAddr::from([192, 0, 2, 1]) {
            return Some("quick".into());
        }
        thread::sleep(LONG);
        None
    });
    assert!(started.elapsed() < LONG / 2);
    assert!(names.len() <= 1);
}

#[test]
fn quick_answers_are_kept_when_others_hang() {
    let (quick, slow) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
    let names = resolve_with(
        [slow, quick].into_iter(),
        Duration::from_secs(2),
        move |address| {
            if address == slow {
                thread::sleep(LONG);
            }
            Some("quick".into())
        },
    );
    assert_eq!(names.keys().collect::<Vec<_>>(), [&quick]);
}

#[test]
fn hostile_names_are_kept_for_the_writer_to_escape() {
    let names = resolve_with(addresses(1), LONG, |_| Some("\x1b]0;x\x07".into()));
    assert_eq!(
        names.values().map(|name| &**name).collect::<Vec<_>>(),
        ["\x1b]0;x\x07"]
    );
}

#[test]
fn name_that_looks_like_an_address_is_not_used() {
    for name in [
        "8.8.8.8",
        "8.8.8.8.",
        "10.1",
        "0x7f.0x1",
        "::1",
        "[::1]",
        "*",
        "fe80::1%lo",
    ] {
        let names = resolve_with(addresses(1), LONG, move |_| Some(name.to_owned()));
        assert!(names.is_empty(), "{name}");
    }
}

#[test]
fn mapped_address_is_asked_for_as_wanted() {
    let [mapped, ipv4]: [IpAddr; 2] =
        ["::ffff:192.0.2.7", "192.0.2.7"].map(|text| text.parse().unwrap());
    assert_eq!(Mapped::AsIpv4.asked(mapped), ipv4);
    assert_eq!(Mapped::AsIpv6.asked(mapped), mapped);
}

#[test]
fn loopback_is_localhost() {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    let names = resolve([loopback].into_iter(), Mapped::AsIpv4, LONG);
    if !std::fs::read_to_string("/etc/hosts").is_ok_and(|hosts| hosts.contains("127.0.0.1")) {
        skip("/etc/hosts does not name 127.0.0.1");
        return;
    }
    assert!(names.contains_key(&loopback));
}

#[test]
fn every_address_of_a_host_is_told_once() {
    let twice = |_: &str| addresses(2).chain(addresses(3)).collect();
    let expected: Vec<IpAddr> = addresses(3).collect();
    assert_eq!(addresses_with("a.example", LONG, twice), Some(expected));
    assert_eq!(addresses_with("a.example", LONG, |_| Vec::new()), None);
}

#[test]
fn host_that_never_answers_does_not_hold_the_program_up() {
    let started = Instant::now();
    let hangs = |_: &str| {
        thread::sleep(LONG);
        Vec::new()
    };
    let found = addresses_with("a.example", Duration::from_millis(50), hangs);
    assert_eq!(found, None);
    assert!(started.elapsed() < LONG / 2);
}

#[test]
fn numbers_are_no_host_names() {
    for name in [
        "",
        ".",
        "1",
        "10.1",
        "1.2.3.",
        "0x7f",
        "a.0x1",
        "fe80::1",
        "fe80::1%lo",
        "a\0b",
    ] {
        let found = addresses_with(name, LONG, |_| addresses(1).collect());
        assert_eq!(found, None, "{name:?}");
    }
    for name in ["a", "1a", "10.1.example", "example.", "x-1", "0x7f.a"] {
        let found = addresses_with(name, LONG, |_| addresses(1).collect());
        assert!(found.is_some(), "{name:?}");
    }
}

#[test]
fn localhost_is_loopback() {
    let found = super::addresses("localhost", LONG).unwrap_or_default();
    if found.is_empty() {
        skip("nothing here knows localhost");
        return;
    }
    assert!(found.iter().all(IpAddr::is_loopback));
}
