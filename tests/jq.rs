//! The recipes of the manual for `jq` find what they say.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use tempfile::TempDir;

use crate::manual;
use crate::scene::namespace::ip;
use crate::scene::tcp::{self, options, states};
use crate::scene::{Held, V4};
use crate::shell;
use crate::support::{fresh, has, until};

/// Sockets of which every recipe has something to tell.
struct Sockets {
    _held: Vec<Held>,
    _open: Vec<OwnedFd>,
}

/// The address that a recipe asks for.
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 23);

impl Sockets {
    fn open(folder: &Path) -> Self {
        let address = format!("{PEER}/32");
        ip(&["address", "add", &address, "dev", "lo"]).unwrap();
        let web = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
        let client = tcp::socket(V4).unwrap();
        rustix::net::bind(&client, &SocketAddr::from((PEER, 0))).unwrap();
        rustix::net::connect(&client, &SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))).unwrap();
        let (server, _) = web.accept().unwrap();
        let path = folder.join("agent");
        let agent = UnixListener::bind(&path).unwrap();
        let unix = UnixStream::connect(&path).unwrap();
        let (accepted, _) = agent.accept().unwrap();
        Self {
            _held: vec![
                states::half_closed(V4).unwrap(),
                states::time_wait(V4).unwrap(),
                states::syn_sent(V4).unwrap(),
                options::unread(V4, 1_234).unwrap(),
            ],
            _open: vec![
                web.into(),
                client,
                server.into(),
                agent.into(),
                unix.into(),
                accepted.into(),
            ],
        }
    }
}

#[test]
fn recipes_have_something_to_tell() {
    let Some(_namespace) = fresh() else { return };
    if !has("jq") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let _sockets = Sockets::open(folder.path());
    let recipes = manual::jq_recipes();
    assert!(recipes.len() >= 10, "{} recipes", recipes.len());
    for recipe in recipes {
        assert!(recipe.command.contains("jq"), "{recipe:?}");
        // A lost segment is sent again after a second.
        until(&recipe.command, || {
            let output = shell::succeed(&recipe.command, folder.path());
            (!output.trim().is_empty()).then_some(())
        });
    }
}
