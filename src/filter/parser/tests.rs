//! Tests of accepted and rejected filters.

mod tables;

use std::net::IpAddr;
use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::{Expr, Names, parse};
use crate::filter::{Field, Resolved};
use crate::model::Protocol;
use tables::{ACCEPTED, REJECTED};

/// A machine with a few known names.
pub(in crate::filter) struct Known;

impl Names for Known {
    fn service(&self, name: &str) -> Vec<(Protocol, u32)> {
        match name {
            "http" => vec![(Protocol::Tcp, 80), (Protocol::Mptcp, 80)],
            "http-alt" => vec![(Protocol::Tcp, 8080)],
            "domain" => vec![(Protocol::Tcp, 53), (Protocol::Udp, 53)],
            "arp" => vec![(Protocol::Packet, 0x806)],
            "kernel" => vec![(Protocol::Netlink, 0)],
            _ => Vec::new(),
        }
    }

    fn near_service(&self, name: &str) -> Option<String> {
        (name == "htpp").then(|| "http".to_owned())
    }

    fn resolve(&self, field: Field, name: Vec<u8>) -> Result<Resolved, String> {
        let number = match (field, &*name) {
            (Field::User | Field::ProcessUser, b"www-data") => Some(33),
            (Field::User | Field::ProcessUser, b"root") => Some(0),
            (Field::User | Field::ProcessUser, b"recorded") => None,
            (Field::User | Field::ProcessUser, _) => return Err("there is no such user".to_owned()),
            (Field::Congestion, b"cubik") => return Err("did you mean cubic?".to_owned()),
            (Field::Interface, b"elsewhere") => return Err("names mean nothing".to_owned()),
            (Field::Interface, b"eth00") => return Err("did you mean eth0?".to_owned()),
            (Field::Interface, b"99") => return Err("there is no interface 99".to_owned()),
            (Field::Interface, b"eth0") => Some(2),
            (Field::Cgroup, b"/sytem.slice") => {
                return Err("did you mean /system.slice?".to_owned());
            }
            (Field::Cgroup, b"/system.slice") => Some(7),
            _ => None,
        };
        Ok((name, number.filter(|_| field != Field::ProcessUser)))
    }

    fn ephemeral(&self) -> Option<RangeInclusive<u16>> {
        Some(32_768..=60_999)
    }

    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        match name {
            "db.example" => Ok(vec![
                [10, 0, 0, 5].into(),
                [0, 0, 0, 0, 0, 0, 0, 1u16].into(),
            ]),
            _ => Err("host names are looked up only with -r".to_owned()),
        }
    }
}

#[test]
fn texts_have_their_meaning() {
    for (text, written) in ACCEPTED {
        match parse(text, &Known) {
            Ok(expr) => assert_eq!(expr.to_string(), *written, "{text}"),
            Err(error) => unreachable!("{text}: {error}"),
        }
    }
}

/// The same machine, listing only unix sockets.
struct OnlyUnix;

impl Names for OnlyUnix {
    fn service(&self, name: &str) -> Vec<(Protocol, u32)> {
        Known.service(name)
    }

    fn near_service(&self, name: &str) -> Option<String> {
        Known.near_service(name)
    }

    fn resolve(&self, field: Field, name: Vec<u8>) -> Result<Resolved, String> {
        Known.resolve(field, name)
    }

    fn ephemeral(&self) -> Option<RangeInclusive<u16>> {
        Known.ephemeral()
    }

    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        Known.host(name)
    }

    fn only_unix(&self) -> bool {
        true
    }
}

#[test]
fn among_unix_sockets_every_end_is_a_name() {
    for (text, written) in [
        ("src dup", "src = \"unix:dup\""),
        ("dst != 10.0.0.1", "dst != \"unix:10.0.0.1\""),
        ("src route", "src = \"unix:route\""),
        ("src a:80", "src = \"unix:a:80\""),
        ("src d?p", "src = unix:d?p"),
        ("src @dup", "src = \"unix:@dup\""),
        ("src \\x40dup", "src = \"unix:\\x40dup\""),
        ("src inet:10.0.0.1", "family = inet and src = 10.0.0.1"),
    ] {
        let parsed = parse(text, &OnlyUnix).map(|expr| expr.to_string());
        assert_eq!(parsed.as_deref(), Ok(written), "{text}");
    }
}

#[test]
fn what_is_written_in_full_reads_back_the_same() {
    for (text, written) in ACCEPTED {
        assert_eq!(parse(text, &Known), parse(written, &Known), "{text}");
    }
}

#[test]
#[cfg_attr(not(feature = "cli"), ignore = "the program alone knows slips")]
fn texts_without_a_meaning_are_told_where_they_go_wrong() {
    for (text, reason, column) in REJECTED {
        let Err(error) = parse(text, &Known) else {
            unreachable!("{text} is accepted")
        };
        let shown = format!("{reason}\n  {text}\n  {}^", " ".repeat(*column));
        assert_eq!(error.to_string(), shown, "{text}");
    }
}

#[test]
fn nothing_is_no_restriction() {
    for text in ["", "  \t\n"] {
        assert_eq!(parse(text, &Known), Ok(Expr::ALWAYS));
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for open in ["(", "!", "not "] {
        let text = format!("{}sport = 1{}", open.repeat(10_000), ")".repeat(10_000));
        let Err(error) = parse(&text, &Known) else {
            unreachable!("{open}")
        };
        assert_eq!(
            error.reason,
            "parentheses and \"not\" are nested deeper than 200"
        );
    }
    let text = format!("{}sport = 1{}", "(".repeat(200), ")".repeat(200));
    assert!(parse(&text, &Known).is_ok());
}

#[test]
fn a_mebibyte_of_text_is_read() {
    let text = "sport = 1234 or ".repeat(1 << 16) + "dport = 1";
    let Ok(Expr::Any(members)) = parse(&text, &Known) else {
        unreachable!("it is a list")
    };
    assert_eq!(members.len(), (1 << 16) + 1);
    for text in [
        "(".repeat(1 << 20),
        "x".repeat(1 << 20),
        "sport ".repeat(1 << 18),
    ] {
        let Err(error) = parse(&text, &Known) else {
            unreachable!("it is wrong")
        };
        assert!(error.to_string().len() < 500);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9:/@%.,*?\\[\\]()=<>!~&|\"' -]{0,40}|\\PC{0,30}") {
        if let Ok(expr) = parse(&text, &Known) {
            prop_assert_eq!(parse(&expr.to_string(), &Known), Ok(expr));
        }
    }
}
