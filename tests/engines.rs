//! What engines really wrote, below a root of the test's own: the files and processes of a machine with docker 20.10,
//! podman 4.3 and 5.4, containerd 1.6, runc and systemd-nspawn, cut down to what names containers.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Run, bytes_of, lsock};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/engines");

/// A copy of a `/proc`, in which each process has a listener whose port is its number.
struct Machine {
    proc: TempDir,
    root: String,
}

fn write(path: &Path, contents: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

impl Machine {
    fn new(root: &str) -> Self {
        let machine = Self {
            proc: TempDir::new().unwrap(),
            root: root.to_owned(),
        };
        // A thread of the kernel: nothing is hidden here.
        let thread = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0";
        machine.file("2/stat", thread);
        let path = format!("{FIXTURES}/processes.json");
        let processes: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let mut table = String::from("  sl  local_address\n");
        for (slot, process) in processes.iter().enumerate() {
            machine.add(process);
            let port = process["pid"].as_u64().unwrap();
            let row = format!(
                "{slot:4}: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 \
                 00000000     0        0 {} 1 0000000000000000 100 0 0 10 0\n",
                port + 100_000
            );
            table.push_str(&row);
        }
        machine.file("net/tcp", table);
        machine
    }

    fn file(&self, path: &str, contents: impl AsRef<[u8]>) {
        write(&self.proc.path().join(path), contents);
    }

    /// The file in the place of a network namespace.
    fn network(&self, number: &Value) -> String {
        let path = self.proc.path().join(format!("networks/{number}"));
        write(&path, "");
        path.into_os_string().into_string().unwrap()
    }

    fn add(&self, process: &Value) {
        let [pid, parent, user] = ["pid", "ppid", "uid"].map(|key| &process[key]);
        let text = |key: &str| process[key].as_str().unwrap();
        let mut line = text("cmdline").to_owned();
        let held = self.proc.path().join(format!("{pid}/fd"));
        fs::create_dir_all(&held).unwrap();
        let socket = pid.as_u64().unwrap() + 100_000;
        symlink(format!("socket:[{socket}]"), held.join("3")).unwrap();
        // Which namespace is behind it, only the kernel tells: that of the only process with this number.
        for (number, path) in process["fds"].as_object().unwrap() {
            let network = self.network(&process["behind"]);
            line = line.replace(path.as_str().unwrap(), &network);
            symlink(network, held.join(number)).unwrap();
        }
        let namespace = self.proc.path().join(format!("{pid}/ns/net"));
        fs::create_dir_all(namespace.parent().unwrap()).unwrap();
        symlink(self.network(&process["net"]), namespace).unwrap();
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let inside = if process["inside"] == true { "\t1" } else { "" };
        let status = own.lines().map(|line| match line.split_once(':') {
            Some(("Uid", _)) => format!("Uid:\t{user}\t{user}\t{user}\t{user}\n"),
            Some(("PPid", _)) => format!("PPid:\t{parent}\n"),
            Some(("NSpid", _)) => format!("NSpid:\t{pid}{inside}\n"),
            _ => format!("{line}\n"),
        });
        for (file, contents) in [
            ("comm", format!("{}\n", text("comm"))),
            ("cmdline", line),
            ("cgroup", text("cgroup").to_owned()),
            ("status", status.collect()),
        ] {
            self.file(&format!("{pid}/{file}"), contents);
        }
    }

    fn list(&self, words: &[&str]) -> Run {
        let proc = self.proc.path().to_str().unwrap();
        let run = lsock(
            [
                &["-tlnep", "--proc-root", proc, "--host-root", &self.root],
                words,
            ]
            .concat(),
        );
        run.assert_speaks_plainly();
        run
    }

    /// What is told of each process.
    fn places(&self) -> HashMap<u64, String> {
        let rows = self.list(&["-j"]).sockets().into_iter();
        rows.map(|row| {
            let word = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            let words = ["container", "pod", "image", "runtime", "container_unit"].map(word);
            (row["local_port"].as_u64().unwrap(), words.join(" "))
        })
        .collect()
    }
}

#[test]
fn containers_are_named_as_their_engines_name_them() {
    let machine = Machine::new(&format!("{FIXTURES}/root"));
    let places = machine.places();
    let pause =
        |version: &str, name: &str| format!("{name} localhost/podman-pause:{version} podman -");
    let [old, new] = ["4.3.1-0", "5.4.2-1766335321"];
    let mut expected: Vec<(&[u64], String)> = vec![
        (&[17_437], pause(old, "7b0799cc308b-infra shop-pod")),
        (&[17_784], pause(old, "7da2118b7ee5-infra rpod")),
        (&[28_112], pause(new, "1d9287955447-infra five-pod")),
        (&[20_749], pause(new, "b3c79f610b74-infra r5pod")),
    ];
    for (pids, name) in [
        // With a network of its own: what runs in it and what listens for it, docker-proxy; with that of the machine, and
        // with that of another container.
        (&[15_270, 15_214, 15_227, 15_233][..], "web - bb:1 docker -"),
        (&[15_349], "hosted - bb:1 docker -"),
        (&[15_399], "other - bb:1 docker -"),
        // podman as root: in no pod, in one that has a cgroup, in one that has none. conmon listens.
        (&[16_583, 16_569], "pweb - localhost/bb:latest podman -"),
        (&[16_671, 16_659], "phost - localhost/bb:latest podman -"),
        (
            &[17_469, 17_459],
            "ppod shop-pod localhost/bb:latest podman -",
        ),
        (
            &[16_850, 16_840],
            "pplain plain localhost/bb:latest podman -",
        ),
        (&[28_082, 28_080], "five - localhost/bb:latest podman -"),
        (
            &[28_119, 28_117],
            "inpod five-pod localhost/bb:latest podman -",
        ),
        (
            &[28_142, 28_140],
            "inplain five-plain localhost/bb:latest podman -",
        ),
        // As users, without cgroups. rootlessport and pasta listen.
        (
            &[17_730, 17_704, 17_709, 17_720],
            "rless - localhost/bb:latest podman -",
        ),
        (
            &[17_816, 17_771, 17_777, 17_807],
            "rinpod rpod localhost/bb:latest podman -",
        ),
        (&[17_853, 17_843], "rhost - localhost/bb:latest podman -"),
        (
            &[20_652, 20_647, 20_650],
            "r5 - localhost/bb:latest podman -",
        ),
        (
            &[20_756, 20_746, 20_754],
            "r5inpod r5pod localhost/bb:latest podman -",
        ),
        (&[26_618], "cimg - - containerd -"),
        (&[26_671], "cdir - - containerd -"),
        (&[30_344], "alone - - runc -"),
        // A socket unit and the service behind it, in a systemd that nspawn has booted.
        (&[4_113], "box - - nspawn init.scope"),
        (&[4_144], "box - - nspawn plain.service"),
        (&[27_359], "box - - nspawn web.service"),
        // Engines, and what works for all of their containers.
        (
            &[
                4_096, 14_483, 14_494, 15_250, 15_327, 15_375, 17_701, 17_769, 25_619, 26_596,
                26_651,
            ],
            "- - - - -",
        ),
    ] {
        expected.push((pids, name.to_owned()));
    }
    let count: usize = expected.iter().map(|(pids, _)| pids.len()).sum();
    assert_eq!(places.len(), count);
    for (pids, expected) in expected {
        for pid in pids {
            assert_eq!(places[pid], expected, "{pid}");
        }
    }
    let compose = machine.list(&["-j", "compose_project = shop and compose_service = web"]);
    assert_eq!(compose.sockets().len(), 4);
}

#[test]
fn without_the_files_of_the_machine_ids_stand_for_names() {
    let empty = TempDir::new().unwrap();
    let machine = Machine::new(empty.path().to_str().unwrap());
    let places = machine.places();
    for (pid, expected) in [
        (15_270, "596b63a2990f - - docker -"),
        (15_214, "- - - - -"),
        // Of these a command line tells the name.
        (16_583, "pweb - - podman -"),
        (17_704, "rless - - podman -"),
        (26_618, "cimg - - containerd -"),
        (4_144, "box - - nspawn plain.service"),
        (30_344, "- - - - -"),
    ] {
        assert_eq!(places[&pid], expected, "{pid}");
    }
    // A copy of /proc is not of this machine: its files do not count for it unless they are asked for.
    let proc = machine.proc.path().to_str().unwrap();
    let run = lsock(["-tlnepj", "--proc-root", proc, "sport = 16583"]);
    assert_eq!(run.sockets()[0]["container"], "2dbe5a2e3e69");
}

/// Names that an engine would not let pass, but its files may have them.
const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}]0;x\u{7}",
    "two\nlines\r",
    "tab\tand space",
    "\"quotes\" 'and' `more`",
    "a,b;c|d",
    "\u{202e}right\u{200b}\u{85}",
    "=1+1",
    "-",
];

#[test]
fn hostile_names_keep_to_their_place_in_every_format() {
    let root = TempDir::new().unwrap();
    let id = "596b63a2990f29065318c54242f06ce919dccd02d906644c023e067172903962";
    let machine = Machine::new(root.path().to_str().unwrap());
    let path = root
        .path()
        .join(format!("srv/docker/containers/{id}/config.v2.json"));
    let columns = "container,image,compose_project,pod,pod_namespace,runtime";
    let row = |format: &str| {
        let words = [
            "-H",
            "--columns",
            columns,
            "--format",
            format,
            "sport = 15270",
        ];
        machine.list(&words)
    };
    let long = "x".repeat(100_000);
    for name in HOSTILE.into_iter().chain([&*long]) {
        let labels = serde_json::json!({
            "com.docker.compose.project": name,
            "io.kubernetes.pod.name": name,
            "io.kubernetes.pod.namespace": name,
        });
        let config = serde_json::json!({"Name": format!("/{name}"), "Config": {"Image": name, "Labels": labels}});
        write(&path, config.to_string());
        // A comma stands between several.
        let escaped = name.replace(',', r"\x2c");
        for format in ["json", "ndjson"] {
            let run = row(format);
            let row = match format {
                "json" => run.sockets()[0].clone(),
                _ => run
                    .values()
                    .into_iter()
                    .find(|value| value["container"].is_string())
                    .unwrap(),
            };
            for field in columns.split(',').take(5) {
                let shown = row[field].as_str().unwrap();
                assert_eq!(bytes_of(shown), escaped.as_bytes(), "{field} in {format}");
            }
        }
        let csv = row("csv");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&*csv.stdout);
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 1, "{csv:?}");
        assert_eq!(records[0].len(), 6, "{csv:?}");
        for format in ["table", "plain"] {
            let run = row(format);
            // A table breaks a long name over lines.
            let is_broken = format == "table" && name == long;
            assert_eq!(run.lines().len() == 1, !is_broken, "{format}");
            let is_plain =
                |c: char| c == '\n' || !(c.is_control() || "\u{202e}\u{200b}".contains(c));
            assert!(run.text().chars().all(is_plain), "{:?}", run.text());
            assert!(
                is_broken || run.text().trim_end().ends_with(" docker"),
                "{:?}",
                run.text()
            );
        }
        let plain = row("plain");
        assert_eq!(plain.text().split_whitespace().count(), 6, "{plain:?}");
    }
    // What is not UTF-8 is no JSON: the id is left.
    write(&path, b"{\"Name\":\"/\xff\xfe\"}");
    assert_eq!(
        row("plain").text().split_whitespace().next(),
        Some("596b63a2990f")
    );
}

#[test]
fn a_container_cannot_rename_itself() {
    let machine = Machine::new(&format!("{FIXTURES}/root"));
    let [web, hosted] = [15_270, 15_349];
    let name = |pid: u64| machine.places()[&pid].split(' ').next().unwrap().to_owned();
    // Files as its engine has them, in its own root, and another cgroup below its own.
    let id = "7c1337f4709a38611e24dde1497b8a6678f2fa626fb9600d671e9acacb8097dd";
    let lie = r#"{"Name":"/web","cgroup_paths":{"":"/docker/x"}}"#;
    for path in [
        format!("srv/docker/containers/{id}/config.v2.json"),
        "run/runc/web/state.json".to_owned(),
        "run/systemd/machines/web".to_owned(),
    ] {
        machine.file(&format!("{hosted}/root/{path}"), lie);
    }
    assert_eq!([name(web), name(hosted)], ["web", "hosted"]);
    for (below, expected) in [
        ("lxc.payload.web", "hosted:web"),
        ("machine-web.scope", "hosted:web"),
        (
            "docker/596b63a2990f29065318c54242f06ce919dccd02d906644c023e067172903962",
            "hosted:596b63a2990f",
        ),
        ("default/cimg", "hosted"),
        ("payload/system.slice/web.service", "hosted"),
    ] {
        machine.file(
            &format!("{hosted}/cgroup"),
            format!("0::/docker/{id}/{below}\n"),
        );
        assert_eq!(name(hosted), expected, "{below}");
    }
    // What calls itself as a servant does, in a container.
    machine.file(&format!("{hosted}/cgroup"), format!("0::/docker/{id}\n"));
    machine.file(&format!("{hosted}/comm"), "docker-proxy\n");
    machine.file(
        &format!("{hosted}/cmdline"),
        "docker-proxy -container-ip 172.17.0.2 ".replace(' ', "\0"),
    );
    assert_eq!(name(hosted), "hosted");
}
