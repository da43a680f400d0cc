//! The action of the repository, run as GitHub runs it, with a release on loopback.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Child, LSOCK, has, run, until};

#[test]
fn action_installs_the_program_of_its_release() {
    if !["curl", "python3", "tar", "sha256sum"].into_iter().all(has) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let name = format!(
        "lsock-{version}-{}-unknown-linux-gnu",
        std::env::consts::ARCH
    );
    let release = folder
        .path()
        .join(format!("owner/lsock/releases/download/v{version}"));
    let packed = folder.path().join("packed").join(&name);
    let to = folder.path().join("bin");
    for folder in [&release, &packed, &to] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::copy(LSOCK, packed.join("lsock")).unwrap();
    let pack = format!("tar -C ../packed -czf {name}.tar.gz {name} && sha256sum *.gz > SHA256SUMS");
    let pack = pack.replace("../packed", packed.parent().unwrap().to_str().unwrap());
    let packed = run(Command::new("sh").args(["-c", &pack]).current_dir(&release));
    assert_eq!(packed.status, Some(0), "{packed:?}");
    let action = fs::read_to_string("action.yml").unwrap();
    let (_, script) = action.split_once("run: |\n").unwrap();
    let lines: Vec<&str> = script.lines().map(str::trim_start).collect();
    let script = lines.join("\n");
    let server = "import http.server as h, sys
s = h.ThreadingHTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler)
print(s.server_port, file=open('port', 'w'), flush=True)
s.serve_forever()";
    let mut python = Command::new("python3");
    python.args(["-c", server]).current_dir(folder.path());
    python.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Child::start(&mut python);
    let port = until("a server", || {
        let port = fs::read_to_string(folder.path().join("port")).ok()?;
        port.ends_with('\n').then(|| port.trim().to_owned())
    });
    let install = || {
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .env("DIRECTORY", &to)
            .env("no_proxy", "*");
        bash.env(
            "RELEASE",
            format!("http://127.0.0.1:{port}/owner/lsock/releases/download/v{version}"),
        );
        run(&mut bash)
    };
    let done = install();
    assert_eq!(done.status, Some(0), "{done:?}");
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.ends_with(&format!("lsock {version}\n")), "{said}");
    assert_eq!(
        fs::read(to.join("lsock")).unwrap(),
        fs::read(LSOCK).unwrap()
    );
    // What was changed on its way is not installed.
    fs::remove_file(to.join("lsock")).unwrap();
    let sums = release.join("SHA256SUMS");
    let wrong = fs::read_to_string(&sums).unwrap();
    fs::write(&sums, format!("{}{}", "0".repeat(64), &wrong[64..])).unwrap();
    let refused = install();
    assert_ne!(refused.status, Some(0), "{refused:?}");
    assert!(!to.join("lsock").exists());
}
