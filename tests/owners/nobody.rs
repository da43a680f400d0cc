//! What a user without rights is told.

use std::fs::{self, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::scene::holder::{as_nobody, find_program, no_nobody};
use crate::scene::{Expected, V4, tcp};
use crate::support::{Child, LSOCK, Run, fresh, run, skip, undisturbed, until};

/// The program at a place that everybody can reach.
pub struct Reachable {
    _directory: TempDir,
    program: PathBuf,
}

impl Reachable {
    /// Nothing, with the reason on stderr, where nobody cannot be become.
    pub fn new() -> Option<Reachable> {
        Reachable::copy(Path::new(LSOCK))
    }

    /// The same of another program.
    pub fn copy(of: &Path) -> Option<Reachable> {
        if let Some(why) = no_nobody() {
            skip(why);
            return None;
        }
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("lsock");
        undisturbed(|| fs::copy(of, &program)).unwrap();
        Some(Reachable {
            _directory: directory,
            program,
        })
    }

    /// A command that runs it as nobody.
    pub fn command(&self) -> Command {
        let mut command = as_nobody(&self.program);
        command.env("LC_ALL", "C").env_remove("NO_COLOR");
        command
    }

    /// Runs it as nobody.
    pub fn run(&self, words: &[&str]) -> Run {
        run(self.command().args(words))
    }
}

#[test]
fn owner_that_cannot_be_read_is_unreadable_in_json() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let run = lsock.run(&["-tlp", "--json"]);
    assert_eq!(run.status, Some(0));
    let row = &run.sockets()[0];
    assert_eq!(row["process_status"], "unreadable");
    assert_eq!(row["processes"], Value::Null);
}

#[test]
fn owner_that_cannot_be_read_is_a_question_mark_in_text() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let run = lsock.run(&["-tlpH"]);
    assert_eq!(run.text().split_whitespace().last(), Some("?"));
}

#[test]
fn unreadable_processes_are_counted_in_one_warning() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let _listeners = [tcp::listener(V4, 1).unwrap(), tcp::listener(V4, 1).unwrap()];
    let run = lsock.run(&["-tlp", "--json"]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    let words: Vec<&str> = run.stderr.split_whitespace().collect();
    assert_eq!(words[..2], ["lsock:", "warning:"]);
    assert!(words[2].parse::<u32>().unwrap() > 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("not readable; run as root"),
        "{}",
        run.stderr
    );
    let summary = &run.document()["summary"];
    let warnings = summary["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(run.stderr.contains(warnings[0].as_str().unwrap()));
    assert_eq!(summary["complete"], true);
}

#[test]
fn nothing_is_warned_of_when_owners_are_not_asked_for() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let run = lsock.run(&["-ta", "--json"]).clean();
    assert_eq!(run.sockets().len(), 1);
}

#[test]
fn own_processes_are_found_by_nobody_too() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let listener = tcp::listener(V4, 1).unwrap();
    let expected = Expected::inet("of nobody", "tcp", "LISTEN", listener.as_fd()).unwrap();
    let mut sleep = as_nobody(&find_program("sleep").unwrap());
    let child = Child::start(sleep.arg("600").stdin(Stdio::from(listener)));
    // Until then it is still root's.
    let comm = format!("/proc/{}/comm", child.pid());
    until(&comm, || {
        fs::read(&comm)
            .is_ok_and(|name| name == b"sleep\n")
            .then_some(())
    });
    let run = lsock.run(&["-tlp", "--json"]);
    let row = &run.sockets()[0];
    assert_eq!(row["inode"], Value::from(expected.inode));
    // Root made it, and may hold it still.
    assert_eq!(row["process_status"], "partial");
    assert_eq!(row["processes"][0]["pid"], child.pid());
    assert_eq!(row["processes"][0]["fds"], serde_json::json!([0]));
}

#[test]
fn rows_of_everybody_are_listed_for_nobody() {
    let Some(namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let scene = crate::scene::Scene::everything(&namespace);
    let words = ["-a", "-A", "inet,inet6,unix", "--json"];
    let run = lsock.run(&words).clean();
    let as_root = crate::support::list(&words[..3]);
    assert_eq!(run.sockets().len(), as_root.len());
    assert!(scene.expected.len() > 100);
}
