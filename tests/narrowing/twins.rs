//! Two connections with the same ends: one is bound to an interface, the other is not.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use nix::sys::socket::{setsockopt, sockopt};

use crate::scene::expected::local_address;
use crate::scene::tcp;
use crate::scene::{At, V4};
use crate::support::{close, fresh, list};

/// A client from a given place, bound to `lo` or not, that connects or tries to.
fn client(from: SocketAddr, to: SocketAddr, on_lo: bool) -> io::Result<OwnedFd> {
    let client = tcp::socket(V4)?;
    setsockopt(&client, sockopt::ReuseAddr, &true).at("SO_REUSEADDR")?;
    if on_lo {
        setsockopt(&client, sockopt::BindToDevice, &OsString::from("lo")).at("SO_BINDTODEVICE")?;
    }
    rustix::net::bind(&client, &from).at("bind")?;
    rustix::io::ioctl_fionbio(&client, true).at("FIONBIO")?;
    match rustix::net::connect(&client, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(client),
        Err(error) => Err(error.into()),
    }
}

#[test]
fn connections_that_only_their_interface_tells_apart_are_both_listed() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap();
    let free = tcp::listener(V4, 1).unwrap();
    let from = local_address(&free).unwrap();
    close(free);
    let _twins = [true, false].map(|on_lo| client(from, to, on_lo).unwrap());
    let interfaces = |words: &[&str]| {
        let filter = format!("src {from} dst {to}");
        let rows = list(&[&["-ta", &filter], words].concat());
        let mut interfaces: Vec<_> = rows.iter().map(|row| row["interface"].clone()).collect();
        interfaces.sort_by_key(serde_json::Value::is_null);
        interfaces
    };
    assert_eq!(interfaces(&[]), ["lo".into(), serde_json::Value::Null]);
    assert_eq!(interfaces(&["dev", "lo"]), ["lo"]);
    assert_eq!(interfaces(&["--limit", "1"]).len(), 1);
    // The first one found does not match: the other is looked for.
    for interface in ["= lo", "= none"] {
        let test = format!("dev {interface}");
        assert_eq!(interfaces(&["--limit", "1", &test]).len(), 1, "{interface}");
    }
}
