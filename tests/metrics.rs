//! Metrics, and files that are replaced.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};

use nix::sys::socket::{setsockopt, sockopt::RcvBuf};

use crate::namespaces::{add, in_named, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::{V4, tcp::options};
use crate::support::{fresh, lsock};

/// The samples of a page: names with labels, and values. Panics at a line that is neither a sample nor of a family.
fn samples(page: &str) -> BTreeMap<String, String> {
    let mut families = Vec::new();
    let mut samples = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(kind, "gauge");
            assert!(!families.contains(&name), "{name} is there twice");
            families.push(name);
        } else if !line.starts_with("# HELP ") && line != "# EOF" {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(families.last(), Some(&name), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let before = samples.insert(series.to_owned(), value.to_owned());
            assert_eq!(before, None, "{line}");
        }
    }
    samples
}

#[test]
fn metrics_are_the_counts_with_zeros() {
    let Some(_namespace) = fresh() else { return };
    let _held = options::unread(V4, 7).unwrap();
    let page = lsock(["-s", "--format", "openmetrics"]).clean();
    assert!(page.text().ends_with("\n# EOF\n"));
    let told = samples(page.text());
    let state = |state: &str| {
        &*told[&format!("lsock_sockets{{protocol=\"tcp\",family=\"inet\",state=\"{state}\"}}")]
    };
    for row in lsock(["-s", "--format", "ndjson", "-t4"]).clean().values() {
        assert_eq!(
            state(row["state"].as_str().unwrap()),
            row["count"].to_string()
        );
    }
    assert_eq!(state("ESTABLISHED"), "2");
    assert_eq!((state("CLOSE_WAIT"), state("TIME_WAIT")), ("0", "0"));
    let is = |series: &str, value: &str| assert_eq!(told[series], value, "{series}");
    is("lsock_complete", "1");
    is("lsock_half_closed_sockets", "0");
    is(
        "lsock_finding{kind=\"accept_queue\",severity=\"critical\"}",
        "0",
    );
    is("lsock_tcp_listen_overflows", "0");
    // The same without the last line.
    let other = lsock(["-s", "--format", "prometheus"]).clean();
    assert!(!other.text().contains("# EOF"));
    // A child that another test starts holds the listener, too, until it is another program.
    let series = |key: &String| key.split(",process=").next().map(str::to_owned);
    let of = |samples: &BTreeMap<String, String>| samples.keys().map(series).collect::<Vec<_>>();
    assert_eq!(of(&samples(other.text())), of(&told));
}

#[test]
fn metrics_have_the_queues_of_listeners_and_no_peers() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let clients = [(); 3].map(|()| TcpStream::connect(end).unwrap());
    let page = lsock(["-st", "--format", "openmetrics"]).clean();
    let page = page.text();
    let told = samples(page);
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let labels = format!(
        "{{protocol=\"tcp\",address=\"127.0.0.1\",port=\"{}\",process=\"{}\"}}",
        end.port(),
        name.trim()
    );
    assert_eq!(told[&format!("lsock_listen_queue_length{labels}")], "3");
    assert_eq!(told[&format!("lsock_listen_queue_limit{labels}")], "128");
    for client in &clients {
        let port = client.local_addr().unwrap().port();
        assert!(!page.contains(&format!("\"{port}\"")), "{page}");
    }
    // No more listeners than are asked for.
    let page = lsock(["-st", "--format", "openmetrics", "--limit", "0"]).clean();
    let page = page.text();
    assert!(!page.contains("lsock_listen_queue_length{") && page.contains("\nlsock_listeners 1\n"));
}

/// Sends more than a socket takes. Gives what the namespace of the thread has dropped, as the kernel tells it.
fn drop_datagrams() -> u64 {
    let [to, from] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    setsockopt(&to, RcvBuf, &0).unwrap();
    for _ in 0..20 {
        from.send_to(&[0; 1_000], to.local_addr().unwrap()).unwrap();
    }
    let snmp = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let udp: Vec<Vec<&str>> = snmp
        .lines()
        .filter(|line| line.starts_with("Udp: "))
        .map(|line| line.split(' ').collect())
        .collect();
    let place = udp[0].iter().position(|name| *name == "RcvbufErrors");
    let dropped = udp[1][place.unwrap()].parse().unwrap();
    assert!(dropped > 0);
    dropped
}

#[test]
fn of_many_namespaces_those_with_the_most_sockets_have_series_and_the_others_a_sum() {
    let name =
        "metrics::of_many_namespaces_those_with_the_most_sockets_have_series_and_the_others_a_sum";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    let names: Vec<String> = (0..52).map(|number| format!("n{number}")).collect();
    let mut held = Vec::new();
    for (number, name) in names.iter().enumerate() {
        add(name);
        let listeners = if number < 50 { 2 } else { 1 };
        let listen = || (0..listeners).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        held.push(in_named(name, || listen().collect::<Vec<_>>()));
    }
    let dropped = ["n7", "n50", "n51"].map(|name| in_named(name, drop_datagrams));
    let words = ["-st", "-N", "all", "--format", "openmetrics"];
    let page = lsock(words).done();
    let told = samples(page.text());
    let labelled = |family: &str| {
        let of_family = told.keys().filter(|series| {
            let rest = series.strip_prefix(family);
            rest.is_some_and(|rest| rest.starts_with('{'))
        });
        let netns = of_family.map(|series| series.split("netns=\"").nth(1).unwrap());
        let mut netns: Vec<&str> = netns.map(|rest| rest.split('"').next().unwrap()).collect();
        netns.sort_unstable();
        netns.dedup();
        netns
    };
    let mut expected: Vec<&str> = names[..50].iter().map(String::as_str).collect();
    expected.push("(others)");
    expected.sort_unstable();
    let dropping = "lsock_udp_receive_buffer_errors";
    for family in ["lsock_sockets", dropping, "lsock_tcp_listen_overflows"] {
        assert_eq!(labelled(family), expected, "{family}");
    }
    let is = |series: String, value: u64| assert_eq!(told[&series], value.to_string(), "{series}");
    for (netns, listeners) in [("n7", 2), ("(others)", 2)] {
        let of = "protocol=\"tcp\",family=\"inet\",state=\"LISTEN\"";
        is(
            format!("lsock_sockets{{{of},netns=\"{netns}\"}}"),
            listeners,
        );
    }
    is(format!("{dropping}{{netns=\"n7\"}}"), dropped[0]);
    is(format!("{dropping}{{netns=\"n8\"}}"), 0);
    is(
        format!("{dropping}{{netns=\"(others)\"}}"),
        dropped[1] + dropped[2],
    );
    // Every listener counts, 20 of them have series.
    assert_eq!(told["lsock_listeners"], "102");
    let queues = told
        .keys()
        .filter(|series| series.starts_with("lsock_listen_queue_length{"));
    assert_eq!(queues.count(), 20);
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let Some(_namespace) = fresh() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let file = path("lsock.prom");
    fs::write(&file, "before").unwrap();
    symlink("lsock.prom", path("link")).unwrap();
    let write = |to: &str, words: &[&str]| {
        let to = path(to).into_os_string().into_string().unwrap();
        lsock([words, &["--output", &to]].concat())
    };
    let run = write("link", &["-s", "--format", "prometheus"]);
    assert_eq!((run.status, run.stdout.len()), (Some(0), 0));
    let text = fs::read_to_string(&file).unwrap();
    assert!(samples(&text)["lsock_complete"] == "1" && path("link").is_symlink());
    // Who could not read it before cannot read it now.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    write("link", &["-s", "--format", "prometheus"]).clean();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    // What cannot be listed at all leaves the one before, and nothing beside it.
    let run = write("lsock.prom", &["--replay", "/nonexistent"]);
    assert_eq!(run.status, Some(2));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    let run = write("none/lsock.prom", &["-t"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("cannot write "), "{}", run.stderr);
    // A device is written to.
    lsock(["-t", "--output", "/dev/null"]).clean();
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    // Without colours, whatever the terminal.
    assert_eq!(write("list", &["-ta"]).status, Some(0));
    let list = fs::read_to_string(path("list")).unwrap();
    assert!(
        list.starts_with("PROTO") && !list.contains('\u{1b}'),
        "{list}"
    );
}
