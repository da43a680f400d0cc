//! Handshakes that are not the usual three segments: both ends at once, broken off, with data in the SYN, without an
//! answer, or not on the wire at all.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::lives::bound;
use super::watch::{Watch, has_begun, traced};
use super::{CLIENT, SERVER, once_more, steps};
use crate::scene::expected::local_address;
use crate::scene::{V4, tcp};
use crate::support::{Reading, close, command, has, list, program, run, until};

/// The words of the steps of these ends.
fn words(events: &[Value], local: u16, peer: u16) -> Vec<&str> {
    let of_end = of_end(events, local, peer);
    of_end
        .map(|event| event["step"].as_str().unwrap())
        .collect()
}

fn of_end(events: &[Value], local: u16, peer: u16) -> impl Iterator<Item = &Value> {
    let is_it = move |event: &&Value| event["local_port"] == local && event["peer_port"] == peer;
    events.iter().filter(is_it)
}

/// Every step belongs to this process; those that it made itself lead from one of these states.
fn assert_owned<'e>(events: impl Iterator<Item = &'e Value>, pid: u64, made_from: &[&str]) {
    for event in events {
        assert_eq!(event["processes"][0]["pid"], pid, "{event}");
        let is_made = made_from.iter().any(|state| event["old_state"] == *state);
        let task = if is_made { pid.into() } else { Value::Null };
        assert_eq!(event["task"]["pid"], task, "{event}");
    }
}

#[test]
fn socket_that_is_connected_to_itself_is_one_life() {
    let Some(_namespace) = traced() else { return };
    once_more(|| {
        let watch = Watch::begin(&["-p"], "");
        let socket = bound(V4);
        let port = local_address(&socket).unwrap().port();
        rustix::net::connect(&socket, &local_address(&socket).unwrap()).unwrap();
        close(socket);
        let (events, run) = watch.end();
        if super::is_lacking(&run) {
            return Err(run.stderr);
        }
        let told = steps(&events, port, port).chain();
        let chain = "CLOSED SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT";
        assert_eq!(told, chain);
        let made = ["CLOSED", "ESTABLISHED"];
        assert_owned(
            of_end(&events, port, port),
            std::process::id().into(),
            &made,
        );
        Ok(())
    });
}

/// Both have sent a SYN, and one is closed before the other's comes: so its SYN and ACK is answered with RST.
#[test]
fn reset_that_comes_in_syn_rcvd_is_the_peers() {
    let Some(_namespace) = traced() else { return };
    let [left, right] = [V4, V4].map(bound);
    let [here, there] = [&left, &right].map(|socket| local_address(socket).unwrap());
    let watch = Watch::begin(&["-p"], "");
    super::lives::slow();
    tcp::begin_to_connect(&left, there).unwrap();
    tcp::begin_to_connect(&right, here).unwrap();
    close(right);
    let error = until("the reset", || {
        let error = rustix::net::sockopt::socket_error(&left).unwrap();
        error.err()
    });
    assert_eq!(error, rustix::io::Errno::CONNRESET);
    super::lives::fast();
    close(left);
    let (events, run) = watch.end();
    run.done();
    let (here, there) = (here.port(), there.port());
    let chains = [(here, there), (there, here)].map(|(local, peer)| {
        let told = steps(&events, local, peer).chain();
        (told, *words(&events, local, peer).last().unwrap())
    });
    let given_up = "given up before the peer answered";
    let expected = [
        ("CLOSED SYN_SENT SYN_RCVD CLOSED", "reset by the peer"),
        ("CLOSED SYN_SENT CLOSED", given_up),
    ];
    assert_eq!(
        chains.each_ref().map(|(chain, last)| (&**chain, *last)),
        expected
    );
    let pid = std::process::id().into();
    assert_owned(of_end(&events, here, there), pid, &["CLOSED"]);
    assert_owned(of_end(&events, there, here), pid, &["CLOSED", "SYN_SENT"]);
}

/// A second connection sends five bytes in its SYN. A filter lets nothing pass to the listener and what it makes but
/// SYN and RST, if the ACK must not come.
const FAST_OPEN: &str = "
import ctypes, json, os, socket, struct, sys, time
open('/proc/sys/net/ipv4/tcp_fastopen', 'w').write('3')
how = sys.argv[1]
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
listener.listen(5)
def connect():
    client = socket.socket()
    client.sendto(b'GET /', socket.MSG_FASTOPEN, listener.getsockname())
    return client
with connect(), listener.accept()[0] as first:
    first.recv(9)
if how != 'close':
    codes = [(0x30, 0, 0, 13), (0x45, 0, 1, 6), (6, 0, 0, 65535), (6, 0, 0, 0)]
    codes = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *code) for code in codes))
    listener.setsockopt(socket.SOL_SOCKET, 26, struct.pack('HL', 4, ctypes.addressof(codes)))
client = connect()
print(json.dumps([client.getsockname()[1], client.getpeername()[1], os.getpid()]))
if how == 'reset':
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()
elif how == 'listener':
    listener.close()
else:
    server = listener.accept()[0]
    assert server.recv(9) == b'GET /'
    if how == 'answer':
        server.send(b'OK')
        server.close()
        assert client.recv(9) == b'OK'
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    else:
        client.shutdown(socket.SHUT_WR)
        assert server.recv(9) == b''
        server.close()
        assert client.recv(9) == b''
    client.close()
";

/// How a connection with data in its SYN goes on, and the steps of client and server, with the server's last.
const AFTER_FAST_OPEN: [(&str, [&str; 2], &str); 4] = [
    ("close", [CLIENT, SERVER], "close 4/4: FIN acknowledged"),
    (
        "reset",
        [
            "CLOSED SYN_SENT ESTABLISHED CLOSED",
            "LISTEN SYN_RCVD CLOSED",
        ],
        "reset by the peer",
    ),
    (
        "answer",
        [
            "CLOSED SYN_SENT ESTABLISHED CLOSE_WAIT CLOSED",
            "LISTEN SYN_RCVD FIN_WAIT_1 CLOSED",
        ],
        "reset",
    ),
    (
        "listener",
        [
            "CLOSED SYN_SENT ESTABLISHED CLOSED",
            "LISTEN SYN_RCVD CLOSED",
        ],
        "listener closed before it was accepted: RST sent",
    ),
];

#[test]
fn server_has_the_data_of_a_syn_before_the_handshake_is_complete() {
    let Some(_namespace) = traced() else { return };
    if !has("python3") {
        return;
    }
    for (how, chains, last) in AFTER_FAST_OPEN {
        once_more(|| {
            let watch = Watch::begin(&["-p"], "");
            let scene = run(command("python3").args(["-c", FAST_OPEN, how])).clean();
            let [client, server, pid]: [u32; 3] = serde_json::from_slice(&scene.stdout).unwrap();
            let (events, run) = watch.end();
            if super::is_lacking(&run) {
                return Err(run.stderr);
            }
            let [client, server] = [client, server].map(|port| u16::try_from(port).unwrap());
            let told = [(client, server), (server, client)]
                .map(|(local, peer)| steps(&events, local, peer).chain());
            assert_eq!(told, chains, "{how}");
            assert_eq!(words(&events, server, client).last(), Some(&last), "{how}");
            for event in events.iter().filter(|event| event["peer_port"] == client) {
                assert_eq!(event["processes"][0]["pid"], pid, "{event}");
                let has_data = event["old_state"] != "LISTEN";
                assert_eq!(
                    event["bytes_received"],
                    if has_data { 5 } else { 0 },
                    "{event}"
                );
            }
            let of_client = of_end(&events, client, server);
            let sent: Vec<_> = of_client
                .skip(1)
                .map(|event| &event["bytes_sent"])
                .collect();
            assert!(sent.iter().all(|sent| **sent == 5), "{how}: {sent:?}");
            Ok(())
        });
    }
}

/// Two ends that are restored as if they had been connected, and closed; one that is saved.
const REPAIR: &str = "
import os, socket
REPAIR, QUEUE, SEQUENCE = 19, 20, 21
def restore(port, to, sent, received):
    end = socket.socket()
    end.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
    end.bind(('127.0.0.1', port))
    for queue, number in (2, sent), (1, received):
        end.setsockopt(socket.IPPROTO_TCP, QUEUE, queue)
        end.setsockopt(socket.IPPROTO_TCP, SEQUENCE, number)
    end.connect(('127.0.0.1', to))
    return end
ends = restore(5001, 5002, 1000, 2000), restore(5002, 5001, 2000, 1000)
for end in ends:
    end.setsockopt(socket.IPPROTO_TCP, REPAIR, 0)
ends[0].shutdown(socket.SHUT_WR)
ends[1].recv(1)
ends[1].close()
ends[0].recv(1)
ends[0].close()
restore(5003, 5004, 1, 2).close()
print(os.getpid())
";

#[test]
fn what_tcp_repair_does_is_not_on_the_wire() {
    let Some(_namespace) = traced() else { return };
    if !has("python3") {
        return;
    }
    let watch = Watch::begin(&["-p"], "");
    let scene = run(command("python3").args(["-c", REPAIR])).clean();
    let (events, run) = watch.end();
    run.done();
    let restored = ["TCP_REPAIR: no SYN sent", "TCP_REPAIR: no handshake"];
    let opened = "CLOSED SYN_SENT ESTABLISHED";
    for (local, peer, rest) in [
        (5_001, 5_002, "FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT"),
        (5_002, 5_001, "CLOSE_WAIT LAST_ACK CLOSED"),
        (5_003, 5_004, "CLOSED"),
    ] {
        let chain = steps(&events, local, peer).chain();
        assert_eq!(chain, format!("{opened} {rest}"));
        assert_eq!(words(&events, local, peer)[..2], restored);
    }
    let saved = words(&events, 5_003, 5_004);
    assert_eq!(saved.last(), Some(&"TCP_REPAIR: nothing sent"));
    let pid = serde_json::from_slice(&scene.stdout).unwrap();
    let made = ["CLOSED", "SYN_SENT", "ESTABLISHED"];
    assert_owned(of_end(&events, 5_003, 5_004), pid, &made);
}

#[test]
fn connection_that_waits_for_its_answer_has_its_port() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap().port();
    let filter = format!("sport > 1023 and dport = :{to} and state syn-sent");
    let watch = Watch::begin(&["-p"], &filter);
    let client = tcp::deaf_client(&listener).unwrap();
    let port = local_address(&client).unwrap().port();
    let (events, run) = watch.end();
    run.done();
    let ports: Vec<_> = events.iter().map(|event| &event["local_port"]).collect();
    assert_eq!(ports, [port], "{events:?}");
    assert_eq!(
        events[0]["cookie"],
        list(&["-tn", "state syn-sent"])[0]["cookie"]
    );
    drop(client);
}

/// The time is over before the step has waited for its port.
#[test]
fn last_step_has_its_port() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    for by in ["connection", "pair"] {
        let mut lsock = program();
        lsock.args(["-En", "--by", by, "--format", "ndjson", "sport > 1023"]);
        let read = |line: String| serde_json::from_str::<Value>(&line).unwrap();
        let running = Reading::start(&mut lsock, read);
        until("it has begun", || has_begun(running.pid()).then_some(()));
        let client = tcp::deaf_client(&listener).unwrap();
        let port = local_address(&client).unwrap().port();
        let (told, run) = running.end_by(Signal::SIGINT);
        run.done();
        let life = if by == "pair" {
            &told[0]["client"]
        } else {
            &told[0]
        };
        assert_eq!((told.len(), &life["local_port"]), (1, &port.into()));
        close(client);
    }
}

#[test]
fn listener_that_was_not_bound_has_its_port_and_what_it_accepts_an_owner() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&["-p"], "");
    let listener = tcp::socket(V4).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    let port = local_address(&listener).unwrap().port();
    watch.ring();
    let client = tcp::socket(V4).unwrap();
    rustix::net::connect(&client, &std::net::SocketAddr::from((V4, port))).unwrap();
    let (events, run) = watch.end();
    run.done();
    let of_port: Vec<&Value> = events
        .iter()
        .filter(|event| event["local_port"] == port)
        .collect();
    let told: Vec<_> = of_port.iter().map(|event| &event["new_state"]).collect();
    assert_eq!(told, ["LISTEN", "SYN_RCVD", "ESTABLISHED"]);
    for event in of_port {
        assert_eq!(event["processes"][0]["pid"], std::process::id(), "{event}");
    }
    drop((listener, client));
}
