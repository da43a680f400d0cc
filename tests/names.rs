//! Names of interfaces, users, services and cgroups.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use crate::scene::tcp::{self, listeners, states};
use crate::scene::{Held, V4, V6, or_skip};
use crate::support::{fresh, list, lsock, skip, tool};

/// The fields `local` and `peer` of the only socket listed.
fn ends(words: &[&str]) -> Vec<String> {
    let run = lsock([&["-H", "--columns", "local,peer"], words].concat()).clean();
    let lines = run.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].split_whitespace().map(str::to_owned).collect()
}

fn port_of(held: &Held, what: &str) -> u16 {
    held.the(what).local().port()
}

#[test]
fn link_local_address_is_shown_with_its_interface() {
    let Some(namespace) = fresh() else { return };
    let opened = listeners::on_link_local(&namespace);
    let Some(held) = or_skip("link-local address", opened) else {
        return;
    };
    let port = port_of(&held, "link-local listener");
    let local = format!("[fe80::1]%scene0:{port}");
    assert_eq!(ends(&["-tln"]), [local, "[::]:*".to_owned()]);
}

#[test]
fn link_local_address_and_interface_are_apart_in_json() {
    let Some(namespace) = fresh() else { return };
    let Some(_held) = or_skip("link-local address", listeners::on_link_local(&namespace)) else {
        return;
    };
    let rows = list(&["-tl"]);
    assert_eq!(rows[0]["local_address"], "fe80::1");
    assert_eq!(rows[0]["interface"], "scene0");
}

#[test]
fn listener_on_an_interface_names_it() {
    for (ip, address) in [(V4, "127.0.0.1"), (V6, "[::1]")] {
        let Some(_namespace) = fresh() else { return };
        let Some(held) = or_skip("SO_BINDTODEVICE", listeners::on_interface(ip)) else {
            return;
        };
        let port = port_of(&held, "listener on lo");
        assert_eq!(ends(&["-tln"])[0], format!("{address}%lo:{port}"));
    }
}

#[test]
fn user_is_named_in_json_and_not_with_numeric() {
    let Some(_namespace) = fresh() else { return };
    let Some(name) = tool("id", &["-un"]) else {
        return;
    };
    let _held = states::listen(V4).unwrap();
    let name = String::from_utf8(name).unwrap();
    assert_eq!(list(&["-tl"])[0]["user"], name.trim_end());
    assert_eq!(list(&["-tln"])[0]["user"], Value::Null);
}

#[test]
fn user_column_has_the_number_with_numeric() {
    let Some(_namespace) = fresh() else { return };
    let _held = states::listen(V4).unwrap();
    let run = lsock(["-tlnH", "--columns", "user"]).clean();
    let uid = nix::unistd::Uid::effective();
    assert_eq!(run.text().trim(), uid.to_string());
}

/// A listener at the port of a service that everybody's file of services has.
fn at_domain() -> Option<std::os::fd::OwnedFd> {
    let services = fs::read_to_string("/etc/services").unwrap_or_default();
    let known = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next(), words.next()) == (Some("domain"), Some("53/tcp"))
    };
    if !services.lines().any(known) {
        skip("/etc/services has no domain");
        return None;
    }
    let listener = tcp::socket(V4).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    Some(listener)
}

#[test]
fn port_has_the_name_of_its_service_in_text_alone() {
    let Some(_namespace) = fresh() else { return };
    let Some(_listener) = at_domain() else { return };
    assert_eq!(ends(&["-tl"])[0], "127.0.0.1:domain");
    assert_eq!(ends(&["-tln"])[0], "127.0.0.1:53");
    assert_eq!(list(&["-tl"])[0]["local_port"], 53);
}

#[test]
fn cgroup_is_the_one_of_who_made_the_socket() {
    let Some(_namespace) = fresh() else { return };
    let own = fs::read_to_string("/proc/thread-self/cgroup").unwrap();
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::")) else {
        skip(format_args!("no cgroup2 here: {own:?}"));
        return;
    };
    let _held = states::listen(V4).unwrap();
    let row = &list(&["-tl"])[0];
    if row["cgroup"].is_null() {
        skip("cgroup2 is not mounted, or this kernel does not tell the cgroup");
        return;
    }
    assert_eq!(row["cgroup"], path);
}
