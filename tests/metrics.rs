//! Metrics, and files that are replaced.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, symlink};

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
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
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
