//! Options and signatures of sockets, with `ss` as the witness.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv6Addr, UdpSocket};
use std::process::{Command, Stdio};

use rustix::net::sockopt;
use serde_json::{Value, json};

use crate::scene::holder::find_program;
use crate::support::{Child, LSOCK, command, fresh, has, list, lsock, run, skip};

/// Sets type of service, `IP_FREEBIND`, `IP_BIND_ADDRESS_NO_PORT`, the priority and a signature with 192.0.2.7, listens,
/// and tells its port.
const LISTENER: &str = r#"
use Socket;
socket(my $s, AF_INET, SOCK_STREAM, 0) or die $!;
for ([0, 1, 16], [0, 15, 1], [0, 24, 1], [SOL_SOCKET, 12, 6]) {
    setsockopt($s, $$_[0], $$_[1], pack("i", $$_[2])) or die $!;
}
my $address = pack("SSC4x120", AF_INET, 0, 192, 0, 2, 7);
setsockopt($s, 6, 14, $address . pack("CCSia80", 0, 0, 6, 0, "mellon")) or die $!;
bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
listen($s, 5) or die $!;
my ($port) = sockaddr_in(getsockname($s));
$| = 1;
print "$port\n";
sleep 1000;
"#;

fn listener() -> Option<(Child, u16)> {
    if let Err(error) = find_program("perl") {
        skip(error);
        return None;
    }
    let mut child = Child::piped(Command::new("perl").args(["-e", LISTENER]));
    let mut line = String::new();
    let told = BufReader::new(child.stdout()).read_line(&mut line);
    told.unwrap();
    let port = line.trim().parse();
    let port = port.unwrap_or_else(|_| panic!("no port: {line:?}"));
    Some((child, port))
}

/// What `ss` says of the sockets of a port.
fn ss(words: &[&str], port: u16) -> String {
    let filter = format!("sport = {port}");
    let said = run(Command::new("ss").args(words).arg(filter));
    assert_eq!(said.status, Some(0), "{said:?}");
    said.text().to_owned()
}

#[test]
fn options_are_what_was_set() {
    let Some(_namespace) = fresh() else { return };
    let Some((_listener, port)) = listener() else {
        return;
    };
    let said = ss(&["-tlnH", "--tos", "--inet-sockopt"], port);
    let usual = ["mc_loop", "mc_all"];
    let set = ["tos:0x10", "class_id:0x6", "freebind", "bind_addr_no_port"];
    for word in set.iter().chain(&usual) {
        assert!(said.contains(word), "{word}: {said}");
    }
    let rows = list(&["-tlne", "freebind = 1 and tos = 16"]);
    let expected = json!({
        "tos": 16, "tclass": null, "class_id": 6, "recverr": 0, "freebind": 1, "hdrincl": 0, "mc_loop": 1,
        "transparent": 0, "mc_all": 1, "nodefrag": 0, "bind_address_no_port": 1, "recverr_rfc4884": 0,
        "defer_connect": 0,
    });
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["local_port"], port);
    assert_eq!(rows[0]["socket_options"], expected);
    // Text has what is not usual. Nobody else asks the kernel for it.
    let text = lsock(["-tlnH", "--columns", "socket_options"]).done();
    let cell = "tos:16,class_id:6,freebind:1,bind_address_no_port:1";
    assert_eq!(text.lines(), [cell]);
    assert_eq!(list(&["-tln"])[0]["socket_options"], Value::Null);
}

#[test]
fn traffic_class_is_one_of_ipv6() {
    let Some(_namespace) = fresh() else { return };
    let [plain, classed] = [0, 0x28].map(|class| {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        sockopt::set_ipv6_tclass(&socket, class).unwrap();
        socket
    });
    let port = classed.local_addr().unwrap().port();
    assert!(ss(&["-uanH", "--tos"], port).contains("tclass:0x28"));
    let rows = list(&["-uan", "tclass = 40"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["local_port"], port);
    let others = list(&["-uan", "tclass = 0"]);
    assert_eq!(others[0]["local_port"], plain.local_addr().unwrap().port());
}

#[test]
fn peers_of_a_signature_are_told_and_the_key_is_not() {
    let Some(_namespace) = fresh() else { return };
    let Some((_listener, port)) = listener() else {
        return;
    };
    let run = lsock(["-tlni", "--json"]).done();
    assert!(!run.text().contains("mellon"), "{run:?}");
    let rows = run.sockets();
    assert_eq!(rows[0]["local_port"], port);
    assert_eq!(rows[0]["md5"], "192.0.2.7/32");
    for (filter, count) in [("md5 = 192.0.2.7/32", 1), ("md5 = none", 0)] {
        let found = lsock(["-tln", "--json", filter]).done();
        assert_eq!(found.sockets().len(), count, "{filter}");
    }
}

/// What `tests/bpf_storage.py` holds: the ports of a connection's end and of a UDP socket, and the ids of two maps.
fn stored() -> Option<(Child, [u64; 4])> {
    if !has("python3") {
        skip("python3 is missing");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bpf_storage.py");
    let mut child = Child::piped(command("python3").arg(script).stdin(Stdio::piped()));
    let mut line = String::new();
    let told = BufReader::new(child.stdout()).read_line(&mut line);
    told.unwrap();
    let numbers: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
    let Ok(numbers) = numbers.try_into() else {
        skip("BPF maps cannot be made here");
        return None;
    };
    Some((child, numbers))
}

#[test]
fn bpf_maps_that_store_something_of_a_socket_are_told_with_ids_and_sizes() {
    let Some(_namespace) = fresh() else { return };
    let Some((_scene, [tcp, udp, first, second])) = stored() else {
        return;
    };
    let both = [
        format!("{first}:16,{second}:16"),
        format!("{second}:16,{first}:16"),
    ];
    let row = |filter: &str| {
        let rows = list(&["-tuan", "--bpf-storage", filter]);
        assert_eq!(rows.len(), 1, "{filter}");
        rows[0]["bpf_storage"].clone()
    };
    let of_tcp = format!("sport = {tcp}");
    let of_client = row(&of_tcp);
    assert!(both.iter().any(|text| of_client == *text), "{of_client}");
    // The kernel tells it of TCP and MPTCP alone.
    assert_eq!(row(&format!("sport = {udp}")), Value::Null);
    assert_eq!(row(&format!("dport = {tcp}")), Value::Null);
    // Where both ends are named, one connection is asked for.
    let peer = &list(&["-tn", &of_tcp])[0]["peer_port"];
    let ends = format!("src 127.0.0.1:{tcp} dst 127.0.0.1:{peer}");
    assert_eq!(row(&ends), of_client);
    let text = lsock(["-tnHO", "--bpf-storage", &of_tcp]).done();
    let word = format!(" bpf_storage:{}", of_client.as_str().unwrap());
    assert!(text.text().trim_end().ends_with(&word), "{text:?}");
    let column = lsock(["-tnH", "--columns", "bpf_storage", &of_tcp]).done();
    assert_eq!(column.lines(), [of_client.as_str().unwrap()]);
    let filter = format!("bpf_storage ~ *{first}:16*");
    let found = lsock(["-tuan", "--json", &filter]).done();
    assert_eq!(found.sockets().len(), 1, "{found:?}");
    // Nobody else asks the kernel for it.
    assert_eq!(list(&["-tn", &of_tcp])[0]["bpf_storage"], Value::Null);
}

#[test]
fn without_the_right_to_bpf_maps_everything_else_is_told() {
    let Some(_namespace) = fresh() else { return };
    let Some((_scene, [tcp, ..])) = stored() else {
        return;
    };
    if !has("setpriv") {
        return skip("setpriv is missing");
    }
    // CAP_SYS_ADMIN and CAP_BPF by number: not every setpriv knows their names.
    let refused = |words: &[&str]| {
        let mut setpriv = command("setpriv");
        setpriv.arg("--bounding-set=-cap_21,-cap_39").arg(LSOCK);
        run(setpriv.args(words))
    };
    let of_tcp = format!("sport = {tcp}");
    let listed = refused(&["-tuan", "--json", "--bpf-storage", &of_tcp]);
    let why = "bpf_storage is unknown: it requires CAP_BPF; run as root";
    assert_eq!(listed.stderr, format!("lsock: warning: {why}\n"));
    assert_eq!(listed.status, Some(0), "{listed:?}");
    let document: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let row = &document["sockets"][0];
    assert_eq!(row["bpf_storage"], Value::Null);
    assert_eq!(refused(&["-uan", "--bpf-storage"]).stderr, "");
    // Netlink has it, and /proc/net has not.
    assert!(row["cookie"].is_string(), "{row}");
    assert_eq!(document["summary"]["warnings"], json!([why]));
    for filter in ["bpf_storage = none", "bpf_storage ~ *:16*"] {
        let checked = refused(&["-tnq", &format!("{of_tcp} and {filter}")]);
        let end =
            "IPv4 TCP sockets: the filter needs bpf_storage, which requires CAP_BPF; run as root\n";
        assert!(
            checked.status == Some(2) && checked.stderr.contains(end),
            "{checked:?}"
        );
    }
    let told = list(&[
        "-tn",
        "--bpf-storage",
        "bpf_storage = none",
        &format!("dport = {tcp}"),
    ]);
    assert_eq!(told.len(), 1, "of a socket without them it is known");
}
