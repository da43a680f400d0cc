//! Lives of connections, from the handshake to the end, and the steps that each end goes.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt;

use super::{CLIENT, SERVER};
use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{close, command, list, run, until};

/// What a life needs.
pub struct Stage<'n> {
    pub namespace: &'n Namespace,
    pub ip: IpAddr,
    /// Between what happens, so that who only looks now and then sees it.
    pub pause: Duration,
}

impl Stage<'_> {
    fn pause(&self) {
        std::thread::sleep(self.pause);
    }

    /// A connection whose ends are open, and its listener.
    fn open(&self) -> tcp::Pair {
        let listener = tcp::listener(self.ip, 16).unwrap();
        self.pause();
        let client = tcp::connect(&listener).unwrap();
        self.pause();
        let server = tcp::accept(&listener).unwrap();
        self.pause();
        tcp::Pair {
            listener,
            client,
            server,
        }
    }
}

/// What one end goes through.
#[derive(Debug)]
pub struct End {
    pub local: u16,
    pub peer: u16,
    pub chain: &'static str,
    pub last: Last,
}

/// What makes the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The socket.
    Socket,
    /// Perhaps the small structure that the kernel keeps of a socket in `FIN_WAIT_2` that its program has
    /// closed: where the peer acknowledged the FIN before it sent its own. Not every kernel tells its step.
    Rest,
}

impl End {
    /// Is this what the kernel may have recorded of it?
    pub fn is_recorded(&self, chain: &str) -> bool {
        let without_rest = self.chain.strip_suffix(" TIME_WAIT");
        chain == self.chain || self.last == Last::Rest && Some(chain) == without_rest
    }

    /// The same, where the program closes it before the peer's FIN comes.
    fn closed_early(self) -> End {
        End {
            last: Last::Rest,
            ..self
        }
    }
}

/// Both ends of a connection: of who connects, and of who accepts.
fn ends(pair: &tcp::Pair, client: &'static str, server: &'static str) -> [End; 2] {
    let (here, there) = (port(&pair.client), port(&pair.server));
    let end = |local, peer, chain| End {
        local,
        peer,
        chain,
        last: Last::Socket,
    };
    [end(here, there, client), end(there, here, server)]
}

fn port(stream: &TcpStream) -> u16 {
    stream.local_addr().unwrap().port()
}

/// Waits until the other end has closed.
fn read_to_end(mut stream: &TcpStream) -> usize {
    stream.read_to_end(&mut Vec::new()).unwrap()
}

pub type Life = fn(&Stage<'_>) -> Vec<End>;

/// Every life, by what happens in it.
pub const LIVES: &[(&str, Life)] = &[
    ("client closes first", client_closes_first),
    ("server closes first", server_closes_first),
    ("half-close with data back", half_close),
    ("simultaneous open", simultaneous_open),
    ("simultaneous close", simultaneous_close),
    ("reset", reset),
    ("refused", refused),
    ("nobody answers", nobody_answers),
    ("IPv4 to an IPv6 listener", mapped),
    ("a listener", listener),
];

fn client_closes_first(stage: &Stage<'_>) -> Vec<End> {
    let pair = stage.open();
    let [client, server] = ends(&pair, CLIENT, SERVER);
    close(pair.client);
    assert_eq!(read_to_end(&pair.server), 0);
    stage.pause();
    close(pair.server);
    stage.pause();
    vec![client.closed_early(), server]
}

fn server_closes_first(stage: &Stage<'_>) -> Vec<End> {
    let pair = stage.open();
    let [client, server] = ends(
        &pair,
        "CLOSED SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED",
        "LISTEN SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT",
    );
    close(pair.server);
    assert_eq!(read_to_end(&pair.client), 0);
    stage.pause();
    close(pair.client);
    stage.pause();
    vec![client, server.closed_early()]
}

fn half_close(stage: &Stage<'_>) -> Vec<End> {
    let mut pair = stage.open();
    let ends = ends(&pair, CLIENT, SERVER);
    pair.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&pair.server), 0);
    stage.pause();
    let back = vec![b'.'; 20_000];
    pair.server.write_all(&back).unwrap();
    stage.pause();
    close(pair.server);
    assert_eq!(read_to_end(&pair.client), back.len());
    stage.pause();
    ends.into()
}

/// Each end sends its FIN before the other's arrives: the interface is slow for a while.
fn simultaneous_close(stage: &Stage<'_>) -> Vec<End> {
    let pair = stage.open();
    let ends = ends(
        &pair,
        "CLOSED SYN_SENT ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT",
        "LISTEN SYN_RCVD ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT",
    );
    slow();
    pair.client.shutdown(Shutdown::Write).unwrap();
    pair.server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&pair.server), 0);
    assert_eq!(read_to_end(&pair.client), 0);
    // The last two ACKs, each of which ends a CLOSING.
    until("both ends are in TIME_WAIT", || {
        list(&["-tn", "state", "closing"]).is_empty().then_some(())
    });
    fast();
    stage.pause();
    ends.into()
}

/// Each end sends its SYN before the other's arrives.
fn simultaneous_open(stage: &Stage<'_>) -> Vec<End> {
    let [client, server] = [bound(stage.ip), bound(stage.ip)];
    let [here, there] = [&client, &server].map(|socket| local_address(socket).unwrap());
    slow();
    tcp::begin_to_connect(&client, there).unwrap();
    tcp::begin_to_connect(&server, here).unwrap();
    until("both are connected", || {
        let open = list(&["-tn", "state", "established"]);
        (open.len() == 2).then_some(())
    });
    fast();
    stage.pause();
    let [client, server] = [client, server].map(|socket| {
        rustix::io::ioctl_fionbio(&socket, false).unwrap();
        TcpStream::from(socket)
    });
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), 0);
    stage.pause();
    close(server);
    assert_eq!(read_to_end(&client), 0);
    stage.pause();
    let end = |local: SocketAddr, peer: SocketAddr, chain| End {
        local: local.port(),
        peer: peer.port(),
        chain,
        last: Last::Socket,
    };
    vec![
        end(
            here,
            there,
            "CLOSED SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT",
        ),
        end(
            there,
            here,
            "CLOSED SYN_SENT SYN_RCVD ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED",
        ),
    ]
}

/// From now on every segment waits its turn.
pub fn slow() {
    tc("qdisc add dev lo root tbf rate 8kbit burst 1600 latency 10s");
    // Uses up what may be sent at once, and holds up what follows for half a second.
    let [one, other] = [(), ()].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    for length in [1_500, 500] {
        let bytes = vec![b'.'; length];
        one.send_to(&bytes, other.local_addr().unwrap()).unwrap();
    }
}

pub fn fast() {
    tc("qdisc del dev lo root");
}

fn tc(words: &str) {
    let run = run(command("tc").args(words.split(' ')));
    assert_eq!(run.status, Some(0), "tc {words}: {run:?}");
}

fn reset(stage: &Stage<'_>) -> Vec<End> {
    let pair = stage.open();
    let ends = ends(
        &pair,
        "CLOSED SYN_SENT ESTABLISHED CLOSED",
        "LISTEN SYN_RCVD ESTABLISHED CLOSED",
    );
    sockopt::set_socket_linger(&pair.client, Some(Duration::ZERO)).unwrap();
    close(pair.client);
    stage.pause();
    ends.into()
}

fn refused(stage: &Stage<'_>) -> Vec<End> {
    // Bound, but not listening.
    let taken = bound(stage.ip);
    let to = local_address(&taken).unwrap();
    let socket = bound(stage.ip);
    let refused = rustix::net::connect(&socket, &to).unwrap_err();
    assert_eq!(refused, rustix::io::Errno::CONNREFUSED);
    vec![End {
        local: local_address(&socket).unwrap().port(),
        peer: to.port(),
        chain: "CLOSED SYN_SENT CLOSED",
        last: Last::Socket,
    }]
}

/// A socket with a port of its own, on which nobody listens.
pub fn bound(ip: IpAddr) -> OwnedFd {
    let socket = tcp::socket(ip).unwrap();
    rustix::net::bind(&socket, &SocketAddr::new(ip, 0)).unwrap();
    socket
}

fn nobody_answers(stage: &Stage<'_>) -> Vec<End> {
    stage
        .namespace
        .set_sysctl("ipv4/tcp_syn_retries", "1")
        .unwrap();
    // Of Linux 6.5.
    let linear = "ipv4/tcp_syn_linear_timeouts";
    if std::path::Path::new("/proc/sys/net").join(linear).exists() {
        stage.namespace.set_sysctl(linear, "0").unwrap();
    }
    // A full accept queue drops every SYN.
    let listener = tcp::listener(stage.ip, 0).unwrap();
    let _waiting = tcp::connect(&listener).unwrap();
    let socket = bound(stage.ip);
    let to = local_address(&listener).unwrap();
    rustix::io::ioctl_fionbio(&socket, true).unwrap();
    let begun = rustix::net::connect(&socket, &to).unwrap_err();
    assert_eq!(begun, rustix::io::Errno::INPROGRESS);
    let local = local_address(&socket).unwrap().port();
    rustix::io::ioctl_fionbio(&socket, false).unwrap();
    // Given up when it would be asked again, and not after that.
    sockopt::set_tcp_user_timeout(&socket, 500).unwrap();
    // Waits for the end, like a call that blocks.
    let timed_out = TcpStream::from(socket).read(&mut [0]).unwrap_err();
    assert_eq!(timed_out.kind(), std::io::ErrorKind::TimedOut);
    vec![End {
        local,
        peer: to.port(),
        chain: "CLOSED SYN_SENT CLOSED",
        last: Last::Socket,
    }]
}

fn mapped(stage: &Stage<'_>) -> Vec<End> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let listener = tcp::listener_with(any, 16, |socket| {
        Ok(sockopt::set_ipv6_v6only(socket, false)?)
    });
    let listener = listener.unwrap();
    let to = local_address(&listener).unwrap().port();
    let client = tcp::socket(V4).unwrap();
    rustix::net::connect(&client, &SocketAddr::from((Ipv4Addr::LOCALHOST, to))).unwrap();
    let client = TcpStream::from(client);
    let server = tcp::accept(&listener).unwrap();
    let pair = tcp::Pair {
        listener,
        client,
        server,
    };
    let [client, server] = ends(&pair, CLIENT, SERVER);
    stage.pause();
    close(pair.client);
    stage.pause();
    close(pair.server);
    stage.pause();
    vec![client.closed_early(), server]
}

fn listener(stage: &Stage<'_>) -> Vec<End> {
    let listener = tcp::listener(stage.ip, 16).unwrap();
    let local = local_address(&listener).unwrap().port();
    stage.pause();
    close(listener);
    stage.pause();
    vec![End {
        local,
        peer: 0,
        chain: "CLOSED LISTEN CLOSED",
        last: Last::Socket,
    }]
}
