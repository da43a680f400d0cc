//! The pictures of the README: what the program draws of a scene. `LSOCK_BLESS=1` writes them.

use std::fs;
use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::scene::{Held, V4, tcp::states};
use crate::shell;
use crate::support::{close, fresh, lists_bound, lsock, until};

/// What there is then.
const COUNTS: &str = ">LISTEN 4, BOUND 1, SYN_RCVD 1, SYN_SENT 1, ESTABLISHED 244, FIN_WAIT_1 1, CLOSING 0, CLOSE_WAIT 34, \
                      FIN_WAIT_2 35, TIME_WAIT 18, LAST_ACK 1<";

/// A busy server that forgets to close. Connections come in pairs, both ends are here.
fn busy() -> (Held, Vec<TcpStream>) {
    let mut held = Held::new();
    for state in [
        states::bound,
        states::syn_sent,
        states::syn_rcvd,
        states::fin_wait_1,
        states::last_ack,
    ] {
        held.absorb(state(V4).unwrap());
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        [client, listener.accept().unwrap().0]
    };
    let mut streams: Vec<TcpStream> = (0..120).flat_map(|_| connect()).collect();
    for [client, server] in (0..34).map(|_| connect()) {
        client.shutdown(Shutdown::Write).unwrap();
        streams.extend([client, server]);
    }
    for [client, mut server] in (0..18).map(|_| connect()) {
        close(client);
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        close(server);
    }
    (held, streams)
}

#[test]
fn pictures_of_the_readme_are_what_is_drawn() {
    let Some(_namespace) = fresh() else { return };
    if !lists_bound() {
        return;
    }
    let _held = busy();
    let drawing = until("the last segments", || {
        let drawing = lsock(["-s", "--format", "svg"]).clean().text().to_owned();
        drawing.contains(COUNTS).then_some(drawing)
    });
    // Neither this host nor today.
    let about = drawing
        .lines()
        .find(|line| line.starts_with("<title id="))
        .unwrap();
    let drawing = drawing.replace(about, "<title id=\"about\">TCP sockets by state</title>");
    // As a page decides that is light or dark, whatever its reader has.
    for (name, is_dark) in [("light", "not all"), ("dark", "all")] {
        let file = format!("examples/pictures/states-{name}.svg");
        let drawn = drawing.replace("(prefers-color-scheme: dark)", is_dark);
        assert_ne!(drawn, drawing);
        if std::env::var_os("LSOCK_BLESS").is_some() {
            let path = shell::file(&file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &drawn).unwrap();
        }
        assert!(shell::text("README.md").contains(&file), "{file}");
        assert!(
            shell::text(&file) == drawn,
            "{file} is out of date: LSOCK_BLESS=1 draws it again"
        );
    }
}
