//! What the manual and the README show of checks is so.

use std::net::TcpStream;
use std::path::Path;

use lsock::cli::{self, Terminal};

use super::*;
use crate::examples;
use crate::manual;
use crate::readme::blocks;
use crate::shell::{self, Shown, commands};

/// The transcripts of the manual and of the README.
fn transcripts() -> Vec<Vec<Shown>> {
    let of = |blocks: Vec<String>| blocks.iter().flat_map(|block| commands(block)).collect();
    vec![of(manual::check_blocks()), of(blocks("shellsession"))]
}

/// Ours, and the status that it is shown with.
fn shown_with_status(shown: &[Shown]) -> Vec<(&Shown, i32)> {
    let status = |place: usize| {
        let next = shown
            .get(place + 1)
            .filter(|next| next.command == "echo $?");
        next.map_or(0, |next| next.output[0].parse().unwrap())
    };
    let ours = shown
        .iter()
        .enumerate()
        .filter(|(_, shown)| shown.is_ours());
    ours.map(|(place, shown)| (shown, status(place))).collect()
}

/// What it says on the standard error, which the manual folds.
fn said(shown: &Shown) -> Option<String> {
    let lines = shown.output.iter();
    let lines = lines.skip_while(|line| !line.starts_with("lsock: "));
    let text = lines.map(String::as_str).collect::<String>();
    (!text.is_empty()).then_some(text)
}

/// The lines without what differs from run to run: every number is 0.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if text.ends_with('0') => {}
            '0'..='9' => text.push('0'),
            ' ' if text.ends_with(' ') => {}
            c => text.push(c),
        }
    }
    text
}

#[test]
fn every_command_is_understood() {
    // What the snippets for GitHub and GitLab run.
    let yaml = [manual::check_blocks(), blocks("yaml")].concat();
    let yaml = yaml.into_iter().filter(|block| !block.contains("\n$ "));
    let yaml = yaml.collect::<Vec<_>>().join("\n").replace("\\\n", "");
    let lines = yaml.lines().filter_map(|line| line.split_once("lsock "));
    let snippets = lines.map(|(_, rest)| format!("$ lsock {rest}"));
    let snippets = commands(&snippets.collect::<Vec<_>>().join("\n"));
    let shown = transcripts().concat().into_iter().chain(snippets);
    let ours: Vec<Shown> = shown.filter(Shown::is_ours).collect();
    assert!(ours.len() >= 15, "{ours:#?}");
    for shown in ours {
        let arguments = examples::arguments(&shown).unwrap();
        if let Err(error) = cli::parse(arguments, Terminal::default()) {
            panic!("$ {}\n{error}", shown.command);
        }
    }
}

/// What the transcripts say is there: a server at 8080, one at 9229 for everybody, and a program that
/// forgets to close.
struct Scene {
    _listeners: [OwnedFd; 3],
    _connections: Vec<(TcpStream, TcpStream)>,
}

impl Scene {
    fn open() -> Self {
        let everywhere = IpAddr::from([0, 0, 0, 0]);
        let api = listen_at(V4, 9000);
        let connections = (0..3).map(|_| {
            let client = TcpStream::connect((V4, 9000)).unwrap();
            let server = tcp::accept(&api).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            (client, server)
        });
        Self {
            _connections: connections.collect(),
            _listeners: [listen_at(V4, 8080), listen_at(everywhere, 9229), api],
        }
    }
}

/// What is shown of a recipe comes of it, but for numbers and names.
fn assert_shown(shown: &Shown, status: i32, folder: &Path) {
    let output = shell::run(&shown.command, folder);
    assert_eq!(output.status.code(), Some(status), "{shown:?} {output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let told = stderr.lines().last().unwrap_or_default();
    // Who holds the port is this process.
    let begin = |line: &str| {
        without_numbers(line)
            .split(" by ")
            .next()
            .unwrap()
            .to_owned()
    };
    if let Some(said) = said(shown) {
        assert_eq!(begin(told), begin(&said), "{shown:?}");
    }
}

#[test]
fn recipes_end_with_the_status_they_are_shown_with() {
    let Some(_namespace) = fresh() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let mut total = 0;
    for transcript in transcripts() {
        let mut scene = Some(Scene::open());
        let mut checked = 0;
        for (shown, status) in shown_with_status(&transcript) {
            // What leads to these is not done here; they have tests of their own.
            let leads = ["diff", "-En", "> before"];
            let is_led = leads.iter().any(|part| shown.command.contains(part));
            if is_led || said(shown).is_some_and(|said| said.contains("TIME_WAIT for")) {
                continue;
            }
            if shown.command.contains("-tlnH --wait") {
                // The server has ended.
                scene = None;
            }
            assert_shown(shown, status, folder.path());
            checked += 1;
            scene = scene.or_else(|| Some(Scene::open()));
        }
        total += checked;
    }
    assert!(total >= 6, "{total}");
}
